//! The functions with seeds and mutations of them. `FUZZ_CASES` sets how many; a run's seed is printed.

use std::collections::{BTreeMap, BTreeSet};

use murmurate_crdt::clock::{Dot, Range, VersionVector};
use murmurate_crdt::id::{ActorId, DocumentId, Generation, Lane, NodeId, Writer};

use super::roster::{admission, node};
use crate::fuzzing;
use crate::message::{BUCKETS, DocumentRanges, DocumentVector, Message, Rumour};
use crate::{FolderSummary, MemberState, Summary};

#[path = "../../../../crdt/src/fuzzing/mutate.rs"]
mod mutate;

use mutate::{check, seeds};

/// A message of each type.
fn messages() -> Vec<Message> {
    let writer = Writer { actor: ActorId([1; 16]), lane: Lane::FILE };
    let (document, generation) = (DocumentId::new("web/app.toml").unwrap(), Generation::default());
    let summary = Summary {
        reply_wanted: true,
        keeps_only_listed: true,
        neighbours: Some(BTreeSet::from([node(1), NodeId([7; 32])])),
        folders: BTreeMap::from([("web".to_owned(), FolderSummary { root: [1; 32], changes: 300 })]),
        ..Summary::default()
    };
    let vector = VersionVector::from_iter([Dot { writer, sequence: 300 }]);
    let ranges = vec![Range { writer, first: 1, last: 300 }];
    let after = String::new();
    let state = MemberState::Dead;
    let rumour = Rumour { node: node(1), generation: 1, incarnation: 0, state, by: node(3) };
    vec![
        Message::Hello { lowest: 1, highest: 1, summary: summary.clone() },
        Message::Summary(summary),
        Message::Buckets { query: 1, folder: "web".into(), after, hashes: Box::new([[3; 32]; BUCKETS]) },
        Message::Vectors {
            query: 1,
            complete: true,
            documents: vec![DocumentVector { document: document.clone(), generation, vector }],
        },
        Message::Want { request: 1, wants: vec![DocumentRanges { document, generation, ranges }] },
        Message::Changes { request: 0, envelopes: vec![[1, 2, 3].into()] },
        Message::Leaving,
        Message::Announce { items: vec![[4; 16], [5; 16]] },
        Message::Graft { items: vec![[4; 16]] },
        Message::Prune { trees: vec![node(1), NodeId([0; 32])] },
        Message::Link { is_wanted: true },
        Message::Rumours { rumours: vec![rumour] },
        Message::Health { hash: [6; 32] },
        Message::Probe { request: 1, node: node(3) },
        Message::Probed { request: 1, is_reached: false },
        Message::Ping { request: 1 },
        Message::Pong { request: 1, wall_ms: 1_700_000_000_000 },
    ]
}

fn frames() -> Vec<Vec<u8>> {
    messages().iter().map(|message| message.encode().to_vec()).collect()
}

#[test]
fn frame() {
    check([seeds("frame"), frames()].concat(), 2_000, fuzzing::frame);
}

#[test]
fn statement() {
    check([seeds("statement"), vec![admission(1).bytes().to_vec()]].concat(), 500, fuzzing::statement);
}

#[test]
fn roster() {
    check(seeds("roster"), 48, fuzzing::roster);
}

#[test]
fn conversation() {
    let frame = |bytes: Vec<u8>| {
        let mut encoder = murmurate_crdt::wire::Encoder::new();
        encoder.u8(0).bytes(&bytes);
        encoder.finish()
    };
    let of_frames = frames().into_iter().map(frame).collect::<Vec<_>>().concat();
    check([seeds("conversation"), vec![of_frames]].concat(), 64, fuzzing::conversation);
}
