//! Text in double quotes, as TOML and YAML write it alike.

use std::fmt::Write as _;

/// A text in double quotes, on one line: control characters are escaped, the tab too, so that it is seen, and what else
/// `is_escaped` names. That must be below U+10000.
pub(super) fn quoted(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut literal = String::from('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => literal.extend(['\\', character]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            escaped if escaped.is_control() || is_escaped(escaped) => write_escape(&mut literal, escaped),
            plain => literal.push(plain),
        }
    }
    literal.push('"');
    literal
}

fn write_escape(literal: &mut String, character: char) {
    write!(literal, "\\u{:04X}", u32::from(character)).unwrap_or_else(|_| unreachable!("a String takes all text"));
}
