//! Lasting ids for list items, lines and free-standing comments (MERGE rule 7).
//!
//! A parser only counts items. Here each is matched with the item of the base that it is: by a unique identity field,
//! else by equal content in order, else by equal content elsewhere (a move), else, for tables and lines, by its place
//! between two that matched (an edit). What has no match gets a new id: from its identity field; on first import from
//! its text and occurrence, so that two importers agree; else from the change that adds it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use sha2::{Digest, Sha256};
use similar::{Algorithm, DiffOp};

use crate::clock::Dot;
use crate::codec;
use crate::path::{Path, Segment};
use crate::tree::{Content, Format, Node, Tree};
use crate::value::Value;

/// Fields that name an item, in the order in which they are tried.
pub(crate) const IDENTITY_FIELDS: [&str; 3] = ["name", "id", "key"];
/// The longest text of an identity field that becomes an id; longer ones aren't names.
const IDENTITY_BYTES: usize = 64;
/// Two lines are one, edited, if they share at least this part of the longer one at both ends.
const SIMILAR_PERCENT: usize = 50;
/// How many lines of the base an edited line is compared with, or a copied one with its like: keeps a rewritten file of 10,000 lines linear.
const SIMILAR_WINDOW: usize = 32;

/// Whose ids are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The first content of a file: two hosts that import it give the same ids.
    Import,
    /// A change to it.
    Edit(Dot),
}

