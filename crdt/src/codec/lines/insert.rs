//! Where a new key goes among entries, and how it is spaced.

use crate::codec::NoPlace;
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, INDENT, Node};

/// A path, cut where the file has nothing more of it.
pub(in crate::codec) struct Way {
    /// The innermost container on the way that the file has.
    pub(in crate::codec) container: Path,
    /// The keys below it that are missing, the last of which gets the value.
    pub(in crate::codec) missing: Vec<String>,
}

/// Finds how far the way to a new key exists.
///
/// # Errors
/// When the path leads through a value, to nothing new, or isn't made of keys.
pub(in crate::codec) fn way(root: &Node, path: &Path) -> Result<Way, NoPlace> {
    let mut container = root;
    while let Some(child) = container.children.iter().find(|child| path.starts_with(&child.path)) {
        match child.content {
            Content::Container(_) if child.path != *path => container = child,
            Content::Container(_) => return refuse(path, "is there already"),
            _ => return refuse(&child.path, "is a single value, so it can't hold others and is there already"),
        }
    }
    let missing = missing_keys(&path.0[container.path.0.len()..]);
    let Some(missing) = missing else { return refuse(path, "is no key that a file of this format can have") };
    let wants_another = matches!(path.last(), Some(Segment::Item(_)));
    let first = container.path.key(&missing[0]);
    let is_there = container.children.iter().any(|child| child.path.starts_with(&first));
    if is_there && !(wants_another && missing.len() == 1) {
        return refuse(&first, "is there already");
    }
    Ok(Way { container: container.path.clone(), missing })
}

/// Keys, each with an occurrence or without.
fn missing_keys(steps: &[Segment]) -> Option<Vec<String>> {
    let mut keys = Vec::new();
    let mut may_be_item = false;
    for step in steps {
        match step {
            Segment::Key(key) => keys.push(key.clone()),
            Segment::Item(_) if may_be_item => {}
            _ => return None,
        }
        may_be_item = matches!(step, Segment::Key(_));
    }
    (!keys.is_empty()).then_some(keys)
}

fn refuse<T>(path: &Path, why: &str) -> Result<T, NoPlace> {
    let names = path.0.iter().filter_map(|segment| match segment {
        Segment::Key(key) => Some(key.as_str()),
        Segment::Item(_) | Segment::Trivia(_) => None,
    });
    Err(NoPlace { why: format!("{} {why}", names.collect::<Vec<_>>().join(".")) })
}

/// Where a new entry stands: behind the last one with its key, else behind the last entry, else at the root behind its
/// comments, in a section right below its header.
pub(in crate::codec) fn entry_index(container: &Node, key: &Path) -> usize {
    let is_entry = |node: &Node| matches!(node.content, Content::Scalar(_));
    let children = &container.children;
    let last = children.iter().rposition(|node| is_entry(node) && node.path.starts_with(key));
    let last = last.or_else(|| children.iter().rposition(is_entry));
    let is_comment = |node: &Node| container.path.is_root() && node.path.is_trivia();
    last.or_else(|| children.iter().rposition(is_comment)).map_or(0, |last| last + 1)
}

/// Spaced like the entry before it; a blank line keeps it apart from a comment that isn't its own.
pub(in crate::codec) fn entry_decor(container: &Node, index: usize, separator: &str) -> Decor {
    let before = index.checked_sub(1).map(|before| &container.children[before]);
    let indent = if container.decor.indent.is_empty() { String::new() } else { INDENT.to_string() };
    let (lead, separator) = match before {
        Some(before) if matches!(before.content, Content::Scalar(_)) => {
            let own = plain_separator(&before.decor.separator).unwrap_or(separator);
            (last_line_indentation(&before.decor.lead).into(), own)
        }
        Some(_) => (format!("\n{indent}"), separator),
        None => (indent, separator),
    };
    Decor { lead, separator: separator.into(), ..Decor::default() }
}

/// The indentation of the line that a node begins.
pub(in crate::codec) fn last_line_indentation(lead: &str) -> &str {
    let line = lead.rfind('\n').map_or(lead, |newline| &lead[newline + 1..]);
    if line.chars().all(|character| matches!(character, INDENT | ' ' | '\t')) { line } else { "" }
}

/// A separator that isn't padded to align a block of values.
fn plain_separator(separator: &str) -> Option<&str> {
    ["=", " = ", "= ", " =", ": ", " : ", ":"].contains(&separator).then_some(separator)
}

/// What the first entry of the file has between key and value.
pub(in crate::codec) fn separator_of<'n>(root: &'n Node, default: &'n str) -> &'n str {
    let mut first = None;
    root.walk(&mut |node| {
        if first.is_none() && matches!(node.content, Content::Scalar(_)) {
            first = plain_separator(&node.decor.separator);
        }
    });
    first.unwrap_or(default)
}
