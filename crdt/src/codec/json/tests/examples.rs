use super::*;
use crate::codec::{ParseError, read};
use crate::limits;
use crate::tree::Decor;

const SAMPLE: &str = r#"// licence

{ // about all
  // detached

  // above
  "a" : 1 , // why
  "b": [1, /* two */ 2, {"c": null}], "d": {
    "e": "x" /* end */
    // last
  },

  /* alone
     twice */

  "f": {}
} // after
"#;

#[test]
fn each_byte_has_its_fragment() {
    let tree = tree(SAMPLE);
    let mut lines = Vec::new();
    tree.root.walk(&mut |node| {
        let content = match &node.content {
            Content::Scalar(text) | Content::Trivia(text) => text.clone(),
            other => format!("{other:?}"),
        };
        let Decor { lead, separator, trail, after_comma, close, indent, trailing_comma } = &node.decor;
        let label = &node.label;
        lines.push(format!(
            "{} {label}{content} {lead:?} {separator:?} {trail:?} {after_comma:?} {close:?} {indent:?} {trailing_comma}",
            node.path
        ));
    });
    let expected = [
        r#" Container(Table) "// licence\n\n" "" " // after" "" "\n\0" "  " false"#,
        r#"!0  // about all "" "" "" "" "" "" false"#,
        "!1 \n  // detached\n \"\" \"\" \"\" \"\" \"\" \"\" false",
        r#".a "a"1 "\n\0// above\n\0" " : " " " " // why" "" "" false"#,
        r#".b "b"Container(List) "\n\0" ": " "" "" "" "" false"#,
        r#".b@0 1 "" "" "" "" "" "" false"#,
        r#".b@1 2 " /* two */ " "" "" "" "" "" false"#,
        r#".b@2 Container(Table) " " "" "" "" "" "" false"#,
        r#".b@2.c "c"null "" ": " "" "" "" "" false"#,
        r#".d "d"Container(Table) " " ": " "" "" "\n\0  // last\n\0" "    " false"#,
        r#".d.e "e""x" "\n\0" ": " "" " /* end */" "" "" false"#,
        "!2 \n\n  /* alone\n     twice */\n \"\" \"\" \"\" \"\" \"\" \"\" false",
        r#".f "f"Container(Table) "\n\0" ": " "" "" "" "" false"#,
    ];
    let shown: Vec<_> = lines.iter().map(|line| line.replace("\\0", "\0").replace('\0', "\\0")).collect();
    assert_eq!(shown, expected);
    assert_eq!(printed(&tree), SAMPLE);
}

#[test]
fn every_shape_of_file_comes_back() {
    let files = [
        "{}",
        "{}\n",
        "[]",
        " 1 \n\n\n",
        "null // x",
        "\"x\"\n",
        "{\n}\n",
        "[[],[[]]]",
        "{\"a\":1,}",
        "[1 // x\n]",
        "[1, // x\n]",
        "{\"a\": 1\n, \"b\": 2\n}\n",
        "[\n1,\n    2,\n  3]\n",
        "{\r\n  \"a\": 1,\n  \"b\": 2\r\n}\n",
        "[1,\t\t2\t]",
        "[{\n  \"a\": 1\n}, {\n  \"b\": 2\n}]\n",
        "{\n  \"x\": [{\n    \"a\": 1\n  }, {\n    \"a\": 2\n  }]\n}\n",
        "[/**/]",
        "[1/**/,/**/2/**/]",
        "{\"a\"/**/:/**/1}",
        "{\"a\"\n:\n// c\n1}",
        "[\n\n\n  1,\n\n\n  2\n\n\n]",
        "[// c\r1]",
        "{\"\": {\"\": []}}",
        "[1 ]",
        "[ ]",
        "/* a */ [] /* b */",
        "[\n  // a\n\n  // b\n\n\n  // c\n  1\n]",
        "[1, // a\n  // b\n\n 2]",
        "[\n  1\n  // end\n]",
        "[\n\t{\n\t\t\"a\": 1\n\t}\n]",
    ];
    for file in files {
        for file in [file.to_owned(), format!("\u{feff}{file}"), file.replace("\r\n", "\n").replace('\n', "\r\n")] {
            let tree = tree(&file);
            assert_eq!(printed(&tree), file);
            assert_eq!(read(Format::Json, file.as_bytes()), Ok(meaning(&tree.root)), "{file:?}");
        }
    }
}

