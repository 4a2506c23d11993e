//! Every message is read back; any other bytes are refused or read within bounds, never with a panic.

use std::sync::Arc;

use murmurate_crdt::clock::{Dot, Range, VersionVector};
use murmurate_crdt::id::{ActorId, DocumentId, Generation, Lane, NodeId, Writer};
use murmurate_crdt::wire::Encoder;
use murmurate_protocol::message::{BUCKETS, DocumentVector, Message, Rumour};
use murmurate_protocol::{DocumentRanges, FolderSummary, MemberState, Roster, Statement, Summary};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use crate::common;

fn nodes() -> impl Strategy<Value = NodeId> {
    any::<[u8; 32]>().prop_map(NodeId)
}

fn writers() -> impl Strategy<Value = Writer> {
    (any::<[u8; 16]>(), 0u8..8)
        .prop_map(|(actor, lane)| Writer { actor: ActorId(actor), lane: Lane::new(lane).unwrap() })
}

fn documents() -> impl Strategy<Value = DocumentId> {
    "[a-z]{1,8}/[a-z.]{3,12}[a-z]".prop_map(|name| DocumentId::new(&name).unwrap())
}

fn generations() -> impl Strategy<Value = Generation> {
    option::of((1u32.., any::<[u8; 32]>()))
        .prop_map(|cut| cut.map_or_else(Generation::default, |(number, cut)| Generation { number, cut }))
}

fn summaries() -> impl Strategy<Value = Summary> {
    let folders = btree_map("[a-z]{1,9}", (any::<[u8; 32]>(), any::<u64>()), 0..5);
    let hashes = any::<[[u8; 32]; 2]>();
    (any::<bool>(), any::<bool>(), hashes, folders, option::of(btree_set(nodes(), 0..5))).prop_map(
        |(reply_wanted, keeps_only_listed, [roster, revoked], folders, neighbours)| {
            let folders = folders.into_iter().map(|(name, (root, changes))| (name, FolderSummary { root, changes }));
            Summary { reply_wanted, keeps_only_listed, roster, revoked, folders: folders.collect(), neighbours }
        },
    )
}

fn document_vectors() -> impl Strategy<Value = Vec<DocumentVector>> {
    let vector = btree_map(writers(), 1u64.., 0..4)
        .prop_map(|last| VersionVector::from_iter(last.into_iter().map(|(writer, sequence)| Dot { writer, sequence })));
    btree_map(documents(), (generations(), vector), 0..4).prop_map(|entries| {
        let entries = entries.into_iter();
        entries.map(|(document, (generation, vector))| DocumentVector { document, generation, vector }).collect()
    })
}

fn document_ranges() -> impl Strategy<Value = Vec<DocumentRanges>> {
    let ranges = btree_map(writers(), (1u64..1 << 60, 0u64..1 << 60), 0..4).prop_map(|ranges| {
        let ranges = ranges.into_iter();
        ranges.map(|(writer, (first, more))| Range { writer, first, last: first + more }).collect()
    });
    vec((documents(), generations(), ranges), 0..4).prop_map(|entries| {
        let entries = entries.into_iter();
        entries.map(|(document, generation, ranges)| DocumentRanges { document, generation, ranges }).collect()
    })
}

fn rumours() -> impl Strategy<Value = Rumour> {
    let states = [MemberState::Alive, MemberState::Suspect, MemberState::Dead, MemberState::Left];
    (nodes(), any::<u64>(), any::<u64>(), 0usize..4, nodes()).prop_map(
        move |(node, generation, incarnation, state, by)| Rumour {
            node,
            generation,
            incarnation,
            state: states[state],
            by,
        },
    )
}

fn messages() -> impl Strategy<Value = Message> {
    let hashes = vec(any::<[u8; 32]>(), BUCKETS).prop_map(|hashes| Box::new(hashes.try_into().unwrap()));
    let envelopes = vec(vec(any::<u8>(), 0..100).prop_map(Arc::from), 0..5);
    prop_oneof![
        (any::<u64>(), any::<u64>(), summaries()).prop_map(|(lowest, highest, summary)| Message::Hello {
            lowest,
            highest,
            summary
        }),
        summaries().prop_map(Message::Summary),
        (any::<u64>(), "[a-z]{0,9}", "[a-z/]{0,9}", hashes)
            .prop_map(|(query, folder, after, hashes)| Message::Buckets { query, folder, after, hashes }),
        (any::<u64>(), any::<bool>(), document_vectors()).prop_map(|(query, complete, documents)| Message::Vectors {
            query,
            complete,
            documents
        }),
        (1u64.., document_ranges()).prop_map(|(request, wants)| Message::Want { request, wants }),
        (any::<u64>(), envelopes).prop_map(|(request, envelopes)| Message::Changes { request, envelopes }),
        (option::of(any::<[u8; 32]>()), vec(vec(any::<u8>(), 0..100).prop_map(Arc::from), 0..5))
            .prop_map(|(next, statements)| Message::Statements { next, statements }),
        (any::<[u8; 32]>(), vec(nodes(), 0..5)).prop_map(|(after, nodes)| Message::WantStatements { after, nodes }),
        Just(Message::Leaving),
        vec(any::<[u8; 16]>(), 0..5).prop_map(|items| Message::Announce { items }),
        vec(any::<[u8; 16]>(), 0..5).prop_map(|items| Message::Graft { items }),
        vec(nodes(), 0..5).prop_map(|trees| Message::Prune { trees }),
        any::<bool>().prop_map(|is_wanted| Message::Link { is_wanted }),
        vec(rumours(), 0..5).prop_map(|rumours| Message::Rumours { rumours }),
        any::<[u8; 32]>().prop_map(|hash| Message::Health { hash }),
        (any::<u64>(), nodes()).prop_map(|(request, node)| Message::Probe { request, node }),
        (any::<u64>(), any::<bool>()).prop_map(|(request, is_reached)| Message::Probed { request, is_reached }),
        any::<u64>().prop_map(|request| Message::Ping { request }),
        any::<(u64, u64)>().prop_map(|(request, wall_ms)| Message::Pong { request, wall_ms }),
    ]
}

