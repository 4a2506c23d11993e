//! What the formats of lines promise, for their tests: one check for each promise.

use proptest::sample::Index;

use crate::codec::corpus::{files, variants};
use crate::codec::meaning::meaning;
use crate::codec::{self, ParseError, of};
use crate::limits;
use crate::path::Path;
use crate::tree::{Content, Decor, Format, Node, Tree};
use crate::value::Value;

pub(in crate::codec) fn parse(format: Format, text: &str) -> Node {
    of(format).parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

pub(in crate::codec) fn nodes(root: &Node) -> Vec<&Node> {
    let mut nodes = Vec::new();
    root.walk(&mut |node| nodes.push(node));
    nodes
}

/// A text that is taken is printed as it is, and two readers agree on it.
pub(in crate::codec) fn check_tiles(format: Format, text: &str) -> Node {
    let root = parse(format, text);
    assert_eq!(of(format).print(&root), text);
    assert_eq!(meaning(of(format), &root), of(format).read(text).ok(), "{text}");
    root
}

/// Any text is taken or refused; what is taken keeps its promises. A codec only gets texts that end with a line end, its
/// second reader others too.
pub(in crate::codec) fn check_any(format: Format, text: &str) {
    of(format).scalar(text);
    if !text.ends_with('\n') {
        drop(of(format).read(text));
        return;
    }
    match of(format).parse(text) {
        Ok(root) => {
            assert_eq!(of(format).print(&root), text);
            assert_eq!(meaning(of(format), &root), of(format).read(text).ok(), "{text}");
        }
        Err(ParseError::Syntax(error)) => assert!(of(format).read(text).is_err(), "{error} in {text:?}"),
        Err(ParseError::Untileable { .. }) => {}
    }
}

/// One line a node: path, label, content and spacing.
pub(in crate::codec) fn outline(format: Format, text: &str) -> String {
    let root = check_tiles(format, text);
    let default =
        |node: &Node| if node.path.is_root() { Decor::default() } else { of(format).default_decor(&node.content) };
    let line = |node: &&Node| {
        let Decor { lead, separator, trail, close, indent, .. } = &node.decor;
        let usual = default(node);
        let content = match &node.content {
            Content::Scalar(text) | Content::Trivia(text) => format!("{text:?}"),
            _ => "table".into(),
        };
        let spacing: String = [
            ("lead", lead, &usual.lead),
            ("separator", separator, &usual.separator),
            ("trail", trail, &usual.trail),
            ("close", close, &usual.close),
            ("indent", indent, &usual.indent),
        ]
        .iter()
        .filter(|(_, text, usual)| text != usual)
        .map(|(name, text, _)| format!(" {name}={text:?}"))
        .collect();
        format!("{} {:?} {content}{spacing}\n", node.path, node.label)
    };
    nodes(&root).iter().skip(1).chain([&&root]).map(line).collect()
}

pub(in crate::codec) fn check_untileable(format: Format, text: &str, line: usize) {
    match of(format).parse(text) {
        Err(ParseError::Untileable { line: found, .. }) => assert_eq!(found, line, "{text}"),
        other => panic!("{other:?}\n{text}"),
    }
}

pub(in crate::codec) fn check_syntax(format: Format, text: &str, line: usize, column: usize) {
    match of(format).parse(text) {
        Err(ParseError::Syntax(error)) => assert_eq!((error.line, error.column), (line, column), "{text}"),
        other => panic!("{other:?}\n{text}"),
    }
    assert!(of(format).read(text).is_err(), "{text}");
}

/// Puts another text into the `index`-th scalar: exactly the old text's bytes change. A key without a value gets one.
pub(in crate::codec) fn check_replaced(format: Format, root: &Node, text: &str, index: usize, literal: &str) {
    let mut changed = root.clone();
    let old = replace_scalar(&mut changed, &mut index.clone(), literal).expect("a scalar");
    let printed = of(format).print(&changed);
    if old != super::BARE {
        let common = text.bytes().zip(printed.bytes()).take_while(|(a, b)| a == b).count();
        let is_at = |at: usize| {
            printed.get(at..).is_some_and(|rest| rest.starts_with(literal))
                && format!("{}{old}{}", &printed[..at], &printed[at + literal.len()..]) == text
        };
        assert!(
            (0..=common).rev().any(|at| printed.is_char_boundary(at) && is_at(at)),
            "{old} -> {literal} in\n{text}"
        );
    }
    assert_eq!(meaning(of(format), &changed), of(format).read(&printed).ok(), "{old} -> {literal} in\n{printed}");
}

pub(in crate::codec) fn scalars(root: &Node) -> usize {
    nodes(root).iter().filter(|node| matches!(node.content, Content::Scalar(_))).count()
}

fn replace_scalar(node: &mut Node, index: &mut usize, literal: &str) -> Option<String> {
    if let Content::Scalar(text) = &mut node.content {
        if *index == 0 {
            return Some(std::mem::replace(text, literal.into()));
        }
        *index -= 1;
    }
    node.children.iter_mut().find_map(|child| replace_scalar(child, index, literal))
}

pub(in crate::codec) fn inserted(format: Format, text: &str, path: &str, literal: &str) -> Result<String, String> {
    let mut root = parse(format, text);
    let path = Path::decode(path).expect("a path");
    of(format).insert(&mut root, &path, literal).map_err(|error| error.why)?;
    let printed = of(format).print(&root);
    assert_eq!(meaning(of(format), &root), of(format).read(&printed).ok(), "{printed}");
    Ok(printed)
}

/// A new key, somewhere in a text: it is the only thing that is new. In INI a line that is indented by itself goes on with
/// whatever comes to stand above it, and so does what comes behind a backslash; such puts are refused.
pub(in crate::codec) fn check_inserted(format: Format, text: &str, near: Index, keys: &[&str], literal: &str) {
    let Ok(root) = of(format).parse(text) else { return };
    let nodes = nodes(&root);
    let mut path = nodes[near.index(nodes.len())].path.clone();
    keys.iter().for_each(|key| path = path.key(key));
    let mut longer = root.clone();
    if of(format).insert(&mut longer, &path, literal).is_err() {
        assert_eq!(longer, root);
        return;
    }
    let printed = of(format).print(&longer);
    let is_odd = |line: &str| line.starts_with([' ', '\t', '\r']) || super::is_continued(line);
    let may_go_on = text.lines().any(is_odd);
    let read = of(format).read(&printed).ok();
    if format == Format::Ini && may_go_on && read != meaning(of(format), &longer) {
        return;
    }
    assert!(read.is_some(), "{text}\n+ {path}\n{printed}");
    assert_eq!(meaning(of(format), &longer), read, "{text}\n+ {path}\n{printed}");
    let mut rest = printed.chars();
    let lost = text.chars().find(|&wanted| !rest.any(|found| found == wanted));
    assert_eq!(lost, None, "{text}\n+ {path}\n{printed}");
    let (before, after) = (scalars(&root), scalars(&parse(format, &printed)));
    assert_eq!(after, before + 1, "{text}\n+ {path}\n{printed}");
}

/// The real files of a folder, with their trees; the names of those that have none are printed with the reason.
pub(in crate::codec) fn real_files(format: Format, folder: &str) -> Vec<(String, Vec<u8>, Tree)> {
    let mut found = Vec::new();
    for (name, bytes) in files(folder) {
        match codec::parse(format, &bytes) {
            Ok(tree) => found.push((name, bytes, tree)),
            Err(error) => println!("{name} is no {}: {error}", format.name()),
        }
    }
    found
}

/// Byte identity in every style, and a new value in the place of each scalar. Prints the figures.
pub(in crate::codec) fn check_real_files(format: Format, files: &[(String, Vec<u8>, Tree)], literal: &str) {
    let (mut identical, mut set) = (0, 0);
    for (name, bytes, _) in files {
        for bytes in variants(bytes) {
            let tree = codec::parse(format, &bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(codec::print(&tree) == bytes, "{name}");
            assert_eq!(codec::read(format, &bytes).ok(), meaning(of(format), &tree.root), "{name}");
            identical += 1;
        }
        let (_, text) = codec::outer::take_off(bytes).expect("UTF-8");
        let root = parse(format, &text);
        for index in 0..scalars(&root) {
            check_replaced(format, &root, &text, index, literal);
            set += 1;
        }
    }
    println!("{}: {} files, {identical} variants byte for byte, {set} values set", format.name(), files.len());
}

/// A file of the most keys, comments and longest paths is taken, one with more is a text.
pub(in crate::codec) fn check_limits(format: Format, entry: impl Fn(&str) -> String) {
    let keys = |count: usize| (0..count).map(|key| entry(&format!("a{key}"))).collect::<String>();
    check_tiles(format, &keys(limits::KEYS_PER_FILE));
    check_untileable(format, &keys(limits::KEYS_PER_FILE + 1), limits::KEYS_PER_FILE + 1);
    // The sigils of the key and its occurrence, and the occurrence.
    let longest = limits::PATH_BYTES - 3;
    check_tiles(format, &entry(&"k".repeat(longest)));
    check_untileable(format, &entry(&"k".repeat(longest + 1)), 1);
    check_untileable(format, &format!("\u{feff}{}", entry("a")), 1);
    check_untileable(format, &format!("{}# \0\n", entry("a")), 1);
}

/// In linear time and without a panic, whatever they are.
pub(in crate::codec) fn check_hostile(format: Format, units: &[&str]) {
    for unit in units {
        let text = unit.repeat((1 << 19) / unit.len()) + "\n";
        check_any(format, &text);
    }
}

/// The meaning of a text, as JSON.
pub(in crate::codec) fn json(format: Format, text: &str) -> serde_json::Value {
    check_tiles(format, text);
    of(format).read(text).expect("valid").to_json()
}

/// A literal of a value means it; a format that has no form for it says so.
pub(in crate::codec) fn check_literal(format: Format, text: String) {
    if let Some(literal) = of(format).literal(&Value::String(text.clone())) {
        assert_eq!(of(format).scalar(&literal), Some(Value::String(text)), "{literal}");
    }
}

/// A merge may put any children anywhere: it prints something, and reading that never panics.
pub(in crate::codec) fn check_moved(format: Format, text: &str, from: Index, into: Index, place: Index) {
    let Ok(mut root) = of(format).parse(text) else { return };
    let all: Vec<Path> = nodes(&root).iter().skip(1).map(|node| node.path.clone()).collect();
    if all.is_empty() {
        return;
    }
    let moved = root.find(from.get(&all)).expect("a node").clone();
    let containers: Vec<Path> = nodes(&root)
        .iter()
        .filter(|node| matches!(node.content, Content::Container(_)) && !node.path.starts_with(&moved.path))
        .map(|node| node.path.clone())
        .collect();
    remove(&mut root, &moved.path);
    let container = root.find_mut(into.get(&containers)).expect("a container");
    let place = place.index(container.children.len() + 1);
    container.children.insert(place, moved);
    let printed = of(format).print(&root);
    drop(of(format).read(&printed));
    check_any(format, &printed);
}

fn remove(node: &mut Node, path: &Path) {
    node.children.retain(|child| child.path != *path);
    node.children.iter_mut().for_each(|child| remove(child, path));
}
