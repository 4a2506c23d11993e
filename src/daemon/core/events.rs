//! What people are told of the mesh: changes of members, conflicts, held files, failed checks, problems.
//!
//! Members are compared with what was told of them after each turn; what only `status` knows, now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use murmurate_client::types::{
    EventKind, MemberState, MeshEvent, MeshEventKind, Problem, Time, Transition as ShownTransition,
};
use murmurate_crdt::conflict::Conflict;
use murmurate_crdt::id::{DocumentId, NodeId};
use murmurate_protocol::{Event, Fact, Statement, Transition};
use tokio::sync::watch;

use super::Core;
use super::answer::state_of;
use super::pace::Pace;
use crate::daemon::event_log::EventLog;

/// How often problems are compared with those that were told, and the wall clock is looked at: soon enough for people, and
/// too seldom to cost anything. Nothing is woken for it: the engine does so about as often.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// How often all members are compared at the most: in a large mesh that starts they would be after each of thousands of
/// turns.
pub(super) const LOOK_PACE: Duration = Duration::from_millis(50);
/// What was stated longer ago is no news: a host that joins hears of all others.
const NEWS_MS: u64 = 600_000;
/// Problems that are compared; `status` names them all.
const PROBLEMS: usize = 256;
/// New problems that are told at once: who makes many, like one that knocks from many ports, drives nothing else out.
const NEW_PROBLEMS: usize = 8;
/// Keys in conflict that one event names.
const NAMED_KEYS: usize = 5;

/// What was told of a member last.
#[derive(Debug, Clone, Copy)]
struct Told {
    number: u64,
    state: MemberState,
}

const NOT_HEARD_OF: Told = Told { number: 0, state: MemberState::Unknown };

/// The core's part about events.
pub(super) struct Events {
    log: watch::Sender<EventLog>,
    told: BTreeMap<NodeId, Told>,
    held: BTreeSet<DocumentId>,
    problems: BTreeSet<String>,
    members_pace: Pace,
    look_at: Duration,
}

impl Events {
    pub(super) fn new(log: watch::Sender<EventLog>, run: u64) -> Self {
        log.send_modify(|log| log.begin(run));
        let (told, held, problems) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Self { log, told, held, problems, members_pace: Pace::new(LOOK_PACE), look_at: Duration::ZERO }
    }

    /// When members are to be compared that had to wait.
    pub(super) fn wakes(&self) -> Option<Duration> {
        self.members_pace.wakes()
    }
}

impl Core {
    pub(super) fn tell_event(&self, event: MeshEvent) {
        self.events.log.send_modify(|log| log.push(event));
    }

    fn event_now(&self, kind: MeshEventKind, text: impl Into<String>) -> MeshEvent {
        MeshEvent::new(kind, Time::from_ms(self.environment.wall_ms()), text)
    }

    fn tell_of_host(&self, kind: MeshEventKind, node: NodeId, text: String) {
        let (host, id) = (Some(self.node_name(node)), Some(node.to_string()));
        self.tell_event(MeshEvent { host, id, ..self.event_now(kind, text) });
    }

    fn tell_of_document(&self, kind: MeshEventKind, document: &DocumentId, text: String) {
        let doc = Some(document.to_string());
        self.tell_event(MeshEvent { doc, ..self.event_now(kind, text) });
    }

    pub(super) fn tell_of_start(&self) {
        let name = &self.identity.name;
        let text = format!("the daemon of {name} started, version {}", env!("CARGO_PKG_VERSION"));
        let (host, id) = (Some(name.clone()), Some(self.identity.node.to_string()));
        self.tell_event(MeshEvent { host, id, ..self.event_now(MeshEventKind::Started, text) });
    }

    /// Tells what changed in a turn.
    pub(super) async fn tell_events(&mut self) {
        let now = self.environment.monotonic();
        if self.events.members_pace.take(now) {
            self.tell_of_members();
        }
        self.tell_of_released();
        if now >= self.events.look_at {
            self.events.look_at = now + LOOK_INTERVAL;
            self.tell_of_problems();
            self.tell_wall_clock().await;
        }
    }

    /// Lets the engine know what the clock says.
    pub(super) async fn tell_wall_clock(&mut self) {
        let now_ms = self.environment.wall_ms();
        self.tell(Event::WallClock { now_ms }).await;
    }

    fn tell_of_members(&mut self) {
        let roster = self.engine.roster();
        let states: Vec<_> = self.engine.states(self.environment.monotonic()).collect();
        // Of whom the admission hasn't come yet, not even the name is known.
        let is_member = |node| roster.is_admitted(node) && !roster.is_revoked(node);
        let states: Vec<_> = states.into_iter().filter(|(node, _)| is_member(*node)).collect();
        if self.events.told.len() > states.len() {
            let members: BTreeSet<NodeId> = states.iter().map(|(node, _)| *node).collect();
            self.events.told.retain(|node, _| members.contains(node));
        }
        for (node, state) in states {
            let told = self.events.told.get(&node).copied().unwrap_or(NOT_HEARD_OF);
            let now = self.tell_of_member(node, told, state_of(state));
            if (now.number, now.state) != (told.number, told.state) {
                self.events.told.insert(node, now);
            }
        }
    }

    /// Tells what wasn't told of a member yet, and gives what was told last then.
    fn tell_of_member(&self, node: NodeId, mut told: Told, state: MemberState) -> Told {
        let known = told.number;
        for transition in self.engine.history(node).filter(|transition| transition.number > known) {
            let shown = self.shown_transition(transition, told.state);
            told = Told { number: transition.number, state: shown.to };
            if Some(shown.to) != shown.from {
                self.tell_of_transition(node, shown);
            }
        }
        // What follows from the time alone, or from the roster. That a member wasn't heard of yet is nothing to tell.
        let is_awaited = told.state == MemberState::Unknown && state == MemberState::Suspect;
        if told.state != state && !is_awaited {
            let time = Time::from_ms(self.environment.wall_ms());
            let from = Some(told.state).filter(|from| *from != MemberState::Unknown);
            self.tell_of_transition(node, ShownTransition { time, from, to: state, by: None });
            told.state = state;
        }
        told
    }

