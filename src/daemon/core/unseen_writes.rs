//! Tells a save whose editor hadn't seen what this host wrote into the file just before.
//!
//! What an editor read can't be seen from outside. Who puts a new file in the place of an old one may have read that a
//! moment ago, and a write of this host may have come in between: taken for an edit of what was written, such a save brings
//! back all that the write had replaced. It is known by what it holds: nothing of what the write brought, but what that
//! took away, beside an edit of its own.
//!
//! ```text
//!  k = 1, m = 1  ── read by an editor ──▶ k = 1, m = 2
//!       │ our write: k = 2                     │ saved, at most 2 s from our write
//!       ▼                                      ▼
//!  k = 2, m = 1 ◀── an edit of this: m = 2, and k = 1 again?   No: of what stood there before, so k = 2, m = 2.
//! ```
//! A save that is nothing but the former content is taken as it is: somebody put that back.

use std::collections::BTreeMap;

use murmurate_crdt::edit;
use murmurate_crdt::key::Lookup;
use murmurate_crdt::render::Content;
use murmurate_crdt::tree::{self, Format};

use super::Core;
use super::folders::Base;
use super::saves::Save;
use super::view::values;

/// How far a save may be from a write of this host that its editor hasn't seen: tools that read, change and save a file take
/// less. Who takes a change back by hand has to see it first, and takes longer.
const UNSEEN_MS: u64 = 2_000;
/// Contents that a save is compared with, the latest replaced first. Each may cost a render.
const COMPARED: usize = 16;

/// What a file says, piece by piece.
#[derive(Debug, PartialEq)]
struct Pieces {
    format: Format,
    /// By key its value, and what stands around it; of a text its lines, told apart by their count.
    pieces: BTreeMap<(String, usize), String>,
}

impl Core {
    /// What a save was made of: `believed`, unless its editor can't have seen that.
    pub(super) fn ground_of(&mut self, save: &Save, believed: Base) -> Base {
        let Some(slot) = self.folders.slot(&save.document) else { return believed };
        let replaced = slot.replaced_around(save.changed_ms, UNSEEN_MS);
        let former: Vec<Base> = replaced.take(COMPARED).filter(|base| base.hash.is_some()).cloned().collect();
        if former.is_empty() || former.iter().any(|base| base.hash == Some(save.hash)) {
            return believed;
        }
        let Some(read) = self.nearest_unseen(save, &believed, former) else { return believed };
        tracing::debug!(document = %save.document, "the save was made of what stood there before the last write");
        read
    }

    /// Of the contents that a save may have been made of, if it takes back what came after them, the one that it is the least
    /// edit of.
    fn nearest_unseen(&mut self, save: &Save, believed: &Base, former: Vec<Base>) -> Option<Base> {
        let present = self.pieces_of(save, believed)?;
        let saved = edit::preview(save.document.as_str(), &save.bytes, save.executable, Some(present.format)).ok()?;
        let saved = Pieces::of(&saved);
        let mut nearest: Option<(usize, Base)> = None;
        for base in former {
            let Some(read) = self.pieces_of(save, &base) else { continue };
            let distance = read.differing(&saved).count();
            if saved.takes_back(&read, &present) && nearest.as_ref().is_none_or(|(least, _)| distance < *least) {
                nearest = Some((distance, Base { replaced_ms: None, ..base }));
            }
        }
        nearest.map(|(_, base)| base)
    }

    fn pieces_of(&mut self, save: &Save, base: &Base) -> Option<Pieces> {
        self.effective_base(&save.document, base).ok()?.file().map(Pieces::of)
    }
}

impl Pieces {
    fn of(file: &Content) -> Self {
        let mut pieces = BTreeMap::new();
        if file.format().is_structured() {
            let lookup = Lookup::new(&file.tree);
            for node in values(file) {
                let key = lookup.format(&node.path);
                let tree::Content::Scalar(value) = &node.content else { continue };
                pieces.insert((key.clone(), 0), value.clone());
                pieces.insert((key, 1), format!("{}\n{}", node.decor.lead, node.decor.trail));
            }
        } else if file.format() == Format::Text {
            let mut counts: BTreeMap<String, usize> = BTreeMap::new();
            for line in String::from_utf8_lossy(&file.bytes).lines() {
                let count = counts.entry(line.to_owned()).or_insert(0);
                pieces.insert((line.to_owned(), *count), String::new());
                *count += 1;
            }
        }
        Self { format: file.format(), pieces }
    }

