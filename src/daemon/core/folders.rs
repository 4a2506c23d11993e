//! What this host knows of its folders' files: for each, which content the file was last given or taken from.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;

use murmurate_client::types::{FileState, HeldReason};
use murmurate_crdt::document::Heads;
use murmurate_crdt::id::{ChangeHash, DocumentId};
use murmurate_crdt::limits;
use murmurate_crdt::overlay::Overlay;
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};

use super::checks::Refused;
use super::overlays::Effective;
use crate::daemon::files::{ContentHash, KnownFile, Receipt, Ticket};

/// Former bases that are kept of a file: an editor that had one open when it was swapped out may still write to it. With
/// a write every 10 ms these are the last 10 s, and swapped-out files are looked at for 2 s or longer.
const RECENT_BASES: usize = 1_024;
/// Of these, how many outlive a restart: they are stored with each write.
const STORED_BASES: usize = 8;
/// How many writes may have been cut off by a daemon's end, one after the other, before the file was read again.
const STORED_INTENTS: usize = 8;
/// The version of a base's bytes in the store.
const BASE_FORMAT: u8 = 1;
/// Added to what is said of a base's file where overlays follow.
const WITH_OVERLAYS: u8 = 4;
/// Added where the time follows at which it was replaced.
const WITH_TIME: u8 = 8;
/// Overlays that one file can have on a host: one for each role, and the host's.
const OVERLAYS: usize = crate::settings::ROLES + 1;

/// What a file held when it was last written or read, and at which heads that was: the ground of the next diff.
#[derive(Debug, Clone, Default)]
pub(crate) struct Base {
    pub(crate) heads: Heads,
    /// The overlays that were in it, at their heads, in their order.
    pub(crate) overlays: Vec<(Overlay, Heads)>,
    /// Of the file's bytes; `None` if there was no file.
    pub(crate) hash: Option<ContentHash>,
    pub(crate) executable: bool,
    /// When a write of this host took its place, by the wall clock; nothing if it is there, or something else did.
    pub(crate) replaced_ms: Option<u64>,
    /// What was shown at the heads, once it was needed.
    pub(crate) rendered: Option<Effective>,
}

impl Base {
    /// The base that a render is written as.
    pub(crate) fn of(rendered: &Effective) -> Self {
        let file = rendered.file();
        Self {
            heads: rendered.base().heads.clone(),
            overlays: rendered.overlays(),
            hash: file.map(|file| ContentHash(file.hash)),
            executable: file.is_some_and(|file| file.executable),
            replaced_ms: None,
            rendered: Some(rendered.clone()),
        }
    }

    /// Whether both are the same file.
    pub(crate) fn is_same_file(&self, other: &Self) -> bool {
        self.hash == other.hash && (self.hash.is_none() || self.executable == other.executable)
    }

    /// The bytes for the store, of a base that stands alone.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        encoder.u8(BASE_FORMAT);
        self.encode(&mut encoder);
        encoder.finish()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        if decoder.u8("base format")? != BASE_FORMAT {
            return Err(DecodeError::Invalid { what: "base format", why: "unknown to this build" });
        }
        let base = Self::decode(&mut decoder)?;
        decoder.finish()?;
        Ok(base)
    }

    fn encode(&self, encoder: &mut Encoder) {
        encode_heads(&self.heads, encoder);
        let with_overlays = if self.overlays.is_empty() { 0 } else { WITH_OVERLAYS };
        let with = with_overlays + self.replaced_ms.map_or(0, |_| WITH_TIME);
        match self.hash {
            Some(hash) => encoder.u8(1 + u8::from(self.executable) + with).raw(&hash.0),
            None => encoder.u8(with),
        };
        if let Some(replaced_ms) = self.replaced_ms {
            encoder.varint(replaced_ms);
        }
        if !self.overlays.is_empty() {
            encoder.varint(self.overlays.len() as u64);
        }
        for (overlay, heads) in &self.overlays {
            encoder.text(&overlay.to_string());
            encode_heads(heads, encoder);
        }
    }

    fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let heads = decode_heads(decoder)?;
        let kind = decoder.u8("file")?;
        let (file, with_overlays) = (kind % WITH_OVERLAYS, kind & WITH_OVERLAYS != 0);
        let hash = if file == 0 { None } else { Some(ContentHash(decoder.array("hash")?)) };
        let replaced_ms = if kind & WITH_TIME == 0 { None } else { Some(decoder.varint("time")?) };
        let count = if with_overlays { decoder.size(OVERLAYS, "overlays")? } else { 0 };
        let overlay = |decoder: &mut Decoder<'_>| {
            Ok((decoder.text(limits::PATH_BYTES, "overlay")?.parse()?, decode_heads(decoder)?))
        };
        let overlays = (0..count).map(|_| overlay(decoder)).collect::<Result<_, DecodeError>>()?;
        Ok(Self { heads, overlays, hash, executable: file == 2, replaced_ms, rendered: None })
    }
}