#[test]
fn a_syntax_error_names_line_column_and_what_is_wrong() {
    let cases = [
        ("", 1, 1, "expected a value, but the text ends here"),
        ("{\n  \"a\": 1\n  \"b\": 2\n}\n", 3, 3, "expected a comma or }"),
        ("{\"é\" 1}", 1, 6, "expected a colon behind the key"),
        ("{a: 1}", 1, 2, "expected a key in double quotes"),
        ("{\"a\": 'x'}", 1, 7, "expected a value; strings stand in double quotes"),
        ("[yes]", 1, 2, "\"yes\" is no value; strings stand in double quotes"),
        ("[1, 2", 1, 6, "expected a comma or ]"),
        ("{\"a\": 1,", 1, 9, "expected a key or }, but the text ends here"),
        ("{} {}", 1, 4, "expected the end of the file: a JSON file is one value"),
        ("[\"a\n\"]", 1, 2, "this string has no closing quote on its line"),
        ("[\"a\tb\"]", 1, 4, "a control character in a string must be written as an escape"),
        (r#"["C:\dir"]"#, 1, 5, "JSON has no such escape; a backslash is written \\\\"),
        (r#"["\u12"]"#, 1, 3, "\\u needs four hexadecimal digits"),
        ("[01]", 1, 2, "a number can't begin with 0"),
        ("[1.]", 1, 4, "expected a digit"),
        ("[\n/* x", 2, 1, "this comment has no end"),
        ("[,]", 1, 2, "expected a value"),
        ("[// a\0b\n]", 1, 6, "a NUL byte in a comment"),
        // A syntax error counts for more than a duplicate key: the file is held, not taken for text.
        ("{\"a\": 1, \"a\": 2, x}", 1, 18, "expected a key in double quotes"),
    ];
    for (text, line, column, message) in cases {
        let Err(ParseError::Syntax(error)) = parse(Format::Json, text.as_bytes()) else { panic!("{text:?}") };
        assert_eq!((error.line, error.column, &error.message[..]), (line, column, message), "{text:?}");
        assert!(read(Format::Json, text.as_bytes()).is_err(), "{text:?}");
    }
}

#[test]
fn what_has_no_tree_is_named_with_its_line() {
    let nested = |depth: usize| format!("\n{}{}", "[".repeat(depth), "]".repeat(depth));
    let items = |count: usize| format!("[{}0]", "0,\n".repeat(count - 1));
    assert!(parse(Format::Json, nested(limits::DEPTH).as_bytes()).is_ok());
    assert!(parse(Format::Json, items(limits::KEYS_PER_FILE).as_bytes()).is_ok());
    let cases = [
        ("{\"a\": 1,\n\"\\u0061\": 2}".to_owned(), 2, "the same key stands twice in one table"),
        (nested(limits::DEPTH + 1), 2, "its tables are nested more than 64 deep"),
        (items(limits::KEYS_PER_FILE + 1), 10_001, "there are more than 10,000 keys"),
        (format!("{{\"{}\": 1}}", "k".repeat(limits::PATH_BYTES)), 1, "the key's path is longer than 1,024 bytes"),
        (format!("[\n\"{}\"]", "v".repeat(limits::VALUE_BYTES)), 2, "the value is longer than 1 MiB"),
        (" ".repeat(limits::MERGED_FILE_BYTES) + "1", 1, "the file is larger than 4 MiB"),
        ("[\"\\ud800\"]".to_owned(), 1, "the string escapes half of a surrogate pair"),
        ("{\"\\ud800\": 1}".to_owned(), 1, "the key escapes half of a surrogate pair"),
    ];
    for (text, line, why) in cases {
        assert_eq!(parse(Format::Json, text.as_bytes()), Err(ParseError::Untileable { line, why }));
    }
}

#[test]
fn hostile_files_of_the_largest_size_end_without_a_panic() {
    let filled = |start: &str, unit: &str| {
        start.to_owned() + &unit.repeat((limits::MERGED_FILE_BYTES - start.len()) / unit.len())
    };
    let long_key = format!("{{\"{}\":{{", "k".repeat(limits::MERGED_FILE_BYTES / 2));
    let files = [
        filled("", "["),
        filled("", "{\"a\":"),
        filled("[", "1,"),
        filled("[", "[],"),
        filled("{", "\"a\":1,"),
        filled("[", "//\n\n"),
        filled("[1,", "/**/\n\n"),
        filled("", "/*"),
        filled("/*", "*"),
        filled("\"", "\\\""),
        filled("[", " \n"),
        filled("", "//"),
        filled(&long_key, "\"a\":[],"),
        filled("[\"", "\\ud83d\\ude00"),
        filled("-", "1"),
        filled("[\n", "\t"),
        filled("[1", "\n\n//"),
        filled("\"", "\u{1}"),
        filled("", "/"),
        filled("[1,\n", "/*\n*/"),
    ];
    for file in files {
        let outcome = parse(Format::Json, file.as_bytes());
        assert!(outcome.is_err() || file.starts_with('-') || file.starts_with('\"'), "{:?}", &file[..20]);
        drop(read(Format::Json, file.as_bytes()));
    }
}

#[test]
fn a_new_key_takes_the_style_around_it() {
    // file, path, literal, new file
    let cases = [
        ("{}\n", ".a", "1", "{\n  \"a\": 1\n}\n"),
        ("{\n}\n", ".a", "1", "{\n  \"a\": 1\n}\n"),
        ("{}\n", ".a.b@x.c", "1", "{\n  \"a\": {\n    \"b\": [\n      {\n        \"c\": 1\n      }\n    ]\n  }\n}\n"),
        ("{\"a\": 1}\n", ".b", "2", "{\"a\": 1, \"b\": 2}\n"),
        ("{\"a\":1}", ".b", "2", "{\"a\":1,\"b\":2}"),
        ("{\"a\":1}", ".b.c", "2", "{\"a\":1,\"b\":{\"c\":2}}"),
        ("{ \"a\": 1 }\n", ".b", "2", "{ \"a\": 1, \"b\": 2 }\n"),
        ("{ }\n", ".b", "2", "{\n  \"b\": 2\n}\n"),
        ("{\"a\": {}, \"b\": [1,2]}\n", ".a.x", "1", "{\"a\": {\"x\": 1}, \"b\": [1,2]}\n"),
        ("{\"a\": {}, \"b\": [1,2]}\n", ".b@x", "3", "{\"a\": {}, \"b\": [1,2,3]}\n"),
        ("{\"a\": {}, \"b\": [1]}\n", ".b@x", "3", "{\"a\": {}, \"b\": [1, 3]}\n"),
        ("{\n  \"a\": 1 // one\n}\n", ".b", "2", "{\n  \"a\": 1, // one\n  \"b\": 2\n}\n"),
        ("{\n  \"a\": 1, // one\n}\n", ".b", "2", "{\n  \"a\": 1, // one\n  \"b\": 2,\n}\n"),
        ("{\n\t\"a\" : 1\n\t// end\n}\n", ".b", "2", "{\n\t\"a\" : 1,\n\t\"b\" : 2\n\t// end\n}\n"),
        ("{\n    \"a\": {}\n}\n", ".a.b", "2", "{\n    \"a\": {\n        \"b\": 2\n    }\n}\n"),
        ("{\n    \"a\": []\n}\n", ".a@x", "2", "{\n    \"a\": [\n        2\n    ]\n}\n"),
        (
            "{\n  \"a\": {\n    // none yet\n  }\n}\n",
            ".a.b",
            "2",
            "{\n  \"a\": {\n    // none yet\n    \"b\": 2\n  }\n}\n",
        ),
        ("{\n  \"a\": { /* none */ }\n}\n", ".a.b", "2", "{\n  \"a\": { \"b\": 2 /* none */ }\n}\n"),
        (
            "{\n  \"a\": [{\n    \"b\": 1\n  }]\n}\n",
            ".a@x.b",
            "2",
            "{\n  \"a\": [{\n    \"b\": 1\n  }, {\"b\": 2}]\n}\n",
        ),
        ("{\n  // above\n  \"a\": 1\n}", ".b", "2", "{\n  // above\n  \"a\": 1,\n  \"b\": 2\n}"),
        ("\u{feff}{\r\n  \"a\": 1\r\n}\r\n", ".b", "2", "\u{feff}{\r\n  \"a\": 1,\r\n  \"b\": 2\r\n}\r\n"),
        ("{\n  \"a\": 1\n}\n", ".b", "{\"x\": [1, 2]}", "{\n  \"a\": 1,\n  \"b\": {\"x\": [1, 2]}\n}\n"),
        ("[\n  1,\n\n  2\n]\n", "@x", "3", "[\n  1,\n\n  2,\n  3\n]\n"),
        ("{\n  \"q\\\"\": 1\n}\n", ".é\"", "2", "{\n  \"q\\\"\": 1,\n  \"é\\\"\": 2\n}\n"),
        ("{ // none\n}\n", ".a", "2", "{ // none\n  \"a\": 2\n}\n"),
        ("{\n  // detached\n\n  // none\n}\n", ".a", "2", "{\n  // detached\n\n  // none\n  \"a\": 2\n}\n"),
        ("{}\n", ".", "2", "{\n  \"\": 2\n}\n"),
    ];
    for (file, key, literal, expected) in cases {
        let mut tree = tree(file);
        Json.insert(&mut tree.root, &path(key), literal).unwrap();
        assert_eq!(printed(&tree), expected);
        let again = printed(&self::tree(expected));
        assert_eq!(again, expected);
    }
}

#[test]
fn a_new_file_holds_its_first_key() {
    let mut tree = Tree { format: Format::Json, style: Default::default(), root: Json.empty() };
    assert_eq!(printed(&tree), "{}\n");
    Json.insert(&mut tree.root, &path(".a"), "true").unwrap();
    assert_eq!(printed(&tree), "{\n  \"a\": true\n}\n");
}

#[test]
fn what_has_no_place_changes_nothing() {
    let cases = [
        (".a.b", "1", "\"a\" holds a value, so nothing can stand below it"),
        (".a", "1", "there is a value at this place"),
        (".l.x", "1", "\"l\" is a list, which has items and no keys"),
        (".t@0", "1", "\"t\" is a table, which has keys and no items"),
        (".t!0", "1", "a comment is no place for a value"),
        (".t.x", "1 2", "the value: line 1, column 2: expected the end of the file: a JSON file is one value"),
        (".t.x", "", "the value: line 1, column 1: expected a value, but the text ends here"),
    ];
    for (key, literal, why) in cases {
        let mut tree = tree("{\"a\": 1, \"l\": [], \"t\": {}}\n");
        let before = tree.clone();
        assert_eq!(Json.insert(&mut tree.root, &path(key), literal).unwrap_err().why, why);
        assert_eq!(tree, before);
    }
}

#[test]
fn trees_of_merges_print_as_jsonc() {
    // A comment on the last line gets a comma before it, not inside of it.
    let mut tree = tree("[\n  1, // one\n  2 // two\n]\n");
    tree.root.children.swap(0, 1);
    assert_eq!(printed(&tree), "[\n  2, // two\n  1 // one\n]\n");
    // A child without a line of its own behind a line comment.
    tree.root.children[1].decor.lead = " ".into();
    assert_eq!(printed(&tree), "[\n  2, // two\n 1 // one\n]\n");
    // Nothing but brackets is left, with the line end that was before the closing one.
    tree.root.children.clear();
    assert_eq!(printed(&tree), "[\n]\n");
    // A trailing comma needs something before it.
    tree.root.decor.trailing_comma = true;
    assert_eq!(printed(&tree), "[\n]\n");
    // A key whose text nobody wrote, with the default decor, in a list and in a table.
    let content = Content::Scalar("1".into());
    let entry = Node::new(path(".k\""), "", content.clone(), Json.default_decor(&content));
    tree.root.children = vec![entry.clone(), entry.clone()];
    tree.root.decor.indent = "  ".into();
    assert_eq!(printed(&tree), "[\n  1,\n  1,\n]\n");
    tree.root.content = Content::Container(Shape::Table);
    tree.root.children.pop();
    assert_eq!(printed(&tree), "{\n  \"k\\\"\": 1,\n}\n");
}

#[test]
fn a_comment_block_stays_a_node_when_what_follows_it_goes() {
    let mut tree = tree("{ // about all\n  \"a\": 1,\n\n  // alone\n\n  \"b\": 2\n}\n");
    tree.root.children.pop();
    let text = printed(&tree);
    assert_eq!(text, "{ // about all\n  \"a\": 1\n\n  // alone\n\n}\n");
    assert_eq!(self::tree(&text), tree);
    tree.root.children.remove(1);
    let text = printed(&tree);
    assert_eq!(text, "{ // about all\n\n  // alone\n\n}\n");
    assert_eq!(meaning(&self::tree(&text).root), Value::Table([].into()));
}

#[test]
fn a_reindented_container_carries_its_children() {
    let mut tree = tree("{\n  \"a\": {\n    // c\n    \"b\": 1\n  }\n}\n");
    at(&mut tree.root, &path(".a")).decor.indent = "\t\t".into();
    tree.root.decor.indent = "\t".into();
    assert_eq!(printed(&tree), "{\n\t\"a\": {\n\t\t// c\n\t\t\"b\": 1\n\t}\n}\n");
}
