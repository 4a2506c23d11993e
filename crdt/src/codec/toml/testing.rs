//! Random keys, values and documents, with the oddities that TOML allows.

use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{literal, read};
use crate::value::Value;

/// Keys of all kinds, without quotes.
pub(super) fn keys() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z_-]{1,3}", "[0-9 .\"'\\\\=\\[\\]#é]{0,4}", any::<String>()]
}

/// Values that TOML has a form for.
pub(super) fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<String>().prop_map(Value::String),
        "[a\"'\\\\\n\t\r\u{0}\u{7f}\u{85}#]{0,6}".prop_map(Value::String),
        any::<i64>().prop_map(|number| Value::Integer(number.into())),
        any::<f64>().prop_map(Value::Float),
        select(vec![f64::NAN, f64::INFINITY, -0.0, 1e300, 1e-300]).prop_map(Value::Float),
        any::<bool>().prop_map(Value::Boolean),
        select(vec!["1979-05-27T07:32:00Z", "1979-05-27", "07:32:00.5", "1979-05-27T07:32:00-07:00"])
            .prop_map(|text| Value::Datetime(text.into())),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::List),
            vec((keys(), inner), 0..4)
                .prop_map(|entries| Value::Table(entries.into_iter().collect::<BTreeMap<_, _>>())),
        ]
    })
}

/// Valid TOML texts.
pub(super) fn documents() -> impl Strategy<Value = String> {
    vec(lines(), 0..24).prop_map(|lines| lines.iter().fold(String::new(), append_if_valid))
}

/// Leaves out what would make the text invalid: a key that is there already, say.
fn append_if_valid(text: String, line: &String) -> String {
    let longer = format!("{text}{line}");
    if read::read(&longer).is_ok() { longer } else { text }
}

fn lines() -> impl Strategy<Value = String> {
    let header = (blanks(), written_keys(), blanks(), blanks(), trails())
        .prop_map(|(indent, key, before, behind, trail)| format!("{indent}[{before}{key}{behind}]{trail}"));
    let item =
        (blanks(), written_keys(), trails()).prop_map(|(indent, key, trail)| format!("{indent}[[{key}]]{trail}"));
    let entry = (blanks(), written_keys(), separators(), literals(), trails())
        .prop_map(|(indent, key, separator, value, trail)| format!("{indent}{key}{separator}{value}{trail}"));
    let comment = (blanks(), "#[ a=\\[\"'é]{0,6}").prop_map(|(indent, comment)| indent.to_owned() + &comment);
    let line = prop_oneof![
        6 => entry,
        2 => header,
        2 => item,
        2 => comment,
        2 => blanks().prop_map(str::to_owned),
    ];
    (line, prop_oneof![9 => Just("\n"), 1 => Just("\r\n")]).prop_map(|(line, end)| line + end)
}

fn blanks() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", " ", "  ", "\t", "    "])
}

fn separators() -> impl Strategy<Value = &'static str> {
    select(vec![" = ", " = ", "=", "\t=  ", "= "])
}

fn trails() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", " ", " # why", "# = [x]\t", "  #é"])
}

/// Few different ones, so that tables meet.
fn written_keys() -> impl Strategy<Value = String> {
    let part = select(vec!["a", "b", "c", "d", "1", "\"a\"", "'b'", "\"x y\"", "'.'", "\"\\u00e9\\\"\"", "\"\"", "-_"]);
    (vec(part, 1..4), select(vec![".", ".", " . "])).prop_map(|(parts, dot)| parts.join(dot))
}

/// Values as a person might write them, and the plain form of others.
pub(super) fn literals() -> impl Strategy<Value = String> {
    let odd = select(vec![
        "1_000",
        "0xff",
        "+1.5e3",
        "1979-05-27 07:32:00Z",
        "'a # b'",
        "\"a \\\" # b\"",
        "\"\"\"\n[a]\n# no comment\nb = \\\"\"\"\\\n  c\"\"\"\"\"",
        "'''\r\n[[a]]\n''\\'''''",
        "[\n  1, # one ]\n  [ 2, \"]\" ],\n]",
        "{ a = 1, b.c = [{}, { d = '}' }] }",
        "{\n  a = 1, # }\n}",
    ]);
    prop_oneof![
        odd.prop_map(str::to_owned),
        values().prop_map(|value| literal::literal(&value).unwrap_or_else(|| "0".into()))
    ]
}
