//! Texts and trees, one by one.

use super::*;
use crate::limits;

/// One line a node: path, label, content and spacing.
fn outline(text: &str) -> String {
    let root = check_tiles(text);
    let line = |node: &&Node| {
        let Decor { lead, separator, trail, close, indent, .. } = &node.decor;
        let content = match &node.content {
            Content::Scalar(text) | Content::Trivia(text) => format!("{text:?}"),
            Content::Container(Shape::Table) => "table".into(),
            Content::Container(Shape::List) => "list".into(),
            Content::Bytes(_) => unreachable!(),
        };
        let default = if node.path.is_root() { Decor::default() } else { Yaml.default_decor(&node.content) };
        let parts = [
            ("lead", lead, default.lead),
            ("separator", separator, default.separator),
            ("trail", trail, default.trail),
            ("close", close, default.close),
            ("indent", indent, default.indent),
        ];
        let parts = parts.iter().filter(|(_, text, default)| *text != default);
        let spacing: String = parts.map(|(name, text, _)| format!(" {name}={text:?}")).collect();
        format!("{} {:?} {content}{spacing}\n", node.path, node.label)
    };
    nodes(&root).iter().skip(1).chain([&&root]).map(line).collect()
}

#[track_caller]
fn check_outline(text: &str, expected: &str) {
    assert_eq!(outline(text).trim_start(), expected.trim_start());
}

mod shape {
    use super::*;

    #[test]
    fn tables_and_lists_nest() {
        check_outline(
            "a: 1 # one\nb:  # two\n    c : \"x: y\"\n    d:\n    - e\n    -   f: 2\n        g:\n    - - h\n      - i\nj: [1, {k: 2}]\n",
            r##"
.a "a" "1" trail=" # one"
.b "b" table trail="  # two" indent="    "
.b.c "c" "\"x: y\"" separator=" : "
.b.d "d" list indent=""
.b.d@0 "" "e"
.b.d@1 "" table separator=":   " indent=""
.b.d@1.f "f" "2"
.b.d@1.g "g" "" separator=":"
.b.d@2 "" list separator=": " indent=""
.b.d@2@0 "" "h"
.b.d@2@1 "" "i"
.j "j" "[1, {k: 2}]"
 "" table
"##,
        );
    }

    #[test]
    fn further_lines_of_values_are_relative() {
        check_outline(
            "a:\n  b: |\n    x\n\n      y\n\n  c: >+\n    z\n\n\n  d: \"p\n    q\"\n  e: r\n    s\n  f:\n    t\n  g: [\n    1, # u\n  ]\n",
            r##"
.a "a" table
.a.b "b" "|\n\0  x\n\n\0    y"
.a.c "c" ">+\n\0  z\n\n" lead="\n"
.a.d "d" "\"p\n\0  q\""
.a.e "e" "r\n\0  s"
.a.f "f" "t" separator=":\n\0  "
.a.g "g" "[\n\0  1, # u\n\0]"
 "" table
"##,
        );
    }

    #[test]
    fn what_is_anchored_or_tagged_is_one_value() {
        check_outline(
            "a: &x\n  b: 1 # c\n\n  # d\n  e:\n# f\ng:\n  <<: *x\nh: !t {i: 1} # j\nk:\n- !u\n  l: 1\n- &m\n- !!str\n",
            r##"
.a "a" "&x\n\0  b: 1 # c\n\n\0  # d\n\0  e:"
.g "g" table lead="\0# f\n"
.g.<< "<<" "*x"
.h "h" "!t {i: 1}" trail=" # j"
.k "k" list indent=""
.k@0 "" "!u\n\0  l: 1"
.k@1 "" "&m"
.k@2 "" "!!str"
 "" table
"##,
        );
    }

    #[test]
    fn comments_stand_where_their_column_says() {
        check_outline(
            "# licence\n\n# of a\na:\n  # first\n\n  # of b\n  b: 1\n  # behind b\n  # too\n# of c\nc:\n- 1\n# of 2\n- 2\n\n# left\n\n",
            r##"
!0 "" "\0# licence\n"
.a "a" table lead="\n\0# of a\n"
.a!0 "" "\0# first\n"
.a.b "b" "1" lead="\n\0# of b\n"
.a!1 "" "\0# behind b\n\0# too\n"
.c "c" list lead="\0# of c\n" indent=""
.c@0 "" "1"
.c@1 "" "2" lead="\0# of 2\n"
!1 "" "\n\0# left\n"
 "" table close="\n"
"##,
        );
    }