    /// The pieces that aren't the same in both.
    fn differing<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = &'a (String, usize)> {
        let here = self.pieces.iter().filter(|(name, piece)| other.pieces.get(*name) != Some(*piece));
        let there = other.pieces.keys().filter(|name| !self.pieces.contains_key(*name));
        here.map(|(name, _)| name).chain(there)
    }

    /// Whether this has none of what was new in `present`, but something of `former` that isn't there any more. That a line is
    /// missing tells nothing: it may have been edited.
    fn takes_back(&self, former: &Self, present: &Self) -> bool {
        if self.format != former.format || self.format != present.format {
            return false;
        }
        let mut takes_back = false;
        for name in former.differing(present) {
            let [saved, former, present] = [self, former, present].map(|file| file.pieces.get(name));
            let tells = |piece: Option<&String>| saved == piece && (piece.is_some() || self.format.is_structured());
            if tells(present) {
                return false;
            }
            takes_back |= tells(former);
        }
        takes_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a save takes back what was replaced, in a file of this name.
    fn takes_back(name: &str, former: &str, present: &str, saved: &str) -> bool {
        let pieces = |text: &str| Pieces::of(&edit::preview(name, text.as_bytes(), false, None).unwrap());
        pieces(saved).takes_back(&pieces(former), &pieces(present))
    }

    #[test]
    fn a_save_that_has_nothing_of_a_write_but_what_it_replaced_takes_it_back() {
        let (former, present) = ("a = 1\nb = 1\nc = 1\n", "a = 2\nb = 2\nc = 1\n");
        for (saved, expected) in [
            ("a = 1\nb = 1\nc = 3\n", true),
            // Both may have changed the same.
            ("a = 1\nb = 3\nc = 3\n", true),
            ("a = 1\nc = 1\nd = 1\n", true),
            // Somebody saw the write, and took back a part.
            ("a = 1\nb = 2\nc = 3\n", false),
            ("a = 3\nb = 3\nc = 3\n", false),
            ("a = 2\nb = 2\nc = 3\n", false),
        ] {
            assert_eq!(takes_back("config/a.toml", former, present, saved), expected, "{saved}");
        }
    }

    #[test]
    fn keys_and_comments_that_came_or_went_are_taken_back_too() {
        for (former, present, saved, expected) in [
            ("a = 1\n", "a = 1\nb = 1\n", "a = 2\n", true),
            ("a = 1\n", "a = 1\nb = 1\n", "a = 2\nb = 1\n", false),
            ("a = 1\nb = 1\n", "a = 1\n", "a = 2\nb = 1\n", true),
            ("a = 1\nb = 1\n", "a = 1\n", "a = 2\n", false),
            ("a = 1 # x\nb = 1\n", "a = 1 # y\nb = 1\n", "a = 1 # x\nb = 2\n", true),
            ("a = 1 # x\nb = 1\n", "a = 1 # y\nb = 1\n", "a = 1 # y\nb = 2\n", false),
        ] {
            assert_eq!(takes_back("config/a.toml", former, present, saved), expected, "{former} {present} {saved}");
        }
    }

    #[test]
    fn formats_and_lines_are_compared_as_they_merge() {
        for (name, former, present, saved, expected) in [
            ("a.json", r#"{"a": 1, "b": 1}"#, r#"{"a": 2, "b": 1}"#, r#"{"a": 1, "b": 2}"#, true),
            ("a.yaml", "a: 1\nb: 1\n", "a: 2\nb: 1\n", "a: 1\nb: 2\n", true),
            ("a.txt", "one\ntwo\nthree\n", "1\ntwo\nthree\n", "one\ntwo\n3\n", true),
            ("a.txt", "one\ntwo\nthree\n", "1\ntwo\nthree\n", "1\ntwo\n3\n", false),
            // It may be an edit of the new line.
            ("a.txt", "one\ntwo\nthree\n", "1\ntwo\nthree\n", "first\ntwo\nthree\n", false),
            ("a.txt", "one\ntwo\n", "one\ntwo\ntwo\n", "one\ntwo\n3\n", false),
            ("a.json", "plain {{ text }}", r#"{"a": 2}"#, r#"{"a": 1}"#, false),
        ] {
            assert_eq!(takes_back(&format!("config/{name}"), former, present, saved), expected, "{name} {saved}");
        }
    }
}
