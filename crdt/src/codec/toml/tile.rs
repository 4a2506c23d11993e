//! From a valid TOML text to fragments, line by line.
//!
//! ```text
//!  text ──▶ gap ──▶ entry or header ──▶ gap ──▶ …
//!            │           │
//!            │           ├─ entry:  child of the innermost open section
//!            │           └─ header: closes sections up to its container (the root or an array's item), opens its own
//!            ├─ comment blocks with a blank line behind them: trivia of the innermost open section
//!            └─ the rest: lead of the entry or header
//! ```

use std::collections::BTreeMap;

use super::{read, scan};
use crate::codec::{ParseError, line_of, mark_indent};
use crate::limits::{DEPTH, KEYS_PER_FILE, PATH_BYTES};
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, Node, Shape};
use crate::value::Value;

const APART: &str = "a table of an item of an array stands apart from that item";
const THROUGH_ARRAY: &str = "a dotted key goes through an array of tables";
const TOO_MANY: &str = "there are more keys and comments than a file may have";
const TOO_DEEP: &str = "tables nest deeper than a file may";
const TOO_LONG: &str = "a key's path is longer than a file may have";

/// Cuts a text that the second reader has accepted.
pub(super) fn tile(text: &str) -> Result<Node, ParseError> {
    let mut tiler =
        Tiler { text, at: 0, sections: vec![Section::open(super::root())], items: BTreeMap::new(), nodes: 0 };
    loop {
        let gap = tiler.gap();
        for block in gap.blocks {
            tiler.trivia(block)?;
        }
        if tiler.at == text.len() {
            return Ok(tiler.finish(gap.lead));
        }
        if text[tiler.at..].starts_with('[') {
            tiler.header(gap.lead)?;
        } else {
            tiler.entry(gap.lead)?;
        }
    }
}

struct Tiler<'t> {
    text: &'t str,
    at: usize,
    /// The open sections: the root, items of arrays each inside the one before, and the latest header.
    sections: Vec<Section>,
    /// How many items each array of tables has so far.
    items: BTreeMap<Path, usize>,
    nodes: usize,
}

/// A container whose children are being read.
struct Section {
    node: Node,
    trivia: usize,
    has_entries: bool,
}

impl Section {
    fn open(node: Node) -> Self {
        Self { node, trivia: 0, has_entries: false }
    }
}

/// Blank lines and comments between two entries or headers.
struct Gap<'t> {
    /// Comment blocks that belong to nothing, each with the blank lines before it.
    blocks: Vec<&'t str>,
    /// What remains, with the indentation of the line that follows.
    lead: &'t str,
}