/// Gives every item and every free-standing comment of `new` its lasting id.
pub(crate) fn assign(new: &mut Tree, base: Option<&Tree>, origin: Origin) {
    let format = new.format;
    let old = base.map(|base| series(&base.root, format)).unwrap_or_default();
    // Lists inside items can only be looked up in the base once the items above have their ids: level by level.
    let mut fresh = 0;
    for depth in 1.. {
        let level = series(&new.root, format);
        let mut names = BTreeMap::new();
        for (key, members) in level.iter().filter(|(key, _)| key.parent.0.len() + 1 == depth) {
            let before = old.get(key).map_or(&[][..], Vec::as_slice);
            let ids = ids(members, before, key.kind, format, origin, &mut fresh);
            for (member, id) in members.iter().zip(ids) {
                names.insert(member.path.clone(), id);
            }
        }
        if !names.is_empty() {
            rename(&mut new.root, depth, &names);
        }
        if level.keys().all(|key| key.parent.0.len() < depth) {
            return;
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Item,
    Trivia,
}

/// The items of one list, or the free-standing comments of one container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct SeriesKey {
    parent: Path,
    kind: Kind,
}

/// One item with what it can be recognised by.
#[derive(Debug, Clone)]
struct Member {
    path: Path,
    id: String,
    /// `field=value` of the first identity field.
    name: Option<String>,
    /// A digest of everything in it but ids, spacing and comments.
    digest: [u8; 32],
    /// A value on one line: another one in its place is another item. One on several lines is edited.
    is_scalar: bool,
    text: String,
    /// What tells it from others of the same content: its comments and spacing, and what stands before and behind it.
    surroundings: [u64; 3],
}

/// All series of a tree, members in the order of the text.
fn series(root: &Node, format: Format) -> BTreeMap<SeriesKey, Vec<Member>> {
    let mut all: BTreeMap<SeriesKey, Vec<Member>> = BTreeMap::new();
    root.walk(&mut |container| {
        for (index, node) in container.children.iter().enumerate() {
            let (kind, id) = match node.path.last() {
                Some(Segment::Item(id)) => (Kind::Item, id),
                Some(Segment::Trivia(id)) => (Kind::Trivia, id),
                _ => continue,
            };
            let Some(parent) = node.path.parent() else { continue };
            let member = Member { surroundings: surroundings(container, index), ..member(node, id, format) };
            all.entry(SeriesKey { parent, kind }).or_default().push(member);
        }
    });
    all
}

fn surroundings(container: &Node, index: usize) -> [u64; 3] {
    let brief = |node: &Node| match &node.content {
        Content::Scalar(text) | Content::Trivia(text) => hashed(&(&node.label, text)),
        _ => hashed(&(&node.label, node.children.len())),
    };
    let neighbour = |index: Option<usize>| index.and_then(|index| container.children.get(index)).map_or(0, brief);
    [hashed(&container.children[index].decor), neighbour(index.checked_sub(1)), neighbour(Some(index + 1))]
}

/// The same on all hosts and in all builds isn't needed: what is compared was hashed by this process.
fn hashed(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn member(node: &Node, id: &str, format: Format) -> Member {
    let mut hash = Sha256::new();
    node.walk(&mut |below| {
        let content = match &below.content {
            Content::Scalar(text) | Content::Trivia(text) => text.as_str(),
            Content::Container(_) => "{",
            Content::Bytes(_) => "",
        };
        hash.update((below.label.len() as u64).to_be_bytes());
        hash.update(&below.label);
        hash.update((content.len() as u64).to_be_bytes());
        hash.update(content);
        hash.update([u8::try_from(below.path.0.len()).unwrap_or(u8::MAX)]);
    });
    let (is_scalar, text) = match &node.content {
        Content::Scalar(text) => (!text.contains('\n'), text.clone()),
        Content::Trivia(text) => (false, text.clone()),
        _ => (false, String::new()),
    };
    Member {
        path: node.path.clone(),
        id: id.into(),
        name: name(node, format),
        digest: hash.finalize().into(),
        is_scalar,
        text,
        surroundings: [0; 3],
    }
}

/// What names an item: `field=value` of the first identity field.
pub(crate) fn name(node: &Node, format: Format) -> Option<String> {
    IDENTITY_FIELDS.iter().find_map(|field| {
        let path = node.path.key(field);
        let Content::Scalar(text) = &node.children.iter().find(|child| child.path == path)?.content else {
            return None;
        };
        let value = match codec::of(format).scalar(text)? {
            Value::String(text) => text,
            Value::Integer(number) => number.to_string(),
            _ => return None,
        };
        (value.len() <= IDENTITY_BYTES).then(|| format!("{field}={value}"))
    })
}

/// The ids of `members`, in their order.
fn ids(
    members: &[Member],
    base: &[Member],
    kind: Kind,
    format: Format,
    origin: Origin,
    fresh: &mut u64,
) -> Vec<String> {
    let matched = Matching::new(members, base).run(kind, format);
    let mut taken: BTreeSet<String> = base.iter().map(|member| member.id.clone()).collect();
    let unique = unique_names(members);
    let mut occurrences: HashMap<[u8; 32], usize> = HashMap::new();
    members
        .iter()
        .zip(matched)
        .enumerate()
        .map(|(index, (member, matched))| {
            let occurrence = occurrences.entry(member.digest).or_insert(0);
            *occurrence += 1;
            if let Some(before) = matched {
                return base[before].id.clone();
            }
            let name = member.name.clone().filter(|name| unique.contains(name) && !taken.contains(name));
            let number = (kind == Kind::Item).then(|| occurrence_number(member, index, base, format, origin)).flatten();
            let id = number.or(name).unwrap_or_else(|| new_id(member, *occurrence, origin, fresh));
            taken.insert(id.clone());
            id
        })
        .collect()
}

/// Where keys may stand several times, the first occurrence of a new key has the same id on all hosts: whoever adds the
/// key at the same time writes the same registers, so a merge makes no duplicates (MERGE rule 5). So have all occurrences
/// of an import.
fn occurrence_number(member: &Member, index: usize, base: &[Member], format: Format, origin: Origin) -> Option<String> {
    let codec = codec::of(format);
    let Some(Segment::Key(key)) = member.path.0.iter().rev().nth(1) else { return None };
    let is_shared = origin == Origin::Import || (index == 0 && base.is_empty() && !codec.is_repeated(key));
    // Not a mere number: that is how a path names an item that isn't there yet.
    (codec.keys_repeat() && is_shared).then(|| format!("#{}", index + 1))
}

fn new_id(member: &Member, occurrence: usize, origin: Origin, fresh: &mut u64) -> String {
    *fresh += 1;
    match origin {
        Origin::Import => {
            let digest: String = member.digest[..6].iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{digest}#{occurrence}")
        }
        Origin::Edit(dot) => {
            let actor: String = dot.writer.actor.0[..6].iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{actor}-{}-{}-{fresh}", dot.writer.lane.number(), dot.sequence)
        }
    }
}

/// The names that exactly one of the members has.
fn unique_names(members: &[Member]) -> BTreeSet<String> {
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    members.iter().filter_map(|member| member.name.as_ref()).for_each(|name| *counts.entry(name).or_insert(0) += 1);
    counts.into_iter().filter(|(_, count)| *count == 1).map(|(name, _)| name.clone()).collect()
}

/// Finds for each member the one of the base that it is.
struct Matching<'a> {
    members: &'a [Member],
    base: &'a [Member],
    matched: Vec<Option<usize>>,
    used: Vec<bool>,
}

impl<'a> Matching<'a> {
    fn new(members: &'a [Member], base: &'a [Member]) -> Self {
        Self { members, base, matched: vec![None; members.len()], used: vec![false; base.len()] }
    }

    fn run(mut self, kind: Kind, format: Format) -> Vec<Option<usize>> {
        self.by_name();
        self.by_content_in_order();
        self.by_surroundings();
        self.by_content_elsewhere();
        self.by_place(kind == Kind::Trivia || format == Format::Text || codec::of(format).keys_repeat());
        self.matched
    }

    fn pair(&mut self, member: usize, base: usize) {
        self.matched[member] = Some(base);
        self.used[base] = true;
    }

    fn by_name(&mut self) {
        let unique = unique_names(self.members);
        let unique_before = unique_names(self.base);
        let at: BTreeMap<&String, usize> =
            self.base.iter().enumerate().filter_map(|(index, member)| Some((member.name.as_ref()?, index))).collect();
        for (index, member) in self.members.iter().enumerate() {
            let Some(name) =
                member.name.as_ref().filter(|name| unique.contains(*name) && unique_before.contains(*name))
            else {
                continue;
            };
            if let Some(&base) = at.get(name) {
                self.pair(index, base);
            }
        }
    }

    /// A longest common subsequence of what both sides have, by content.
    fn by_content_in_order(&mut self) {
        let ours: BTreeSet<_> = self.free_members().map(|index| self.members[index].digest).collect();
        let theirs: BTreeSet<_> = self.free_base().map(|index| self.base[index].digest).collect();
        let members: Vec<usize> =
            self.free_members().filter(|&index| theirs.contains(&self.members[index].digest)).collect();
        let base: Vec<usize> = self.free_base().filter(|&index| ours.contains(&self.base[index].digest)).collect();
        let old: Vec<_> = base.iter().map(|&index| self.base[index].digest).collect();
        let new: Vec<_> = members.iter().map(|&index| self.members[index].digest).collect();
        for operation in similar::capture_diff_slices(Algorithm::Myers, &old, &new) {
            if let DiffOp::Equal { old_index, new_index, len } = operation {
                for offset in 0..len {
                    self.pair(members[new_index + offset], base[old_index + offset]);
                }
            }
        }
    }

    /// Of copies that stand beside each other in the order, the one is meant that stands where it stood: a line that is copied
    /// to a place above it is still the lower one.
    fn by_surroundings(&mut self) {
        for member in 0..self.members.len() {
            let Some(base) = self.matched[member] else { continue };
            let (members, bases) = (self.members, self.base);
            let alike = |a: &Member, b: &Member| -> usize {
                a.surroundings.iter().zip(&b.surroundings).filter(|(a, b)| a == b).count()
            };
            let digest = members[member].digest;
            let copies = around(member, members.len(), |index| self.matched[index].is_none());
            let copies = copies.filter(|&index| members[index].digest == digest).map(|index| (index, base));
            let formers = around(base, bases.len(), |index| !self.used[index]);
            let formers = formers.filter(|&index| bases[index].digest == digest).map(|index| (member, index));
            let score = |(member, base): (usize, usize)| alike(&members[member], &bases[base]);
            let present = score((member, base));
            let better = copies.chain(formers).max_by_key(|&pair| score(pair)).filter(|&pair| score(pair) > present);
            if let Some((other, former)) = better {
                (self.matched[member], self.used[base]) = (None, false);
                self.pair(other, former);
            }
        }
    }

    /// What moved: the same content at another place.
    fn by_content_elsewhere(&mut self) {
        let mut free: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
        for index in self.free_base().collect::<Vec<_>>().into_iter().rev() {
            free.entry(self.base[index].digest).or_default().push(index);
        }
        for member in self.free_members().collect::<Vec<_>>() {
            if let Some(base) = free.get_mut(&self.members[member].digest).and_then(Vec::pop) {
                self.pair(member, base);
            }
        }
    }

    /// What stands between the same two neighbours was edited. Scalars of lists are another value, not an edited one.
    fn by_place(&mut self, lines: bool) {
        let mut gaps: BTreeMap<(Option<usize>, Option<usize>), Vec<usize>> = BTreeMap::new();
        let neighbours = self.neighbours();
        for member in self.free_members() {
            if !lines && self.members[member].is_scalar {
                continue;
            }
            gaps.entry(neighbours[member]).or_default().push(member);
        }
        for ((before, after), members) in gaps {
            let from = before.map_or(0, |before| before + 1);
            let to = after.unwrap_or(self.base.len());
            let base: Vec<usize> = (from..to.max(from))
                .filter(|&index| !self.used[index] && (lines || !self.base[index].is_scalar))
                .collect();
            self.pair_gap(&members, &base);
        }
    }

    /// Of each member the matched base members around it.
    fn neighbours(&self) -> Vec<(Option<usize>, Option<usize>)> {
        let mut neighbours = vec![(None, None); self.matched.len()];
        let mut before = None;
        for (neighbour, matched) in neighbours.iter_mut().zip(&self.matched) {
            neighbour.0 = before;
            before = matched.or(before);
        }
        let mut after = None;
        for (neighbour, matched) in neighbours.iter_mut().zip(&self.matched).rev() {
            neighbour.1 = after;
            after = matched.or(after);
        }
        neighbours
    }

    fn pair_gap(&mut self, members: &[usize], base: &[usize]) {
        if members.len() == base.len() {
            for (&member, &base) in members.iter().zip(base) {
                self.pair(member, base);
            }
            return;
        }
        let mut from = 0;
        for &member in members {
            let found = (from..base.len())
                .take(SIMILAR_WINDOW)
                .find(|&index| is_similar(&self.members[member].text, &self.base[base[index]].text));
            if let Some(index) = found {
                self.pair(member, base[index]);
                from = index + 1;
            }
        }
    }

    fn free_members(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        (0..self.members.len()).filter(|&index| self.matched[index].is_none())
    }

    fn free_base(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        (0..self.base.len()).filter(|&index| !self.used[index])
    }
}

/// The indexes on both sides of one, up to the first that isn't free.
fn around(index: usize, count: usize, is_free: impl Fn(usize) -> bool + Copy) -> impl Iterator<Item = usize> {
    let before = (0..index).rev().take(SIMILAR_WINDOW).take_while(move |&index| is_free(index));
    before.chain((index + 1..count).take(SIMILAR_WINDOW).take_while(move |&index| is_free(index)))
}

fn is_similar(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let longer = a.len().max(b.len());
    let shorter = a.len().min(b.len());
    let front = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let back = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a == b).count().min(shorter - front);
    longer > 0 && (front + back) * 100 >= longer * SIMILAR_PERCENT
}

/// Puts the ids of the paths of length `depth` into all paths that begin with them.
fn rename(node: &mut Node, depth: usize, names: &BTreeMap<Path, String>) {
    if node.path.0.len() >= depth {
        let above = Path(node.path.0[..depth].to_vec());
        if let Some(name) = names.get(&above) {
            let (Segment::Key(id) | Segment::Item(id) | Segment::Trivia(id)) = &mut node.path.0[depth - 1];
            id.clone_from(name);
        }
    }
    node.children.iter_mut().for_each(|child| rename(child, depth, names));
}
