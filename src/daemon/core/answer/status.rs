//! How this host and the others fare.

use std::time::Duration;

use murmurate_client::types::{
    Converged, Counters, ErrorCode, Lagging, Member, MemberCounts, MemberState, Members, NetworkCounters, Problem,
    Status, StoreHealth, V1,
};
use murmurate_crdt::id::{DocumentId, NodeId};
use murmurate_crdt::limits;
use murmurate_crdt::overlay::Composed;
use murmurate_net::Traffic;
use murmurate_protocol::{Member as Peer, MemberState as PeerState};

use crate::daemon::core::Core;
use crate::daemon::core::documents::SAME_VERSION;
use crate::daemon::core::view;
use crate::daemon::request::Pulse;

impl Core {
    pub(super) fn pulse(&self) -> Pulse {
        let MemberCounts { alive, total: hosts, .. } = self.member_counts();
        Pulse { alive, hosts, conflicts: self.conflict_count(), problem: self.store_problem.clone() }
    }

    pub(super) fn conflict_count(&self) -> u64 {
        self.conflicted.values().map(|count| *count as u64).sum()
    }

    pub(super) fn status(&self) -> Status {
        let converged = self.convergence();
        let uptime = self.environment.monotonic().saturating_sub(self.started);
        Status {
            v: V1,
            node: self.identity.name.clone(),
            roles: self.overlays.roles(),
            id: self.identity.node.to_string(),
            mesh: self.identity.mesh.to_string(),
            version: env!("CARGO_PKG_VERSION").into(),
            address: self.identity.address.clone(),
            started: murmurate_client::types::Time::from_ms(self.started_ms),
            uptime_ms: milliseconds(uptime),
            members: self.member_counts(),
            in_step: converged.converged,
            folders: self.folder_list().folders,
            held: self.held_files(),
            conflicts: self.conflict_count(),
            store: self.store_health(),
            problems: self.problems(),
        }
    }

    pub(super) fn counters(&self) -> Counters {
        let Traffic { sent_bytes, received_bytes, sent_datagrams, received_datagrams } = self.network.traffic();
        let network = NetworkCounters { sent_bytes, received_bytes, sent_datagrams, received_datagrams };
        Counters { v: V1, network }
    }

    pub(super) fn store_health(&self) -> StoreHealth {
        StoreHealth {
            healthy: self.store_problem.is_none(),
            problem: self.store_problem.clone(),
            documents: self.durable.len() as u64,
            changes: self.durable.values().map(murmurate_crdt::clock::VersionVector::changes).sum(),
            bytes: None,
        }
    }

    pub(in crate::daemon::core) fn problems(&self) -> Vec<Problem> {
        let problem = |code, what: String, why: String, try_: &str| Problem { code, what, why, try_: try_.into() };
        let frozen = self.documents.frozen().iter().map(|(document, why)| {
            problem(ErrorCode::Frozen, format!("{document} takes no changes"), why.clone(), repair(why))
        });
        let grown = self.durable.iter().filter(|(_, vector)| vector.changes() > limits::CHANGES_PER_DOCUMENT_ALARM);
        let grown = grown.map(|(document, vector)| {
            let why = format!("it has {} changes, and each is kept", vector.changes());
            problem(ErrorCode::Limit, format!("{document} has grown"), why, "write it less often")
        });
        let refused = self.refusals.iter().map(|(address, why)| {
            let try_ = "check that host's certificate, mesh and clock";
            problem(ErrorCode::Denied, format!("a connection with {address} was refused"), why.into(), try_)
        });
        let store = self.store_problem.iter().map(|why| {
            problem(
                ErrorCode::Store,
                "nothing is written".into(),
                why.clone(),
                "repair the disk, then start the daemon again",
            )
        });
        store
            .chain(self.own_revocation())
            .chain(frozen)
            .chain(grown)
            .chain(self.left_out())
            .chain(self.reload_problems())
            .chain(refused)
            .chain(self.mesh_problems())
            .chain(self.gossip_problems())
            .collect()
    }

