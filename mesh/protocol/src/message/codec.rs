//! The layouts of `PROTOCOL.md`, message by message.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use murmurate_crdt::clock::{Range, VersionVector};
use murmurate_crdt::id::{DocumentId, Generation, NodeId, Writer};
use murmurate_crdt::limits;
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};

use super::{
    BUCKETS, DOCUMENTS_PER_MESSAGE, DocumentRanges, DocumentVector, ENVELOPES_PER_MESSAGE, FOLDERS, ITEMS_PER_MESSAGE,
    ItemId, Message, NEIGHBOURS, RANGES_PER_MESSAGE, RUMOURS_PER_MESSAGE, Rumour, STATEMENTS_PER_MESSAGE,
    TREES_PER_MESSAGE, state_code,
};
use crate::peers::MemberState;
use crate::roster::STATEMENT_BYTES;
use crate::summary::{FolderSummary, Summary};

mod kind {
    pub(super) const HELLO: u64 = 1;
    pub(super) const SUMMARY: u64 = 2;
    pub(super) const BUCKETS: u64 = 3;
    pub(super) const VECTORS: u64 = 4;
    pub(super) const WANT: u64 = 5;
    pub(super) const CHANGES: u64 = 6;
    pub(super) const STATEMENTS: u64 = 7;
    pub(super) const WANT_STATEMENTS: u64 = 8;
    pub(super) const LEAVING: u64 = 9;
    pub(super) const ANNOUNCE: u64 = 10;
    pub(super) const GRAFT: u64 = 11;
    pub(super) const PRUNE: u64 = 12;
    pub(super) const LINK: u64 = 13;
    pub(super) const RUMOURS: u64 = 14;
    pub(super) const HEALTH: u64 = 15;
    pub(super) const PROBE: u64 = 16;
    pub(super) const PROBED: u64 = 17;
    pub(super) const PING: u64 = 18;
    pub(super) const PONG: u64 = 19;
}

mod flag {
    pub(super) const REPLY_WANTED: u8 = 1;
    pub(super) const KEEPS_ONLY_LISTED: u8 = 2;
    pub(super) const NEIGHBOURS: u8 = 4;
}

pub(super) fn encode(message: &Message, e: &mut Encoder) {
    match message {
        Message::Hello { lowest, highest, summary } => {
            e.varint(kind::HELLO).varint(*lowest).varint(*highest);
            encode_summary(e, summary);
        }
        Message::Summary(summary) => {
            e.varint(kind::SUMMARY);
            encode_summary(e, summary);
        }
        Message::Buckets { query, folder, after, hashes } => {
            e.varint(kind::BUCKETS).varint(*query).text(folder).text(after).varint(BUCKETS as u64);
            hashes.iter().for_each(|hash| {
                e.raw(hash);
            });
        }
        Message::Vectors { query, complete, documents } => {
            e.varint(kind::VECTORS).varint(*query).u8(u8::from(*complete)).varint(documents.len() as u64);
            documents.iter().for_each(|document| document.encode(e));
        }
        Message::Want { request, wants } => {
            e.varint(kind::WANT).varint(*request).varint(wants.len() as u64);
            wants.iter().for_each(|want| want.encode(e));
        }
        Message::Changes { request, envelopes } => {
            e.varint(kind::CHANGES).varint(*request).varint(envelopes.len() as u64);
            envelopes.iter().for_each(|envelope| {
                e.bytes(envelope);
            });
        }
        Message::Statements { next, statements } => {
            e.varint(kind::STATEMENTS).u8(u8::from(next.is_some()));
            next.iter().for_each(|next| {
                e.raw(next);
            });
            e.varint(statements.len() as u64);
            statements.iter().for_each(|statement| {
                e.bytes(statement);
            });
        }
        Message::WantStatements { after, nodes } => {
            e.varint(kind::WANT_STATEMENTS).raw(after).varint(nodes.len() as u64);
            nodes.iter().for_each(|node| {
                e.raw(&node.0);
            });
        }
        Message::Leaving => {
            e.varint(kind::LEAVING);
        }
        Message::Announce { items } => encode_items(e, kind::ANNOUNCE, items),
        Message::Graft { items } => encode_items(e, kind::GRAFT, items),
        Message::Prune { trees } => {
            e.varint(kind::PRUNE).varint(trees.len() as u64);
            trees.iter().for_each(|tree| {
                e.raw(&tree.0);
            });
        }
        Message::Link { is_wanted } => {
            e.varint(kind::LINK).u8(u8::from(*is_wanted));
        }
        Message::Rumours { rumours } => {
            e.varint(kind::RUMOURS).varint(rumours.len() as u64);
            rumours.iter().for_each(|rumour| rumour.encode(e));
        }
        Message::Health { hash } => {
            e.varint(kind::HEALTH).raw(hash);
        }
        Message::Probe { request, node } => {
            e.varint(kind::PROBE).varint(*request).raw(&node.0);
        }
        Message::Probed { request, is_reached } => {
            e.varint(kind::PROBED).varint(*request).u8(u8::from(*is_reached));
        }
        Message::Ping { request } => {
            e.varint(kind::PING).varint(*request);
        }
        Message::Pong { request, wall_ms } => {
            e.varint(kind::PONG).varint(*request);
            if *wall_ms > 0 {
                e.varint(*wall_ms);
            }
        }
    }
}

