//! Questions whether somebody else reaches a member: this host's own, and those that others asked it.

use std::collections::BTreeMap;
use std::time::Duration;

use murmurate_crdt::id::NodeId;

use crate::engine::Filled;
use crate::limits::PROBES_ASKED;

/// A question of this host's about a member.
#[derive(Debug)]
pub(crate) struct Probe {
    pub(crate) request: u64,
    /// How many haven't answered.
    pub(crate) waiting: usize,
    pub(crate) until: Duration,
}

/// Another host's question.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) by: NodeId,
    pub(crate) request: u64,
    pub(crate) node: NodeId,
    /// Whether the member was pinged over a link; else one is dialled.
    pub(crate) is_pinged: bool,
    pub(crate) until: Duration,
}

/// All questions.
#[derive(Debug, Default)]
pub(crate) struct Probes {
    /// Own ones by the member that they are about.
    pub(crate) own: BTreeMap<NodeId, Probe>,
    /// Others' ones by this host's number for them.
    asked: BTreeMap<u64, Asked>,
}

impl Probes {
    /// Takes in a question of another host; says whether there was room.
    pub(crate) fn ask(&mut self, number: u64, asked: Asked) -> bool {
        let has_room = self.asked.len() < PROBES_ASKED;
        if has_room {
            self.asked.insert(number, asked);
        }
        has_room
    }

    /// Others' questions.
    pub(crate) fn filled(&self) -> Filled {
        Filled { held: self.asked.len(), limit: PROBES_ASKED }
    }

    /// The member answered the ping with this number.
    pub(crate) fn answered(&mut self, number: u64, by: NodeId) -> Option<Asked> {
        let is_its = self.asked.get(&number).is_some_and(|asked| asked.node == by);
        if is_its { self.asked.remove(&number) } else { None }
    }

    /// A link with the member is up: the questions for which it was dialled.
    pub(crate) fn reached(&mut self, node: NodeId) -> Vec<Asked> {
        self.take(|asked| asked.node == node && !asked.is_pinged)
    }

    /// The questions that can't be waited for any more.
    pub(crate) fn overdue(&mut self, now: Duration) -> Vec<Asked> {
        self.take(|asked| asked.until <= now)
    }

    fn take(&mut self, is_due: impl Fn(&Asked) -> bool) -> Vec<Asked> {
        self.asked.extract_if(.., |_, asked| is_due(asked)).map(|(_, asked)| asked).collect()
    }

    /// The members that are to be dialled for others.
    pub(crate) fn dialled(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.asked.values().filter(|asked| !asked.is_pinged).map(|asked| asked.node)
    }

    /// When a question ends.
    pub(crate) fn wakes(&self) -> Option<Duration> {
        let own = self.own.values().map(|probe| probe.until);
        own.chain(self.asked.values().map(|asked| asked.until)).min()
    }

    /// The own questions that nobody answered in time.
    pub(crate) fn unanswered(&mut self, now: Duration) -> Vec<NodeId> {
        self.own.extract_if(.., |_, probe| probe.until <= now).map(|(node, _)| node).collect()
    }
}
