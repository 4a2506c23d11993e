//! What the codec of blocks promises: real files, random ones, and broken ones.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

use super::*;
use crate::codec::lines::testing;
use crate::tree::Format;

const BLOCKS: Format = Format::Blocks;

#[test]
fn directives_and_blocks_nest() {
    let text = "# licence\n\nuser  www; # c\nevents { }\nhttp {  # main\n  # port\n  listen 80\n    default;\n\n  # free\n\n  \
                server { ip_hash; a 1; }\n  location ~ \\.php$ {\n    return 200 \"} # ;\";\n  }\n  # end\n} # of http\n";
    let expected = r##"
!0 "" "# licence\n"
.user@0 "user" "www" lead="\n" separator="  " trail="; # c\n"
.events@0 "events" table lead="" separator=" {" close=" }\n"
.http@0 "http" table lead="" separator=" {  # main\n" close="  # end\n} # of http\n" indent="  "
.http@0.listen@0 "listen" "80\n    default" lead="\0# port\n\0"
.http@0!0 "" "\n  # free\n"
.http@0.server@0 "server" table lead="\n\0" separator=" {" close=" }\n"
.http@0.server@0.ip_hash@0 "ip_hash" "\0" lead=" " trail=";"
.http@0.server@0.a@0 "a" "1" lead=" " trail=";"
.http@0.location ~0 \~1php$@0 "location ~ \\.php$" table close="\0}\n" indent="    "
.http@0.location ~0 \~1php$@0.return@0 "return" "200 \"} # ;\""
 "" table
"##;
    let expected = expected.replace(" close=\"\\0}\\n\" indent", " indent");
    assert_eq!(testing::outline(BLOCKS, text), expected.trim_start());
}

#[test]
fn sections_of_haproxy_are_blocks_without_braces() {
    let text = "# c\nglobal # here\n    maxconn 100\n\n# web\nfrontend web\n    bind *:80 # c\n    acl a path_beg \"/ #\" { x } ;\n    option httpchk\n    stats\n";
    let expected = r##"
.global@0 "global" table lead="# c\n" separator=" # here\n" close="" indent="    "
.global@0.maxconn@0 "maxconn" "100" trail="\n"
.frontend web@0 "frontend web" table lead="\n# web\n" separator="\n" close="" indent="    "
.frontend web@0.bind@0 "bind" "*:80" trail=" # c\n"
.frontend web@0.acl@0 "acl" "a path_beg \"/ #\" { x } ;" trail="\n"
.frontend web@0.option@0 "option" "httpchk" trail="\n"
.frontend web@0.stats@0 "stats" "\0" trail="\n"
 "" table
"##;
    assert_eq!(testing::outline(BLOCKS, text), expected.trim_start());
}

#[test]
fn words_end_where_the_programs_end_them() {
    for (text, expected) in [
        ("a b;c d;\n", json!({"a": "b", "c": "d"})),
        ("a ${b}{ c d; }\n", json!({"a ${b}": {"c": "d"}})),
        ("if ($x = \"a b\") { return 1; }\n", json!({"if ($x = \"a b\")": {"return": "1"}})),
        ("map $a $b { default 0; \"~*;{\" 1; }\n", json!({"map $a $b": {"default": "0", "\"~*;{\"": "1"}})),
        ("a x#y; # c ; }\n", json!({"a": "x#y"})),
        ("a '\\'' \\; b;\n", json!({"a": "'\\'' \\; b"})),
        ("a\n# c ;\n b;\n", json!({"a": "b"})),
        ("a b}c;\n", json!({"a": "b}c"})),
        ("server { a 1; }\nserver { a 2; }\n", json!({"server": [{"a": "1"}, {"a": "2"}]})),
        ("allow a;\nallow b;\nallow;\n", json!({"allow": ["a", "b", null]})),
        ("global\n a b\\ c \\\n  d # e\n f 'x # y'\n", json!({"global": {"a": "b\\ c \\\n  d", "f": "'x # y'"}})),
        ("defaults\ndefaults\n log x#y\n", json!({"defaults": [{}, {"log": "x"}]})),
    ] {
        assert_eq!(testing::json(BLOCKS, text), expected, "{text}");
    }
}

/// A file may end within a line.
#[test]
fn an_escaped_end_of_a_file_joins_nothing() {
    for file in ["global\n a \\", "global\n a\\", "global\n a \\\r", "global\n a b \\"] {
        let tree = crate::codec::parse(BLOCKS, file.as_bytes()).expect("valid");
        let read = crate::codec::read(BLOCKS, file.as_bytes()).ok();
        assert_eq!(crate::codec::meaning::meaning(&Blocks, &tree.root), read, "{file}");
    }
}

#[test]
fn what_does_not_match_is_a_mistake_with_its_place() {
    for (text, line, column) in [
        ("http {\n  a 1;\n", 3, 1),
        ("a 1;\n}\n", 2, 1),
        ("a 1\n}\n", 1, 1),
        ("a {\n  b 'x;\n}\n", 2, 5),
        ("a 1\n", 1, 1),
        ("a { b 1 }\n", 1, 5),
        (";\n", 1, 1),
        ("{ }\n", 1, 1),
        ("global\n  a \"x\n", 2, 5),
    ] {
        testing::check_syntax(BLOCKS, text, line, column);
    }
    testing::check_untileable(BLOCKS, "a {\n  content_by_lua_block {\n    x = '}'\n  }\n}\n", 2);
    testing::check_untileable(BLOCKS, &format!("{}{}\n", "a {".repeat(40), "}".repeat(40)), 1);
    testing::check_limits(BLOCKS, |key| format!("{key} 1;\n"));
}