/// Reads a message after its version; `None` if its type isn't known.
pub(super) fn decode(d: &mut Decoder<'_>) -> Result<Option<Message>, DecodeError> {
    Ok(Some(match d.varint("message type")? {
        kind::HELLO => decode_hello(d)?,
        kind::SUMMARY => Message::Summary(decode_summary(d)?),
        kind::BUCKETS => decode_buckets(d)?,
        kind::VECTORS => decode_vectors(d)?,
        kind::WANT => decode_want(d)?,
        kind::CHANGES => decode_changes(d)?,
        kind::STATEMENTS => decode_statements(d)?,
        kind::WANT_STATEMENTS => decode_want_statements(d)?,
        kind::LEAVING => Message::Leaving,
        kind::ANNOUNCE => Message::Announce { items: decode_items(d)? },
        kind::GRAFT => Message::Graft { items: decode_items(d)? },
        kind::PRUNE => Message::Prune { trees: list(d, TREES_PER_MESSAGE, "trees", |d| Ok(NodeId(d.array("tree")?)))? },
        kind::LINK => Message::Link { is_wanted: boolean(d, "wanted")? },
        kind::RUMOURS => Message::Rumours { rumours: list(d, RUMOURS_PER_MESSAGE, "rumours", Rumour::decode)? },
        kind::HEALTH => Message::Health { hash: d.array("hash of members' health")? },
        kind::PROBE => Message::Probe { request: d.varint("request")?, node: NodeId(d.array("node")?) },
        kind::PROBED => Message::Probed { request: d.varint("request")?, is_reached: boolean(d, "reached")? },
        kind::PING => Message::Ping { request: d.varint("request")? },
        kind::PONG => decode_pong(d)?,
        _ => return Ok(None),
    }))
}

/// Reads a list: its count, at most `limit`, then each element.
fn list<'a, T>(
    d: &mut Decoder<'a>,
    limit: usize,
    what: &'static str,
    mut element: impl FnMut(&mut Decoder<'a>) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    let count = d.size(limit, what)?;
    let mut elements = Vec::new();
    for _ in 0..count {
        elements.push(element(d)?);
    }
    Ok(elements)
}

fn boolean(d: &mut Decoder<'_>, what: &'static str) -> Result<bool, DecodeError> {
    match d.u8(what)? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(DecodeError::Invalid { what, why: "neither 0 nor 1" }),
    }
}

fn rising<'a, T: PartialOrd + 'a>(
    items: impl IntoIterator<Item = &'a T>,
    what: &'static str,
) -> Result<(), DecodeError> {
    if items.into_iter().is_sorted_by(|a, b| a < b) {
        Ok(())
    } else {
        Err(DecodeError::Invalid { what, why: "not in rising order" })
    }
}

fn encode_summary(e: &mut Encoder, summary: &Summary) {
    let mut flags = 0;
    for (on, flag) in [
        (summary.reply_wanted, flag::REPLY_WANTED),
        (summary.keeps_only_listed, flag::KEEPS_ONLY_LISTED),
        (summary.neighbours.is_some(), flag::NEIGHBOURS),
    ] {
        flags |= if on { flag } else { 0 };
    }
    e.u8(flags).raw(&summary.roster).raw(&summary.revoked).varint(summary.folders.len() as u64);
    for (name, folder) in &summary.folders {
        e.text(name).raw(&folder.root).varint(folder.changes);
    }
    if let Some(neighbours) = &summary.neighbours {
        e.varint(neighbours.len() as u64);
        neighbours.iter().for_each(|node| {
            e.raw(&node.0);
        });
    }
}

