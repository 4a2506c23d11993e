//! Directives in blocks: nginx's, and HAProxy's sections, which are blocks without braces.
//!
//! ```text
//!  http {⏎                       `http` label, ` {⏎` separator
//!      listen 80 default; # c⏎    `listen` label, ` ` separator, `80 default` value, `; # c⏎` trail
//!  }⏎                            `}⏎` close
//! ```
//!
//! - The key of a directive is its first word, its value all other words; `ip_hash;` has none. The key of a block is its
//!   whole header: `location /api`, `upstream app`, `frontend web`. Both may stand several times.
//! - What belongs to a line up to its line end is part of the directive's or block's spacing, also semicolons and braces,
//!   since some stand on one line with others and some have lines of their own.
//! - A text is HAProxy's if its first word is one of HAProxy's sections and opens no block. Words end at blanks; quotes,
//!   backslashes and comments count as each program reads them.
//! - Braces and quotes that don't match are a syntax error. So are directives without an end.
//! - Blocks of Lua hold another language: such a file is a text.

mod haproxy;
mod insert;
mod nginx;
mod print;
mod read;
mod scan;
#[cfg(test)]
mod tests;

use super::lines::{self, BARE};
use super::{Codec, NoPlace, ParseError, SyntaxError};
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, INDENT, Node};
use crate::value::Value;

/// The codec of nginx's and HAProxy's files.
pub(crate) struct Blocks;

/// Keys that usually stand several times: two hosts that add one mean two. All others are conflicts.
const REPEATED: &[&str] = &[
    "acl",
    "add_header",
    "allow",
    "bind",
    "deny",
    "env",
    "error_page",
    "errorfile",
    "fastcgi_param",
    "http-check",
    "http-request",
    "http-response",
    "include",
    "listen",
    "load_module",
    "log",
    "option",
    "proxy_hide_header",
    "proxy_set_header",
    "rewrite",
    "server",
    "set",
    "set_real_ip_from",
    "stats",
    "tcp-request",
    "tcp-response",
    "timeout",
    "use_backend",
];

const SEPARATOR: &str = " ";
const END: &str = ";\n";
const OPEN: &str = " {\n";
const CLOSE: &str = "\0}\n";

impl Codec for Blocks {
    fn parse(&self, text: &str) -> Result<Node, ParseError> {
        let root = if scan::is_haproxy(text) { haproxy::tile(text)? } else { nginx::tile(text)? };
        lines::certain(self, text, root)
    }

    fn print(&self, root: &Node) -> String {
        print::print(root)
    }

    fn read(&self, text: &str) -> Result<Value, SyntaxError> {
        read::read(text)
    }

    fn scalar(&self, text: &str) -> Option<Value> {
        if text == BARE {
            return Some(Value::Null);
        }
        (!text.contains(BARE) && scan::is_value(text)).then(|| Value::String(text.into()))
    }

    fn literal(&self, value: &Value) -> Option<String> {
        let text = match value {
            Value::Null => return Some(BARE.into()),
            Value::List(_) | Value::Table(_) | Value::Bytes(_) => return None,
            scalar => scalar.to_string(),
        };
        (self.scalar(&text) == Some(Value::String(text.clone()))).then_some(text)
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

    /// A line of its own, as nginx has it.
    fn default_decor(&self, content: &Content) -> Decor {
        let lead = INDENT.to_string();
        match content {
            Content::Scalar(_) => Decor { lead, separator: SEPARATOR.into(), trail: END.into(), ..Decor::default() },
            Content::Container(_) => Decor { lead, separator: OPEN.into(), close: CLOSE.into(), ..Decor::default() },
            Content::Trivia(_) | Content::Bytes(_) => Decor::default(),
        }
    }

    fn keys_repeat(&self) -> bool {
        true
    }

    fn is_repeated(&self, key: &str) -> bool {
        REPEATED.contains(&key)
    }
}
