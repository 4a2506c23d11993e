//! Statements in a simulated world, and a node in a thief's hands: it goes on writing, with clocks set back, hides its
//! revocation from itself, and connects to whoever takes it.

use std::sync::Arc;

use murmurate_protocol::message::Message;
use murmurate_protocol::{Effect, Event, Fact, Signer, Statement};

use super::disk::RosterWrite;
use super::host::ISSUERS;
use super::network::pair;
use super::world::{Happening, World, ms};
use crate::common;

impl World {
    pub(super) fn plan_statements(&mut self) {
        for _ in 0..self.scenario.statements {
            let at = self.below(self.scenario.stormy_ms);
            self.plan(ms(at), Happening::State);
        }
        let Some(theft) = self.scenario.theft else { return };
        if theft.partition {
            self.plan(ms(theft.revoked_at_ms), Happening::Partition);
        }
        self.plan(ms(theft.revoked_at_ms), Happening::Revoke);
        for _ in 0..theft.writes {
            let at = self.below(self.scenario.stormy_ms + 5_000);
            self.plan(ms(at), Happening::WriteStolen);
            let around = self.below(3_000);
            self.plan(ms(theft.revoked_at_ms + around), Happening::WriteStolen);
        }
    }

    /// A host says where it is, or an issuer that a host has a certificate.
    pub(super) fn state(&mut self) {
        let number = self.any_host();
        let statement = if ISSUERS.contains(&number) && self.below(2) == 0 {
            let (node, not_after_ms) = (common::node(self.any_host()), self.below(1 << 40));
            common::issue(number, &Fact::Renew { node, not_after_ms, issued_ms: self.plans })
        } else {
            self.host(number).own_sequence += 1;
            common::own(number, self.host(number).own_sequence, false)
        };
        self.make(number, statement);
    }

    /// What is stated on this host is on its disk before anybody hears of it.
    fn make(&mut self, number: u8, statement: Statement) {
        if self.host(number).engine.is_some() {
            self.host(number).disk.write(RosterWrite::Put(statement.clone()));
            self.note_who_knows();
            self.tell(number, Event::Statement(statement));
        }
    }

    pub(super) fn write_stolen(&mut self) {
        if let Some(theft) = self.scenario.theft {
            self.write(theft.thief);
        }
    }

    /// Revokes the thief at a host that is up, unless that has happened.
    pub(super) fn revoke(&mut self) {
        let Some(theft) = self.scenario.theft else { return };
        let up = |&number: &u8| number != theft.thief && self.hosts[usize::from(number)].engine.is_some();
        let hosts: Vec<u8> = (0..self.scenario.hosts).filter(up).collect();
        if self.revocation.is_revoked || hosts.is_empty() {
            return;
        }
        self.revocation.is_revoked = true;
        let host = hosts[usize::try_from(self.below(hosts.len() as u64)).unwrap()];
        let fact = common::revoke(theft.thief);
        let statement = match self.below(3) {
            0 => common::issue(0, &fact),
            1 => Statement::new(common::MESH, Signer::Recovery(&common::recovery()), &fact).unwrap(),
            _ => common::state(&fact),
        };
        self.make(host, statement);
    }

    /// What of a frame a thief lets its own node see.
    pub(super) fn hide_revocation(&self, frame: Arc<[u8]>) -> Arc<[u8]> {
        let Ok(Some(Message::Statements { next, mut statements })) = Message::decode(&frame) else { return frame };
        let is_revocation = |bytes: &Arc<[u8]>| {
            let statement = Statement::decode(bytes.clone());
            statement.is_ok_and(|statement| matches!(statement.fact(), Some(Fact::Revoke { .. })))
        };
        statements.retain(|bytes| !is_revocation(bytes));
        Message::Statements { next, statements }.encode()
    }

    /// Closes a connection at once on this side.
    pub(super) fn disconnect(&mut self, host: u8, peer: u8) -> Option<Event> {
        let may_go = self.scenario.is_thief(peer) || self.scenario.hosts_choose_links();
        assert!(may_go, "host {host} sends {peer} away");
        let connection = self.network.alive(host, peer)?;
        connection.alive_at.remove(&host);
        let (connection, is_gone) = (connection.number, connection.alive_at.is_empty());
        if is_gone {
            self.network.connections.remove(&pair(host, peer));
            self.plan_in(100, 1_000, Happening::TryConnect { a: host, b: peer });
        } else {
            self.plan_in(0, 500, Happening::NoticeDown { host: peer, peer: host, connection });
        }
        Some(Event::PeerDisconnected { peer: common::node(peer) })
    }

    /// Notes since when every member knows, durably.
    pub(super) fn note_who_knows(&mut self) {
        let Some(theft) = self.scenario.theft else { return };
        let thief = common::node(theft.thief);
        let is_told =
            |statement: &Statement| matches!(statement.fact(), Some(Fact::Revoke { node, .. }) if *node == thief);
        let mut members = self.hosts.iter().filter(|host| host.number != theft.thief);
        if members.all(|host| host.disk.statements.values().any(is_told)) {
            self.revocation.all_know_since.get_or_insert(self.now);
        }
    }

    /// Watches what a member takes of the thief's.
    pub(super) fn watch_revocation(&mut self, number: u8, knew: bool, effects: &[Effect]) {
        let Some(theft) = self.scenario.theft.filter(|theft| theft.thief != number) else { return };
        let thief = common::node(theft.thief);
        let stolen = effects.iter().filter_map(|effect| match effect {
            Effect::Apply { envelope, .. } if envelope.author == thief => {
                Some((envelope.document.clone(), envelope.dot))
            }
            _ => None,
        });
        self.revocation.takes(number, knew, stolen);
        let host = &self.hosts[usize::from(number)];
        if host.engine.as_ref().is_some_and(|engine| engine.roster().is_revoked(thief)) {
            self.revocation.learns(number);
        }
    }
}
