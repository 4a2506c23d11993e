//! Moving parts between trees of one format: what a file shows of an overlay is put in, and taken out again.

use crate::codec::{self, NoPlace};
use crate::key::Lookup;
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, INDENT, Node, Tree};

/// Takes away what stands at a path and below it.
pub(super) fn remove(node: &mut Node, path: &Path) {
    node.children.retain(|child| !child.path.starts_with(path));
    node.children.iter_mut().for_each(|child| remove(child, path));
}

/// Puts in the place of what stands at `to`, or behind all else, what stands at `from` in another tree.
///
/// # Errors
/// When what it stands in there isn't here.
pub(super) fn graft(into: &mut Tree, source: &Tree, from: &Path, to: &Path) -> Result<(), NoPlace> {
    let mut former = Vec::new();
    outermost(&into.root, to, &mut former);
    let mut at = former.first().map(|(container, node)| {
        let index = container.children.iter().position(|child| child.path == node.path);
        (container.path.clone(), index.unwrap_or(0))
    });
    remove(&mut into.root, to);
    let mut found = Vec::new();
    outermost(&source.root, from, &mut found);
    for (container, node) in found {
        let container = moved(&container.path, from, to);
        let mut node = node.clone();
        rename(&mut node, from, to);
        let place = into.root.find_mut(&container).filter(|place| matches!(place.content, Content::Container(_)));
        let place = place.ok_or_else(|| NoPlace { why: "what it stands in there isn't in the file".into() })?;
        let behind = place.children.iter().rposition(|child| !child.path.is_trivia()).map_or(0, |last| last + 1);
        let index = match &mut at {
            Some((same, index)) if *same == container => {
                *index += 1;
                *index - 1
            }
            _ => behind,
        };
        place.children.insert(index.min(place.children.len()), node);
    }
    Ok(())
}

/// What stands between the first of the keys at a path and its value.
pub(super) fn separator(tree: &Tree, path: &Path) -> Option<String> {
    let mut found = Vec::new();
    outermost(&tree.root, path, &mut found);
    let entry = found.into_iter().map(|(_, node)| node).find(|node| matches!(node.content, Content::Scalar(_)));
    entry.map(|entry| entry.decor.separator.clone())
}

/// Gives all values at a path this separator.
pub(super) fn separate(node: &mut Node, path: &Path, separator: &str) {
    if node.path.starts_with(path) && matches!(node.content, Content::Scalar(_)) {
        node.decor.separator = separator.into();
    }
    node.children.iter_mut().for_each(|child| separate(child, path, separator));
}

/// Whether there is more at a path than values with comments of their own: free-standing comments, those of tables.
pub(super) fn has_more_than_values(node: &Node, path: &Path) -> bool {
    let decor = &node.decor;
    let parts = [&decor.lead, &decor.trail, &decor.after_comma, &decor.close];
    let is_more = match node.content {
        Content::Trivia(_) => true,
        Content::Container(_) => decor.trailing_comma || parts.into_iter().any(|part| has_comment(part)),
        Content::Scalar(_) | Content::Bytes(_) => false,
    };
    (is_more && node.path.starts_with(path)) || node.children.iter().any(|child| has_more_than_values(child, path))
}

/// The outermost nodes at a path, each with the node it stands in.
pub(super) fn outermost<'a>(container: &'a Node, path: &Path, found: &mut Vec<(&'a Node, &'a Node)>) {
    for child in &container.children {
        if child.path.starts_with(path) {
            found.push((container, child));
        } else {
            outermost(child, path, found);
        }
    }
}

/// Gives a node and all in it paths that begin with `to` instead of `from`.
pub(super) fn rename(node: &mut Node, from: &Path, to: &Path) {
    node.path = moved(&node.path, from, to);
    node.children.iter_mut().for_each(|child| rename(child, from, to));
}