    fn shown_transition(&self, transition: &Transition, from: MemberState) -> ShownTransition {
        ShownTransition {
            time: self.time(transition.at),
            from: Some(from).filter(|from| *from != MemberState::Unknown),
            to: state_of(transition.state),
            by: Some(self.node_name(transition.by)),
        }
    }

    fn tell_of_transition(&self, node: NodeId, transition: ShownTransition) {
        let ShownTransition { time, from, to, by } = transition;
        let host = self.node_name(node);
        let text = match from {
            Some(from) => format!("{host} was {from} and is {to}"),
            None => format!("{host} is {to}"),
        };
        let (host, id) = (Some(host), Some(node.to_string()));
        let event = MeshEvent::new(MeshEventKind::Member, time, text);
        self.tell_event(MeshEvent { host, id, from, to: Some(to), by, ..event });
    }

    /// The latest changes of a member's state, the last one last.
    pub(super) fn member_history(&self, node: NodeId) -> Vec<ShownTransition> {
        let mut before = MemberState::Unknown;
        let shown = self.engine.history(node).map(|transition| {
            let shown = self.shown_transition(transition, before);
            before = shown.to;
            shown
        });
        shown.collect()
    }

    /// Tells of a statement that is new here, and that isn't old.
    pub(super) fn tell_of_statement(&self, statement: &Statement) {
        let (kind, node, issued_ms, text) = match statement.fact() {
            Some(Fact::Admit { name, issued_ms, key }) => {
                let node = NodeId::of_public_key(key.as_bytes());
                (MeshEventKind::Joined, node, issued_ms, format!("{name} joined the mesh"))
            }
            Some(Fact::Revoke { node, reason, issued_ms }) => {
                let text = format!("{} was taken out of the mesh: {reason}", self.node_name(*node));
                (MeshEventKind::Revoked, *node, issued_ms, text)
            }
            Some(Fact::Issuer { node, issued_ms, .. }) => {
                let text = format!("{} may issue certificates and tickets", self.node_name(*node));
                (MeshEventKind::Issuer, *node, issued_ms, text)
            }
            _ => return,
        };
        if issued_ms.saturating_add(NEWS_MS) >= self.environment.wall_ms() {
            self.tell_of_host(kind, node, text);
        }
    }

    /// Tells that a document has other conflicts than before.
    pub(super) fn tell_of_conflicts(&self, document: &DocumentId, before: usize, conflicts: &[Conflict]) {
        let count = conflicts.len();
        let mut keys: Vec<String> = conflicts.iter().take(NAMED_KEYS).map(|found| found.path.to_string()).collect();
        if count > NAMED_KEYS {
            keys.push(format!("and {} more", count - NAMED_KEYS));
        }
        let (kind, text) = match count {
            0 => (MeshEventKind::Resolved, "no conflict is left".to_owned()),
            _ if count < before => (MeshEventKind::Resolved, format!("{count} of {before} conflicts are left")),
            _ => (MeshEventKind::Conflict, format!("{count} open: {}", keys.join(", "))),
        };
        self.tell_of_document(kind, document, text);
    }

    /// Tells that an edit is held.
    pub(super) fn tell_of_held(&mut self, document: &DocumentId, why: &str) {
        self.events.held.insert(document.clone());
        self.tell_of_document(MeshEventKind::Held, document, format!("its edit is held: {why}"));
    }

    fn tell_of_released(&mut self) {
        let mut held = std::mem::take(&mut self.events.held);
        let slot = |document: &DocumentId| self.folders.kept.get(document.folder())?.slots.get(document.path());
        let is_held = |document: &DocumentId| slot(document).is_some_and(|slot| slot.held.is_some());
        let released: Vec<DocumentId> = held.iter().filter(|document| !is_held(document)).cloned().collect();
        for document in released {
            held.remove(&document);
            self.tell_of_document(MeshEventKind::Released, &document, "no edit of it is held any more".to_owned());
        }
        self.events.held = held;
    }

    /// Tells of a check or reload.
    pub(super) fn tell_of_check_event(&self, document: &DocumentId, kind: EventKind, why: &str) {
        let (kind, text) = match kind {
            EventKind::CheckFailed => (MeshEventKind::CheckFailed, format!("a check failed: {why}")),
            EventKind::ReloadFailed => (MeshEventKind::ReloadFailed, format!("a reload failed: {why}")),
            _ => (MeshEventKind::Recovered, "its check or reload is good again".to_owned()),
        };
        self.tell_of_document(kind, document, text);
    }

    fn tell_of_problems(&mut self) {
        let problems: BTreeMap<String, Problem> =
            self.problems().into_iter().take(PROBLEMS).map(|problem| (problem.what.clone(), problem)).collect();
        let mut told = std::mem::take(&mut self.events.problems);
        for what in told.extract_if(.., |what| !problems.contains_key(what)) {
            self.tell_event(self.event_now(MeshEventKind::Solved, what));
        }
        let new: Vec<_> = problems.into_iter().filter(|(what, _)| !told.contains(what)).take(NEW_PROBLEMS).collect();
        for (what, problem) in new {
            let text = format!("{what} [{}]: {}", problem.code, problem.why);
            self.tell_event(self.event_now(MeshEventKind::Problem, text));
            told.insert(what);
        }
        self.events.problems = told;
    }
}
