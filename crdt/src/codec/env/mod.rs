//! Variables of an environment, as shells, Docker and the dotenv libraries read them.
//!
//! ```text
//!  # right above⏎                 lead
//!  export KEY = "a b" # why⏎       `export KEY` label, ` = ` separator, `"a b"` value, ` # why` trail
//! ```
//!
//! Where those readers differ:
//! - A value in quotes may go over several lines. In double quotes `\n`, `\r`, `\t`, `\"`, `\\`, `\$` and `` \` `` are
//!   escapes, other backslashes stay; in single quotes all stays. Nothing is expanded.
//! - Without quotes a value ends at the end of its line or at a `#` behind a blank, without the blanks around it.
//! - A name alone (`KEY`, `export KEY`) has no value, which isn't the empty one.
//! - A key that stands several times is a list.
//! - A line that is none of these makes the file a text: it may be a program.

mod read;
mod scan;
#[cfg(test)]
mod tests;
mod tile;
mod value;

pub(super) use tile::fits;

use super::lines::{self, insert, print};
use super::{Codec, NoPlace, ParseError, SyntaxError};
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, Node};
use crate::value::Value;

/// The codec of `.env` files.
pub(crate) struct Env;

/// What stands between a new key and its value: shells take no blanks there.
const SEPARATOR: &str = "=";

impl Codec for Env {
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
        let way = insert::way(root, path)?;
        let [name] = &way.missing[..] else {
            return Err(NoPlace { why: "a .env file has no tables".into() });
        };
        if scan::name_end(name, 0) != name.len() || name.is_empty() {
            return Err(NoPlace { why: format!("`{name}` can't be the name of a variable") });
        }
        let separator = insert::separator_of(root, SEPARATOR).to_string();
        let index = insert::entry_index(root, &Path::ROOT.key(name));
        let decor = insert::entry_decor(root, index, &separator);
        root.children.insert(index, Node::new(path.clone(), name, Content::Scalar(literal.into()), decor));
        Ok(())
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
