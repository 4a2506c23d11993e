//! File formats: from bytes to a lossless tree and back.
//!
//! A codec cuts a text into the fragments of [`crate::tree`] by byte spans and prints them again; it never prints from a
//! syntax tree of its own. [`parse`] and [`print()`] take off and put back what all formats share: the byte order mark,
//! CRLF, and the final newline, so that a codec only sees LF text that is empty or ends with a newline.
//!
//! Each codec also has a second, independent reader (`Codec::read`) for the same format. A render is good only if that
//! reader finds exactly the document's keys and values (P6).

mod blocks;
#[cfg(test)]
mod corpus;
mod detect;
mod env;
mod ini;
mod json;
mod lines;
pub(crate) mod meaning;
mod names;
mod outer;
mod quoted;
mod spacing;
mod text;
mod toml;
mod yaml;

pub use detect::{detect, detect_again, looks_like_template};
pub(crate) use ini::{joined, subsection};
use spacing::mark_indent;

use crate::limits;
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, FileStyle, Format, Node, Tree};
use crate::value::Value;

/// A text that its format doesn't allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
}

impl SyntaxError {
    /// An error at a byte offset of `text`; an offset past its end counts as its end.
    pub(crate) fn at(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let column = before[line_start..].chars().count() + 1;
        Self { line: line_of(text.as_bytes(), before.len()), column, message: message.into() }
    }
}

/// The line, from 1, of a byte offset; an offset past the end counts as the end.
fn line_of(text: &[u8], offset: usize) -> usize {
    text[..offset.min(text.len())].iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// Why a text has no tree in a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// The format doesn't allow it.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The format allows it, but it can't be cut into keys: the same key twice in JSON, say. Such a file is kept as text.
    #[error("line {line}: {why}, so the file is kept as lines of text")]
    Untileable {
        /// The line, from 1.
        line: usize,
        /// What can't be cut.
        why: &'static str,
    },
}

/// One format. `text` is LF text that is empty or ends with a newline, without a byte order mark.
pub(crate) trait Codec: Sync {
    /// Cuts a text into fragments. `print(parse(text)) == text` for every text that this accepts.
    ///
    /// List items and trivia carry their index among the items (or trivia) of their list (or physical parent) in
    /// decimal as their id; [`crate::identity`] gives them lasting ones.
    fn parse(&self, text: &str) -> Result<Node, ParseError>;

    /// Writes the fragments, with commas, brackets, indentation and line ends derived. A pure function of the tree.
    ///
    /// It may meet trees that no parser made: children merged from several hosts. It never fails; whether the result is
    /// good is for [`Codec::read`] to say.
    fn print(&self, root: &Node) -> String;

    /// Reads the whole text with an independent parser that refuses duplicate keys.
    fn read(&self, text: &str) -> Result<Value, SyntaxError>;

    /// The meaning of a scalar's text; `None` if it isn't exactly one value of the format.
    fn scalar(&self, text: &str) -> Option<Value>;

    /// A new literal for a value; `None` if the format has no form for it.
    fn literal(&self, value: &Value) -> Option<String>;

    /// The root of a file that has no keys yet.
    fn empty(&self) -> Node;

    /// Puts a new scalar at `path`, which no node has yet, with the containers that it needs, in the style of its
    /// surroundings: behind the last entry of its table, at the end of its list.
    ///
    /// # Errors
    /// When the path leads through a scalar or the format has no such place.
    fn insert(&self, root: &mut Node, path: &Path, literal: &str) -> Result<(), NoPlace>;

    /// The key text for `keys` (one key, or several joined as the format joins them), quoted where needed. For a node
    /// that the renderer must put into another container than it was written in.
    fn label(&self, keys: &[Segment]) -> String;

    /// The spacing of a node whose own was never written.
    fn default_decor(&self, content: &Content) -> Decor;

    /// Whether a key may stand several times. Then each key is a list of its occurrences, and one that stands once means
    /// its value (MERGE rule 5).
    fn keys_repeat(&self) -> bool {
        false
    }

