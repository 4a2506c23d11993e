//! JSON, and JSON with comments and trailing commas (JSONC). Nothing else of JSON5.
//!
//! ```text
//!  {⏎                          the root's bracket: derived
//!    // free-standing⏎          a trivia node
//!  ⏎
//!    // right above⏎            ┐ lead
//!    "key": [1, 2] , // why⏎    ┘ "key" label, `: ` separator, ` ` trail, comma derived, ` // why` after_comma
//!    ⋮ └─ items are nodes too, also on one line
//!    // before the bracket⏎    ┐ close of the root
//!  }                           ┘ the root's bracket; what follows is the root's trail
//! ```
//!
//! Who owns what, where one could think otherwise:
//! - The line end before a node belongs to its lead, or to the trivia that it begins.
//! - What stands on a last child's line is its `after_comma` even without a comma, so that it stays when one comes. If the
//!   closing bracket stands on that line too, comments are the child's `trail` and spaces the container's `close`.
//! - A comment block that a blank line follows is trivia, also before a closing bracket, so that it is the same node
//!   whatever stands or goes behind it. A comment right above a closing bracket is its container's `close`.
//! - A comment on the line of an opening bracket is trivia: it's about the container, not its first child.
//! - The indentation of a container whose children don't begin lines is that of the container around it; of a container
//!   on one line it is empty.

mod gap;
mod insert;
mod lex;
mod literal;
mod print;
mod read;
#[cfg(test)]
mod tests;
mod tile;

use super::{Codec, NoPlace, ParseError, SyntaxError};
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, Node, Shape};
use crate::value::Value;

/// JSON and JSONC.
pub(super) struct Json;

impl Codec for Json {
    fn parse(&self, text: &str) -> Result<Node, ParseError> {
        tile::file(text)
    }

    fn print(&self, root: &Node) -> String {
        print::file(root)
    }

    fn read(&self, text: &str) -> Result<Value, SyntaxError> {
        read::file(text)
    }

    fn scalar(&self, text: &str) -> Option<Value> {
        read::scalar(text)
    }

    /// Also lists and tables: [`Codec::insert`] cuts them into nodes.
    fn literal(&self, value: &Value) -> Option<String> {
        literal::literal(value)
    }

    fn empty(&self) -> Node {
        Node::new(Path::ROOT, "", Content::Container(Shape::Table), Decor::default())
    }

    fn insert(&self, root: &mut Node, path: &Path, literal: &str) -> Result<(), NoPlace> {
        insert::insert(root, path, literal)
    }

    /// JSON can't join keys: the last one counts.
    fn label(&self, keys: &[Segment]) -> String {
        literal::label(keys.last())
    }

    fn default_decor(&self, content: &Content) -> Decor {
        let own_line = insert::LINE_LEAD.to_owned();
        match content {
            Content::Trivia(_) | Content::Bytes(_) => Decor::default(),
            Content::Scalar(_) => Decor { lead: own_line, separator: literal::SEPARATOR.into(), ..Decor::default() },
            Content::Container(_) => Decor {
                lead: own_line.clone(),
                separator: literal::SEPARATOR.into(),
                close: own_line,
                indent: insert::DEFAULT_UNIT.into(),
                ..Decor::default()
            },
        }
    }
}
