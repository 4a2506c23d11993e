//! Where a new key goes.
//!
//! The closest thing that the file has on the way to the key decides:
//!
//! | found | the new key becomes |
//! |---|---|
//! | a header `[a]` or an item `[[s]]` | an entry in it, dotted if there are more keys to go |
//! | dotted entries `a.x = 1` | a dotted entry behind the last of them |
//! | headers further down, `[a.x.y]` | a new header of its own, since a dotted entry would define `a.x` twice |
//! | an array with other items | a new `[[s]]` behind the last one |
//! | nothing | an entry of the root if it is one key, else a new header at the end |

use super::print::is_table;
use super::tile::container_of;
use super::{SEPARATOR, literal};
use crate::codec::NoPlace;
use crate::limits::{DEPTH, PATH_BYTES};
use crate::path::{Path, Segment};
use crate::tree::{Content, Decor, INDENT, Node, Shape};

/// Puts a scalar at a path that no node has yet.
pub(super) fn insert(root: &mut Node, path: &Path, literal: &str) -> Result<(), NoPlace> {
    refuse_taken(root, path)?;
    let Some((Segment::Key(_), table)) = path.0.split_last() else {
        return Err(no_place(format!("{} is no key: items of arrays of tables are tables", shown(path))));
    };
    if path.0.len() > DEPTH {
        return Err(no_place(format!("{} is nested deeper than a file may", shown(path))));
    }
    if path.encode().len() > PATH_BYTES {
        return Err(no_place(format!("the key's path is longer than {PATH_BYTES} bytes")));
    }
    let ways = Ways::survey(root, table);
    let place = ways.closest(path)?;
    let style = Style::of(root);
    put(root, path, literal, place, &style).ok_or_else(|| no_place(format!("the table of {} is gone", shown(path))))
}

/// Where the new entry goes.
#[derive(Debug)]
enum Place {
    /// Into the node of this container.
    Entry(Path),
    /// Into the node of this container, behind the last entry that begins with this path.
    Beside { container: Path, prefix: Path },
    /// Into a new header.
    Header(Path),
    /// Into a new item, behind the last one of this array.
    Item { item: Path, array: Path },
}

/// What a file has at one step of the way to the new key.
#[derive(Debug, Clone, Default)]
struct Way {
    /// A header, an item, or the root.
    is_table: bool,
    /// The container of a dotted entry that goes through here.
    dotted_in: Option<Path>,
    /// Headers that go through here.
    has_headers: bool,
    /// They are items.
    is_array: bool,
}

/// One [`Way`] for each length of the path to the new key's table, from the root on.
struct Ways(Vec<Way>);

impl Ways {
    fn survey(root: &Node, table: &[Segment]) -> Self {
        let mut ways = Self(vec![Way::default(); table.len() + 1]);
        ways.note(root, root, table);
        ways
    }

    fn note(&mut self, container: &Node, node: &Node, table: &[Segment]) {
        let path = &node.path.0;
        let common = path.iter().zip(table).take_while(|(ours, theirs)| ours == theirs).count();
        let through = ..path.len().min(common + 1);
        match node.content {
            Content::Container(_) => {
                for (length, way) in self.0[through].iter_mut().enumerate() {
                    way.has_headers = true;
                    way.is_array |= matches!(path[length], Segment::Item(_));
                }
                if common == path.len() {
                    self.0[common].is_table = true;
                }
            }
            Content::Scalar(_) if node.path.starts_with(&container.path) => {
                for way in self.0[through].iter_mut().skip(container.path.0.len() + 1) {
                    way.dotted_in = Some(container.path.clone());
                }
            }
            Content::Scalar(_) | Content::Trivia(_) | Content::Bytes(_) => {}
        }
        for child in &node.children {
            self.note(node, child, table);
        }
    }

