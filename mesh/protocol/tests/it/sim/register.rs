//! A small document in place of the real one: each key holds the values of its maximal dots.

use std::collections::{BTreeMap, BTreeSet};

use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::wire::{Decoder, Encoder};

/// A write: its value takes the place of the values it saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Write {
    pub(crate) key: u64,
    pub(crate) value: Vec<u8>,
    pub(crate) replaces: Vec<Dot>,
}

impl Write {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        encoder.varint(self.key).bytes(&self.value);
        self.replaces.iter().for_each(|dot| dot.encode(&mut encoder));
        encoder.finish()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Self {
        let mut decoder = Decoder::new(bytes);
        let key = decoder.varint("key").unwrap();
        let value = decoder.bytes(usize::MAX, "value").unwrap().to_vec();
        let mut replaces = Vec::new();
        while !decoder.is_empty() {
            replaces.push(Dot::decode(&mut decoder).unwrap());
        }
        Self { key, value, replaces }
    }
}

/// A document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Register {
    pub(crate) vector: VersionVector,
    /// The changes that no other builds on.
    pub(crate) heads: BTreeSet<Dot>,
    pub(crate) keys: BTreeMap<u64, BTreeMap<Dot, Vec<u8>>>,
}

impl Register {
    /// A write to `key` that saw this state.
    pub(crate) fn write(&self, key: u64, value: Vec<u8>) -> Write {
        let replaces = self.keys.get(&key).into_iter().flat_map(|values| values.keys().copied()).collect();
        Write { key, value, replaces }
    }

    pub(crate) fn apply(&mut self, envelope: &SignedEnvelope) {
        let Write { key, value, replaces } = Write::decode(&envelope.change);
        let values = self.keys.entry(key).or_default();
        replaces.iter().for_each(|dot| {
            values.remove(dot);
        });
        values.insert(envelope.dot, value);
        envelope.dependencies.iter().for_each(|dot| {
            self.heads.remove(dot);
        });
        self.heads.insert(envelope.dot);
        self.vector.include(envelope.dot);
    }

    /// The whole state as sorted text.
    pub(crate) fn render(&self) -> String {
        let values =
            self.keys.iter().flat_map(|(key, values)| values.iter().map(move |(dot, value)| (key, dot, value)));
        values.map(|(key, dot, value)| format!("{key} = {value:?} # {dot}\n")).collect()
    }
}
