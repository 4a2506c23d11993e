//! Why a file is kept in a coarser format than the one its name and content ask for: a pure function of its bytes, so it
//! needs no place in the document.

use std::fmt;

use crate::codec::{self, ParseError};
use crate::edit;
use crate::tree::Format;

/// Why a file is kept as text or bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fallback {
    /// The line that stands in the way, from 1.
    pub line: Option<usize>,
    /// What stands in the way.
    pub why: String,
}

impl fmt::Display for Fallback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{} at line {line}", self.why),
            None => f.write_str(&self.why),
        }
    }
}

/// Why the file at `path` is kept as `kept`; `None` if that is what its name and content ask for. Costs a parse of the
/// file where it is not.
#[must_use]
pub fn reason(path: &str, bytes: &[u8], kept: Format) -> Option<Fallback> {
    let wanted = codec::detect(path, bytes);
    if wanted == kept || kept.is_structured() {
        return None;
    }
    let (line, why) = match codec::parse(wanted, bytes) {
        Err(ParseError::Untileable { line, why }) => (Some(line), why.to_owned()),
        Err(ParseError::Syntax(error)) if is_template(bytes) => (Some(error.line), "template markers".into()),
        Err(ParseError::Syntax(error)) => (Some(error.line), format!("not {}: {}", wanted.name(), error.message)),
        Ok(tree) if !edit::is_sound(&tree, bytes) => {
            (None, format!("a second parser reads other {}, or a key or value is too long", wanted.name()))
        }
        Ok(_) => (None, "its keys together are too long for one change".into()),
    };
    Some(Fallback { line, why })
}

fn is_template(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(codec::looks_like_template)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_the_way_is_named() {
        let large = vec![b'\n'; crate::limits::KEYS_PER_FILE + 1];
        let rows: &[(&str, &[u8], Format, Option<&str>)] = &[
            ("a.toml", b"a = 1\n", Format::Toml, None),
            ("a.txt", b"a = 1\n", Format::Text, None),
            ("a.json", b"{\n\"a\": 1,\n\"a\": 2}\n", Format::Text, Some("at line 3")),
            ("a.toml", b"a = 1\nb = {{ b }}\n", Format::Text, Some("template markers at line 2")),
            ("a.toml", b"a = 1\nb = = 2\n", Format::Text, Some("not toml: ")),
            ("a.txt", &large, Format::Binary, Some("at line ")),
        ];
        for (path, bytes, kept, expected) in rows {
            let found = reason(path, bytes, *kept).map(|found| found.to_string());
            match expected {
                Some(part) => assert!(found.as_ref().is_some_and(|found| found.contains(part)), "{path}: {found:?}"),
                None => assert_eq!(found, None, "{path}"),
            }
        }
    }
}
