//! Where a new key goes.
//!
//! | found | the new key becomes |
//! |---|---|
//! | its section | an entry of it |
//! | nothing, for `key` | an entry of the root, before the first section |
//! | nothing, for `section.key` | an entry of a new section at the end |
//! | nothing, for `section.subsection.key` | an entry of a new `[section "subsection"]`, as git has them |

use super::{SEPARATOR, joined};
use crate::codec::NoPlace;
use crate::codec::lines::insert::{entry_decor, entry_index, last_line_indentation, separator_of, way};
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, Node, Shape};

/// The occurrence of a section that is new; a parser counts from 0.
const FIRST: &str = "0";

/// Puts a scalar at a path that no node has yet.
pub(super) fn insert(root: &mut Node, path: &Path, literal: &str) -> Result<(), NoPlace> {
    let way = way(root, path)?;
    let separator = separator_of(root, SEPARATOR).to_string();
    let section = match (way.container.is_root(), &way.missing[..]) {
        (_, [_]) => way.container.clone(),
        (true, [section, _]) => add_section(root, section),
        (true, [section, inner, _]) => add_section(root, &joined(section, inner)),
        _ => return Err(NoPlace { why: "sections don't nest".into() }),
    };
    let (Some(section), Some(key)) = (root.find_mut(&section), way.missing.last()) else {
        return Err(NoPlace { why: "the section is gone".into() });
    };
    let entry = section.path.key(key);
    let index = entry_index(section, &entry);
    let decor = entry_decor(section, index, &separator);
    let path = if way.missing.len() == 1 { path.clone() } else { entry };
    section.children.insert(index, Node::new(path, key, Content::Scalar(literal.into()), decor));
    Ok(())
}

/// A new section at the end, spaced and indented like the last one.
fn add_section(root: &mut Node, name: &str) -> Path {
    let path = Path::ROOT.key(name).child(Segment::Item(FIRST.into()));
    let sibling = root.children.iter().rev().find(|child| matches!(child.content, Content::Container(_)));
    let line = sibling.map_or("", |sibling| last_line_indentation(&sibling.decor.lead));
    let blank = if root.children.is_empty() { "" } else { "\n" };
    let decor = Decor {
        lead: format!("{blank}{line}"),
        indent: sibling.map(|sibling| sibling.decor.indent.clone()).unwrap_or_default(),
        ..Decor::default()
    };
    root.children.push(Node::new(path.clone(), name, Content::Container(Shape::Table), decor));
    path
}
