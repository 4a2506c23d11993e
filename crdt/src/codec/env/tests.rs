//! What the codec of variables promises: real files, random ones, and broken ones.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

use super::*;
use crate::codec::lines::testing;
use crate::tree::Format;

const ENV: Format = Format::Env;

#[test]
fn comments_exports_and_spacing_are_kept() {
    let text = "# licence\n\n# port\nPORT=1 # why\n\n  export A.b-c = \"x\n y\" \nEMPTY=\n\tBARE\nexport NAME # c\n\nPORT=2\n\n# left\n\n";
    let expected = r##"
!0 "" "# licence\n"
.PORT@0 "PORT" "1" lead="\n# port\n" trail=" # why"
.A~1b-c@0 "export A.b-c" "\"x\n y\"" lead="\n  " separator=" = " trail=" "
.EMPTY@0 "EMPTY" ""
.BARE@0 "BARE" "\0" lead="\t"
.NAME@0 "export NAME" "\0" trail=" # c"
.PORT@1 "PORT" "2" lead="\n"
!1 "" "\n# left\n"
 "" table close="\n"
"##;
    assert_eq!(testing::outline(ENV, text), expected.trim_start());
}

#[test]
fn values_mean_what_most_readers_take_them_for() {
    for (text, expected) in [
        ("A=x y # c\n", json!("x y")),
        ("A=x#y\n", json!("x#y")),
        ("A=#x\n", json!("#x")),
        ("A= # c\n", json!("")),
        ("A=it's\n", json!("it's")),
        ("A = x \n", json!("x")),
        ("A=\"x # \\\"y\\\" \\n\\$z \\d\" # c\n", json!("x # \"y\" \n$z \\d")),
        ("A='x # \\n\"'\n", json!("x # \\n\"")),
        ("A='x\ny'\n", json!("x\ny")),
        ("A=$B ${C}\n", json!("$B ${C}")),
        ("A\n", json!(null)),
        ("A=1\nA=2\nA\n", json!(["1", "2", null])),
        ("A=x\r\nB=y\n", json!("x")),
    ] {
        assert_eq!(testing::json(ENV, text)["A"], expected, "{text}");
    }
}

#[test]
fn a_line_of_another_kind_makes_it_a_text_and_an_open_quote_a_mistake() {
    for (text, line) in [
        ("A=1\nset -a\n", 2),
        ("if [ -f x ]; then\n", 1),
        ("A=1\n=2\n", 2),
        ("A=\"x\"y\n", 1),
        ("A='x'# c\n", 1),
        ("A#c\n", 1),
        ("A=\rx\n", 1),
    ] {
        testing::check_untileable(ENV, text, line);
    }
    testing::check_syntax(ENV, "A=1\nB=\"x\nC=2\n", 2, 3);
    testing::check_syntax(ENV, "A='", 1, 3);
    testing::check_limits(ENV, |key| format!("{key}=1\n"));
}

#[test]
fn a_new_key_takes_the_style_around_it() {
    for (text, path, expected) in [
        ("", ".A", "A=1\n"),
        ("# c\n\nB = 2\n", ".A", "# c\n\nB = 2\nA = 1\n"),
        ("# c\n\n", ".A", "# c\n\nA=1\n\n"),
        ("  B=2 # c\n\n# end\n", ".A", "  B=2 # c\n  A=1\n\n# end\n"),
        ("A=1\nB=2\n", ".A@1", "A=1\nA=1\nB=2\n"),
    ] {
        assert_eq!(testing::inserted(ENV, text, path, "1").as_deref(), Ok(expected), "{path} into {text}");
    }
    for (text, path, part) in [
        ("A=1\n", ".A", "there already"),
        ("", ".A.b", "no tables"),
        ("", ".a b", "name"),
        ("A=1\n", ".A@0", "there already"),
    ] {
        let why = testing::inserted(ENV, text, path, "1").expect_err(path);
        assert!(why.contains(part), "{path}: {why}");
    }
}

#[test]
fn new_values_are_quoted_where_a_reader_could_see_something_else() {
    for (text, literal) in [
        ("", ""),
        ("a-b/c:1", "a-b/c:1"),
        ("a b", "\"a b\""),
        ("$a", "'$a'"),
        ("it's $a", "\"it's \\$a\""),
        ("a\nb", "\"a\\nb\""),
        ("# a", "\"# a\""),
    ] {
        assert_eq!(Env.literal(&Value::String(text.into())).as_deref(), Some(literal));
    }
}

#[test]
fn hostile_files_are_read_in_linear_time() {
    testing::check_hostile(ENV, &["A=\"", "A=\n", "#\n\n", "'", "A=' ", "export ", " \n", "A", "A=# ", "\\", "\r"]);
}

#[test]
fn every_value_of_real_files_can_be_set_alone() {
    let files = testing::real_files(ENV, "env");
    assert!(files.len() >= 10);
    testing::check_real_files(ENV, &files, "'a value that is nowhere else'");
}

fn documents() -> impl Strategy<Value = String> {
    let lines = select(vec![
        "",
        " ",
        "# c",
        "  # A=1",
        "A=1",
        "A=2",
        "export B=x y # z",
        "B = 'q # \"\n r' # c",
        "C=\"\\\" \\\n\\\\\"",
        "D",
        "\texport D ",
        "E=",
        "E= # c",
        "F=#f",
        "G=a#b\r",
        "é=1",
        "H=$A`b`",
        "export=1",
        "I =\t1",
        "x y",
        "J='",
    ]);
    proptest::collection::vec(lines, 0..8).prop_map(|lines| lines.iter().map(|line| format!("{line}\n")).collect())
}

proptest! {
    #![proptest_config(crate::testing::cases(256))]

    #[test]
    fn random_texts_are_taken_or_refused(text in documents(), junk in "[A-C='\"# \n\r\\\\xp.é\u{0}\u{feff}-]{0,24}") {
        testing::check_any(ENV, &text);
        testing::check_any(ENV, &format!("{junk}\n"));
        testing::check_any(ENV, &junk);
        testing::check_any(ENV, &format!("{text}{junk}\n"));
    }

    #[test]
    fn a_value_is_set_alone(text in documents(), index in any::<Index>()) {
        let Ok(root) = Env.parse(&text) else { return Ok(()) };
        let count = testing::scalars(&root);
        if count > 0 {
            testing::check_replaced(ENV, &root, &text, index.index(count), "'new $ value'");
        }
    }

    #[test]
    fn an_inserted_key_is_the_only_new_one(text in documents(), near in any::<Index>(), key in select(vec!["A", "new", "n.e-w", "é"])) {
        testing::check_inserted(ENV, &text, near, &[key], "1");
    }

    #[test]
    fn literals_mean_their_value(text in "([ '\"#$\\\\\n=`a-c]|\\PC){0,12}") {
        testing::check_literal(ENV, text);
    }
}
