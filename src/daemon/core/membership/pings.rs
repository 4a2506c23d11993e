//! Pings: whether a member is there, asked by people.

use std::collections::BTreeMap;
use std::time::Duration;

use murmurate_client::types::{ApiError, ErrorCode, Member, Ping, PingOutcome, V1};
use murmurate_crdt::id::NodeId;
use murmurate_protocol::{Event, PINGS, Pinged, RequestId};

use super::super::Core;
use crate::daemon::request::Reply;

/// Pings that are under way. The engine ends each in time.
#[derive(Debug, Default)]
pub(super) struct Pings {
    last: u64,
    waiting: BTreeMap<RequestId, (NodeId, Reply<Ping>)>,
}

impl Core {
    pub(super) async fn ping(&mut self, text: &str, within: Duration, reply: Reply<Ping>) {
        let node = match self.find_node(text, "ping a host") {
            Ok(node) => node,
            Err(error) => return drop(reply.send(Err(error))),
        };
        if node == self.identity.node {
            let outcome = Pinged::Answered { round_trip: Duration::ZERO };
            return drop(reply.send(Ok(self.shown_ping(node, outcome))));
        }
        let pings = &mut self.membership.pings;
        pings.last += 1;
        let ping = RequestId(pings.last);
        pings.waiting.insert(ping, (node, reply));
        self.tell(Event::Ping { ping, node, within }).await;
    }

    /// Answers who pinged.
    pub(in crate::daemon::core) fn pinged(&mut self, ping: RequestId, outcome: Pinged) {
        let Some((node, reply)) = self.membership.pings.waiting.remove(&ping) else { return };
        let answer = match outcome {
            Pinged::TooMany => {
                let why = format!("{PINGS} pings are under way");
                Err(ApiError::new(ErrorCode::Busy, "ping a host", why, "try again in some seconds"))
            }
            outcome => Ok(self.shown_ping(node, outcome)),
        };
        drop(reply.send(answer));
    }

    fn shown_ping(&self, node: NodeId, outcome: Pinged) -> Ping {
        let Member { name, id, state, since, .. } = self.member_of(node);
        let path = self.network.paths().into_iter().find(|path| path.peer == node);
        let mut ping = Ping {
            v: V1,
            host: name,
            id,
            outcome: PingOutcome::Silent,
            round_trip_us: None,
            path_round_trip_us: path.map(|path| microseconds(path.round_trip)),
            through: None,
            asked: Vec::new(),
            state,
            since,
        };
        match outcome {
            Pinged::Answered { round_trip } => {
                ping.outcome = PingOutcome::Answered;
                ping.round_trip_us = Some(microseconds(round_trip));
            }
            Pinged::Reached { through, after } => {
                ping.outcome = PingOutcome::Reached;
                ping.round_trip_us = Some(microseconds(after));
                ping.through = Some(self.node_name(through));
            }
            Pinged::Unreached { asked } => {
                ping.outcome = PingOutcome::Unreached;
                ping.asked = asked.into_iter().map(|node| self.node_name(node)).collect();
            }
            Pinged::Silent | Pinged::TooMany => {}
        }
        ping
    }
}

fn microseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