/// Whatever could be read is no larger than the bytes it was read from: memory is bounded by the frame.
fn check_any_bytes(bytes: &[u8]) {
    if let Ok(Some(message)) = Message::decode(bytes) {
        assert!(message.encode().len() <= bytes.len());
    }
}

/// What could be read keeps the bytes as they came, and is verified only if nothing was changed.
fn check_any_statement(bytes: Vec<u8>, original: &Statement) {
    let is_original = bytes[..] == original.bytes()[..];
    if let Ok(statement) = Statement::decode(bytes.clone()) {
        assert_eq!(statement.bytes()[..], bytes[..]);
        assert_eq!(Roster::new(common::MESH, common::roots()).insert(statement).is_ok(), is_original);
    }
}

fn mutate(bytes: &mut Vec<u8>, mutations: &[(usize, u8, u8)]) {
    for &(at, kind, byte) in mutations {
        let at = at % bytes.len().max(1);
        match kind {
            0 if at < bytes.len() => bytes[at] ^= byte,
            1 => bytes.insert(at.min(bytes.len()), byte),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            _ => bytes.truncate(at),
        }
    }
}

proptest! {
    #[test]
    fn messages_are_read_back(message in messages()) {
        prop_assert_eq!(Message::decode(&message.encode()), Ok(Some(message)));
    }

    #[test]
    fn a_newer_builds_additional_fields_are_ignored(message in messages(), more: Vec<u8>) {
        let frame = [&message.encode()[..], &more].concat();
        prop_assert_eq!(Message::decode(&frame), Ok(Some(message)));
    }

    #[test]
    fn mutated_messages_do_no_harm(message in messages(), mutations: Vec<(usize, u8, u8)>) {
        let mut frame = message.encode().to_vec();
        let mutations: Vec<_> = mutations.into_iter().map(|(at, kind, byte)| (at, kind % 4, byte)).collect();
        mutate(&mut frame, &mutations);
        check_any_bytes(&frame);
    }

    #[test]
    fn random_bytes_do_no_harm(kind in 0u8..24, bytes: Vec<u8>) {
        check_any_bytes(&bytes);
        check_any_bytes(&[&[1, kind], &bytes[..]].concat());
    }

    #[test]
    fn mutated_statements_do_no_harm(pick in 0usize..5, mutations: Vec<(usize, u8, u8)>) {
        let fact = common::revoke(1);
        let statements =
            [common::admission(1), common::issue(0, &fact), common::state(&fact), common::grant(0), common::own(1, 1, true)];
        let mut statement = statements[pick].bytes().to_vec();
        let mutations: Vec<_> = mutations.into_iter().map(|(at, kind, byte)| (at, kind % 4, byte)).collect();
        mutate(&mut statement, &mutations);
        check_any_statement(statement, &statements[pick]);
    }

    #[test]
    fn random_statements_do_no_harm(start in 0usize..120, bytes: Vec<u8>) {
        let original = common::issue(0, &common::revoke(1));
        check_any_statement([&original.bytes()[..start], &bytes[..]].concat(), &original);
    }
}

#[test]
fn counts_and_lengths_past_their_limits_are_refused() {
    let frame = |kind: u64, fields: &[u64]| {
        let mut encoder = Encoder::new();
        encoder.u8(1).varint(kind);
        fields.iter().for_each(|&field| {
            encoder.varint(field);
        });
        encoder.finish()
    };
    let many = 1 << 40;
    let rows: [(&str, Vec<u8>); 11] = [
        ("folders", [frame(2, &[0]), vec![0; 64], vec![0xff; 4], vec![0x7f]].concat()),
        ("documents", frame(4, &[1, 1, many])),
        ("wants", frame(5, &[1, many])),
        ("envelopes", frame(6, &[0, many])),
        ("statements", frame(7, &[0, many])),
        ("announced items", frame(10, &[many])),
        ("grafted items", frame(11, &[many])),
        ("rumours", frame(14, &[many])),
        ("a rumour of an unknown state", [frame(14, &[1]), vec![0; 34], vec![9], vec![0; 32]].concat()),
        ("pruned trees", frame(12, &[many])),
        ("a longer frame than the limit", vec![1; murmurate_crdt::limits::FRAME_BYTES + 1]),
    ];
    for (what, bytes) in rows {
        assert!(Message::decode(&bytes).is_err(), "{what}");
    }
}

#[test]
fn messages_of_an_unknown_type_are_ignored_and_of_an_unknown_version_refused() {
    assert_eq!(Message::decode(&[1, 99, 1, 2, 3]), Ok(None));
    assert!(Message::decode(&[2, 9]).is_err());
    assert!(Message::decode(&[]).is_err());
}