    #[test]
    fn several_documents_are_a_list() {
        check_outline(
            "# one\n---\na: 1\n# behind a\n\n# two\n--- # b\n- c\n...\n# three\n---\n--- |\n  d\n...\n",
            r##"
@0 "---" table lead="# one\n" separator="\n" indent=""
@0.a "a" "1"
@0!0 "" "\0# behind a\n"
@1 "---" list lead="\n# two\n" separator=" # b\n" close="...\n" indent=""
@1@0 "" "c"
@2 "---" "" lead="# three\n" separator="\n"
@3 "---" "|\n\0  d" separator=" " close="...\n"
 "" list
"##,
        );
        check_outline(
            "a: 1\n...\nb\n",
            "@0 \"...\" table separator=\"\\n\" close=\"...\\n\" indent=\"\"\n@0.a \"a\" \"1\"\n@1 \"...\" \"b\" separator=\"\\n\"\n \"\" list\n",
        );
    }

    #[test]
    fn one_document_is_what_it_holds() {
        check_outline(
            "%YAML 1.2\n--- # x\na: 1\n...\n",
            ".a \"a\" \"1\"\n \"\" table lead=\"%YAML 1.2\\n--- # x\\n\" close=\"...\\n\"\n",
        );
        check_outline("  a: 1\n  b: 2\n", ".a \"a\" \"1\"\n.b \"b\" \"2\"\n \"\" table indent=\"  \"\n");
        check_outline("--- [a] # x\n", " \"\" \"[a]\" lead=\"--- \" trail=\" # x\"\n");
        check_outline("~\n", " \"\" \"~\"\n");
        check_outline("[]\n", " \"\" list\n");
    }

    #[test]
    fn no_value_is_an_empty_table() {
        assert_eq!(check_tiles(""), Yaml.empty());
        check_outline("\n \n", " \"\" table close=\"\\n \\n\"\n");
        check_outline("# a\n\n# b\n", "!0 \"\" \"\\0# a\\n\"\n!1 \"\" \"\\n\\0# b\\n\"\n \"\" table\n");
        check_outline("---\n", " \"\" table lead=\"---\\n\"\n");
    }

    #[test]
    fn empty_brackets_are_containers() {
        check_outline(
            "a: {} # b\nc:\n- []\n",
            ".a \"a\" table separator=\": \" trail=\" # b\"\n.c \"c\" list indent=\"\"\n.c@0 \"\" list separator=\": \"\n \"\" table\n",
        );
    }
}

mod refusals {
    use super::*;

    #[track_caller]
    fn check_untileable(text: &str) {
        let parsed = Yaml.parse(text);
        assert!(matches!(parsed, Err(ParseError::Untileable { .. })), "{parsed:?} of\n{text}");
    }

    #[test]
    fn what_has_no_tree_is_text() {
        for text in [
            "a: 1\na: 2\n",
            "a: {b: 1, b: 2}\n",
            "a: *x\n",
            "a: &x 1\nb: &x 2\n",
            "? a\n: b\n",
            "[a]: b\n",
            "{{ x }}\n",
            "a: {{ x }}\n",
            "%TAG !e! tag:example.com:\n---\n!e!x a\n",
            "a: !e%41 b\n",
            "&x a: b\n",
            "!t a: b\n",
            "*x : b\n",
            "a: b\rc: d\n",
        ] {
            check_untileable(text);
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, line) in [
            ("a: b: c\n", 1),
            ("a:\n  b: 1\n c: 2\n", 3),
            ("a: [1\n", 1),
            ("a: 'x\n", 2),
            ("a: 1\n\tb: 2\n", 1),
            ("a: @x\n", 1),
            ("- a\nb: c\n", 2),
        ] {
            match Yaml.parse(text) {
                Err(ParseError::Syntax(error)) => assert_eq!(error.line, line, "{error}: {text}"),
                other => panic!("{other:?} of\n{text}"),
            }
        }
    }