fn encode_heads(heads: &Heads, encoder: &mut Encoder) {
    encoder.varint(heads.len() as u64);
    for head in heads {
        encoder.raw(&head.0);
    }
}

fn decode_heads(decoder: &mut Decoder<'_>) -> Result<Heads, DecodeError> {
    let count = decoder.size(limits::DEPENDENCIES, "heads")?;
    (0..count).map(|_| decoder.array("head").map(ChangeHash)).collect()
}

/// An edit that isn't taken in, because of what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) line: Option<usize>,
    pub(crate) column: Option<usize>,
    pub(crate) why: String,
    pub(crate) cause: HeldReason,
    /// What a check printed.
    pub(crate) output: Option<String>,
    pub(crate) since_ms: u64,
    /// It isn't in the file any more: a write of the mesh took its place before it was seen.
    pub(crate) is_late: bool,
}

/// A write that is under way: first its changes become durable, then the file is replaced.
#[derive(Debug)]
pub(crate) struct Writing {
    pub(crate) ticket: Ticket,
    pub(crate) target: Base,
    /// Whether the folder was told.
    pub(crate) is_sent: bool,
}

/// One file of a folder.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    pub(crate) base: Base,
    recent: VecDeque<Base>,
    /// What the file may hold already, if daemons ended in the middle of a write: of each that did so before the file was
    /// read again, the last one's last.
    pub(crate) intents: Vec<Base>,
    pub(crate) writing: Option<Writing>,
    pub(crate) held: Option<Held>,
    /// Why the last write failed.
    pub(crate) failed: Option<String>,
    /// What the mesh has and this host's file doesn't get, because a check or a reload failed with it.
    pub(crate) refused: Option<Refused>,
    /// The last content of the mesh that this host's checks took.
    pub(crate) passed: Option<ContentHash>,
    /// The last content with which all reloads went well, while it isn't known that they did so with the present one.
    pub(crate) good: Option<Base>,
    /// A content with which a reload failed, and that may stand in the file still; an absent file included.
    pub(crate) unloadable: Option<Option<ContentHash>>,
}

impl Slot {
    /// Whether there is a file, or should be one.
    pub(crate) fn is_of_note(&self) -> bool {
        self.base.hash.is_some()
            || self.held.is_some()
            || self.writing.is_some()
            || self.failed.is_some()
            || self.refused.is_some()
    }

    /// Whether the mesh may write it: no edit is held in its place, and no write is under way.
    pub(crate) fn is_free(&self) -> bool {
        self.held.as_ref().is_none_or(|held| held.is_late) && self.writing.is_none()
    }

    /// Moves on to a new base and remembers the former one.
    pub(crate) fn rebase(&mut self, base: Base) {
        let former = std::mem::replace(&mut self.base, base);
        self.intents.clear();
        self.remember(former);
    }

    /// Moves on to what a write of this host put in the file's place.
    pub(crate) fn wrote(&mut self, base: Base, at_ms: u64) {
        self.base.replaced_ms = Some(at_ms);
        self.rebase(base);
    }

    /// The contents that writes of this host replaced around some time, the latest first.
    pub(crate) fn replaced_around(&self, at_ms: u64, within_ms: u64) -> impl Iterator<Item = &Base> {
        let is_around = move |base: &&Base| base.replaced_ms.is_some_and(|time| time.abs_diff(at_ms) <= within_ms);
        self.recent.iter().rev().filter(is_around)
    }

