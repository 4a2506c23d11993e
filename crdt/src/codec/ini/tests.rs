//! What the codec of sections promises: real files, random ones, and broken ones.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

use super::*;
use crate::codec::lines::testing;
use crate::tree::Format;

const INI: Format = Format::Ini;

#[test]
fn sections_comments_and_spacing_are_kept() {
    let text = "# licence\n\nroot=true\n; of a\n[ a ] ; why\n  x: 1\n  # more\n  y  =  2 ; in\n\n[remote  \"o]p\"]\nflag\n!include x y\n\n# left\n[a]\nz =\n\n";
    let expected = r##"
!0 "" "# licence\n"
.root@0 "root" "true" lead="\n" separator="="
.a@0 " a " table lead="; of a\n" trail=" ; why" indent="  "
.a@0.x@0 "x" "1" lead="\0" separator=": "
.a@0.y@0 "y" "2 ; in" lead="\0# more\n\0" separator="  =  "
.remote "o]p"@0 "remote  \"o]p\"" table lead="\n"
.remote "o]p"@0.flag@0 "flag" "\0"
.remote "o]p"@0.~3include x y@0 "!include x y" "\0"
.a@1 "a" table lead="\n# left\n"
.a@1.z@0 "z" "" separator=" ="
 "" table close="\n"
"##;
    assert_eq!(testing::outline(INI, text), expected.trim_start());
}

#[test]
fn values_go_on_over_lines() {
    let text = "[s]\ndeps =\n    a\n    # not\n  ; this\n\n    b c  \nExec=x \\\n# nor this\ny \\\\\nk = 1\n  2\n";
    let expected = r##"
.s@0 "s" table
.s@0.deps@0 "deps" "a\n    # not\n  ; this\n\n    b c" separator=" =\n    " trail="  "
.s@0.Exec@0 "Exec" "x \\\n# nor this\ny \\\\" separator="="
.s@0.k@0 "k" "1\n  2"
 "" table
"##;
    assert_eq!(testing::outline(INI, text), expected.trim_start());
    let expected = json!({"s": {"deps": "a\nb c", "Exec": "x y \\\\", "k": "1\n2"}});
    assert_eq!(testing::json(INI, text), expected);
}

#[test]
fn every_dialect_is_read_as_its_program_does() {
    for (text, expected) in [
        ("a=1\n[a]\nb=2\n", json!({"a": ["1", {"b": "2"}]})),
        ("[s]\nE=1\nE=\nE=2\n", json!({"s": {"E": ["1", "", "2"]}})),
        ("[p]\na=1\n[p]\nb=2\n", json!({"p": [{"a": "1"}, {"b": "2"}]})),
        ("[core]\n\tbare\n\tpath = a b # c\n", json!({"core": {"bare": null, "path": "a b # c"}})),
        ("[*.[ch]]\nx = \"1\"\n", json!({"*.[ch]": {"x": "\"1\""}})),
        ("//r.org/:_token=${T}\n", json!({"//r.org/:_token": "${T}"})),
        ("/v2.1: a\nu=http://x: y\n", json!({"/v2.1": "a", "u": "http://x: y"})),
        ("k:v\n", json!({"k": "v"})),
        ("a\\=b = c\n", json!({"a\\=b": "c"})),
        ("a = [x]\nb = #1\n", json!({"a": "[x]", "b": "#1"})),
        ("Name[de]=x;y;\n", json!({"Name[de]": "x;y;"})),
        ("a = x\\\n\nb = 1\n", json!({"a": "x\\", "b": "1"})),
        ("[x]\n", json!({"x": {}})),
    ] {
        assert_eq!(testing::json(INI, text), expected, "{text}");
    }
}

#[test]
fn a_line_of_another_kind_makes_it_a_text_and_an_open_section_a_mistake() {
    for (text, line) in
        [("a = 1\ntwo words\n", 2), ("[a] b = 1\n", 1), ("[a]\n= 1\n", 2), ("<x>\n", 1), ("a = 1\n[b]\n: c\n", 3)]
    {
        testing::check_untileable(INI, text, line);
    }
    testing::check_syntax(INI, "a = 1\n[b\n", 2, 1);
    testing::check_limits(INI, |key| format!("{key} = 1\n"));
    testing::check_limits(INI, |key| format!("[{key}]\n"));
}