    /// What overlays say and the files of this host can't show.
    fn left_out(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (name, folder) in &self.folders.kept {
            for (path, slot) in &folder.slots {
                let Some(effective) = &slot.base.rendered else { continue };
                let Ok(document) = DocumentId::new(&format!("{name}/{path}")) else { continue };
                for (overlay, left) in effective.composed().into_iter().flat_map(Composed::left_out) {
                    let key = view::plain_key(effective, overlay, &left.path);
                    let key = if key.is_empty() { key } else { format!("#{key}") };
                    let address =
                        document.with_overlay(overlay).map_or_else(|_| path.clone(), |id| format!("{id}{key}"));
                    problems.push(Problem {
                        code: ErrorCode::Overlay,
                        what: format!("{address} isn't shown in the file"),
                        why: left.why.clone(),
                        try_: format!("put another value there, or `murmurate del '{address}'`"),
                    });
                }
            }
        }
        problems
    }

    /// That this host is no member any more, if that has come here.
    fn own_revocation(&self) -> Option<Problem> {
        let revocation = self.engine.roster().revocation(self.identity.node)?;
        Some(Problem {
            code: ErrorCode::Denied,
            what: "this host was taken out of the mesh".into(),
            why: format!("it was revoked: {}", revocation.reason),
            try_: "what is edited here stays here; `murmurate leave`, then join anew with a ticket".into(),
        })
    }

    pub(in crate::daemon::core) fn node_name(&self, node: NodeId) -> String {
        self.engine.roster().name(node).map_or_else(|| node.to_string(), str::to_owned)
    }

    /// This host and its peers.
    pub(in crate::daemon::core) fn members(&self) -> Members {
        let mut members: Vec<Member> = self.peers().iter().map(|peer| self.member(peer)).collect();
        members.push(Member {
            name: self.identity.name.clone(),
            id: self.identity.node.to_string(),
            state: MemberState::Alive,
            address: self.identity.address.clone(),
            since: Some(murmurate_client::types::Time::from_ms(self.started_ms)),
            lag: 0,
            in_step: true,
            behind_since: None,
            through: Vec::new(),
            version: Some(env!("CARGO_PKG_VERSION").into()),
            zone: Some(self.identity.zone.clone()).filter(|zone| !zone.is_empty()),
            roles: self.overlays.roles(),
            heard_alive: None,
            flapping: false,
            clock_ahead_ms: None,
            is_self: true,
        });
        members.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Members { v: V1, members }
    }

    /// The other members. Who was revoked is none any more, and who is gone for long is forgotten, until it returns.
    pub(in crate::daemon::core) fn peers(&self) -> Vec<Peer> {
        let mut peers = self.known_peers();
        peers.retain(|peer| !self.is_forgotten(peer));
        peers
    }

    /// The same, with those that are gone for long.
    pub(in crate::daemon::core) fn known_peers(&self) -> Vec<Peer> {
        let mut peers = self.engine.members(self.environment.monotonic());
        peers.retain(|peer| !self.engine.roster().is_revoked(peer.node));
        peers
    }

    fn is_forgotten(&self, peer: &Peer) -> bool {
        let is_gone = matches!(peer.state, PeerState::Dead | PeerState::Left);
        is_gone && self.environment.monotonic().saturating_sub(peer.since) >= self.forget_after()
    }

    pub(in crate::daemon::core) fn member(&self, peer: &Peer) -> Member {
        Member {
            name: self.node_name(peer.node),
            id: peer.node.to_string(),
            state: state_of(peer.state),
            address: self.addresses.get(&peer.node).cloned().unwrap_or_default(),
            since: Some(self.time(peer.since)),
            lag: peer.lag_changes,
            in_step: peer.in_step,
            behind_since: peer.out_of_step_since.map(|since| self.time(since)),
            through: peer.through.iter().map(|node| self.node_name(*node)).collect(),
            version: self.version_of(peer.node),
            zone: self.gossip.said(peer.node, "zone").map(str::to_owned),
            roles: self.gossip.roles(peer.node),
            heard_alive: self.gossip.is_live(peer.node).filter(|_| !peer.connected),
            flapping: peer.is_flapping,
            clock_ahead_ms: peer.clock.map(|clock| clock.ahead_ms),
            is_self: false,
        }
    }

