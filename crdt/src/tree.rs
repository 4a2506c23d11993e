//! A file as a lossless tree of fragments: every byte belongs to exactly one.
//!
//! The tree is physical: a node's children are what stands inside it in the text, in order. A node's path is logical:
//! in TOML, the entry `b.c = 1` below the header `[a]` has the path `a.b.c`, and stands in the node of `a`.
//!
//! ```text
//!  TOML                                  JSON
//!  root                                  root        container, its decor holds `{` … `}` spacing
//!  ├─ port = 1        entry, scalar      ├─ "a": 1   entry, scalar
//!  ├─ # a block       trivia             └─ "b": …   entry, container
//!  ├─ [a]             header, container     └─ @0    item
//!  │  └─ b.c = 1      entry
//!  └─ [[s]]           header of item s@0, container
//!     ├─ name = "x"   entry
//!     └─ [s.t]        header inside the item
//! ```
//!
//! Bytes that follow from others are not in the tree; the printer derives them: commas, brackets, the final newline,
//! CRLF (if all lines end so), and indentation: in [`Decor::lead`] and [`Decor::close`] the character [`INDENT`] stands
//! for the indentation of the container.

use crate::path::Path;
use crate::position::Position;

/// Stands for [`Decor::indent`] of the surrounding container. No format here allows NUL in its text.
pub const INDENT: char = '\0';

/// How a document's content is cut into registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// TOML 1.0.
    Toml,
    /// JSON, with comments and trailing commas if the file has them.
    Json,
    /// YAML 1.2, of one document or several.
    Yaml,
    /// Variables of an environment: `KEY=value`, with `export`, quotes and comments.
    Env,
    /// Sections of keys: INI, systemd units, git's settings, desktop files and their kin.
    Ini,
    /// Directives in blocks: nginx, and HAProxy's sections.
    Blocks,
    /// Lines of text, each a register.
    Text,
    /// Bytes: one register.
    Binary,
}

impl Format {
    /// The format's name, as `folder status` shows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Env => "env",
            Self::Ini => "ini",
            Self::Blocks => "blocks",
            Self::Text => "text",
            Self::Binary => "binary",
        }
    }

    /// Whether edits merge key by key.
    #[must_use]
    pub fn is_structured(self) -> bool {
        matches!(self, Self::Toml | Self::Json | Self::Yaml | Self::Env | Self::Ini | Self::Blocks)
    }

    /// Whether two hosts that create the file at the same time agree, and their keys merge. Blocks are like lines here:
    /// the union of two servers is a server that nobody wrote.
    #[must_use]
    pub fn merges_when_created(self) -> bool {
        self.is_structured() && self != Self::Blocks
    }
}

/// What holds for the whole file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileStyle {
    /// The file begins with a UTF-8 byte order mark.
    pub byte_order_mark: bool,
    /// Every line ends with CRLF. A file that mixes line ends keeps its carriage returns in the fragments.
    pub crlf: bool,
    /// The last line ends with a line end.
    pub final_newline: bool,
}

impl Default for FileStyle {
    fn default() -> Self {
        Self { byte_order_mark: false, crlf: false, final_newline: true }
    }
}

/// The shape of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// Keys with values.
    Table,
    /// Items in order.
    List,
}

/// What a fragment holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Content {
    /// A value as written; in TOML also an inline array or table, which merge as one value.
    Scalar(String),
    /// Keys or items, which are nodes of their own.
    Container(Shape),
    /// A comment block or blank lines that belong to no key, with all their line ends.
    Trivia(String),
    /// The bytes of a [`Format::Binary`] file. Only at the root.
    Bytes(Vec<u8>),
}

/// Comments and spacing around a fragment. Which parts a format uses, and their defaults, its codec says.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Decor {
    /// Before the key: blank lines, the comments right above, the indentation.
    pub lead: String,
    /// Between key and value: `" = "`, `": "`.
    pub separator: String,
    /// Behind the value, before the comma if there is one: spaces and a comment, without the line end.
    pub trail: String,
    /// Behind the comma, up to the line end.
    pub after_comma: String,
    /// Before a container's closing bracket, or before the end of the file at the root.
    pub close: String,
    /// What [`INDENT`] stands for in the leads of a container's children.
    pub indent: String,
    /// The last child has a comma too.
    pub trailing_comma: bool,
}

/// One fragment with what stands inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The logical path.
    pub path: Path,
    /// The key as written; of a TOML header what is between the brackets; empty for items, trivia and the root.
    pub label: String,
    /// What it holds.
    pub content: Content,
    /// Comments and spacing.
    pub decor: Decor,
    /// Where it stands among its siblings; [`Position::default`] in a tree fresh from a parser.
    pub position: Position,
    /// What stands inside, in order.
    pub children: Vec<Node>,
}

impl Node {
    /// A node that has no children and no position yet.
    #[must_use]
    pub fn new(path: Path, label: impl Into<String>, content: Content, decor: Decor) -> Self {
        Self { path, label: label.into(), content, decor, position: Position::default(), children: Vec::new() }
    }

    /// The node with this path: this one, or one below it. A node stands in one whose path leads to it.
    #[must_use]
    pub fn find(&self, path: &Path) -> Option<&Node> {
        if self.path == *path {
            return Some(self);
        }
        self.children.iter().filter(|child| path.starts_with(&child.path)).find_map(|child| child.find(path))
    }

    /// The same, to change it.
    pub(crate) fn find_mut(&mut self, path: &Path) -> Option<&mut Node> {
        if self.path == *path {
            return Some(self);
        }
        let mut leading = self.children.iter_mut().filter(|child| path.starts_with(&child.path));
        leading.find_map(|child| child.find_mut(path))
    }

    /// This node and all below it, each before what stands inside it.
    pub fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Node)) {
        visit(self);
        self.children.iter().for_each(|child| child.walk(visit));
    }
}

/// A whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree {
    /// How it is cut.
    pub format: Format,
    /// What holds for the whole file.
    pub style: FileStyle,
    /// The node with the empty path.
    pub root: Node,
}