/// The path with `to` in the place of its beginning `from`; a path that doesn't begin so stays, but for what leads to
/// `from`, which becomes what leads to `to`.
pub(super) fn moved(path: &Path, from: &Path, to: &Path) -> Path {
    if let Some(rest) = path.0.strip_prefix(&from.0[..]) {
        return Path([&to.0, rest].concat());
    }
    if from.starts_with(path) { Path(to.0[..path.0.len().min(to.0.len())].to_vec()) } else { path.clone() }
}

/// Puts back what `from` has at the wanted paths, and `into` lacks, with what it stands in: each behind what it stands
/// behind there.
pub(super) fn restore(from: &Node, into: &mut Node, wanted: &[Path]) {
    for (index, child) in from.children.iter().enumerate().filter(|(_, child)| holds(child, wanted)) {
        let present = into.children.iter_mut().find(|other| other.path == child.path);
        match (present, &child.content) {
            (Some(present), Content::Container(_)) => restore(child, present, wanted),
            (Some(_), _) => {}
            (None, _) => {
                let before = from.children[..index].iter().rev();
                let before =
                    before.filter_map(|before| into.children.iter().position(|other| other.path == before.path));
                let at = before.into_iter().next().map_or(0, |before| before + 1);
                let restored = pruned(child, wanted);
                take_back_comment(into, at, &restored.decor.lead, from);
                if !into.children.iter().any(|other| !other.path.is_trivia()) {
                    into.decor.indent.clone_from(&from.decor.indent);
                }
                if at == into.children.len() {
                    // Without it the comma of what stood before it was left.
                    into.decor.trailing_comma = from.decor.trailing_comma;
                }
                into.children.insert(at, restored);
            }
        }
    }
}

/// Whoever deleted a key's line left the comment above it: what follows has it now, and gives it back. `former` is the
/// container as it was.
fn take_back_comment(container: &mut Node, at: usize, lead: &str, former: &Node) {
    if !has_comment(lead) {
        return;
    }
    let is_left_in = |now: &str, before: &str| {
        now != before && comment_lines(now) == [comment_lines(lead), comment_lines(before)].concat()
    };
    match container.children.get_mut(at) {
        Some(next) => match (&next.content, former.find(&next.path)) {
            (Content::Trivia(text), None) if is_left_in(text, "") => drop(container.children.remove(at)),
            (_, Some(before)) if is_left_in(&next.decor.lead, &before.decor.lead) => {
                next.decor.lead.clone_from(&before.decor.lead);
            }
            _ => {}
        },
        None if is_left_in(&container.decor.close, &former.decor.close) => {
            container.decor.close.clone_from(&former.decor.close);
        }
        None => {}
    }
}

fn comment_lines(text: &str) -> Vec<&str> {
    let is_blank = |character: char| character.is_whitespace() || character == INDENT;
    text.lines().map(|line| line.trim_matches(is_blank)).filter(|line| !line.is_empty()).collect()
}

fn holds(node: &Node, wanted: &[Path]) -> bool {
    wanted.iter().any(|path| node.path.starts_with(path)) || node.children.iter().any(|child| holds(child, wanted))
}

/// A node with only what leads to the wanted paths and stands at them.
fn pruned(node: &Node, wanted: &[Path]) -> Node {
    if wanted.iter().any(|path| node.path.starts_with(path)) {
        return node.clone();
    }
    let children = node.children.iter().filter(|child| holds(child, wanted)).map(|child| pruned(child, wanted));
    Node {
        children: children.collect(),
        ..Node::new(node.path.clone(), node.label.clone(), node.content.clone(), node.decor.clone())
    }
}

/// Gives a node the content of another one, with all in it. Its key, and the comments and spacing around it, stay.
pub(super) fn copy_inside(node: &mut Node, other: &Node) {
    let (from, to) = (other.path.clone(), node.path.clone());
    node.content = other.content.clone();
    node.children = other.children.clone();
    node.children.iter_mut().for_each(|child| rename(child, &from, &to));
    node.decor.close.clone_from(&other.decor.close);
    node.decor.indent.clone_from(&other.decor.indent);
    node.decor.trailing_comma = other.decor.trailing_comma;
}

