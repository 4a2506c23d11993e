//! The meaning of a scalar's text, and new text: keys and values that nobody wrote yet.

use super::{SEPARATOR, gap, read, schema, syntax, tile};
use crate::codec::quoted;
use crate::limits::DEPTH;
use crate::path::Segment;
use crate::tree::{Content, INDENT};
use crate::value::Value;

/// The key that a scalar stands behind while it is read.
const FRAME: &str = "k";
/// What YAML 1.1, which many programs still read, takes for booleans.
const OLD_BOOLEANS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];

/// The meaning of a value's text as it stands in a tree; `None` if it isn't exactly one value, or if the readers differ.
pub(super) fn scalar(text: &str) -> Option<Value> {
    if let Some(value) = simple(text) {
        return Some(value);
    }
    let lines = framed(text)?;
    let value = entry(read::part(&lines)?)?;
    let documents = syntax::documents(&lines).ok()?;
    let [document] = &documents[..] else { return None };
    let is_same = entry(document.node.value()?)? == value;
    (is_same && is_all(&lines, &documents)).then_some(value)
}

/// The value of the frame's only key.
fn entry(table: Value) -> Option<Value> {
    match table {
        Value::Table(mut entries) if entries.len() == 1 => entries.remove(FRAME),
        _ => None,
    }
}

/// What most scalars are: a word, a number, or plain text in quotes.
fn simple(text: &str) -> Option<Value> {
    let quote = text.bytes().next().filter(|byte| matches!(byte, b'"' | b'\''));
    if let Some(quote) = quote {
        let inside = text.get(1..text.len() - 1).filter(|_| text.len() > 1 && text.as_bytes().ends_with(&[quote]))?;
        let is_plain = inside.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\'' | b'\\'));
        return is_plain.then(|| Value::String(inside.into()));
    }
    let begins = text.is_empty() || text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '/');
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./- ".contains(&byte);
    (begins && text.bytes().all(is_plain) && !text.ends_with(' ')).then(|| schema::plain(text))
}

/// The text as the value of a key. `None` if a further line stands further out than the value may.
fn framed(text: &str) -> Option<String> {
    let mut lines = format!("{FRAME}:");
    for (index, line) in text.split('\n').enumerate() {
        match line.strip_prefix(INDENT) {
            Some(rest) if index > 0 => lines.push_str(rest),
            _ if index == 0 => lines.extend([" ", line]),
            // Shorter than the indentation, whatever that is.
            _ if gap::is_blank(line) => {}
            _ if line.trim_ascii_start().starts_with('#') => lines.push_str(line),
            _ => return None,
        }
        lines.push('\n');
    }
    (!lines.contains(INDENT)).then_some(lines)
}

/// Whether the frame holds nothing but its key and one value: no comment, no blank more, no second line.
fn is_all(lines: &str, documents: &[syntax::Document]) -> bool {
    let Ok(root) = tile::tile(lines, documents) else { return false };
    let [node] = &root.children[..] else { return false };
    let is_block = matches!(node.content, Content::Container(_)) && !node.children.is_empty();
    node.decor.separator == SEPARATOR && node.decor.trail.is_empty() && root.decor.close.is_empty() && !is_block
}

/// A value on one line; `None` for what YAML has no form for.
pub(super) fn literal(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if is_plain(text) => Some(text.clone()),
        _ => nested(value, DEPTH),
    }
}

/// The key text for the last step of a path.
pub(super) fn label(segment: Option<&Segment>) -> String {
    let Some(Segment::Key(name) | Segment::Item(name) | Segment::Trivia(name)) = segment else {
        return quoted("");
    };
    key_text(name)
}

fn nested(value: &Value, depth: usize) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    match value {
        Value::String(text) => Some(key_text(text)),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(float(*number)),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Null => Some("null".into()),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(|item| nested(item, depth)).collect::<Option<_>>()?;
            Some(format!("[{}]", items.join(", ")))
        }
        Value::Table(entries) => {
            let entry = |(key, value): (&String, _)| Some(key_text(key) + SEPARATOR + &nested(value, depth)?);
            Some(format!("{{{}}}", entries.iter().map(entry).collect::<Option<Vec<_>>>()?.join(", ")))
        }
        Value::Datetime(_) | Value::Bytes(_) => None,
    }
}

/// As YAML 1.1 reads it too: it wants a fraction, and a sign before the exponent.
fn float(number: f64) -> String {
    if number.is_nan() {
        return ".nan".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { ".inf".into() } else { "-.inf".into() };
    }
    let text = format!("{number:?}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let fraction = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with('-') { "" } else { "+" };
    format!("{mantissa}{fraction}e{sign}{exponent}")
}

fn key_text(text: &str) -> String {
    if is_plain(text) && !text.contains(':') { text.into() } else { quoted(text) }
}

/// Whether a text needs no quotes: no reader of YAML, of whatever version, takes it for anything but this text.
fn is_plain(text: &str) -> bool {
    let is_inside = |character: char| character.is_alphanumeric() || "_-./: ".contains(character);
    let begins = text.starts_with(|first: char| first.is_alphabetic() || first == '_' || first == '/');
    let is_word = begins && text.chars().all(is_inside) && !text.ends_with([' ', ':']) && !text.contains(": ");
    let is_old_boolean = OLD_BOOLEANS.iter().any(|word| text.eq_ignore_ascii_case(word));
    is_word && !is_old_boolean && matches!(schema::plain(text), Value::String(_))
}

/// A text in double quotes, on one line.
fn quoted(text: &str) -> String {
    quoted::quoted(text, |character| {
        matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    })
}