#[test]
fn a_new_key_takes_the_style_around_it() {
    for (text, path, expected) in [
        ("", ".a", "a = 1\n"),
        ("", ".a.b", "[a]\nb = 1\n"),
        ("a=1\n\n[t]\n", ".b", "a=1\nb=1\n\n[t]\n"),
        ("# licence\n\n[t]\n", ".b", "# licence\n\nb = 1\n\n[t]\n"),
        ("[a]\n\tx = 1 ; c\n[b]\n", ".a@0.y", "[a]\n\tx = 1 ; c\n\ty = 1\n[b]\n"),
        ("[a]\n\tx=1\n", ".r.o.url", "[a]\n\tx=1\n\n[r \"o\"]\n\turl=1\n"),
        ("[S]\nE=1\nE=2\nX=3\n", ".S@0.E@2", "[S]\nE=1\nE=2\nE=1\nX=3\n"),
        ("[S]\nE =\n    a\n", ".S@0.F", "[S]\nE =\n    a\nF = 1\n"),
    ] {
        assert_eq!(testing::inserted(INI, text, path, "1").as_deref(), Ok(expected), "{path} into {text}");
    }
    for (text, path, part) in [
        ("a=1\n", ".a", "a is there already"),
        ("[a]\n", ".a@0", "a is there already"),
        ("[a]\nb=1\n", ".a@0.b@0.c", "single value"),
        ("[a]\n", ".a@0.b.c", "don't nest"),
        ("", ".a@0@0", "no key"),
    ] {
        let why = testing::inserted(INI, text, path, "1").expect_err(path);
        assert!(why.contains(part), "{path}: {why}");
    }
}

#[test]
fn hostile_files_are_read_in_linear_time() {
    let units = [
        "[",
        "]",
        "a=\\\n",
        "a=1\n  b\n",
        "a=1\n\n;\n",
        "a:",
        ":",
        "a=1\n# c\n",
        "[a]\n",
        "\\",
        " \n",
        "[\"",
        "\r",
        "]#",
    ];
    testing::check_hostile(INI, &units);
}

#[test]
fn every_value_of_real_files_can_be_set_alone() {
    let files = testing::real_files(INI, "ini");
    assert!(files.len() >= 15);
    testing::check_real_files(INI, &files, "a value that is nowhere else");
}

#[test]
fn subsections_have_two_names() {
    for (name, parts) in [
        ("remote \"origin\"", Some(("remote", "origin"))),
        ("a \"b \\\"c\\\\\"", Some(("a", "b \"c\\"))),
        ("a \"b\" c", None),
        ("a", None),
        ("a \"\\b\"", None),
    ] {
        let found = subsection(name);
        assert_eq!(found.as_ref().map(|(section, inner)| (section.as_str(), inner.as_str())), parts, "{name}");
    }
}

fn documents() -> impl Strategy<Value = String> {
    let lines = select(vec![
        "",
        " ",
        "# c",
        "  ; a = 1",
        "[s]",
        "[s] # c",
        " [ t ]",
        "[r \"o\"]",
        "[r  \"o\"]",
        "a=1",
        "a = 2",
        "\ta = 3",
        "  b: x # y",
        "c =",
        "d = x \\",
        "d = x \\\\",
        "  more",
        "    more = and more",
        "flag",
        "! x y",
        "e.f = \r",
        "é = ü",
        "Name[de]=x",
        "g = [",
        "[",
        "two words",
        "u=http://x:1",
        ":",
        "h = #1",
    ]);
    proptest::collection::vec(lines, 0..9).prop_map(|lines| lines.iter().map(|line| format!("{line}\n")).collect())
}

proptest! {
    #![proptest_config(crate::testing::cases(256))]

    #[test]
    fn random_texts_are_taken_or_refused(text in documents(), junk in "[a-c=:\\[\\];# \n\r\\\\!\".é\u{0}\u{feff}\t]{0,24}") {
        testing::check_any(INI, &text);
        testing::check_any(INI, &format!("{junk}\n"));
        testing::check_any(INI, &junk);
        testing::check_any(INI, &format!("{text}{junk}\n"));
    }

    #[test]
    fn a_value_is_set_alone(text in documents(), index in any::<Index>()) {
        let Ok(root) = Ini.parse(&text) else { return Ok(()) };
        let count = testing::scalars(&root);
        if count > 0 && testing::nodes(&root).iter().all(|node| node.content != Content::Scalar(lines::BARE.into())) {
            testing::check_replaced(INI, &root, &text, index.index(count), "new value");
        }
    }

    #[test]
    fn an_inserted_key_is_the_only_new_one(
        text in documents(), near in any::<Index>(), keys in proptest::collection::vec(select(vec!["a", "s", "new", "n.e w"]), 1..4),
    ) {
        testing::check_inserted(INI, &text, near, &keys, "1");
    }

    #[test]
    fn literals_mean_their_value(text in "([ =:;#\\\\\n\\[\\]a-c]|\\PC){0,12}") {
        testing::check_literal(INI, text);
    }

    #[test]
    fn merged_trees_print_and_read_without_a_panic(text in documents(), from: Index, into: Index, place: Index) {
        testing::check_moved(INI, &text, from, into, place);
    }
}
