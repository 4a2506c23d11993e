//! Which new changes are bulk: an import, or who writes more than lines carry. Bulk goes by the stream of repairs, so that it
//! delays no other writer's single change.

use std::collections::BTreeMap;
use std::time::Duration;

use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::{Lane, NodeId};

use crate::allowance::Allowance;
use crate::effect::Class;

/// What a writer may push at once, and a single change: a quarter of a second on a line of 10 Mbit/s.
pub(crate) const URGENT_BYTES: u64 = 256 << 10;
/// What it may push for long: a thousand changes of 1 KiB a second.
const URGENT_BYTES_PER_SECOND: u64 = 1 << 20;
/// Writers that are watched at one time. One more, and the one that pushed least lately is forgotten.
const FLOWS: usize = 256;

#[derive(Debug)]
struct Flow {
    allowance: Allowance,
    is_bulk: bool,
}

/// What each author's lanes push: what people put isn't behind what a host imports from files.
#[derive(Debug, Default)]
pub(crate) struct Flows(BTreeMap<(NodeId, Lane), Flow>);

impl Flows {
    /// By which stream a new change goes. Once it is bulk, what the same writer writes is, until it rests: the order of one
    /// writer's changes is kept that way, mostly.
    pub(crate) fn class(&mut self, envelope: &SignedEnvelope, now: Duration) -> Class {
        let (bytes, key) = (envelope.bytes().len(), (envelope.author, envelope.dot.writer.lane));
        if !self.0.contains_key(&key) && self.0.len() >= FLOWS {
            let least = self.0.iter().min_by_key(|(_, flow)| flow.allowance.ready_at()).map(|(&key, _)| key);
            least.and_then(|key| self.0.remove(&key));
        }
        let new = || Flow { allowance: Allowance::new(URGENT_BYTES_PER_SECOND, URGENT_BYTES), is_bulk: false };
        let flow = self.0.entry(key).or_insert_with(new);
        flow.is_bulk = if flow.is_bulk { !flow.allowance.is_paid(now) } else { flow.allowance.ready_at() > now };
        flow.allowance.spend(now, bytes);
        flow.allowance.cap(now);
        if flow.is_bulk || bytes as u64 > URGENT_BYTES { Class::Repair } else { Class::Push }
    }
}