    fn closest(&self, path: &Path) -> Result<Place, NoPlace> {
        let table = Path(path.0[..path.0.len() - 1].to_vec());
        for (length, way) in self.0.iter().enumerate().rev() {
            let (here, rest) = path.0.split_at(length);
            let (here, goes_into_item) = (Path(here.to_vec()), matches!(rest[0], Segment::Item(_)));
            if way.is_array {
                return new_item(path, here, goes_into_item);
            }
            if !(way.is_table || way.dotted_in.is_some() || way.has_headers) {
                continue;
            }
            if let Some(index) = rest.iter().position(|segment| !matches!(segment, Segment::Key(_))) {
                let list = Path(path.0[..length + index].to_vec());
                return Err(no_place(format!(
                    "there is no array of tables {}; add its first item to the file",
                    shown(&list)
                )));
            }
            return Ok(match &way.dotted_in {
                _ if way.is_table && (length > 0 || rest.len() == 1) => Place::Entry(here),
                Some(container) => Place::Beside { container: container.clone(), prefix: here },
                None => Place::Header(table),
            });
        }
        Err(no_place("the file has no root".into()))
    }
}

fn new_item(path: &Path, array: Path, goes_into_item: bool) -> Result<Place, NoPlace> {
    let item = path.0.get(..=array.0.len()).map(<[_]>::to_vec).map(Path).filter(|_| goes_into_item);
    let Some(item) = item else {
        return Err(no_place(format!("{} is an array of tables: say which item", shown(&array))));
    };
    if path.0[item.0.len()..].iter().all(|segment| matches!(segment, Segment::Key(_))) {
        return Ok(Place::Item { item, array });
    }
    Err(no_place(format!("{} would need an array in a new item", shown(path))))
}

fn refuse_taken(node: &Node, path: &Path) -> Result<(), NoPlace> {
    let is_scalar = matches!(node.content, Content::Scalar(_));
    if is_scalar && node.path != *path && path.starts_with(&node.path) {
        return Err(no_place(format!("{} is a single value, so it can't hold others", shown(&node.path))));
    }
    if !node.path.is_trivia() && node.path.starts_with(path) {
        return Err(no_place(format!("{} is there already", shown(path))));
    }
    node.children.iter().try_for_each(|child| refuse_taken(child, path))
}

/// `None` if a container that the survey saw isn't there.
fn put(root: &mut Node, path: &Path, literal: &str, place: Place, style: &Style) -> Option<()> {
    let is_empty = root.children.is_empty();
    match place {
        Place::Entry(container) => put_entry(find(root, &container)?, path, literal, None, style),
        Place::Beside { container, prefix } => put_entry(find(root, &container)?, path, literal, Some(&prefix), style),
        Place::Header(table) => {
            let label = super::literal::label(&table.0);
            let container = find(root, &container_of(&table))?;
            let header = section(table, label, (path, literal), container.children.last(), style, is_empty);
            container.children.push(header);
        }
        Place::Item { item, array } => {
            let container = find(root, &container_of(&item))?;
            let is_sibling = |node: &Node| node.path.parent().as_ref() == Some(&array) && is_table(node);
            let last = container.children.iter().rposition(is_sibling)?;
            let sibling = &container.children[last];
            let header = section(item, sibling.label.clone(), (path, literal), Some(sibling), style, is_empty);
            container.children.insert(last + 1, header);
        }
    }
    Some(())
}

fn find<'n>(node: &'n mut Node, path: &Path) -> Option<&'n mut Node> {
    if node.path == *path && is_table(node) {
        return Some(node);
    }
    node.children.iter_mut().find_map(|child| find(child, path))
}

/// A new header with one entry, indented like its sibling, with a blank line above.
fn section(
    table: Path,
    label: String,
    (path, literal): (&Path, &str),
    sibling: Option<&Node>,
    style: &Style,
    is_first: bool,
) -> Node {
    let sibling = sibling.filter(|sibling| is_table(sibling));
    let indentation = sibling.map_or("", |sibling| last_line_indentation(&sibling.decor.lead));
    let decor = Decor {
        lead: format!("{}{indentation}", if is_first { "" } else { "\n" }),
        indent: sibling.map(|sibling| sibling.decor.indent.clone()).unwrap_or_default(),
        ..Decor::default()
    };
    let mut header = Node::new(table, label, Content::Container(Shape::Table), decor);
    put_entry(&mut header, path, literal, None, style);
    header
}