    pub(super) fn member_counts(&self) -> MemberCounts {
        let mut counts = MemberCounts { alive: 1, total: 1, in_step: 1, ..MemberCounts::default() };
        for peer in self.peers() {
            match peer.state {
                PeerState::Alive => counts.alive += 1,
                PeerState::Suspect => counts.suspect += 1,
                PeerState::Dead => counts.dead += 1,
                PeerState::Left => continue,
            }
            counts.total += 1;
            counts.in_step += u64::from(peer.state == PeerState::Alive && peer.in_step);
        }
        counts
    }

    /// Who keeps the mesh from having converged.
    pub(in crate::daemon::core) fn convergence(&self) -> Converged {
        let mut lagging: Vec<Lagging> = self.peers().iter().filter_map(|peer| self.lagging(peer)).collect();
        if let Some(why) = self.own_lag() {
            let host = self.identity.name.clone();
            lagging.push(Lagging { host, state: MemberState::Alive, lag: 0, why });
        }
        lagging.sort_by(|a, b| a.host.cmp(&b.host));
        Converged::of(lagging)
    }

    fn lagging(&self, peer: &Peer) -> Option<Lagging> {
        let why = match peer.state {
            PeerState::Left => return None,
            PeerState::Alive if peer.in_step => return None,
            PeerState::Alive => "it holds other changes than this host",
            PeerState::Suspect => "it doesn't answer",
            PeerState::Dead => "it is taken to be away",
        };
        let (host, state) = (self.node_name(peer.node), state_of(peer.state));
        Some(Lagging { host, state, lag: peer.lag_changes, why: why.into() })
    }

    /// Why this host itself isn't through yet.
    fn own_lag(&self) -> Option<String> {
        if !self.commits.is_idle() {
            return Some("changes are on their way to the disk".into());
        }
        let scanning = self.folders.kept.iter().find(|(_, folder)| !folder.scanned && !folder.stopped);
        if let Some((name, _)) = scanning {
            return Some(format!("the folder {name} is being scanned"));
        }
        let writing = self.behind().map(|document| format!("{document} is being written"));
        writing.or_else(|| (!self.dirty.is_empty()).then(|| "documents are being rendered".into()))
    }

    /// Tells those who wait for convergence, where it changed: whether it is so after each turn, who lags now and then.
    pub(in crate::daemon::core) fn publish_converged(&mut self) {
        let now = self.environment.monotonic();
        let is_converged = self.own_lag().is_none() && self.engine.is_converged(now);
        let was_converged = self.converged.borrow().converged;
        let is_detail_due = !is_converged && self.lagging_pace.take(now);
        if is_converged {
            self.lagging_pace.rest();
        }
        if is_converged == was_converged && !is_detail_due {
            return;
        }
        let converged = self.convergence();
        self.converged.send_if_modified(|present| {
            let differs = *present != converged;
            if differs {
                *present = converged;
            }
            differs
        });
    }
}

/// What helps a document that takes no changes. It can still be read, and all others go on.
fn repair(why: &str) -> &'static str {
    if why.contains(SAME_VERSION) {
        return "two hosts write as one: end the one whose data directory is a copy, remove that directory, and let it join as \
                a new host; then write what `murmurate get` prints of the document as a new document, and delete this one";
    }
    "update all hosts to one version and start this daemon again; if that doesn't help, write what `murmurate get` prints of \
     the document as a new document, and report the bug with `murmurate debug bundle`"
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(in crate::daemon::core) fn state_of(state: PeerState) -> MemberState {
    match state {
        PeerState::Alive => MemberState::Alive,
        PeerState::Suspect => MemberState::Suspect,
        PeerState::Dead => MemberState::Dead,
        PeerState::Left => MemberState::Left,
    }
}