/// Puts a new value in with the codec's own idea of where and how, then gives it the comments that it has in `like`.
pub(super) fn insert(into: &mut Tree, path: &Path, like: &Node) -> Result<(), NoPlace> {
    let Content::Scalar(text) = &like.content else { return Err(NoPlace { why: "it is no single value".into() }) };
    codec::of(into.format).insert(&mut into.root, path, text)?;
    // In a new section it stands without its occurrence.
    let keyed = path.parent().filter(|_| into.root.find(path).is_none());
    let node = into.root.find_mut(keyed.as_ref().unwrap_or(path));
    let node = node.ok_or_else(|| NoPlace { why: "it would stand elsewhere".into() })?;
    node.path.clone_from(path);
    let inserted = node.decor.lead.clone();
    copy_comments(&mut node.decor, &like.decor, |part| has_comment(part));
    if has_comment(&node.decor.lead) {
        node.decor.lead = indented_like(&node.decor.lead, &inserted);
    }
    Ok(())
}

/// The lines of `lead` with the indentation of the last line of `like`.
fn indented_like(lead: &str, like: &str) -> String {
    let is_blank = |character: char| matches!(character, ' ' | '\t' | INDENT);
    let indentation = like.rfind('\n').map_or(like, |newline| &like[newline + 1..]);
    let last = lead.split('\n').count() - 1;
    let lines = lead.split('\n').enumerate().map(|(number, line)| match line.trim_start_matches(is_blank) {
        "" if number < last => String::new(),
        line => format!("{indentation}{line}"),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The parts of a decor that may hold comments of a value.
pub(super) fn comments(decor: &Decor) -> [&String; 3] {
    [&decor.lead, &decor.trail, &decor.after_comma]
}

/// Copies the parts that may hold comments of a value where that is wanted; asked in the order of [`comments`].
pub(super) fn copy_comments(into: &mut Decor, from: &Decor, mut is_wanted: impl FnMut(&String) -> bool) {
    let parts = [&mut into.lead, &mut into.trail, &mut into.after_comma];
    for (part, other) in parts.into_iter().zip(comments(from)) {
        if is_wanted(other) {
            part.clone_from(other);
        }
    }
}

/// Takes the comments away.
pub(super) fn without_comments(node: &mut Node) {
    let decor = &mut node.decor;
    if has_comment(&decor.lead) {
        decor.lead = decor.lead.rfind('\n').map_or(String::new(), |newline| decor.lead[newline + 1..].into());
    }
    for part in [&mut decor.trail, &mut decor.after_comma] {
        if has_comment(part) {
            part.clear();
        }
    }
    node.children.iter_mut().for_each(without_comments);
}

fn has_comment(decor: &str) -> bool {
    decor.chars().any(|character| !character.is_whitespace() && character != INDENT)
}

/// The shortest beginning of a path at which a tree has nothing.
pub(super) fn first_absent(tree: &Lookup<'_>, path: &Path) -> Path {
    let lengths = 1..=path.0.len();
    let absent = lengths.map(|length| Path(path.0[..length].to_vec())).find(|above| !tree.exists(above));
    absent.unwrap_or_else(|| path.clone())
}

/// Takes away containers that hold nothing any more on the way to a path, and items that have nothing but their name.
pub(super) fn prune_above(tree: &mut Tree, path: &Path) {
    for length in (1..path.0.len()).rev() {
        let above = Path(path.0[..length].to_vec());
        let is_item = matches!(above.last(), Some(Segment::Item(_)));
        let mut values = Vec::new();
        tree.root.walk(&mut |node| {
            if node.path.starts_with(&above) && matches!(node.content, Content::Scalar(_)) {
                values.push(node.path.clone());
            }
        });
        let says_nothing = values.is_empty() || (is_item && values.len() == 1 && is_name(&above, &values[0]));
        if !says_nothing {
            return;
        }
        remove(&mut tree.root, &above);
    }
}

fn is_name(item: &Path, value: &Path) -> bool {
    crate::identity::IDENTITY_FIELDS.iter().any(|field| item.key(field) == *value)
}
