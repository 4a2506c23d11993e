//! A few hosts without delays: their frames arrive at once, their disks are immediate.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use murmurate_crdt::clock::{Dot, VersionVector};
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::{DocumentId, NodeId};
use murmurate_protocol::message::Message;
use murmurate_protocol::{Config, Effect, Event};

use crate::common::{Node, config, document, node};

/// Hosts whose frames arrive at once and whose disks are immediate.
pub(crate) struct Mesh {
    pub(crate) hosts: Vec<Node>,
    stores: Vec<BTreeMap<DocumentId, Vec<SignedEnvelope>>>,
    /// Every frame so far: from, to, message.
    pub(crate) log: Vec<(u8, u8, Message)>,
    pub(crate) now_ms: u64,
    /// Hosts to which nothing comes, and from which nothing goes.
    pub(crate) deaf: BTreeSet<u8>,
    numbers: BTreeMap<NodeId, u8>,
}

impl Mesh {
    pub(crate) fn new(hosts: u8, links: &[(u8, u8)]) -> Self {
        Self::with(hosts, links, |_| {})
    }

    pub(crate) fn with(hosts: u8, links: &[(u8, u8)], configure: impl Fn(&mut Config)) -> Self {
        let host = |number| {
            let mut config = config(number);
            configure(&mut config);
            Node::with(config, hosts)
        };
        let mut mesh = Self {
            hosts: (0..hosts).map(host).collect(),
            stores: vec![BTreeMap::new(); hosts.into()],
            log: Vec::new(),
            now_ms: 0,
            deaf: BTreeSet::new(),
            numbers: (0..hosts).map(|number| (node(number), number)).collect(),
        };
        for &(a, b) in links {
            mesh.connect(a, b);
        }
        mesh.advance(1_000);
        mesh.log.clear();
        mesh
    }

    pub(crate) fn tell(&mut self, events: impl IntoIterator<Item = (u8, Event)>) {
        let mut events = VecDeque::from_iter(events);
        while let Some((number, event)) = events.pop_front() {
            for effect in self.hosts[usize::from(number)].handle(self.now_ms, event) {
                events.extend(self.carry_out(number, effect));
            }
        }
    }

    fn carry_out(&mut self, number: u8, effect: Effect) -> Option<(u8, Event)> {
        let store = &mut self.stores[usize::from(number)];
        match effect {
            Effect::Send { peer, frame, .. } => {
                let to = self.numbers[&peer];
                if self.deaf.contains(&number) || self.deaf.contains(&to) {
                    return None;
                }
                self.log.push((number, to, Message::decode(&frame).unwrap().unwrap()));
                Some((to, Event::Received { peer: node(number), frame }))
            }
            Effect::Apply { envelope, .. } => {
                let document = envelope.document.clone();
                store.entry(document.clone()).or_default().push(envelope);
                let vector = VersionVector::from_iter(store[&document].iter().map(|envelope| envelope.dot));
                Some((number, Event::Durable { document, vector }))
            }
            Effect::ReadChanges { request, wants, budget_bytes } => {
                let wanted = wants.iter().flat_map(|want| {
                    let held = store.get(&want.document).into_iter().flatten();
                    held.filter(|envelope| {
                        let Dot { writer, sequence } = envelope.dot;
                        want.ranges.iter().any(|r| r.writer == writer && (r.first..=r.last).contains(&sequence))
                    })
                });
                let mut bytes = 0;
                let within_budget = wanted.take_while(|envelope| {
                    let is_first = bytes == 0;
                    bytes += envelope.bytes().len();
                    is_first || bytes <= budget_bytes
                });
                let envelopes = within_budget.cloned().collect();
                Some((number, Event::ChangesRead { request, envelopes }))
            }
            Effect::Disconnect { peer, .. } => {
                let to = self.numbers[&peer];
                self.tell([(to, Event::PeerDisconnected { peer: node(number) })]);
                Some((number, Event::PeerDisconnected { peer }))
            }
            Effect::WakeAt(_) | Effect::Links { .. } | Effect::Stated { .. } | Effect::Superseded { .. } => None,
            other => panic!("host {number}: {other:?}"),
        }
    }

    pub(crate) fn advance(&mut self, by_ms: u64) {
        for _ in 0..by_ms / 10 {
            self.now_ms += 10;
            let ticks: Vec<_> = self.numbers.values().map(|&number| (number, Event::Tick)).collect();
            self.tell(ticks);
        }
    }

    pub(crate) fn write(&mut self, number: u8, envelopes: Vec<SignedEnvelope>) {
        for envelope in &envelopes {
            let store = &mut self.stores[usize::from(number)];
            store.entry(envelope.document.clone()).or_default().push(envelope.clone());
        }
        self.tell([(number, Event::Local { envelopes })]);
    }

    pub(crate) fn connect(&mut self, a: u8, b: u8) {
        self.tell([(a, Event::PeerConnected { peer: node(b) }), (b, Event::PeerConnected { peer: node(a) })]);
    }

    pub(crate) fn has_applied(&self, number: u8, name: &str, dot: Dot) -> bool {
        let applied = self.hosts[usize::from(number)].engine.applied(&document(name));
        applied.is_some_and(|applied| applied.includes(dot))
    }

    /// Tells each host of each other what needs no link.
    pub(crate) fn gossip(&mut self) {
        let engines = self.hosts.iter().map(|host| &host.engine);
        let told: Vec<_> = engines.map(|engine| (engine.generation(), engine.state_hash())).collect();
        for (about, (generation, state_hash)) in (0..).zip(told) {
            let heard = Event::Heard { node: node(about), generation, is_live: true, state_hash: Some(state_hash) };
            let others: Vec<u8> = self.numbers.values().copied().filter(|&number| number != about).collect();
            self.tell(others.into_iter().map(|number| (number, heard.clone())));
        }
    }

    /// Whether each host knows those that it has a link with to be in step.
    pub(crate) fn converged_among_linked(&self) -> bool {
        let now = Duration::from_millis(self.now_ms);
        self.hosts.iter().all(|host| host.engine.members(now).iter().all(|member| !member.connected || member.in_step))
    }

    pub(crate) fn converged(&self) -> bool {
        self.hosts.iter().all(|host| host.engine.converged(Duration::from_millis(self.now_ms)))
    }

    /// The links over which new changes went, each as often as they did.
    pub(crate) fn pushes(&self) -> Vec<(u8, u8)> {
        let pushes = self.log.iter().filter(|(_, _, message)| matches!(message, Message::Changes { request: 0, .. }));
        pushes.map(|&(from, to, _)| (from, to)).collect()
    }
}
