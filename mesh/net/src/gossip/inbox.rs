//! Frames that came, until chitchat takes them: bounded for each peer and in all, the oldest goes first. Gossip repeats
//! itself, so that a lost frame costs a round.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use murmurate_crdt::id::NodeId;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::limits;

/// How a peer used its share.
#[derive(Debug)]
struct Share {
    waiting: usize,
    /// When the second began that is counted now, and the frames in it.
    since: Instant,
    count: usize,
}

impl Share {
    fn new(now: Instant) -> Self {
        Self { waiting: 0, since: now, count: 0 }
    }

    /// Counts a frame; says whether the peer may send one now.
    fn takes(&mut self, now: Instant) -> bool {
        if now.duration_since(self.since) >= Duration::from_secs(1) {
            (self.since, self.count) = (now, 0);
        }
        self.count += 1;
        self.count <= limits::GOSSIP_FRAMES_PER_SECOND
    }
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<(NodeId, Bytes)>,
    bytes: usize,
    shares: BTreeMap<NodeId, Share>,
    dropped: u64,
}

impl Waiting {
    fn remove(&mut self, index: usize) -> Option<(NodeId, Bytes)> {
        let (peer, frame) = self.frames.remove(index)?;
        self.bytes -= frame.len();
        if let Some(share) = self.shares.get_mut(&peer) {
            share.waiting -= 1;
        }
        Some((peer, frame))
    }

    fn drop_oldest(&mut self, of: Option<NodeId>) {
        let index = self.frames.iter().position(|(peer, _)| of.is_none_or(|of| of == *peer));
        if index.and_then(|index| self.remove(index)).is_some() {
            self.dropped += 1;
        }
    }

    /// Forgets peers that sent nothing lately.
    fn forget_quiet(&mut self, now: Instant) {
        if self.shares.len() > limits::CONNECTIONS {
            let second = Duration::from_secs(1);
            self.shares.retain(|_, share| share.waiting > 0 || now.duration_since(share.since) < second);
        }
    }
}

/// The frames that wait.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    waiting: Mutex<Waiting>,
    arrived: Notify,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a frame; never waits.
    pub(super) fn push(&self, peer: NodeId, frame: Bytes, now: Instant) {
        let mut waiting = self.lock();
        waiting.forget_quiet(now);
        let share = waiting.shares.entry(peer).or_insert_with(|| Share::new(now));
        if !share.takes(now) {
            waiting.dropped += 1;
            return;
        }
        share.waiting += 1;
        let is_over = share.waiting > limits::GOSSIP_INBOX_FRAMES;
        waiting.bytes += frame.len();
        waiting.frames.push_back((peer, frame));
        if is_over {
            waiting.drop_oldest(Some(peer));
        }
        while waiting.bytes > limits::GOSSIP_INBOX_BYTES {
            waiting.drop_oldest(None);
        }
        drop(waiting);
        self.arrived.notify_one();
    }

    /// Waits until there is a frame. For one task. Cancel safe.
    pub(super) async fn ready(&self) {
        loop {
            let arrived = self.arrived.notified();
            if !self.lock().frames.is_empty() {
                return;
            }
            arrived.await;
        }
    }

    /// The oldest frame.
    pub(super) fn pop(&self) -> Option<(NodeId, Bytes)> {
        self.lock().remove(0)
    }

    /// Drops all that waits.
    pub(super) fn clear(&self) {
        let mut waiting = self.lock();
        while waiting.remove(0).is_some() {}
    }

    /// How many frames were dropped because there was no room.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    /// How many frames wait, and how many bytes.
    pub(super) fn held(&self) -> (usize, usize) {
        let waiting = self.lock();
        (waiting.frames.len(), waiting.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: u8) -> NodeId {
        NodeId([number; 32])
    }

    #[tokio::test(start_paused = true)]
    async fn each_peer_has_its_share_and_the_oldest_frames_go() {
        let inbox = Inbox::default();
        let now = Instant::now();
        for number in 0..10_u8 {
            inbox.push(peer(1), vec![number].into(), now);
        }
        inbox.push(peer(2), vec![99].into(), now);
        inbox.ready().await;
        let taken: Vec<u8> = std::iter::from_fn(|| inbox.pop()).map(|(_, frame)| frame[0]).collect();
        assert_eq!(taken, [6, 7, 8, 9, 99]);
        assert_eq!(inbox.dropped(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_floods_is_heard_so_often_a_second() {
        let inbox = Inbox::default();
        let mut heard = 0;
        for _ in 0..2 {
            let now = Instant::now();
            for _ in 0..1_000 {
                inbox.push(peer(1), Bytes::from_static(b"x"), now);
                heard += usize::from(inbox.pop().is_some());
            }
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(heard, 2 * limits::GOSSIP_FRAMES_PER_SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_is_bounded_whoever_sends() {
        let inbox = Inbox::default();
        let frame = Bytes::from(vec![0; limits::GOSSIP_FRAME_BYTES]);
        for number in 0..2_000_u32 {
            let mut id = [0; 32];
            id[..4].copy_from_slice(&number.to_le_bytes());
            inbox.push(NodeId(id), frame.clone(), Instant::now());
            assert!(inbox.held().1 <= limits::GOSSIP_INBOX_BYTES);
        }
        inbox.clear();
        assert_eq!(inbox.held(), (0, 0));
        tokio::time::advance(Duration::from_secs(2)).await;
        inbox.push(peer(1), frame, Instant::now());
        assert_eq!(inbox.lock().shares.len(), 1);
    }
}