    /// Whether a key that two hosts add at the same time stands twice then, rather than being a conflict: it is one that
    /// usually stands several times.
    fn is_repeated(&self, _key: &str) -> bool {
        false
    }
}

/// A new key has no place in a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct NoPlace {
    /// What stands in the way.
    pub why: String,
}

/// The codec of a format.
pub(crate) fn of(format: Format) -> &'static dyn Codec {
    match format {
        Format::Toml => &toml::Toml,
        Format::Json => &json::Json,
        Format::Yaml => &yaml::Yaml,
        Format::Env => &env::Env,
        Format::Ini => &ini::Ini,
        Format::Blocks => &blocks::Blocks,
        Format::Text => &text::Text,
        Format::Binary => &text::Binary,
    }
}

/// Cuts a file into fragments. [`print()`] gives the same bytes again, which is checked here for every file.
///
/// # Errors
/// [`ParseError::Syntax`] if the format doesn't allow the text, or it isn't UTF-8; [`ParseError::Untileable`] if it can't
/// be cut into keys or passes a limit: such a file is kept in a coarser format, structured as lines, lines as bytes.
/// [`Format::Binary`] takes everything.
pub fn parse(format: Format, bytes: &[u8]) -> Result<Tree, ParseError> {
    if format == Format::Binary {
        let root = Node::new(Path::ROOT, "", Content::Bytes(bytes.to_vec()), Decor::default());
        return Ok(Tree { format, style: FileStyle::default(), root });
    }
    if bytes.len() > limits::MERGED_FILE_BYTES {
        return Err(ParseError::Untileable { line: 1, why: "the file is larger than 4 MiB" });
    }
    let (style, text) = outer::take_off(bytes)?;
    let root = of(format).parse(&text).map_err(|error| within_file(error, style, &text))?;
    let tree = Tree { format, style, root };
    match first_difference(bytes, &print(&tree)) {
        None => Ok(tree),
        Some(line) => Err(ParseError::Untileable { line, why: "its spacing can't be kept byte by byte" }),
    }
}

/// A file that doesn't end its last line has no line behind it, though a codec sees one.
fn within_file(error: ParseError, style: FileStyle, text: &str) -> ParseError {
    match error {
        ParseError::Syntax(error) if !style.final_newline => {
            let text = text.strip_suffix('\n').unwrap_or(text);
            let end = SyntaxError::at(text, text.len(), error.message.clone());
            ParseError::Syntax(if error.line > end.line { end } else { error })
        }
        error => error,
    }
}

/// The file of a tree.
#[must_use]
pub fn print(tree: &Tree) -> Vec<u8> {
    if let Content::Bytes(bytes) = &tree.root.content {
        return bytes.clone();
    }
    outer::put_back(tree.style, &of(tree.format).print(&tree.root))
}

/// Reads a whole file with the format's second, independent parser.
///
/// # Errors
/// If that parser doesn't take it, or it isn't UTF-8.
pub(crate) fn read(format: Format, bytes: &[u8]) -> Result<Value, SyntaxError> {
    if format == Format::Binary {
        return Ok(Value::Bytes(bytes.to_vec()));
    }
    let (style, text) = outer::take_off(bytes)?;
    // A carriage return at the very end of a file is no line end, which a newline behind it would make of it.
    let text = if style.final_newline { &text } else { text.strip_suffix('\n').unwrap_or(&text) };
    of(format).read(text)
}

/// The line, from 1, where two files first differ.
fn first_difference(ours: &[u8], theirs: &[u8]) -> Option<usize> {
    if ours == theirs {
        return None;
    }
    let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    Some(line_of(ours, same))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_at_the_end_of_a_file_is_on_its_last_line() {
        for (format, file, place) in [
            (Format::Toml, "a = 1\nb = '''", "line 2, column 8"),
            (Format::Toml, "a = 1\nb = '''\n", "line 3, column 1"),
            (Format::Json, "{\n\"a\": [", "line 2, column 7"),
        ] {
            let error = parse(format, file.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with(place), "{error}: {file}");
        }
    }
}
