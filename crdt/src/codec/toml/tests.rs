//! What the whole codec promises: real files, random ones, and broken ones.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::testing::{documents, literals};
use super::*;
use crate::codec::meaning::meaning;
use crate::limits;

fn parse(text: &str) -> Node {
    Toml.parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn path(text: &str) -> Path {
    Path::decode(text).expect("a path")
}

fn nodes(root: &Node) -> Vec<&Node> {
    let mut nodes = Vec::new();
    root.walk(&mut |node| nodes.push(node));
    nodes
}

fn check_tiles(text: &str) -> Node {
    let root = parse(text);
    assert_eq!(Toml.print(&root), text);
    assert_eq!(meaning(&Toml, &root), Toml.read(text).ok(), "{text}");
    root
}

mod shape {
    use super::*;

    /// One line a node: path, label, content and spacing.
    fn outline(text: &str) -> String {
        let root = check_tiles(text);
        let line = |node: &&Node| {
            let Decor { lead, separator, trail, close, indent, .. } = &node.decor;
            let content = match &node.content {
                Content::Scalar(text) | Content::Trivia(text) => format!("{text:?}"),
                _ => "table".into(),
            };
            let spacing: String =
                [("lead", lead), ("separator", separator), ("trail", trail), ("close", close), ("indent", indent)]
                    .iter()
                    .filter(|(name, text)| !text.is_empty() && (*name, text.as_str()) != ("separator", " = "))
                    .map(|(name, text)| format!(" {name}={text:?}"))
                    .collect();
            format!("{} {:?} {content}{spacing}\n", node.path, node.label)
        };
        nodes(&root).iter().skip(1).chain([&&root]).map(line).collect()
    }

    #[test]
    fn entries_headers_and_items_nest() {
        let text = "# licence\n\n# port\nport=1 # why\n\n# of a\n[ a.b ]\n  x.\"y z\" = [\n 1 ]\n\n  # more\n  z  =  2\n\n\
                    [[s]] # one\n[s.t]\nk = 1\n[[s.u]]\n[[s]]\n[s.t]\n\n# left\n\n";
        let expected = r##"
!0 "" "# licence\n"
.port "port" "1" lead="\n# port\n" separator="=" trail=" # why"
.a.b " a.b " table lead="\n# of a\n" indent="  "
.a.b.x.y z "x.\"y z\"" "[\n 1 ]" lead="\0"
.a.b.z "z" "2" lead="\n\0# more\n\0" separator="  =  "
.s@0 "s" table lead="\n" trail=" # one"
.s@0.t "s.t" table
.s@0.t.k "k" "1"
.s@0.u@0 "s.u" table
.s@1 "s" table
.s@1.t "s.t" table
.s@1.t!0 "" "\n# left\n"
 "" table close="\n"
"##;
        assert_eq!(outline(text), expected.trim_start());
    }

    #[test]
    fn comments_stand_with_what_is_right_below_them() {
        let text = "\n\n# a\n# b\n\n# c\n\n\n# d\nx = 1\n  # e\n\n[t]\n# f\n\n# g\n";
        let expected = r##"
!0 "" "\n\n# a\n# b\n"
!1 "" "\n# c\n"
.x "x" "1" lead="\n\n# d\n"
!2 "" "  # e\n"
.t "t" table lead="\n"
.t!0 "" "# f\n"
.t!1 "" "\n# g\n"
 "" table
"##;
        assert_eq!(outline(text), expected.trim_start());
    }

    #[test]
    fn odd_indentation_and_single_carriage_returns_stay() {
        let text = "\ta = 1\r\n  b = 2\n\t\tc = '''\r\n'''\r\n\r\n \t# x\r\n\td = 4\n \n\t\n";
        let expected = r#"
.a "a" "1" lead="\0" trail="\r"
.b "b" "2" lead="  "
.c "c" "'''\r\n'''" lead="\0\t" trail="\r"
.d "d" "4" lead="\r\n \t# x\r\n\0"
 "" table close=" \n\0\n" indent="\t"
"#;
        assert_eq!(outline(text), expected.trim_start());
    }

    #[test]
    fn a_new_indentation_moves_all_lines_of_a_section() {
        let mut root = parse("[a]\n  # one\n  x = 1\n    y = 2\n\n  # two\n  z = 3\n");
        root.children[0].decor.indent = "\t".into();
        assert_eq!(Toml.print(&root), "[a]\n\t# one\n\tx = 1\n\t  y = 2\n\n\t# two\n\tz = 3\n");
    }

    #[test]
    fn empty_texts_have_an_empty_root() {
        assert_eq!(check_tiles(""), Toml.empty());
        assert_eq!(outline("\n \n"), " \"\" table close=\"\\n \\n\"\n");
        assert_eq!(Toml.print(&Toml.empty()), "");
    }
}

mod refusals {
    use super::*;

    #[track_caller]
    fn check_untileable(text: &str, line: usize) {
        match Toml.parse(text) {
            Err(ParseError::Untileable { line: found, .. }) => assert_eq!(found, line),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn syntax_errors_name_the_place() {
        for (text, line, column) in
            [("a = 1\nb\n", 2, 2), ("[a]\n[a]\n", 2, 2), ("a.b = 1\n[a]\n", 2, 2), ("a = \"é\u{0}\"\n", 1, 7)]
        {
            match Toml.parse(text) {
                Err(ParseError::Syntax(error)) => assert_eq!((error.line, error.column), (line, column), "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_item_in_pieces_is_refused() {
        check_untileable("[[a]]\n[b]\n[a.c]\n", 3);
        check_untileable("[[a]]\n[[a.b]]\n[c]\n[[a.b]]\n", 4);
        check_tiles("[[a]]\n[[a.b]]\n[a.c]\n[[a.b]]\n[[d]]\n[[a]]\n[[a.b]]\n");
    }

    /// The second reader takes this for a key of the last item; others refuse it.
    #[test]
    fn a_dotted_key_through_an_array_is_refused() {
        check_untileable("[[a.b]]\n[a]\nx = 1\nb.c.d = 1\n", 4);
        check_tiles("[[a.b]]\n[a]\nc.b = 1\n");
    }

    #[test]
    fn limits_are_those_of_the_mesh() {
        let keys = |count: usize| (0..count).map(|key| format!("a{key} = 1\n")).collect::<String>();
        check_tiles(&keys(limits::KEYS_PER_FILE));
        check_untileable(&keys(limits::KEYS_PER_FILE + 1), limits::KEYS_PER_FILE + 1);
        check_untileable(&"# a\n\n".repeat(limits::KEYS_PER_FILE + 1), 2 * limits::KEYS_PER_FILE + 3);

        let deep = |count: usize| format!("\n{} = 1\n", vec!["a"; count].join("."));
        check_tiles(&deep(limits::DEPTH));
        check_untileable(&deep(limits::DEPTH + 1), 2);
        check_untileable(&format!("a = 1\nb = {}{}\n", "[".repeat(70), "]".repeat(70)), 2);
        let items: String = (1..=40).map(|count| format!("[[{}]]\n", vec!["a"; count].join("."))).collect();
        check_untileable(&items, 33);

        let long = |bytes: usize| format!("[{}]\n", "k".repeat(bytes - 1));
        check_tiles(&long(limits::PATH_BYTES));
        check_untileable(&long(limits::PATH_BYTES + 1), 1);
    }

    #[test]
    fn a_second_byte_order_mark_is_refused() {
        check_untileable("\u{feff}a = 1\n", 1);
    }

    /// In linear time and without a stack overflow.
    #[test]
    fn hostile_texts_are_refused() {
        for unit in ["[", "a.", "{", "\"", "'", "\"\"\"", "a = [", "[[a]]\n[a.b]\n", "=\n", "[[", "a={a.", "#\r"] {
            let text = unit.repeat((1 << 20) / unit.len()) + "\n";
            assert!(Toml.parse(&text).is_err(), "{unit}");
            assert!(Toml.parse(&format!("a = {text}")).is_err(), "{unit}");
            assert!(Toml.scalar(text.trim_end()).is_none(), "{unit}");
        }
    }
}

mod merged {
    use super::*;

    #[test]
    fn entries_come_before_tables() {
        let mut root = parse("[a]\n[[b]]\n[b.c]\n");
        root.children.push(parse("x = 1\n").children.remove(0));
        let mut entry = parse("y = 2\n").children.remove(0);
        entry.path = path(".b@0.y");
        root.children[1].children.push(entry);
        assert_eq!(Toml.print(&root), "x = 1\n[a]\n[[b]]\ny = 2\n[b.c]\n");
    }

    #[test]
    fn a_comment_without_a_line_end_does_not_swallow_a_key() {
        let mut root = parse("x = 1\n");
        let comment = Node::new(path("!0"), "", Content::Trivia("# c".into()), Decor::default());
        root.children.insert(0, comment);
        assert_eq!(Toml.print(&root), "# c\nx = 1\n");
    }

    #[test]
    fn default_spacing_is_readable() {
        let table = Content::Container(Shape::Table);
        let value = Content::Scalar("1".into());
        let mut header = Node::new(path(".a"), "a", table.clone(), Toml.default_decor(&table));
        header.children.push(Node::new(path(".a.b"), "b", value.clone(), Toml.default_decor(&value)));
        let mut root = Toml.empty();
        root.children.push(header);
        assert_eq!(Toml.print(&root), "[a]\nb = 1\n");
    }
}

mod corpus {
    use super::*;
    use crate::codec::corpus::files;
    use crate::codec::outer::take_off;

    /// The real TOML files, as a codec gets them: LF text that ends with a newline.
    fn texts() -> Vec<(String, String)> {
        let text = |bytes: Vec<u8>| take_off(&bytes).expect("UTF-8").1.replace("\r\n", "\n");
        files("toml").into_iter().map(|(name, bytes)| (name, text(bytes))).collect()
    }

    #[test]
    fn real_files_tile_and_mean_what_the_second_reader_reads() {
        let texts = texts();
        for (name, text) in &texts {
            println!("{name}");
            check_tiles(text);
            check_tiles(&text.replace('\n', "\r\n").replacen("\r\n", "\n", 1));
        }
        assert!(texts.len() >= 25);
    }

    #[test]
    fn every_value_of_real_files_can_be_replaced_alone() {
        for (_, text) in texts() {
            let root = parse(&text);
            let count = nodes(&root).iter().filter(|node| matches!(node.content, Content::Scalar(_))).count();
            for index in 0..count {
                check_replaced(&root, &text, index, "\"a value that is nowhere else\"");
            }
        }
    }
}

/// Puts another text into the `index`-th scalar: exactly the old text's bytes change.
fn check_replaced(root: &Node, text: &str, index: usize, literal: &str) {
    let mut changed = root.clone();
    let old = replace_scalar(&mut changed, &mut index.clone(), literal).expect("a scalar");
    let printed = Toml.print(&changed);
    let common = text.bytes().zip(printed.bytes()).take_while(|(a, b)| a == b).count();
    let is_at = |at: usize| {
        printed.get(at..).is_some_and(|rest| rest.starts_with(literal))
            && format!("{}{old}{}", &printed[..at], &printed[at + literal.len()..]) == text
    };
    assert!((0..=common).rev().any(|at| printed.is_char_boundary(at) && is_at(at)), "{old} -> {literal} in\n{text}");
    assert_eq!(meaning(&Toml, &changed), Toml.read(&printed).ok());
}

fn replace_scalar(node: &mut Node, index: &mut usize, literal: &str) -> Option<String> {
    if let Content::Scalar(text) = &mut node.content {
        if *index == 0 {
            return Some(std::mem::replace(text, literal.into()));
        }
        *index -= 1;
    }
    node.children.iter_mut().find_map(|child| replace_scalar(child, index, literal))
}

/// Every path of the tree, and new ones beside them.
fn new_path(root: &Node, near: Index, up: usize, keys: &[&str]) -> Path {
    let nodes = nodes(root);
    let mut path = nodes[near.index(nodes.len())].path.clone();
    path.0.truncate(path.0.len().saturating_sub(up));
    for key in keys {
        path.0.push(key.strip_prefix('@').map_or_else(|| Segment::Key((*key).into()), |id| Segment::Item(id.into())));
    }
    path
}

/// The value with a key more.
fn with_key(root: &Node, path: &Path, literal: &str) -> Option<Value> {
    let mut longer = root.clone();
    longer.children.push(Node::new(path.clone(), "", Content::Scalar(literal.into()), Decor::default()));
    meaning(&Toml, &longer)
}

/// The tree as a parser would number its items and comments.
fn fresh(root: &Node) -> Node {
    parse(&Toml.print(root))
}

proptest! {
    #![proptest_config(crate::testing::cases(256))]

    #[test]
    fn random_documents_tile_unless_their_arrays_are_in_pieces(text in documents()) {
        match Toml.parse(&text) {
            Ok(root) => {
                prop_assert_eq!(Toml.print(&root), text.clone());
                prop_assert_eq!(meaning(&Toml, &root), Toml.read(&text).ok(), "{}", text);
            }
            Err(ParseError::Untileable { why, .. }) => {
                prop_assert!(why.contains("array") && text.contains("[["), "{}: {}", why, text);
            }
            Err(error) => prop_assert!(false, "{}: {}", error, text),
        }
    }

    #[test]
    fn broken_documents_are_refused_without_a_panic(
        text in documents(), splice in any::<(Index, Index)>(), junk in "[\\[\\]{}\"'\\\\=.#,\r\n a1é\u{0}\u{feff}]{0,6}",
    ) {
        let (from, to) = (splice.0.index(text.len() + 1), splice.1.index(text.len() + 1));
        let (from, to) = (text.floor_char_boundary(from.min(to)), text.floor_char_boundary(from.max(to)));
        for broken in [format!("{}{junk}{}", &text[..from], &text[to..]), format!("{}{junk}\n", &text[..from])] {
            if let Ok(root) = Toml.parse(&broken) {
                prop_assert_eq!(Toml.print(&root), broken.clone());
                prop_assert_eq!(meaning(&Toml, &root), Toml.read(&broken).ok(), "{}", broken);
            }
            Toml.scalar(&broken);
        }
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in any::<String>()) {
        prop_assert!(Toml.parse(&text).is_err() || Toml.read(&text).is_ok());
        Toml.scalar(&text);
    }

    #[test]
    fn a_scalar_is_replaced_alone(text in documents(), index in any::<Index>(), literal in literals()) {
        let Ok(root) = Toml.parse(&text) else { return Ok(()) };
        let count = nodes(&root).iter().filter(|node| matches!(node.content, Content::Scalar(_))).count();
        if count > 0 {
            check_replaced(&root, &text, index.index(count), &literal);
        }
    }

    #[test]
    fn an_inserted_key_is_the_only_new_one(
        text in documents(), near in any::<Index>(), up in 0usize..3,
        keys in proptest::collection::vec(select(vec!["a", "b", "new", "x y", "é", "@0", "@new"]), 1..4), literal in literals(),
    ) {
        let Ok(root) = Toml.parse(&text) else { return Ok(()) };
        let path = new_path(&root, near, up, &keys);
        let mut longer = root.clone();
        if Toml.insert(&mut longer, &path, &literal).is_err() {
            prop_assert_eq!(longer, root);
            return Ok(());
        }
        let printed = Toml.print(&longer);
        prop_assert_eq!(Toml.read(&printed).ok(), with_key(&root, &path, &literal), "{}\n+ {}\n{}", text, path, printed);
        prop_assert_eq!(meaning(&Toml, &longer), Toml.read(&printed).ok());
        prop_assert_eq!(nodes(&fresh(&longer)).len(), nodes(&longer).len());
        let (before, after) = (text.lines().count(), printed.lines().count());
        prop_assert!(text.lines().all(|line| printed.lines().any(|other| other == line)) && after > before);
        if !keys.contains(&"@new") {
            prop_assert_eq!(fresh(&longer), longer, "{}", printed);
        }
    }
}
