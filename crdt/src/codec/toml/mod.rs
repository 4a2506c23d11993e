//! TOML: keys are registers, inline arrays and tables are one value each.
//!
//! ```text
//!  text ──▶ depth ──▶ read (toml crate) ──▶ tile (by byte spans) ──▶ tree ──▶ print ──▶ text
//!                        │                                             ▲
//!                        └─ values                        insert ──────┘
//! ```
//!
//! | part of the text | where it is in the tree |
//! |---|---|
//! | `port = 1` | a node in the section's node; the label is the key as written, quotes and dots with it |
//! | `[a.b]` | a node in the root; the label is what stands between the brackets |
//! | `[[s]]` | a node `s@0` in the root; a header inside of an array's item is a node in that item's node |
//! | comments and blank lines right above a key or header | its lead, with the indentation of its line |
//! | a comment block with a blank line behind it | a trivia node in the section above |
//! | what stands behind a value or header on its line | its trail |
//! | blank lines at the end | the root's close |
//!
//! A section's indentation is that of its first entry.

use crate::codec::meaning::meaning;
use crate::codec::{Codec, NoPlace, ParseError, SyntaxError, first_difference, line_of};
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, INDENT, Node, Shape};
use crate::value::Value;

mod depth;
mod insert;
mod literal;
mod print;
mod read;
mod scan;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod tile;

/// The codec of TOML 1.0, and of 1.1 where a file uses it.
pub(crate) struct Toml;

impl Codec for Toml {
    fn parse(&self, text: &str) -> Result<Node, ParseError> {
        if let Some(at) = depth::too_deep_at(text) {
            return Err(ParseError::Untileable {
                line: line_of(text.as_bytes(), at),
                why: "tables nest deeper than a file may",
            });
        }
        let value = read::read(text)?;
        if text.contains(INDENT) || text.starts_with('\u{feff}') {
            return Err(ParseError::Untileable { line: 1, why: "there is a NUL or a second byte order mark" });
        }
        let root = tile::tile(text)?;
        if let Some(line) = first_difference(text.as_bytes(), print::print(&root).as_bytes()) {
            return Err(ParseError::Untileable { line, why: "this line can't be kept byte by byte" });
        }
        if meaning(self, &root) != Some(value) {
            return Err(ParseError::Untileable { line: 1, why: "its keys can't be told apart with certainty" });
        }
        Ok(root)
    }

    fn print(&self, root: &Node) -> String {
        print::print(root)
    }

    fn read(&self, text: &str) -> Result<Value, SyntaxError> {
        read::read(text)
    }

    fn scalar(&self, text: &str) -> Option<Value> {
        read::scalar(text)
    }

    fn literal(&self, value: &Value) -> Option<String> {
        literal::literal(value)
    }

    fn empty(&self) -> Node {
        root()
    }

    fn insert(&self, root: &mut Node, path: &Path, literal: &str) -> Result<(), NoPlace> {
        insert::insert(root, path, literal)
    }

    fn label(&self, keys: &[Segment]) -> String {
        literal::label(keys)
    }

    /// ` = ` between key and value, and nothing else: most entries have no blank line or comment around them. Headers
    /// mostly have a blank line above them, but the first one of a file hasn't, so theirs is stored.
    fn default_decor(&self, content: &Content) -> Decor {
        match content {
            Content::Scalar(_) => Decor { separator: SEPARATOR.into(), ..Decor::default() },
            Content::Container(_) | Content::Trivia(_) | Content::Bytes(_) => Decor::default(),
        }
    }
}

const SEPARATOR: &str = " = ";

fn root() -> Node {
    Node::new(Path::ROOT, "", Content::Container(Shape::Table), Decor::default())
}
