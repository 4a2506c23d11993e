//! What goes wrong: crashes, partitions, hosts cut off or deaf, broken connections; and the end of it.

use super::network::pair;
use super::world::{Happening, World};

impl World {
    /// One random fault.
    pub(super) fn fault(&mut self) {
        let kind = if self.scenario.all_stay { 4 } else { self.below(5) };
        match kind {
            0 => {
                let host = self.any_host();
                self.crash(host);
            }
            1 => self.partition(),
            2 => {
                let lonely = self.any_host();
                let around = self.cut(|a, b| a == lonely || b == lonely);
                self.block(around);
            }
            3 => {
                let deaf = self.any_host();
                let towards = self.cut(|_, to| to == deaf);
                self.block(towards);
            }
            _ => {
                let (a, b) = (self.any_host(), self.any_host());
                let number = self.network.connections.get(&pair(a, b)).map(|connection| connection.number);
                if let Some(connection) = number {
                    self.plan_in(0, 1, Happening::NoticeDown { host: a, peer: b, connection });
                }
            }
        }
    }

    /// Cuts the mesh in two.
    pub(super) fn partition(&mut self) {
        let split = 1 + self.any_host();
        let between = self.cut(|a, b| (a < split) != (b < split));
        self.block(between);
    }

    /// The directed pairs for which `is_cut` holds.
    fn cut(&self, is_cut: impl Fn(u8, u8) -> bool) -> Vec<(u8, u8)> {
        let hosts = self.scenario.hosts;
        let pairs = (0..hosts).flat_map(|a| (0..hosts).map(move |b| (a, b)));
        pairs.filter(|&(a, b)| a != b && is_cut(a, b)).collect()
    }

    /// Nothing passes these ways for a while. A connection may live through it: its frames stall.
    fn block(&mut self, pairs: Vec<(u8, u8)>) {
        for &(a, b) in &pairs {
            self.network.blocked.insert((a, b));
            let number = self.network.connections.get(&pair(a, b)).map(|connection| connection.number);
            if let (Some(connection), false) = (number, self.scenario.harsh) {
                self.plan_in(500, 3_000, Happening::NoticeDown { host: a, peer: b, connection });
            }
        }
        self.plan_in(200, 10_000, Happening::Unblock { pairs });
    }

    pub(super) fn unblock(&mut self, pairs: &[(u8, u8)]) {
        for &(from, to) in pairs {
            self.network.blocked.remove(&(from, to));
            let Some(connection) = self.network.connections.get_mut(&pair(from, to)) else { continue };
            let stalled = std::mem::take(&mut connection.directions.get_mut(&(from, to)).unwrap().stalled);
            stalled.into_iter().for_each(|(class, frame)| self.put_on_wire(from, to, class, frame));
        }
    }

    fn crash(&mut self, number: u8) {
        if self.host(number).engine.is_none() {
            return;
        }
        self.host(number).crash();
        self.note_saved(number);
        for peer in 0..self.scenario.hosts {
            let Some(connection) = self.network.alive(number, peer) else { continue };
            connection.alive_at.remove(&number);
            let (connection, is_gone) = (connection.number, connection.alive_at.is_empty());
            if is_gone {
                self.network.connections.remove(&pair(number, peer));
                self.plan_in(100, 1_000, Happening::TryConnect { a: number, b: peer });
            }
            self.plan_in(50, 2_000, Happening::NoticeDown { host: peer, peer: number, connection });
        }
        self.plan_in(10, 5_000, Happening::Restart { host: number });
    }

    /// A write whose commit survived the crash is one that happened.
    fn note_saved(&mut self, number: u8) {
        let disk = &self.hosts[usize::from(number)].disk;
        for (name, written) in &mut self.history {
            written.durable |= disk.vectors.get(&name.0).is_some_and(|vector| vector.includes(name.1))
                && disk.get(&name.0, name.1).is_some_and(|envelope| envelope.change == written.change);
        }
    }

    pub(super) fn restart(&mut self, number: u8) {
        if self.host(number).engine.is_some() {
            return;
        }
        let (now, scenario) = (self.now, self.scenario.clone());
        for event in self.host(number).start(now, &scenario) {
            self.tell(number, event);
        }
    }

    /// Ends all faults.
    pub(super) fn heal(&mut self) {
        self.healed = true;
        let blocked: Vec<(u8, u8)> = self.network.blocked.iter().copied().collect();
        self.unblock(&blocked);
        for host in 0..self.scenario.hosts {
            self.restart(host);
        }
        self.revoke();
    }
}
