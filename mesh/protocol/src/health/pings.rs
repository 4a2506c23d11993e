//! Pings: a person wants to know whether a member is there and how far away; and each link is measured, its round trip and
//! the peer's clock by one ping.

use std::collections::BTreeMap;
use std::time::Duration;

use murmurate_crdt::id::NodeId;

use super::PROBE_WITHIN;
use crate::context::Context;
use crate::effect::{Class, Effect};
use crate::engine::Engine;
use crate::event::RequestId;
use crate::message::Message;

/// Pings of people at one time: a script that pings all hosts of a large mesh at once waits in turns.
pub const PINGS: usize = 64;
/// How often a link is measured: a clock's jump shows within this time, and it costs some 5 bytes a second for each link.
pub const MEASURE_AGAIN: Duration = Duration::from_secs(30);

/// What came of a ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pinged {
    /// The member answered over its link.
    Answered {
        /// From the question to the answer, the time that both hosts took included.
        round_trip: Duration,
    },
    /// There is a link, and no answer came in time.
    Silent,
    /// There is no link; a peer reaches the member.
    Reached {
        /// The peer.
        through: NodeId,
        /// From the question to the peer's answer.
        after: Duration,
    },
    /// There is no link, and none of these peers, which may be nobody, said in time that it reaches the member.
    Unreached {
        /// The peers that were asked.
        asked: Vec<NodeId>,
    },
    /// [`PINGS`] others are under way.
    TooMany,
}

/// How a peer's wall clock differs from this host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockDifference {
    /// By so much it is ahead; negative, if it is behind.
    pub ahead_ms: i64,
    /// Give or take this: half of the round trip in which it was measured.
    pub within_ms: u64,
}

/// A ping that is under way.
#[derive(Debug)]
struct Ping {
    id: RequestId,
    sent: Duration,
    until: Duration,
    node: NodeId,
    /// Whether there is a link with it; else peers are asked.
    is_linked: bool,
    asked: Vec<NodeId>,
    waiting: usize,
}

/// All pings of people, by the number of the message; and what this host's wall clock says.
#[derive(Debug, Default)]
pub(crate) struct Pings {
    pings: BTreeMap<u64, Ping>,
    /// The wall clock's time, and when that was.
    wall: Option<(u64, Duration)>,
}

impl Pings {
    pub(crate) fn set_wall(&mut self, now: Duration, wall_ms: u64) {
        self.wall = Some((wall_ms, now));
    }

    /// What the wall clock says now; 0 if it wasn't told.
    fn wall_ms(&self, now: Duration) -> u64 {
        self.wall.map_or(0, |(wall_ms, at)| wall_ms.saturating_add(milliseconds(now.saturating_sub(at))))
    }

    pub(crate) fn wakes(&self) -> Option<Duration> {
        self.pings.values().map(|ping| ping.until).min()
    }
}

impl Engine {
    /// Pings a member over its link; where there is none, asks peers for it.
    pub(crate) fn ping(&mut self, ctx: &mut Context<'_>, id: RequestId, node: NodeId, within: Duration) {
        if self.health.pings.pings.len() >= PINGS {
            return ctx.effect(Effect::Pinged { ping: id, outcome: Pinged::TooMany });
        }
        let request = self.new_request();
        let ping =
            Ping { id, sent: ctx.now, until: ctx.now + within, node, is_linked: true, asked: Vec::new(), waiting: 0 };
        if self.peers.session(node).is_some() {
            self.health.pings.pings.insert(request, ping);
            return ctx.send(node, Class::Control, &Message::Ping { request });
        }
        let asked = self.probers(ctx, node);
        if asked.is_empty() {
            return ctx.effect(Effect::Pinged { ping: id, outcome: Pinged::Unreached { asked } });
        }
        for &peer in &asked {
            ctx.send(peer, Class::Control, &Message::Probe { request, node });
        }
        let until = ctx.now + within.min(PROBE_WITHIN);
        self.health.pings.pings.insert(request, Ping { until, is_linked: false, waiting: asked.len(), asked, ..ping });
    }

    /// An answer to a ping of a person's, or to one that measures the link.
    pub(crate) fn ponged(&mut self, ctx: &mut Context<'_>, peer: NodeId, request: u64, wall_ms: u64) {
        if self.peers.session(peer).is_none() {
            return;
        }
        if let Some(round_trip) = self.peers.measured(peer, request, ctx.now) {
            self.compare_clock(ctx, peer, wall_ms, round_trip);
        }
        let pings = &mut self.health.pings.pings;
        if let Some(ping) = pings.get(&request).filter(|ping| ping.is_linked && ping.node == peer) {
            let (id, round_trip) = (ping.id, ctx.now.saturating_sub(ping.sent));
            pings.remove(&request);
            ctx.effect(Effect::Pinged { ping: id, outcome: Pinged::Answered { round_trip } });
        }
    }