    #[test]
    fn limits_are_those_of_the_mesh() {
        let keys = |count: usize| (0..count).map(|key| format!("a{key}: 1\n")).collect::<String>();
        check_tiles(&keys(limits::KEYS_PER_FILE));
        check_untileable(&keys(limits::KEYS_PER_FILE + 1));
        let deep = |count: usize| (0..count).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect::<String>();
        check_tiles(&deep(limits::DEPTH));
        check_untileable(&deep(limits::DEPTH + 1));
        let brackets = |count: usize| format!("a: {}{}\n", "[".repeat(count), "]".repeat(count));
        check_tiles(&brackets(limits::DEPTH - 1));
        check_untileable(&brackets(limits::DEPTH));
        let long = |bytes: usize| format!("{}: 1\n", "k".repeat(bytes - 1));
        check_tiles(&long(limits::PATH_BYTES));
        check_untileable(&long(limits::PATH_BYTES + 1));
    }

    /// Ten aliases of ten aliases and so on would be ten billion values.
    #[test]
    fn aliases_are_never_expanded() {
        let level =
            |number: usize| format!("l{number}: &l{number} [{}]\n", vec![format!("*l{}", number - 1); 10].join(", "));
        let text: String = std::iter::once("l0: &l0 laugh\n".to_string()).chain((1..=10).map(level)).collect();
        let root = check_tiles(&text);
        let Content::Scalar(value) = &root.children[10].content else { panic!("not one value") };
        assert_eq!(
            Yaml.scalar(value).expect("a list").to_json(),
            serde_json::json!(vec![serde_json::json!({ "*": "l9" }); 10])
        );
    }

    /// In linear time and without a stack overflow.
    #[test]
    fn hostile_texts_end() {
        for unit in [
            "[", "{", "- ", "-\n", "a: ", "a:\n", "? ", "\"", "'", "|", ">\n", "&a ", "!t ", "*a ", "---\n", "...\n",
            "# a\n", "{a: ", "[a, ", "\t", "\n", " ", "a\n", "%", "a: |\n", "- |\n\n", "\u{2028}",
        ] {
            let text = unit.repeat((1 << 18) / unit.len()) + "\n";
            for text in [format!("a: {text}"), format!("- {text}"), text] {
                if let Ok(root) = Yaml.parse(&text) {
                    assert_eq!(Yaml.print(&root), text);
                }
                Yaml.scalar(text.trim_end());
            }
        }
    }
}

mod merged {
    use super::*;

    fn child(node: &mut Node, index: usize) -> &mut Node {
        &mut node.children[index]
    }

    #[track_caller]
    fn check_printed(root: &Node, expected: &str) {
        let printed = Yaml.print(root);
        assert_eq!(printed, expected);
        assert_eq!(Yaml.read(&printed).ok(), meaning(&Yaml, root), "{printed}");
    }

    #[test]
    fn a_block_moves_with_all_that_is_in_it() {
        let mut root = parse("a:\n  # b\n  b: |\n    x\n\n     y\n  c:\n  - d: [\n      1]\n");
        child(&mut root, 0).decor.indent = "    ".into();
        check_printed(&root, "a:\n    # b\n    b: |\n      x\n\n       y\n    c:\n    - d: [\n        1]\n");
    }

    #[test]
    fn indentation_is_never_too_little() {
        let mut root = parse("a:\n  b:\n  - c\nd:\n-\n  e: 1\n");
        child(&mut root, 0).decor.indent = String::new();
        child(child(&mut root, 0), 0).decor.indent = "\t".into();
        child(child(&mut root, 1), 0).decor.indent = String::new();
        check_printed(&root, "a:\n  b:\n    - c\nd:\n-\n  e: 1\n");
    }

    #[test]
    fn an_item_whose_first_key_has_a_comment_begins_below_its_dash() {
        let mut root = parse("- a: 1\n  # b\n  b: 2\n- c: 3\n");
        child(&mut root, 0).children.swap(0, 1);
        check_printed(&root, "-\n  # b\n  b: 2\n  a: 1\n- c: 3\n");
    }

    #[test]
    fn containers_that_lost_all_have_brackets() {
        let mut root = parse("a: # x\n  b: 1\nc:\n- d\ne:\n- f: 1\n");
        root.children.iter_mut().for_each(|child| child.children.clear());
        check_printed(&root, "a: {} # x\nc: []\ne: []\n");
        root.children.clear();
        check_printed(&root, "");
    }

