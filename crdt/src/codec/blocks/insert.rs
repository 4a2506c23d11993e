//! Where a new directive goes: into the innermost block on its way that is there, behind its last directive. Blocks that
//! are missing are made.

use super::{CLOSE, END, OPEN, SEPARATOR, scan};
use crate::codec::NoPlace;
use crate::codec::lines::insert::{entry_index, last_line_indentation, way};
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, INDENT, Node, Shape};

/// The indentation of a block in a file that has none to copy.
const UNIT: &str = "    ";
/// The occurrence of a block that is new; a parser counts from 0.
const FIRST: &str = "0";

/// Puts a directive at a path that no node has yet.
pub(super) fn insert(root: &mut Node, path: &Path, literal: &str) -> Result<(), NoPlace> {
    let mut way = way(root, path)?;
    let style = Style::of(root);
    let sections = usize::from(way.container.is_root()) + 1;
    if style.is_haproxy && way.missing.len() != sections {
        return Err(NoPlace { why: "each directive stands in a section, and sections don't nest".into() });
    }
    style.check_names(&way.missing)?;
    let Some(key) = way.missing.pop() else { return Err(NoPlace { why: "the file has no such place".into() }) };
    let Some(mut container) = root.find_mut(&way.container) else {
        return Err(NoPlace { why: "the block is gone".into() });
    };
    let is_new = !way.missing.is_empty();
    for block in way.missing {
        container = style.add_block(container, &block);
    }
    let entry = container.path.key(&key);
    let index = entry_index(container, &entry);
    let decor = style.entry_decor(container, index);
    let path = if is_new { entry } else { path.clone() };
    container.children.insert(index, Node::new(path, key, Content::Scalar(literal.into()), decor));
    Ok(())
}

/// How the file is written.
struct Style {
    is_haproxy: bool,
    /// One step of indentation.
    unit: String,
}

impl Style {
    fn of(root: &Node) -> Self {
        let (mut is_haproxy, mut unit) = (false, None);
        for child in root.children.iter().filter(|child| matches!(child.content, Content::Container(_))) {
            is_haproxy |= child.decor.close.is_empty();
            unit = unit.or(Some(&child.decor.indent).filter(|indent| !indent.is_empty()));
        }
        Self { is_haproxy, unit: unit.map_or(UNIT, String::as_str).into() }
    }

    /// Whether new blocks and a new directive can have these names.
    fn check_names(&self, names: &[String]) -> Result<(), NoPlace> {
        let (directive, blocks) = names.split_last().map_or(("", names), |(last, above)| (last.as_str(), above));
        let is_word = scan::is_value(directive) && !directive.contains([' ', '\t', '\n']);
        let is_header = |name: &String| {
            scan::is_value(name) && (!self.is_haproxy || name.split(' ').next().is_some_and(scan::is_section))
        };
        let odd = blocks.iter().find(|name| !is_header(name)).map(String::as_str);
        match odd.or((!is_word).then_some(directive)) {
            Some(name) => Err(NoPlace { why: format!("`{name}` can't be the name of a block or directive here") }),
            None => Ok(()),
        }
    }

    /// A new block at the end of another, or of the file.
    fn add_block<'n>(&self, parent: &'n mut Node, name: &str) -> &'n mut Node {
        let path = parent.path.key(name).child(Segment::Item(FIRST.into()));
        let apart = if parent.path.is_root() && !parent.children.is_empty() { "\n" } else { "" };
        let (separator, close) = if self.is_haproxy { ("\n", "") } else { (OPEN, CLOSE) };
        let one_line = is_on_line(parent, parent.children.len());
        let decor = Decor {
            lead: if one_line { " ".into() } else { format!("{apart}{INDENT}") },
            separator: separator.into(),
            close: close.into(),
            indent: format!("{}{}", parent.decor.indent, self.unit),
            ..Decor::default()
        };
        parent.children.push(Node::new(path, name, Content::Container(Shape::Table), decor));
        let last = parent.children.len() - 1;
        &mut parent.children[last]
    }

    fn entry_decor(&self, container: &mut Node, index: usize) -> Decor {
        if is_on_line(container, index) {
            return Decor { lead: " ".into(), separator: SEPARATOR.into(), trail: ";".into(), ..Decor::default() };
        }
        let before = index.checked_sub(1).map(|before| &container.children[before]);
        let lead = match before {
            Some(before) if matches!(before.content, Content::Scalar(_)) => {
                last_line_indentation(&before.decor.lead).into()
            }
            Some(_) => format!("\n{INDENT}"),
            None => INDENT.to_string(),
        };
        let indented = container.children.iter().any(|child| child.decor.lead.contains(INDENT));
        if container.decor.indent.is_empty() && !container.path.is_root() && !indented {
            container.decor.indent = self.unit.clone();
        }
        let trail = if self.is_haproxy { "\n" } else { END };
        Decor { lead, separator: SEPARATOR.into(), trail: trail.into(), ..Decor::default() }
    }
}

/// Whether what is put in at an index goes on the line of what stands before it.
fn is_on_line(container: &Node, index: usize) -> bool {
    let before = index.checked_sub(1).map(|before| &container.children[before]);
    match before.map(|before| (&before.content, &before.decor)) {
        Some((Content::Scalar(_), decor)) => !decor.trail.ends_with('\n'),
        Some((Content::Container(_), decor)) => !decor.close.is_empty() && !decor.close.ends_with('\n'),
        Some((Content::Trivia(_) | Content::Bytes(_), _)) => false,
        None => !container.path.is_root() && !container.decor.separator.ends_with('\n'),
    }
}