    /// A peer's answer about a member that a person pinged.
    pub(crate) fn pinged_through(&mut self, ctx: &mut Context<'_>, peer: NodeId, request: u64, is_reached: bool) {
        let pings = &mut self.health.pings.pings;
        let Some(ping) = pings.get_mut(&request).filter(|ping| ping.asked.contains(&peer)) else { return };
        ping.waiting = ping.waiting.saturating_sub(1);
        if !is_reached && ping.waiting > 0 {
            return;
        }
        let Some(ping) = pings.remove(&request) else { return };
        let after = ctx.now.saturating_sub(ping.sent);
        let outcome = match is_reached {
            true => Pinged::Reached { through: peer, after },
            false => Pinged::Unreached { asked: ping.asked },
        };
        ctx.effect(Effect::Pinged { ping: ping.id, outcome });
    }

    /// Ends the pings whose time is over.
    pub(crate) fn end_pings(&mut self, ctx: &mut Context<'_>) {
        let now = ctx.now;
        let due = self.health.pings.pings.extract_if(.., |_, ping| ping.until <= now);
        for (_, ping) in due {
            let outcome = if ping.is_linked { Pinged::Silent } else { Pinged::Unreached { asked: ping.asked } };
            ctx.effect(Effect::Pinged { ping: ping.id, outcome });
        }
    }

    /// Answers a ping, with what the wall clock says.
    pub(crate) fn answer_ping(&self, ctx: &mut Context<'_>, peer: NodeId, request: u64) {
        let wall_ms = self.health.pings.wall_ms(ctx.now);
        ctx.send(peer, Class::Control, &Message::Pong { request, wall_ms });
    }

    /// Measures the links for which that is due again.
    pub(crate) fn measure_links(&mut self, ctx: &mut Context<'_>) {
        let sessions = self.peers.sessions().filter(|(_, session)| session.speaks_trees());
        let due = sessions.filter(|(_, session)| session.measured_at.is_none_or(|at| at + MEASURE_AGAIN <= ctx.now));
        for peer in due.map(|(peer, _)| peer).collect::<Vec<_>>() {
            self.measure(ctx, peer);
        }
    }

    /// Measures how long a question and its answer take on a link, and how the peer's clock differs.
    pub(super) fn measure(&mut self, ctx: &mut Context<'_>, peer: NodeId) {
        let request = self.new_request();
        if let Some(session) = self.peers.session_mut(peer) {
            session.measuring = Some((request, ctx.now));
            session.measured_at = Some(ctx.now);
            ctx.send(peer, Class::Control, &Message::Ping { request });
        }
    }

    /// Compares a peer's clock, if it and this host's own are told.
    fn compare_clock(&mut self, ctx: &Context<'_>, peer: NodeId, wall_ms: u64, round_trip: Duration) {
        let own_ms = self.health.pings.wall_ms(ctx.now);
        if let Some(session) = self.peers.session_mut(peer).filter(|_| wall_ms > 0 && own_ms > 0) {
            session.clock = Some(difference(wall_ms, own_ms, milliseconds(round_trip)));
        }
    }
}

/// The peer's clock was read half a round trip ago, give or take half of one (Cristian, 1989).
fn difference(wall_ms: u64, own_ms: u64, round_trip_ms: u64) -> ClockDifference {
    let within_ms = round_trip_ms.div_ceil(2);
    let there_ms = wall_ms.saturating_add(within_ms);
    let apart_ms = i64::try_from(there_ms.abs_diff(own_ms)).unwrap_or(i64::MAX);
    ClockDifference { ahead_ms: if there_ms < own_ms { -apart_ms } else { apart_ms }, within_ms }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_as_exact_as_the_round_trip_is_short() {
        let of = |wall_ms, own_ms, round_trip_ms| {
            let ClockDifference { ahead_ms, within_ms } = difference(wall_ms, own_ms, round_trip_ms);
            (ahead_ms, within_ms)
        };
        assert_eq!(of(10_000, 10_001, 2), (0, 1));
        assert_eq!(of(70_000, 10_000, 0), (60_000, 0));
        assert_eq!(of(10_000, 14_000, 4_000), (-2_000, 2_000));
        assert_eq!(of(u64::MAX, 1, 3), (i64::MAX, 2));
    }
}
