//! INI and its kin: systemd's units, git's settings, desktop files, `.editorconfig`, Python's, PHP's and MySQL's settings.
//!
//! ```text
//!  root = true⏎           a key before the first section stands at the root
//!  [remote "origin"]⏎     a section; its key is what stands between the brackets
//!      # right above⏎     lead
//!      url = x y⏎         `url` label, ` = ` separator, `x y` value
//! ```
//!
//! There is no one INI. Where its readers differ, this is the rule:
//! - A key ends at the first `=`, or at a `:` with a blank behind it; at any `:` if the line has neither.
//! - A line that is indented deeper than its key's goes on with its value, as Python reads it; so does the next line behind
//!   an odd number of backslashes, as systemd and git read it. Comments and blank lines in between are left out of what
//!   the value means; the lines are joined with line feeds, or where a backslash was, with a blank.
//! - Comments begin with `#` or `;` at the start of a line. Behind a value they are part of it, as in most of these formats.
//! - Quotes are part of the value.
//! - A word alone (`skip-networking`) and a line that begins with `!` (`!includedir /etc`) are keys without a value.
//! - A key or a section that stands several times is a list. So systemd's empty assignment, which resets a list, is an item
//!   of it.
//! - A line that is none of these makes the file a text.

mod insert;
mod read;
mod scan;
#[cfg(test)]
mod tests;
mod tile;
mod value;

pub(super) use tile::fits;

use super::lines::{self, print};
use super::{Codec, NoPlace, ParseError, SyntaxError};
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, Node};
use crate::value::Value;

/// The codec of sections of keys.
pub(crate) struct Ini;

const SEPARATOR: &str = " = ";

impl Codec for Ini {
    fn parse(&self, text: &str) -> Result<Node, ParseError> {
        lines::certain(self, text, tile::tile(text)?)
    }

    fn print(&self, root: &Node) -> String {
        print::print(root)
    }

    fn read(&self, text: &str) -> Result<Value, SyntaxError> {
        read::read(text)
    }

    fn scalar(&self, text: &str) -> Option<Value> {
        value::meaning(text)
    }

    fn literal(&self, value: &Value) -> Option<String> {
        value::literal(value)
    }

    fn empty(&self) -> Node {
        lines::tile::root()
    }

    fn insert(&self, root: &mut Node, path: &Path, literal: &str) -> Result<(), NoPlace> {
        insert::insert(root, path, literal)
    }

    fn label(&self, keys: &[Segment]) -> String {
        lines::label(keys)
    }

    fn default_decor(&self, content: &Content) -> Decor {
        lines::decor(SEPARATOR, content)
    }

    fn keys_repeat(&self) -> bool {
        true
    }
}

/// The name of one of git's subsections, `remote "origin"`, in its two parts.
pub(crate) fn subsection(name: &str) -> Option<(String, String)> {
    let (section, quoted) = name.split_once(" \"")?;
    let inside = quoted.strip_suffix('"')?;
    let mut plain = String::new();
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        plain.push(if character == '\\' { characters.next()? } else { character });
    }
    (joined(section, &plain) == name).then(|| (section.into(), plain))
}

/// The name of a subsection, of its two parts.
pub(crate) fn joined(section: &str, subsection: &str) -> String {
    format!("{section} \"{}\"", subsection.replace('\\', "\\\\").replace('"', "\\\""))
}