impl<'t> Tiler<'t> {
    /// Reads up to the first character of the next entry or header, or to the end of the text.
    fn gap(&mut self) -> Gap<'t> {
        let mut blocks = Vec::new();
        let (mut start, mut line, mut in_comment) = (self.at, self.at, false);
        loop {
            let content = line + indentation(&self.text[line..]).len();
            let rest = &self.text[content..];
            let is_comment = rest.starts_with('#');
            let is_blank = rest.is_empty() || rest.starts_with('\n') || rest.starts_with("\r\n");
            if is_blank && in_comment {
                blocks.push(&self.text[start..line]);
                start = line;
            }
            in_comment = is_comment;
            let is_end = rest.is_empty() && !is_comment;
            if is_end || !(is_blank || is_comment) {
                self.at = content;
                return Gap { blocks, lead: &self.text[start..content] };
            }
            line = (scan::line_end(self.text, content) + 1).min(self.text.len());
        }
    }

    fn trivia(&mut self, block: &str) -> Result<(), ParseError> {
        self.count_node()?;
        let section = self.innermost();
        let path = section.node.path.child(Segment::Trivia(section.trivia.to_string()));
        section.trivia += 1;
        section.node.children.push(Node::new(path, "", Content::Trivia(block.into()), Decor::default()));
        Ok(())
    }

    /// `key = value # comment`, up to and with the line end.
    fn entry(&mut self, lead: &str) -> Result<(), ParseError> {
        let (text, key_start) = (self.text, self.at);
        let equals = scan::outside_quotes(text, key_start, b'=').ok_or_else(|| self.untileable("a line has no key"))?;
        let label = text[key_start..equals].trim_end_matches(scan::BLANKS);
        let key_end = key_start + label.len();
        let value_start = equals + 1 + indentation(&text[equals + 1..]).len();
        let value_end = scan::value_end(text, value_start);
        let line_end = scan::line_end(text, value_end);

        let mut path = self.innermost().node.path.clone();
        let above = path.0.len() + 1;
        path.0.extend(self.keys(label)?);
        self.admit(&path)?;
        self.refuse_array_on_the_way(&path, above)?;
        let decor = Decor {
            lead: self.entry_lead(lead),
            separator: text[key_end..value_start].into(),
            trail: text[value_end..line_end].into(),
            ..Decor::default()
        };
        let content = Content::Scalar(text[value_start..value_end].into());
        self.innermost().node.children.push(Node::new(path, label, content, decor));
        self.at = (line_end + 1).min(text.len());
        Ok(())
    }

    /// `[key]` or `[[key]] # comment`, up to and with the line end.
    fn header(&mut self, lead: &str) -> Result<(), ParseError> {
        let text = self.text;
        let is_item = text[self.at..].starts_with("[[");
        let brackets = if is_item { 2 } else { 1 };
        let label_start = self.at + brackets;
        let label_end =
            scan::outside_quotes(text, label_start, b']').ok_or_else(|| self.untileable("a table has no key"))?;
        let label = &text[label_start..label_end];
        let trail_start = (label_end + brackets).min(text.len());
        let line_end = scan::line_end(text, trail_start);

        let keys = self.keys(label)?;
        let path = self.resolve(keys, is_item);
        self.admit(&path)?;
        self.close_up_to(&container_of(&path))?;
        let decor = Decor {
            lead: mark_indent(lead, &self.innermost().node.decor.indent),
            trail: text[trail_start..line_end].into(),
            ..Decor::default()
        };
        self.sections.push(Section::open(Node::new(path, label, Content::Container(Shape::Table), decor)));
        self.at = (line_end + 1).min(text.len());
        Ok(())
    }

    /// A dotted key may not go into an array of tables; the `toml` crate puts it into the last item.
    fn refuse_array_on_the_way(&self, path: &Path, from: usize) -> Result<(), ParseError> {
        let is_array = |length: usize| self.items.contains_key(&Path(path.0[..length].to_vec()));
        if (from..path.0.len()).any(is_array) { Err(self.untileable(THROUGH_ARRAY)) } else { Ok(()) }
    }

    /// The first entry of a section decides its indentation.
    fn entry_lead(&mut self, lead: &str) -> String {
        let section = self.innermost();
        if !section.has_entries {
            section.has_entries = true;
            let line_start = lead.rfind('\n').map_or(0, |newline| newline + 1);
            section.node.decor.indent = lead[line_start..].into();
        }
        mark_indent(lead, &section.node.decor.indent)
    }

    fn keys(&self, key: &str) -> Result<Vec<Segment>, ParseError> {
        let parts = scan::key_parts(key);
        if parts.len() > DEPTH {
            return Err(self.untileable(TOO_DEEP));
        }
        let names = parts.into_iter().map(|part| key_name(part).map(Segment::Key));
        names.collect::<Option<_>>().ok_or_else(|| self.untileable("a key can't be read"))
    }

    /// The path that a header means here: through the latest item of each array of tables on its way.
    fn resolve(&mut self, keys: Vec<Segment>, is_item: bool) -> Path {
        let mut path = Path::ROOT;
        let last = keys.len() - 1;
        for (index, key) in keys.into_iter().enumerate() {
            path.0.push(key);
            let item = if is_item && index == last {
                let count = self.items.entry(path.clone()).or_default();
                *count += 1;
                Some(*count - 1)
            } else {
                self.items.get(&path).map(|count| count - 1)
            };
            path.0.extend(item.map(|item| Segment::Item(item.to_string())));
        }
        path
    }

    /// Closes the open sections inside of the container, which must be open itself.
    fn close_up_to(&mut self, container: &Path) -> Result<(), ParseError> {
        if !self.sections.iter().any(|section| section.node.path == *container) {
            return Err(self.untileable(APART));
        }
        while self.innermost().node.path != *container {
            self.close();
        }
        Ok(())
    }

    fn close(&mut self) {
        if let Some(section) = self.sections.pop() {
            self.innermost().node.children.push(section.node);
        }
    }

    fn finish(mut self, close: &str) -> Node {
        while self.sections.len() > 1 {
            self.close();
        }
        let mut root = self.sections.swap_remove(0).node;
        root.decor.close = mark_indent(close, &root.decor.indent);
        root
    }

    fn innermost(&mut self) -> &mut Section {
        let innermost = self.sections.len() - 1;
        &mut self.sections[innermost]
    }

    /// Refuses a key beyond the limits: paths are kept with each key, so a long one would multiply.
    fn admit(&mut self, path: &Path) -> Result<(), ParseError> {
        self.count_node()?;
        if path.0.len() > DEPTH {
            return Err(self.untileable(TOO_DEEP));
        }
        if path.encode().len() > PATH_BYTES {
            return Err(self.untileable(TOO_LONG));
        }
        Ok(())
    }

    fn count_node(&mut self) -> Result<(), ParseError> {
        self.nodes += 1;
        if self.nodes > KEYS_PER_FILE { Err(self.untileable(TOO_MANY)) } else { Ok(()) }
    }

    fn untileable(&self, why: &'static str) -> ParseError {
        ParseError::Untileable { line: line_of(self.text.as_bytes(), self.at), why }
    }
}

/// The node in which a header stands: the innermost item above it, or the root.
pub(super) fn container_of(path: &Path) -> Path {
    let above = path.0.split_last().map_or(&[][..], |(_, above)| above);
    let end = above.iter().rposition(|segment| matches!(segment, Segment::Item(_))).map_or(0, |index| index + 1);
    Path(above[..end].to_vec())
}

/// A key without its quotes and escapes.
fn key_name(part: &str) -> Option<String> {
    if !part.starts_with(['"', '\'']) {
        return Some(part.into());
    }
    match read::scalar(part) {
        Some(Value::String(name)) => Some(name),
        _ => None,
    }
}

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
}
