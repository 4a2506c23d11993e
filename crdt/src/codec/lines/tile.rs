//! Builds the tree of a text of entries, while the format's own scanner walks over it.

use std::collections::BTreeMap;

use super::gap;
use crate::codec::{ParseError, SyntaxError, line_of, mark_indent};
use crate::limits::{DEPTH, KEYS_PER_FILE, PATH_BYTES};
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, INDENT, Node, Shape};

const TOO_MANY: &str = "there are more keys and comments than a file may have";
const TOO_DEEP: &str = "blocks nest deeper than a file may";
const TOO_LONG: &str = "a key's path is longer than a file may have";
const ODD_CHARACTER: &str = "there is a NUL or a second byte order mark";

/// The root of a file of entries.
pub(in crate::codec) fn root() -> Node {
    Node::new(Path::ROOT, "", Content::Container(Shape::Table), Decor::default())
}

/// A text, how far it is read, and the tree so far.
pub(in crate::codec) struct Tiler<'t> {
    pub(in crate::codec) text: &'t str,
    pub(in crate::codec) at: usize,
    comments: &'static [char],
    /// The open containers, each inside the one before; the root is the first.
    open: Vec<Section>,
    nodes: usize,
}

/// A container whose children are being read.
struct Section {
    node: Node,
    trivia: usize,
    /// How often each key stands in it so far.
    keys: BTreeMap<String, usize>,
    has_indent: bool,
}

impl Section {
    fn open(node: Node) -> Self {
        Self { node, trivia: 0, keys: BTreeMap::new(), has_indent: false }
    }
}

/// An entry or a header: its key, its key text, and its spacing as written.
pub(in crate::codec) struct Piece<'t> {
    pub(in crate::codec) key: String,
    pub(in crate::codec) label: &'t str,
    pub(in crate::codec) lead: &'t str,
    pub(in crate::codec) separator: &'t str,
    pub(in crate::codec) trail: &'t str,
}

impl<'t> Tiler<'t> {
    /// Refuses what no text of lines may hold.
    pub(in crate::codec) fn new(text: &'t str, comments: &'static [char]) -> Result<Self, ParseError> {
        let tiler = Self { text, at: 0, comments, open: vec![Section::open(root())], nodes: 0 };
        if text.contains(INDENT) || text.starts_with('\u{feff}') {
            return Err(tiler.untileable(ODD_CHARACTER));
        }
        Ok(tiler)
    }

    /// Cuts the whole text: `entry` takes each entry or header, where the tiler stands and with what stands before it, and goes
    /// behind it.
    pub(in crate::codec) fn tile(
        text: &'t str,
        comments: &'static [char],
        mut entry: impl FnMut(&mut Self, &'t str) -> Result<(), ParseError>,
    ) -> Result<Node, ParseError> {
        let mut tiler = Self::new(text, comments)?;
        loop {
            let lead = tiler.gap()?;
            if tiler.is_at_end() {
                return Ok(tiler.finish(lead));
            }
            entry(&mut tiler, lead)?;
        }
    }

    /// Goes to the next entry, or to the end of the text; gives what stands before it and belongs to it.
    pub(in crate::codec) fn gap(&mut self) -> Result<&'t str, ParseError> {
        let gap = gap::read(self.text, self.at, self.comments);
        for block in gap.blocks {
            self.trivia(block)?;
        }
        self.at = gap.end;
        Ok(gap.lead)
    }

    pub(in crate::codec) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    fn trivia(&mut self, block: &str) -> Result<(), ParseError> {
        self.count_node()?;
        let section = self.innermost();
        let path = section.node.path.child(Segment::Trivia(section.trivia.to_string()));
        section.trivia += 1;
        section.node.children.push(Node::new(path, "", Content::Trivia(block.into()), Decor::default()));
        Ok(())
    }

    /// Puts an entry into the innermost open container.
    pub(in crate::codec) fn entry(&mut self, piece: Piece<'_>, value: &str) -> Result<(), ParseError> {
        let node = self.node(piece, Content::Scalar(value.into()))?;
        self.innermost().node.children.push(node);
        Ok(())
    }

    /// Opens a container in the innermost open one.
    pub(in crate::codec) fn open(&mut self, piece: Piece<'_>) -> Result<(), ParseError> {
        let node = self.node(piece, Content::Container(Shape::Table))?;
        self.open.push(Section::open(node));
        Ok(())
    }

    fn node(&mut self, piece: Piece<'_>, content: Content) -> Result<Node, ParseError> {
        let path = self.next_path(piece.key)?;
        let lead = self.lead(piece.lead);
        let decor = Decor { lead, separator: piece.separator.into(), trail: piece.trail.into(), ..Decor::default() };
        Ok(Node::new(path, piece.label, content, decor))
    }

    /// Closes the innermost container with `lead` before what closes it, and `bracket`. False if only the root is open.
    pub(in crate::codec) fn close(&mut self, lead: &str, bracket: &str) -> bool {
        if self.open.len() == 1 {
            return false;
        }
        if let Some(Section { mut node, .. }) = self.open.pop() {
            let parent = self.innermost();
            node.decor.close = mark_indent(lead, &parent.node.decor.indent) + bracket;
            parent.node.children.push(node);
        }
        true
    }

    /// How many containers are open, without the root.
    pub(in crate::codec) fn depth(&self) -> usize {
        self.open.len() - 1
    }

    /// The root; `close` stands before the end of the text.
    pub(in crate::codec) fn finish(mut self, close: &str) -> Node {
        while self.close("", "") {}
        let mut root = self.open.swap_remove(0).node;
        root.decor.close = mark_indent(close, &root.decor.indent);
        root
    }

    /// The path of the next occurrence of a key, within the limits.
    fn next_path(&mut self, key: String) -> Result<Path, ParseError> {
        self.count_node()?;
        let section = self.innermost();
        let path = section.node.path.key(&key);
        let occurrence = section.keys.entry(key).or_default();
        *occurrence += 1;
        let path = path.child(Segment::Item((*occurrence - 1).to_string()));
        if path.0.len() > DEPTH {
            return Err(self.untileable(TOO_DEEP));
        }
        if path.encode().len() > PATH_BYTES {
            return Err(self.untileable(TOO_LONG));
        }
        Ok(path)
    }

    /// The first child that begins a line decides its container's indentation.
    fn lead(&mut self, lead: &str) -> String {
        let start = self.at - lead.len();
        let begins_line = start == 0 || self.text.as_bytes()[start - 1] == b'\n' || lead.contains('\n');
        let section = self.innermost();
        if begins_line && !section.has_indent {
            section.has_indent = true;
            section.node.decor.indent = lead[lead.rfind('\n').map_or(0, |newline| newline + 1)..].into();
        }
        mark_indent(lead, &section.node.decor.indent)
    }

    fn innermost(&mut self) -> &mut Section {
        let innermost = self.open.len() - 1;
        &mut self.open[innermost]
    }

    fn count_node(&mut self) -> Result<(), ParseError> {
        self.nodes += 1;
        if self.nodes > KEYS_PER_FILE { Err(self.untileable(TOO_MANY)) } else { Ok(()) }
    }

    /// Why the text has no tree, at the present place.
    pub(in crate::codec) fn untileable(&self, why: &'static str) -> ParseError {
        ParseError::Untileable { line: line_of(self.text.as_bytes(), self.at), why }
    }

    /// A syntax error at a byte offset.
    pub(in crate::codec) fn syntax(&self, at: usize, message: &str) -> ParseError {
        SyntaxError::at(self.text, at, message).into()
    }
}
