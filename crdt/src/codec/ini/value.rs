//! Values of keys: what they mean, and how new ones are written.

use super::scan::{self, COMMENTS};
use crate::codec::lines::{BARE, BLANKS, is_continued};
use crate::value::Value;

/// What stands before each further line of a new value.
const CONTINUATION: &str = "\n    ";

/// What a value means; `None` if it isn't exactly one.
pub(super) fn meaning(text: &str) -> Option<Value> {
    if text == BARE {
        return Some(Value::Null);
    }
    if text.contains(BARE) || !is_whole(text) {
        return None;
    }
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default();
    let mut meant = String::from(first.trim_matches(BLANKS));
    let mut continued = is_continued(first);
    for line in lines {
        let content = line.trim_matches(BLANKS);
        if content.is_empty() {
            continued = false;
        } else if !content.starts_with(COMMENTS) {
            join(&mut meant, continued);
            meant.push_str(content);
            continued = is_continued(line);
        }
    }
    Some(Value::String(meant.trim_matches(BLANKS).into()))
}

/// Ends a line of a value, behind which another one stands.
fn join(meant: &mut String, continued: bool) {
    if continued {
        meant.pop();
        meant.truncate(meant.trim_end_matches(BLANKS).len());
    }
    meant.push(if continued { ' ' } else { '\n' });
}

/// Whether a text is read as one value, all of it, at least behind a key that isn't indented.
fn is_whole(text: &str) -> bool {
    let line = format!("k={text}\n");
    let whole = Some((2, 2 + text.len()));
    scan::entry(&line, 0, 0).is_some_and(|entry| entry.value == whole)
}

/// A value as it is, further lines indented.
pub(super) fn literal(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return Some(BARE.into()),
        Value::List(_) | Value::Table(_) | Value::Bytes(_) => return None,
        scalar => scalar.to_string(),
    };
    let literal = text.replace('\n', CONTINUATION);
    (meaning(&literal) == Some(Value::String(text))).then_some(literal)
}
