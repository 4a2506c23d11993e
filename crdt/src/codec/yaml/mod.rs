//! YAML 1.2: keys and items of blocks are registers; what is in brackets, anchored or tagged is one value.
//!
//! ```text
//!  text ──▶ syntax (granit-parser) ──▶ tile (by byte spans) ──▶ tree ──▶ print ──▶ text
//!    └────▶ read (second reader) ────▶ values                    ▲
//!                                                     insert ────┘
//! ```
//!
//! | part of the text | where it is in the tree |
//! |---|---|
//! | `port: 1` | a node in its table's node; label `port`, separator `: ` |
//! | `- a` | a node in its list's node; a colon stands for the dash in its separator, so that most have the default one |
//! | `a:` with lines below | a container; the lines' indentation beyond its own is its `indent` |
//! | `- a: 1` | an item that is a container, and begins on the line of its dash: its separator has the spaces behind that |
//! | `{}` and `[]` | empty containers; brackets are derived where a container has nothing in it |
//! | `{a: 1}`, `[1]`, `&x …`, `*x`, `!t …`, `a: \|` with its lines | a scalar with all its text |
//! | comments and blank lines right above a key or item | its lead |
//! | a comment block with a blank line behind it, or at the end | a trivia node in the container of its indentation |
//! | what stands behind a value on its line | its trail |
//! | `%YAML`, `---` of the only document, and all before it | the root's lead |
//! | several documents | the root is a list, each document an item; its label is `---`, its separator what is behind that |
//! | `...`, blank lines at the end | the document's close |
//!
//! Indentation is relative: [`Decor::indent`] is what a container adds to that of its surroundings, so that moving a block
//! in or out is one register, and what another host adds to it at the same time moves with it. [`INDENT`] stands for all of
//! it at the start of comment lines and of the further lines of a scalar, so block scalars move too.
//!
//! Explicit keys, keys that aren't scalars and the like make the file text (see the module `read`).

use super::{Codec, NoPlace, ParseError, SyntaxError, first_difference, meaning};
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, INDENT, Node, Shape};
use crate::value::Value;

mod gap;
mod insert;
mod literal;
mod print;
mod read;
mod schema;
mod syntax;
#[cfg(test)]
mod tests;
mod tile;

/// YAML 1.2.
pub(super) struct Yaml;

/// The label of a document that begins with `---`.
const EXPLICIT: &str = "---";
/// The label of a bare document (YAML 1.2.2, 9.1.3): nothing stands before it, or `...`.
const BARE: &str = "...";
/// What a block is indented by, where nothing shows another style.
const DEFAULT_INDENT: &str = "  ";
const SEPARATOR: &str = ": ";

impl Codec for Yaml {
    fn parse(&self, text: &str) -> Result<Node, ParseError> {
        if text.contains(INDENT) || text.starts_with('\u{feff}') {
            return Err(ParseError::Untileable { line: 1, why: "there is a NUL or a second byte order mark" });
        }
        let documents = syntax::documents(text).map_err(|error| disputed(text, error))?;
        let value = read::file(text)
            .map_err(|error| ParseError::Untileable { line: error.line, why: "not all readers of YAML take it" })?;
        let root = tile::tile(text, &documents)?;
        if let Some(line) = first_difference(text.as_bytes(), print::file(&root).as_bytes()) {
            return Err(ParseError::Untileable { line, why: "this line can't be kept byte by byte" });
        }
        if meaning::meaning(self, &root) != Some(value) {
            return Err(ParseError::Untileable { line: 1, why: "its keys can't be told apart with certainty" });
        }
        Ok(root)
    }

    fn print(&self, root: &Node) -> String {
        print::file(root)
    }

    fn read(&self, text: &str) -> Result<Value, SyntaxError> {
        read::file(text)
    }

    fn scalar(&self, text: &str) -> Option<Value> {
        literal::scalar(text)
    }

    /// On one line; lists and tables in brackets.
    fn literal(&self, value: &Value) -> Option<String> {
        literal::literal(value)
    }

    fn empty(&self) -> Node {
        Node::new(Path::ROOT, "", Content::Container(Shape::Table), Decor::default())
    }

    fn insert(&self, root: &mut Node, path: &Path, literal: &str) -> Result<(), NoPlace> {
        insert::insert(root, path, literal)
    }

    /// YAML can't join keys: the last one counts.
    fn label(&self, keys: &[Segment]) -> String {
        literal::label(keys.last())
    }

    fn default_decor(&self, content: &Content) -> Decor {
        match content {
            Content::Trivia(_) | Content::Bytes(_) => Decor::default(),
            Content::Scalar(_) => Decor { separator: SEPARATOR.into(), ..Decor::default() },
            Content::Container(_) => Decor { separator: ":".into(), indent: DEFAULT_INDENT.into(), ..Decor::default() },
        }
    }
}

/// A file that one reader refuses and the other takes is no mistake to be held: it's kept as text.
fn disputed(text: &str, error: ParseError) -> ParseError {
    match error {
        ParseError::Syntax(error) if read::file(text).is_ok() => {
            ParseError::Untileable { line: error.line, why: "not all readers of YAML take it" }
        }
        error => error,
    }
}

fn is_document(node: &Node) -> bool {
    matches!(node.path.last(), Some(Segment::Item(_))) && (node.label == EXPLICIT || node.label == BARE)
}

fn is_value(node: &Node) -> bool {
    matches!(node.content, Content::Scalar(_) | Content::Container(_))
}