fn decode_summary(d: &mut Decoder<'_>) -> Result<Summary, DecodeError> {
    let flags = d.u8("summary flags")?;
    let roster = d.array("roster hash")?;
    let revoked = d.array("hash of the revoked")?;
    let folders = list(d, FOLDERS, "folders", |d| {
        let name = d.text(limits::PATH_BYTES, "folder")?.to_owned();
        Ok((name, FolderSummary { root: d.array("root hash")?, changes: d.varint("count of changes")? }))
    })?;
    rising(folders.iter().map(|(name, _)| name), "folders")?;
    let neighbours = if flags & flag::NEIGHBOURS == 0 { None } else { Some(decode_neighbours(d)?) };
    Ok(Summary {
        reply_wanted: flags & flag::REPLY_WANTED != 0,
        keeps_only_listed: flags & flag::KEEPS_ONLY_LISTED != 0,
        roster,
        revoked,
        folders: BTreeMap::from_iter(folders),
        neighbours,
    })
}

fn decode_neighbours(d: &mut Decoder<'_>) -> Result<BTreeSet<NodeId>, DecodeError> {
    let nodes = list(d, NEIGHBOURS, "neighbours", |d| Ok(NodeId(d.array("neighbour")?)))?;
    rising(&nodes, "neighbours")?;
    Ok(BTreeSet::from_iter(nodes))
}

fn decode_hello(d: &mut Decoder<'_>) -> Result<Message, DecodeError> {
    let (lowest, highest) = (d.varint("lowest version")?, d.varint("highest version")?);
    Ok(Message::Hello { lowest, highest, summary: decode_summary(d)? })
}

fn decode_buckets(d: &mut Decoder<'_>) -> Result<Message, DecodeError> {
    let query = d.varint("query")?;
    let folder = d.text(limits::PATH_BYTES, "folder")?.to_owned();
    let after = d.text(limits::PATH_BYTES, "after")?.to_owned();
    if d.size(BUCKETS, "buckets")? != BUCKETS {
        return Err(DecodeError::Invalid { what: "buckets", why: "not as many as a folder has" });
    }
    let mut hashes = Box::new([[0; 32]; BUCKETS]);
    for hash in hashes.iter_mut() {
        *hash = d.array("bucket")?;
    }
    Ok(Message::Buckets { query, folder, after, hashes })
}

fn encode_generation(e: &mut Encoder, generation: Generation) {
    e.varint(generation.number.into());
    if generation.number > 0 {
        e.raw(&generation.cut);
    }
}

fn decode_generation(d: &mut Decoder<'_>) -> Result<Generation, DecodeError> {
    let number = u32::try_from(d.varint("generation")?)
        .map_err(|_| DecodeError::Invalid { what: "generation", why: "past the limit" })?;
    let cut = if number > 0 { d.array("cut")? } else { [0; 32] };
    Ok(Generation { number, cut })
}

fn decode_document(d: &mut Decoder<'_>) -> Result<DocumentId, DecodeError> {
    DocumentId::new(d.text(limits::PATH_BYTES, "document")?)
}

impl DocumentVector {
    fn encode(&self, e: &mut Encoder) {
        e.text(self.document.as_str());
        encode_generation(e, self.generation);
        self.vector.encode(e);
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let document = decode_document(d)?;
        Ok(Self { document, generation: decode_generation(d)?, vector: VersionVector::decode(d)? })
    }
}

fn decode_vectors(d: &mut Decoder<'_>) -> Result<Message, DecodeError> {
    let (query, complete) = (d.varint("query")?, boolean(d, "complete")?);
    let documents = list(d, DOCUMENTS_PER_MESSAGE, "documents", DocumentVector::decode)?;
    rising(documents.iter().map(|entry| &entry.document), "documents")?;
    Ok(Message::Vectors { query, complete, documents })
}

fn encode_range(e: &mut Encoder, range: Range) {
    range.writer.encode(e);
    e.varint(range.first).varint(range.last - range.first);
}