    /// Takes note of a former content, or of one that never stood in the folder, but that its editor goes on from.
    pub(crate) fn remember(&mut self, mut former: Base) {
        former.rendered = None;
        if self.recent.len() == RECENT_BASES {
            self.recent.pop_front();
        }
        self.recent.push_back(former);
    }

    /// The base whose file had this hash: the present one, a former one, or one that is being written.
    pub(crate) fn base_with(&self, hash: Option<ContentHash>) -> Option<&Base> {
        let writing = self.writing.as_ref().map(|writing| &writing.target);
        let all = std::iter::once(&self.base).chain(self.recent.iter().rev()).chain(writing);
        all.into_iter().find(|base| base.hash == hash)
    }

    /// The base of an edit that began from this hash. Where that isn't known any more, the oldest there is: the edit
    /// becomes concurrent to what came since, and undoes none of it.
    pub(crate) fn base_of_edit(&self, replaced: Option<ContentHash>) -> &Base {
        self.base_with(replaced).or(self.recent.front()).unwrap_or(&self.base)
    }

    /// The slot's bytes for the store.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        encoder.u8(BASE_FORMAT);
        self.base.encode(&mut encoder);
        // The former ones stay: until the file was read, it may be at any of them.
        let writing = self.writing.as_ref().map(|writing| &writing.target);
        let unstored = (self.intents.len() + usize::from(writing.is_some())).saturating_sub(STORED_INTENTS);
        let intents: Vec<&Base> = self.intents.iter().chain(writing).skip(unstored).collect();
        encoder.varint(intents.len() as u64);
        intents.into_iter().for_each(|intent| intent.encode(&mut encoder));
        let unstored = self.recent.len().saturating_sub(STORED_BASES);
        encoder.varint((self.recent.len() - unstored) as u64);
        self.recent.iter().skip(unstored).for_each(|base| base.encode(&mut encoder));
        encoder.finish()
    }

    /// Reads what [`Self::encode`] wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        if decoder.u8("base format")? != BASE_FORMAT {
            return Err(DecodeError::Invalid { what: "base format", why: "unknown to this build" });
        }
        let base = Base::decode(&mut decoder)?;
        let count = decoder.size(STORED_INTENTS, "intents")?;
        let intents = (0..count).map(|_| Base::decode(&mut decoder)).collect::<Result<_, _>>()?;
        let count = decoder.size(STORED_BASES, "recent bases")?;
        let recent = (0..count).map(|_| Base::decode(&mut decoder)).collect::<Result<_, _>>()?;
        decoder.finish()?;
        Ok(Self { base, intents, recent, ..Self::default() })
    }

    /// The stored slot as it would be had the daemon ended before it took note of its last write.
    #[cfg(test)]
    pub(crate) fn before_last_write(bytes: &[u8]) -> Vec<u8> {
        let mut slot = Self::decode(bytes).unwrap();
        let former = slot.recent.pop_back().unwrap();
        slot.intents = vec![std::mem::replace(&mut slot.base, former)];
        slot.encode()
    }

    /// Every content that this file may have had lately.
    fn recent_hashes(&self) -> impl Iterator<Item = ContentHash> + '_ {
        self.recent.iter().chain(&self.intents).filter_map(|base| base.hash)
    }
}

/// One folder that this host keeps.
#[derive(Debug, Default)]
pub(crate) struct Folder {
    pub(crate) dir: String,
    /// Where files and mesh differ when the folder joins: take the files.
    pub(crate) adopt: bool,
    /// The folder was never scanned to its end.
    pub(crate) joining: bool,
    pub(crate) scanned: bool,
    pub(crate) slots: BTreeMap<String, Slot>,
    pub(crate) skipped: BTreeMap<String, String>,
    pub(crate) deletes_held: (BTreeSet<String>, String),
    pub(crate) trouble: Option<String>,
    pub(crate) stopped: bool,
}

impl Folder {
    /// The files as they were last rendered or taken in.
    pub(crate) fn known(&self) -> BTreeMap<String, KnownFile> {
        let known = self.slots.iter().filter_map(|(path, slot)| {
            let hash = slot.base.hash?;
            Some((path.clone(), KnownFile { hash, executable: slot.base.executable }))
        });
        known.collect()
    }