fn put_entry(container: &mut Node, path: &Path, literal: &str, beside: Option<&Path>, style: &Style) {
    let index = entry_index(container, beside);
    let decor = entry_decor(container, index, style);
    let label = super::literal::label(&path.0[container.path.0.len()..]);
    container.children.insert(index, Node::new(path.clone(), label, Content::Scalar(literal.into()), decor));
}

/// Behind the last entry; in a section that has none right below its header, and at the root behind its comments.
fn entry_index(container: &Node, beside: Option<&Path>) -> usize {
    let is_entry = |node: &Node| matches!(node.content, Content::Scalar(_));
    let is_wanted = |node: &Node| is_entry(node) && beside.is_none_or(|prefix| node.path.starts_with(prefix));
    let last = container.children.iter().rposition(is_wanted).or_else(|| {
        let is_comment = |node: &Node| node.path.is_trivia();
        container.children.iter().rposition(|node| is_entry(node) || (container.path.is_root() && is_comment(node)))
    });
    last.map_or(0, |last| last + 1)
}

/// Spaced like the entry before it; a blank line keeps it apart from a comment that isn't its own.
fn entry_decor(container: &Node, index: usize, style: &Style) -> Decor {
    let before = index.checked_sub(1).map(|before| &container.children[before]);
    let indent = if container.decor.indent.is_empty() { String::new() } else { INDENT.to_string() };
    let (lead, separator) = match before {
        Some(before) if matches!(before.content, Content::Scalar(_)) => {
            (last_line_indentation(&before.decor.lead).into(), plain_separator(&before.decor.separator))
        }
        Some(_) => (format!("\n{indent}"), None),
        None => (indent, None),
    };
    let separator = separator.unwrap_or(&style.separator).into();
    Decor { lead, separator, ..Decor::default() }
}

fn last_line_indentation(lead: &str) -> &str {
    let line = lead.rfind('\n').map_or(lead, |newline| &lead[newline + 1..]);
    if line.chars().all(|character| character == INDENT || character == ' ' || character == '\t') { line } else { "" }
}

/// A separator that isn't padded to align a block of values.
fn plain_separator(separator: &str) -> Option<&str> {
    ["=", SEPARATOR, "= ", " ="].contains(&separator).then_some(separator)
}

/// What the first entry of the file looks like.
struct Style {
    separator: String,
}

impl Style {
    fn of(root: &Node) -> Self {
        let mut first = None;
        root.walk(&mut |node| {
            if matches!(node.content, Content::Scalar(_)) && first.is_none() {
                first = plain_separator(&node.decor.separator);
            }
        });
        Self { separator: first.unwrap_or(SEPARATOR).into() }
    }
}

fn no_place(why: String) -> NoPlace {
    NoPlace { why }
}

/// A path as a user would write it.
fn shown(path: &Path) -> String {
    let mut text = String::new();
    for segment in &path.0 {
        match segment {
            Segment::Item(id) => text.push_str(&format!("[{id}]")),
            Segment::Key(_) | Segment::Trivia(_) => {
                let dot = if text.is_empty() { "" } else { "." };
                text.push_str(dot);
                text.push_str(&literal::label(std::slice::from_ref(segment)));
            }
        }
    }
    if text.is_empty() { "the file".into() } else { text }
}

#[cfg(test)]
mod tests {
    use crate::codec::Codec;
    use crate::codec::toml::Toml;
    use crate::limits::{DEPTH, PATH_BYTES};
    use crate::path::Path;

    fn inserted(text: &str, path: &str) -> Result<String, String> {
        let mut root = Toml.parse(text).expect("valid");
        let path = Path::decode(path).expect("a path");
        Toml.insert(&mut root, &path, "1").map_err(|error| error.why)?;
        Ok(Toml.print(&root))
    }