    #[test]
    fn brackets_that_got_something_open() {
        let mut root = parse("a: {} # x\nb:\n- []\n--- {}\n".split("---").next().unwrap());
        let value = parse("k: 1\n").children.remove(0);
        let item = parse("- 1\n").children.remove(0);
        child(&mut root, 0).children.push(Node { path: Path::decode(".a.k").unwrap(), ..value });
        child(child(&mut root, 1), 0).children.push(Node { path: Path::decode(".b@0@0").unwrap(), ..item });
        check_printed(&root, "a: # x\n  k: 1\nb:\n- - 1\n");
    }

    #[test]
    fn nothing_joins_a_block_scalar() {
        let mut root = parse("a: |+\n  x\n\nb: >\n  y\nc: 1\n\n    # d\n\nd: 2\n");
        let comment = root.children.remove(3);
        root.children.insert(2, comment);
        root.children.last_mut().unwrap().decor.lead = "\n \n".into();
        root.children.swap(0, 1);
        root.children.rotate_left(1);
        let printed = Yaml.print(&root);
        assert_eq!(Yaml.read(&printed).ok(), meaning(&Yaml, &root), "{printed}");
        child(&mut root, 0).decor.trail = " # e".into();
        assert!(Yaml.print(&root).contains("a: |+ # e\n"), "{}", Yaml.print(&root));
    }

    #[test]
    fn documents_are_told_apart_wherever_they_stand() {
        let mut root = parse("a: 1\n---\nb: 2\n--- c\n");
        root.children.rotate_left(1);
        check_printed(&root, "---\nb: 2\n--- c\n---\na: 1\n");
        let mut root = parse("--- a\n---\nb: 2\n");
        child(&mut root, 0).decor.separator = ": ".into();
        check_printed(&root, "---\na\n---\nb: 2\n");
    }

    #[test]
    fn default_spacing_is_readable() {
        let table = Content::Container(Shape::Table);
        let value = Content::Scalar("1".into());
        let mut outer = Node::new(Path::decode(".a").unwrap(), "a", table.clone(), Yaml.default_decor(&table));
        outer.children.push(Node::new(Path::decode(".a.b").unwrap(), "b", value.clone(), Yaml.default_decor(&value)));
        let mut root = Yaml.empty();
        root.children.push(outer);
        check_printed(&root, "a:\n  b: 1\n");
    }
}

mod inserted {
    use super::*;

    fn inserted(text: &str, path: &str, literal: &str) -> Result<String, String> {
        let mut root = parse(text);
        Yaml.insert(&mut root, &Path::decode(path).unwrap(), literal).map_err(|error| error.why)?;
        let printed = Yaml.print(&root);
        assert_eq!(Yaml.read(&printed).ok(), meaning(&Yaml, &root), "{printed}");
        Ok(printed)
    }

    #[test]
    fn new_keys_stand_behind_their_siblings_in_their_style() {
        for (text, path, expected) in [
            ("", ".a", "a: 1\n"),
            ("", ".a.b@0.c", "a:\n  b:\n    - c: 1\n"),
            ("# a\n", ".b", "# a\n\nb: 1\n"),
            ("---\n", ".b", "---\nb: 1\n"),
            ("a: 0\n\n", ".b", "a: 0\nb: 1\n\n"),
            ("a:\n    b: 0\n    # c\nd: 0\n", ".a.e", "a:\n    b: 0\n    e: 1\n    # c\nd: 0\n"),
            ("a:\n    b: 0\n", ".c.d.e", "a:\n    b: 0\nc:\n    d:\n        e: 1\n"),
            ("a:\n- b\n", ".c@0", "a:\n- b\nc:\n- 1\n"),
            ("a:\n- b\n", ".a@x", "a:\n- b\n- 1\n"),
            ("a:\n  -   b: 0\n", ".a@x.c", "a:\n  -   b: 0\n  -   c: 1\n"),
            ("a:\n  -   b: 0\n", ".a@0.c", "a:\n  -   b: 0\n      c: 1\n"),
            ("a:\n- b\n", ".a@x@y", "a:\n- b\n- - 1\n"),
            ("a:\nb: ~ # c\n", ".b.d", "a:\nb: # c\n  d: 1\n"),
            ("a: {}\nb: []\n", ".b@0", "a: {}\nb:\n  - 1\n"),
            ("{} # a\n", ".b", "# a\nb: 1\n"),
            ("--- null # a\n", ".b", "--- # a\nb: 1\n"),
            ("null\n", "@0", "- 1\n"),
            ("a: |\n  x\n", ".b", "a: |\n  x\nb: 1\n"),
            ("a:\n  x: 0\n\nb:\n  x: 0\n", ".c.x", "a:\n  x: 0\n\nb:\n  x: 0\n\nc:\n  x: 1\n"),
            ("a: 0\n---\nb: 0\n", "@1.c", "a: 0\n---\nb: 0\nc: 1\n"),
            ("a: 0\n---\nb: 0\n", "@2.c", "a: 0\n---\nb: 0\n---\nc: 1\n"),
            ("a: 0\n---\n", "@1.c", "a: 0\n---\nc: 1\n"),
            ("a: 0\n---\nb: 0\n# b\n", "@2", "a: 0\n---\nb: 0\n# b\n\n--- 1\n"),
            ("a: 0\n", ".yes", "a: 0\n\"yes\": 1\n"),
            ("a: 0\n", ".x: y", "a: 0\n\"x: y\": 1\n"),
        ] {
            assert_eq!(inserted(text, path, "1").as_deref(), Ok(expected), "{path} into {text}");
        }
        assert_eq!(inserted("a: 0\n", ".b", "[1, {c: 2}]").as_deref(), Ok("a: 0\nb: [1, {c: 2}]\n"));
    }