#[test]
fn a_new_directive_stands_where_a_person_would_put_it() {
    for (text, path, expected) in [
        ("", ".a", "a 1;\n"),
        ("", ".a.b", "a {\n    b 1;\n}\n"),
        (
            "http {\n\tx 1; # c\n\n\tserver {\n\t}\n}\n",
            ".http@0.a",
            "http {\n\tx 1; # c\n\ta 1;\n\n\tserver {\n\t}\n}\n",
        ),
        ("http {\n  x 1;\n}\n", ".http@0.server.a", "http {\n  x 1;\n  server {\n    a 1;\n  }\n}\n"),
        ("events { }\n", ".events@0.a", "events { a 1; }\n"),
        ("events { x 1; }\n", ".events@0.a", "events { x 1; a 1; }\n"),
        ("http {\n}\n", ".http@0.a", "http {\n    a 1;\n}\n"),
        ("a {\n  allow x;\n  deny y;\n}\n", ".a@0.allow@1", "a {\n  allow x;\n  allow 1;\n  deny y;\n}\n"),
        ("global\n  x 1\n", ".global@0.a", "global\n  x 1\n  a 1\n"),
        ("global\n  x 1\n", ".backend b.a", "global\n  x 1\n\nbackend b\n  a 1\n"),
    ] {
        assert_eq!(testing::inserted(BLOCKS, text, path, "1").as_deref(), Ok(expected), "{path} into {text}");
    }
    for (text, path, part) in [
        ("a 1;\n", ".a", "a is there already"),
        ("a 1;\n", ".a@0.b", "single value"),
        ("global\n x 1\n", ".a", "in a section"),
        ("global\n x 1\n", ".global@0.a.b", "in a section"),
    ] {
        let why = testing::inserted(BLOCKS, text, path, "1").expect_err(path);
        assert!(why.contains(part), "{path}: {why}");
    }
}

#[test]
fn hostile_files_are_read_in_linear_time() {
    let units = [
        "{",
        "}",
        "a{",
        "a{}",
        ";",
        "a;",
        "\"",
        "'a",
        "#\n\n",
        "\\",
        "${",
        "a\n",
        "global\n",
        "global\n a\\\n",
        "a b ",
        "\r",
    ];
    testing::check_hostile(BLOCKS, &units);
}

#[test]
fn every_value_of_real_files_can_be_set_alone() {
    let files = testing::real_files(BLOCKS, "blocks");
    assert!(files.len() >= 10);
    testing::check_real_files(BLOCKS, &files, "\"a value that is nowhere else\"");
}

fn documents() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "a 1;",
        "a 2;",
        "b;",
        " ",
        "\n",
        "\n",
        "\n  ",
        "# c\n",
        "  # d {\n\n",
        "server {",
        "location /a {",
        "location  /a {",
        "}",
        "}\n",
        "x 'y ;' ${z};",
        "m\n  n;",
        "l ~ \\{;",
        "\r\n",
        "é ü;",
        "e { }",
        "'",
    ]);
    let nginx = proptest::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat());
    let lines = select(vec![
        "global\n",
        "  a 1\n",
        "  b\n",
        "# c\n",
        "\n",
        "frontend w\n",
        "backend  w # c\n",
        " x \"y #\" { z } # c\n",
        "  m \\\n n\n",
        " é 'ü'\r\n",
        "listen l\n",
        " 'q\n",
    ]);
    let haproxy = proptest::collection::vec(lines, 0..9).prop_map(|lines| format!("global\n{}", lines.concat()));
    // As often balanced as not.
    let balanced = nginx.clone().prop_map(|text| {
        let depth = text.matches('{').count().saturating_sub(text.matches('}').count());
        format!("{text}{}\n", "}\n".repeat(depth))
    });
    prop_oneof![balanced, nginx.prop_map(|text| text + "\n"), haproxy]
}

proptest! {
    #![proptest_config(crate::testing::cases(256))]

    #[test]
    fn random_texts_are_taken_or_refused(text in documents(), junk in "[a-c{};'\"# \n\r\\\\$é\u{0}\u{feff}]{0,24}") {
        testing::check_any(BLOCKS, &text);
        testing::check_any(BLOCKS, &format!("{junk}\n"));
        testing::check_any(BLOCKS, &junk);
        testing::check_any(BLOCKS, &format!("{text}{junk}\n"));
        testing::check_any(BLOCKS, &format!("global\n{junk}\n"));
        testing::check_any(BLOCKS, &format!("global\n{junk}"));
    }

    #[test]
    fn a_value_is_set_alone(text in documents(), index in any::<Index>()) {
        let Ok(root) = Blocks.parse(&text) else { return Ok(()) };
        let count = testing::scalars(&root);
        if count > 0 {
            testing::check_replaced(BLOCKS, &root, &text, index.index(count), "\"new\" value");
        }
    }

    #[test]
    fn an_inserted_key_is_the_only_new_one(
        text in documents(), near in any::<Index>(), keys in proptest::collection::vec(select(vec!["a", "server", "new", "n e"]), 1..4),
    ) {
        let is_directive = keys.last().is_some_and(|key| !key.contains(' '));
        if is_directive {
            testing::check_inserted(BLOCKS, &text, near, &keys, "1");
        }
    }

    #[test]
    fn literals_mean_their_value(text in "([ {};#\\\\\n'\"a-c]|\\PC){0,12}") {
        testing::check_literal(BLOCKS, text);
    }

    #[test]
    fn merged_trees_print_and_read_without_a_panic(text in documents(), from: Index, into: Index, place: Index) {
        testing::check_moved(BLOCKS, &text, from, into, place);
    }
}