    /// How each file stands, those left alone included; in no order.
    pub(crate) fn states(&self) -> impl Iterator<Item = (&str, FileState)> {
        let is_of_note = |path: &String| self.slots.get(path).is_some_and(Slot::is_of_note);
        let files = self.slots.iter().filter(|(_, slot)| slot.is_of_note()).map(|(path, _)| path);
        let others = self.skipped.keys().filter(move |path| !is_of_note(path));
        files.chain(others).map(|path| (path.as_str(), self.state_of(path)))
    }

    /// How a file stands.
    pub(crate) fn state_of(&self, path: &str) -> FileState {
        let slot = self.slots.get(path);
        if self.skipped.contains_key(path) {
            FileState::Skipped
        } else if slot.is_some_and(|slot| slot.held.is_some()) {
            FileState::Held
        } else if slot.is_some_and(|slot| slot.refused.is_some()) {
            FileState::KeptBack
        } else if self.deletes_held.0.contains(path) {
            FileState::DeleteHeld
        } else if slot.is_some_and(|slot| slot.failed.is_some()) {
            FileState::Failed
        } else if slot.is_some_and(|slot| slot.writing.is_some()) {
            FileState::Waiting
        } else {
            FileState::InStep
        }
    }

    /// The paths of its files, those left alone included, that come behind one; the first of them, in order.
    pub(crate) fn paths_behind(&self, behind: Option<&str>, at_most: usize) -> Vec<&str> {
        let range = (behind.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let files = self.slots.range::<str, _>(range).filter(|(_, slot)| slot.is_of_note());
        let skipped = self.skipped.range::<str, _>(range).map(|(path, _)| path.as_str());
        let mut paths: Vec<&str> =
            files.map(|(path, _)| path.as_str()).take(at_most).chain(skipped.take(at_most)).collect();
        paths.sort_unstable();
        paths.dedup();
        paths.truncate(at_most);
        paths
    }

    /// Contents that were rendered or taken in lately.
    pub(crate) fn recent(&self) -> BTreeSet<ContentHash> {
        self.slots.values().flat_map(Slot::recent_hashes).collect()
    }

    /// The folder's settings for the store.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        encoder.u8(BASE_FORMAT).text(&self.dir).u8(u8::from(self.adopt)).u8(u8::from(self.joining));
        encoder.finish()
    }

    /// Reads what [`Self::encode`] wrote.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(bytes);
        if decoder.u8("folder format")? != BASE_FORMAT {
            return Err(DecodeError::Invalid { what: "folder format", why: "unknown to this build" });
        }
        let dir = decoder.text(bytes.len(), "directory")?.to_string();
        let (adopt, joining) = (decoder.u8("adopt")? != 0, decoder.u8("joining")? != 0);
        decoder.finish()?;
        Ok(Self { dir, adopt, joining, ..Self::default() })
    }
}

/// All folders that this host keeps, by their names in the mesh.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    pub(crate) kept: BTreeMap<String, Folder>,
    /// The documents whose files are being written.
    pub(crate) writes: BTreeMap<Ticket, DocumentId>,
}

impl Folders {
    /// The slot of a document, if its folder is kept here; made where there is none yet.
    pub(crate) fn slot(&mut self, document: &DocumentId) -> Option<&mut Slot> {
        let folder = self.kept.get_mut(document.folder())?;
        Some(folder.slots.entry(document.path().into()).or_default())
    }

    /// The document and slot whose write has this ticket; the ticket is used up.
    pub(crate) fn answered(&mut self, ticket: Ticket) -> Option<(DocumentId, &mut Slot)> {
        let document = self.writes.remove(&ticket)?;
        let slot = self.kept.get_mut(document.folder())?.slots.get_mut(document.path())?;
        Some((document, slot))
    }
}

/// The store's key for a folder.
pub(crate) fn folder_state(name: &str) -> String {
    format!("folder/{name}")
}

/// The store's key for a file's base.
pub(crate) fn slot_state(document: &DocumentId) -> String {
    format!("base/{}", document.as_str())
}