    #[test]
    fn what_has_no_place_says_why() {
        for (text, path, part) in [
            ("a: 5\n", ".a.b", "a holds a value"),
            ("a: [1]\n", ".a@1", "a holds a value"),
            ("a: &x\n  b: 1\n", ".a.c", "a holds a value"),
            ("a: 5\n", ".a", "there is a value"),
            ("a:\n- 1\n", ".a.b", "a is a list"),
            ("a:\n  b: 1\n", ".a@0", "a is a table"),
            ("a: 1\n---\nb: 1\n", ".a", "several documents"),
            ("a: 1\n", "", "there is a value"),
        ] {
            let why = inserted(text, path, "1").expect_err(path);
            assert!(why.contains(part), "{path} into {text}: {why}");
        }
        assert!(inserted("", ".a", "b: c").is_err());
        assert!(inserted("", &".a".repeat(limits::DEPTH + 1), "1").is_err());
        assert!(inserted("", &format!(".{}", "a".repeat(limits::PATH_BYTES)), "1").is_err());
    }
}

#[test]
fn a_scalar_is_exactly_one_value() {
    for text in [
        " 1",
        "1 ",
        "1\n",
        "1 # c",
        "# c",
        "a: b",
        "- a",
        "? a",
        "a\nb",
        "\"a\nb\"",
        "|\n  a",
        "[1",
        "[1] x",
        "\"a\" b",
        "---",
        "@a",
        "`a",
        "%a",
        "{a: 1, a: 2}",
        "1\0",
        "&a",
        "a\r",
        "\n\0  a: 1",
        "|\n\0  a\n",
        ", a",
        "'a' # b",
        "{{ a }}",
        "a:",
    ] {
        let is_null_with_anchor = text == "&a";
        assert_eq!(Yaml.scalar(text).is_some(), is_null_with_anchor || text == "---", "{text:?}");
    }
    for (text, json) in [
        ("", serde_json::json!(null)),
        ("1", serde_json::json!(1)),
        ("a b", serde_json::json!("a b")),
        ("a#b", serde_json::json!("a#b")),
        ("http://x:80/#y", serde_json::json!("http://x:80/#y")),
        ("-1.5", serde_json::json!(-1.5)),
        ("'a''b'", serde_json::json!("a'b")),
        ("\"\\u00e9\\x41\\n\"", serde_json::json!("éA\n")),
        ("\"a\n\0  b\n\n\0  c\"", serde_json::json!("a b\nc")),
        ("a\n\0  b", serde_json::json!("a b")),
        ("|-\n\0  a\n\n\0   b", serde_json::json!("a\n\n b")),
        (">2\n\0   a\n\0   b\n\0  c", serde_json::json!(" a\n b\nc\n")),
        ("|+\n\0  a\n", serde_json::json!("a\n\n")),
        ("[1, a: b, {c}, 'd': e]", serde_json::json!([1, {"a": "b"}, {"c": null}, {"d": "e"}])),
        ("&x !!str 1", serde_json::json!("1")),
        ("!Ref\n\0  a: [*x]", serde_json::json!({"!Ref": {"a": [{"*": "x"}]}})),
    ] {
        assert_eq!(Yaml.scalar(text).map(|value| value.to_json()), Some(json), "{text:?}");
    }
}