    #[test]
    fn new_keys_stand_where_a_person_would_put_them() {
        for (text, path, expected) in [
            ("", ".a", "a = 1\n"),
            ("", ".a.b", "[a]\nb = 1\n"),
            ("a=1\n\n[t]\n", ".b", "a=1\nb=1\n\n[t]\n"),
            ("# licence\n\n[t]\n", ".b", "# licence\n\nb = 1\n\n[t]\n"),
            ("a = 1\n\n", ".b.c d.e", "a = 1\n\n[b.\"c d\"]\ne = 1\n\n"),
            ("[a]\n  x    = 1 # why\n\n[b]\n", ".a.y", "[a]\n  x    = 1 # why\n  y = 1\n\n[b]\n"),
            ("[a]\n\n# of b\n\n[b]\n", ".a.y", "[a]\ny = 1\n\n# of b\n\n[b]\n"),
            ("[a]\nx = 1\n", ".a.b.c", "[a]\nx = 1\nb.c = 1\n"),
            ("a.x = 1\nz = 1\n", ".a.y", "a.x = 1\na.y = 1\nz = 1\n"),
            ("[t]\na.b.x = 1\nz = 1\n", ".t.a.c.y", "[t]\na.b.x = 1\na.c.y = 1\nz = 1\n"),
            ("[a.b.c]\n", ".a.x", "[a.b.c]\n\n[a]\nx = 1\n"),
            ("[a.b.c]\n[a]\n", ".a.b.x", "[a.b.c]\n[a]\n\n[a.b]\nx = 1\n"),
            ("[[s]]\nk = 1\n[[s]]\n[z]\n", ".s@0.l", "[[s]]\nk = 1\nl = 1\n[[s]]\n[z]\n"),
            ("[[s]]\n[s.t.u]\n[[s]]\n", ".s@0.t.k", "[[s]]\n[s.t.u]\n\n[s.t]\nk = 1\n[[s]]\n"),
            ("[[ s ]]\n k = 1\n[z]\n", ".s@new.l", "[[ s ]]\n k = 1\n\n[[ s ]]\n l = 1\n[z]\n"),
            ("[[s]]\n[[s.t]]\nk = 1\n[[s]]\n", ".s@0.t@new.l.m", "[[s]]\n[[s.t]]\nk = 1\n\n[[s.t]]\nl.m = 1\n[[s]]\n"),
        ] {
            assert_eq!(inserted(text, path).as_deref(), Ok(expected), "{path} into {text}");
        }
    }

    #[test]
    fn what_has_no_place_says_why() {
        for (text, path, part) in [
            ("a = 5\n", ".a.b", "a is a single value"),
            ("[t]\nb = { c = 1 }\n", ".t.b.c", "t.b is a single value"),
            ("\"x y\" = [1]\n", ".x y@1", "\"x y\" is a single value"),
            ("a = 5\n", ".a", "a is there already"),
            ("[a.b]\n", ".a", "a is there already"),
            ("[[s]]\n", ".s.k", "s is an array of tables"),
            ("[[s]]\n", ".s@1", "s[1] is no key"),
            ("[[s]]\n", ".s@new.t@0.k", "s[new].t[0].k would need an array"),
            ("[s]\n", ".s@0.k", "no array of tables s;"),
            ("[a]\n", ".a.s@0.k", "no array of tables a.s;"),
            ("", "", "the file is there already"),
        ] {
            let why = inserted(text, path).expect_err(path);
            assert!(why.contains(part), "{path} into {text}: {why}");
        }
        let deep = ".a".repeat(DEPTH + 1);
        assert!(inserted("", &deep).is_err_and(|why| why.contains("deeper")));
        let long = format!(".{}", "a".repeat(PATH_BYTES));
        assert!(inserted("", &long).is_err_and(|why| why.contains("longer")));
    }
}