/// An edit found in a swapped-out file, whose copy in staging goes once the edit is durable.
#[derive(Debug, Clone)]
pub(crate) struct LateCopy {
    pub(crate) folder: String,
    pub(crate) receipt: Receipt,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(number: usize) -> Base {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&(number as u64).to_be_bytes());
        Base {
            heads: vec![ChangeHash(hash)],
            hash: Some(ContentHash(hash)),
            executable: number.is_multiple_of(2),
            ..Base::default()
        }
    }

    #[test]
    fn bases_remember_their_overlays_and_when_they_were_replaced_and_without_any_are_stored_as_before() {
        let overlays = ["role=db", "host=web-1"].map(|text| (text.parse().unwrap(), vec![ChangeHash([7; 32])]));
        for hash in [None, base(1).hash, base(2).hash] {
            let with = Base { overlays: overlays.to_vec(), hash, ..base(2) };
            let read = Slot::decode(&Slot { base: with.clone(), ..Slot::default() }.encode()).unwrap().base;
            assert_eq!((read.overlays, read.hash, &read.heads), (with.overlays, hash, &with.heads));
            assert_eq!(read.executable, hash.is_some());
        }
        let mut slot = Slot { base: Base { overlays: overlays.to_vec(), ..base(1) }, ..Slot::default() };
        slot.wrote(base(2), 77_000);
        let read = Slot::decode(&slot.encode()).unwrap();
        let replaced: Vec<_> =
            read.replaced_around(75_000, 2_000).map(|base| (base.hash, base.overlays.len())).collect();
        assert_eq!(replaced, [(base(1).hash, 2)]);
        assert_eq!(read.replaced_around(79_001, 2_000).count(), 0);
        let (mut former, hash) = (Encoder::new(), base(1).hash.unwrap().0);
        former.u8(BASE_FORMAT).varint(1).raw(&hash).u8(1).raw(&hash).varint(0).varint(0);
        let former = former.finish();
        assert_eq!(Slot { base: base(1), ..Slot::default() }.encode(), former);
        assert!(Slot::decode(&former).unwrap().base.is_same_file(&base(1)));
    }

    #[test]
    fn slots_are_read_back_with_the_write_that_was_under_way() {
        let mut slot = Slot { base: base(1), ..Slot::default() };
        slot.rebase(base(2));
        slot.writing = Some(Writing { ticket: Ticket(7), target: base(3), is_sent: false });
        let read = Slot::decode(&slot.encode()).unwrap();
        assert!(read.base.is_same_file(&base(2)));
        assert!(read.intents.iter().any(|intent| intent.is_same_file(&base(3))));
        assert!(read.base_with(base(1).hash).is_some());
        assert!(Slot::decode(&slot.encode()[..5]).is_err());
    }

    #[test]
    fn a_write_that_was_cut_off_is_known_until_the_file_was_read_however_many_follow() {
        let mut slot = Slot { base: base(1), ..Slot::default() };
        for number in 2..20 {
            slot.writing = Some(Writing { ticket: Ticket(7), target: base(number), is_sent: true });
            slot = Slot::decode(&slot.encode()).unwrap();
        }
        let knows = |slot: &Slot, number| slot.intents.iter().any(|intent| intent.is_same_file(&base(number)));
        assert!((20 - STORED_INTENTS..20).all(|number| knows(&slot, number)));
        slot.rebase(base(19));
        assert!(!knows(&slot, 18));
    }

    #[test]
    fn an_edit_from_an_unknown_content_began_at_the_oldest_base() {
        let mut slot = Slot { base: base(1), ..Slot::default() };
        slot.rebase(base(2));
        slot.rebase(base(3));
        assert_eq!(slot.base_of_edit(base(2).hash).hash, base(2).hash);
        assert_eq!(slot.base_of_edit(base(9).hash).hash, base(1).hash);
        slot.remember(base(9));
        assert_eq!(slot.base_of_edit(base(9).hash).hash, base(9).hash);
        assert_eq!(slot.base.hash, base(3).hash);
    }

    #[test]
    fn only_so_many_former_bases_are_kept_and_fewer_are_stored() {
        let mut slot = Slot::default();
        let last = RECENT_BASES + 10;
        for number in 0..=last {
            slot.rebase(base(number));
        }
        let knows = |slot: &Slot, number| slot.base_with(base(number).hash).is_some();
        assert!(knows(&slot, last - RECENT_BASES) && !knows(&slot, last - RECENT_BASES - 1));
        let read = Slot::decode(&slot.encode()).unwrap();
        assert!(knows(&read, last - STORED_BASES) && !knows(&read, last - STORED_BASES - 1));
    }
}
