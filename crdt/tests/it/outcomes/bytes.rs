//! Real files alone: taken in, printed, and each value set. Nothing but that value's bytes may change.

use murmurate_crdt::tree::{Content, Format, INDENT, Node, Tree};
use murmurate_crdt::{codec, edit};

use crate::corpus::{corpus, variants};
use crate::histories::invalid;

/// A word that is in no file of the corpus.
const NOWHERE: &str = "a-value-that-is-nowhere-else";

/// What came of the files of one folder.
#[derive(Default)]
pub(super) struct Counts {
    files: usize,
    /// Files that are merged key by key, or line by line where their folder has no keys.
    by_key: usize,
    /// Every file in several styles of line ends.
    variants: usize,
    identical: usize,
    values: usize,
    set_alone: usize,
    /// Files with another value that the independent parser refuses, or reads otherwise.
    invalid: usize,
}

pub(super) const HEADER: &str = "| files | of them | merged by key | in all styles | byte for byte | values | set alone | invalid |\n|---|---|---|---|---|---|---|---|\n";

impl Counts {
    pub(super) fn of(folder: &str) -> Self {
        let mut counts = Self::default();
        corpus(folder).iter().for_each(|(name, bytes)| counts.add(folder, name, bytes));
        counts
    }

    fn add(&mut self, folder: &str, name: &str, bytes: &[u8]) {
        let tree = tree_of(name, bytes);
        self.files += 1;
        self.by_key += usize::from(tree.format.is_structured() || folder == "text");
        for variant in variants(bytes) {
            self.variants += 1;
            self.identical += usize::from(codec::print(&tree_of(name, &variant)) == variant);
        }
        let values = count(&tree.root);
        self.values += values;
        for index in 0..values {
            let (is_alone, is_valid) = set(name, &tree, bytes, index);
            self.set_alone += usize::from(is_alone);
            self.invalid += usize::from(!is_valid);
        }
    }

    pub(super) fn row(&self, folder: &str) -> String {
        let Self { files, by_key, variants, identical, values, set_alone, invalid } = self;
        assert_eq!((identical, set_alone, *invalid), (variants, values, 0), "{folder}");
        format!("| {folder} | {files} | {by_key} | {variants} | {identical} | {values} | {set_alone} | {invalid} |\n")
    }
}

/// As a document keeps the file: by its name and content, as lines where that can't be cut.
fn tree_of(name: &str, bytes: &[u8]) -> Tree {
    let tree = codec::parse(codec::detect(name, bytes), bytes);
    tree.or_else(|_| codec::parse(Format::Text, bytes)).expect("lines, at least")
}

fn is_value(node: &Node) -> bool {
    matches!(node.content, Content::Scalar(_))
}

fn count(node: &Node) -> usize {
    usize::from(is_value(node)) + node.children.iter().map(count).sum::<usize>()
}

fn nth<'a>(node: &'a mut Node, index: &mut usize) -> Option<&'a mut Node> {
    if is_value(node) {
        if *index == 0 {
            return Some(node);
        }
        *index -= 1;
    }
    node.children.iter_mut().find_map(|child| nth(child, index))
}

/// Puts another text in the place of a value: whether no other byte changed, and whether the file is valid with it.
fn set(name: &str, tree: &Tree, bytes: &[u8], index: usize) -> (bool, bool) {
    let literal = if quotes(tree.format) { format!("\"{NOWHERE}\"") } else { NOWHERE.into() };
    let mut changed = tree.clone();
    let node = nth(&mut changed.root, &mut index.clone()).expect("as many as were counted");
    let former = std::mem::replace(&mut node.content, Content::Scalar(literal.clone()));
    let Content::Scalar(former) = former else { unreachable!("a value was asked for") };
    let printed = codec::print(&changed);
    let is_alone = is_replaced(&String::from_utf8_lossy(bytes), &String::from_utf8_lossy(&printed), &former, &literal);
    let Ok(mut read) = edit::preview(name, &printed, false, Some(tree.format)) else { return (is_alone, false) };
    let found = nth(&mut read.tree.root, &mut index.clone()).map(|node| node.content.clone());
    let is_read = read.tree.format == tree.format && found == Some(Content::Scalar(literal));
    let why = invalid(&read);
    if let Some(why) = &why {
        println!("{name}: {why}");
    }
    if !is_alone {
        println!("{name}: more than {former:?} changed in\n{}", String::from_utf8_lossy(&printed));
    }
    (is_alone, is_read && count(&read.tree.root) == count(&tree.root) && why.is_none())
}

/// Whether a file was this one but for a value's text. Its line ends and indentation are the file's, and a key without a
/// value has nothing between it and that.
fn is_replaced(before: &str, after: &str, former: &str, literal: &str) -> bool {
    let shown = |text: &str| text.replace(|character: char| character == INDENT || character.is_whitespace(), "");
    let Some((front, back)) = after.split_once(literal) else { return false };
    let separator =
        if shown(former).is_empty() { front.len() - front.trim_end_matches([' ', '=', ':']).len() } else { 0 };
    let mut fronts = (0..=separator).map(|missing| &front[..front.len() - missing]);
    let replaces = |front| {
        let replaced: Option<&str> = before.strip_prefix(front).and_then(|rest: &str| rest.strip_suffix(back));
        replaced.is_some_and(|replaced| shown(replaced) == shown(former))
    };
    fronts.any(replaces)
}

fn quotes(format: Format) -> bool {
    matches!(format, Format::Toml | Format::Json | Format::Yaml | Format::Env)
}