fn decode_range(d: &mut Decoder<'_>) -> Result<Range, DecodeError> {
    let writer = Writer::decode(d)?;
    let (first, more) = (d.varint("first")?, d.varint("length")?);
    match first.checked_add(more) {
        Some(last) if first > 0 => Ok(Range { writer, first, last }),
        _ => Err(DecodeError::Invalid { what: "range", why: "outside the sequences there are" }),
    }
}

impl DocumentRanges {
    fn encode(&self, e: &mut Encoder) {
        e.text(self.document.as_str());
        encode_generation(e, self.generation);
        e.varint(self.ranges.len() as u64);
        self.ranges.iter().for_each(|&range| encode_range(e, range));
    }

    fn decode(d: &mut Decoder<'_>, ranges_left: &mut usize) -> Result<Self, DecodeError> {
        let document = decode_document(d)?;
        let generation = decode_generation(d)?;
        let ranges = list(d, *ranges_left, "ranges", decode_range)?;
        rising(ranges.iter().map(|range| &range.writer), "ranges")?;
        *ranges_left -= ranges.len();
        Ok(Self { document, generation, ranges })
    }
}

fn decode_want(d: &mut Decoder<'_>) -> Result<Message, DecodeError> {
    let request = d.varint("request")?;
    if request == 0 {
        return Err(DecodeError::Invalid { what: "request", why: "0 means that nothing was asked" });
    }
    let mut ranges_left = RANGES_PER_MESSAGE;
    let wants = list(d, RANGES_PER_MESSAGE, "wants", |d| DocumentRanges::decode(d, &mut ranges_left))?;
    Ok(Message::Want { request, wants })
}

fn decode_changes(d: &mut Decoder<'_>) -> Result<Message, DecodeError> {
    let request = d.varint("request")?;
    let envelopes =
        list(d, ENVELOPES_PER_MESSAGE, "envelopes", |d| Ok(Arc::from(d.bytes(limits::ENVELOPE_BYTES, "envelope")?)))?;
    Ok(Message::Changes { request, envelopes })
}

fn decode_statements(d: &mut Decoder<'_>) -> Result<Message, DecodeError> {
    let next = if boolean(d, "more")? { Some(d.array("next")?) } else { None };
    let statements =
        list(d, STATEMENTS_PER_MESSAGE, "statements", |d| Ok(Arc::from(d.bytes(STATEMENT_BYTES, "statement")?)))?;
    Ok(Message::Statements { next, statements })
}

fn decode_want_statements(d: &mut Decoder<'_>) -> Result<Message, DecodeError> {
    let after = d.array("after")?;
    let nodes = list(d, STATEMENTS_PER_MESSAGE, "nodes", |d| Ok(NodeId(d.array("node")?)))?;
    Ok(Message::WantStatements { after, nodes })
}

/// The first builds of version 2 told no clock.
fn decode_pong(d: &mut Decoder<'_>) -> Result<Message, DecodeError> {
    let request = d.varint("request")?;
    let wall_ms = if d.is_empty() { 0 } else { d.varint("clock")? };
    Ok(Message::Pong { request, wall_ms })
}

fn encode_items(e: &mut Encoder, kind: u64, items: &[ItemId]) {
    e.varint(kind).varint(items.len() as u64);
    items.iter().for_each(|item| {
        e.raw(item);
    });
}

fn decode_items(d: &mut Decoder<'_>) -> Result<Vec<ItemId>, DecodeError> {
    list(d, ITEMS_PER_MESSAGE, "items", |d| d.array("item"))
}

impl Rumour {
    fn encode(&self, e: &mut Encoder) {
        e.raw(&self.node.0).varint(self.generation).varint(self.incarnation).u8(state_code(self.state)).raw(&self.by.0);
    }

    fn decode(d: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let node = NodeId(d.array("node")?);
        let (generation, incarnation) = (d.varint("generation")?, d.varint("incarnation")?);
        let state = match d.u8("state")? {
            1 => MemberState::Alive,
            2 => MemberState::Suspect,
            3 => MemberState::Dead,
            4 => MemberState::Left,
            _ => return Err(DecodeError::Invalid { what: "state", why: "unknown to this build" }),
        };
        Ok(Self { node, generation, incarnation, state, by: NodeId(d.array("teller")?) })
    }
}
