//! Frames that wait to be sent to one peer: a bounded queue per class. A slow peer loses frames, and is served by
//! anti-entropy later; it slows nobody.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, watch};

use crate::class::Class;
use crate::limits::{GOSSIP_QUEUE_FRAMES, SEND_QUEUE_BYTES, SEND_QUEUE_FRAMES, WRITE_BYTES};
use crate::meter::{Depth, Meter};

/// What became of a frame that was to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendOutcome {
    /// It waits for its turn; it arrives unless the connection is lost.
    Queued,
    /// Dropped: too much waits for this peer already. `SendQueueFull` is told once.
    QueueFull,
    /// Dropped: there is no connection.
    NotConnected,
    /// Dropped: no host would take a frame of this size.
    TooLarge,
}

#[derive(Debug, Default)]
struct Waiting {
    frames: VecDeque<Bytes>,
    bytes: usize,
    /// Set at the first dropped frame, cleared when half of the queue is free.
    is_full: bool,
    /// Nothing more may be queued; the writer ends when the rest is sent.
    is_finished: bool,
}

impl Waiting {
    fn has_room(&self, bytes: usize) -> bool {
        self.frames.is_empty() || (self.frames.len() < SEND_QUEUE_FRAMES && self.bytes + bytes <= SEND_QUEUE_BYTES)
    }
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queues of one connection.
#[derive(Debug, Default)]
pub(crate) struct SendQueues {
    queues: [Queue; Class::ALL.len()],
    overflowed: AtomicBool,
    overflow: Notify,
    writers_ended: watch::Sender<usize>,
    meter: Arc<Meter>,
}

impl SendQueues {
    pub(crate) fn new(meter: Arc<Meter>) -> Self {
        Self { meter, ..Self::default() }
    }

    fn queue(&self, class: Class) -> &Queue {
        &self.queues[usize::from(class.number())]
    }

    /// Queues a frame or drops it; never waits.
    pub(crate) fn push(&self, class: Class, frame: Bytes) -> SendOutcome {
        let meter = self.meter.of(class);
        if frame.len() > class.frame_bytes() {
            meter.dropped_too_large.one();
            return SendOutcome::TooLarge;
        }
        let queue = self.queue(class);
        let mut waiting = queue.lock();
        if waiting.is_finished {
            meter.dropped_unconnected.one();
            return SendOutcome::NotConnected;
        }
        if class == Class::Gossip && waiting.frames.len() >= GOSSIP_QUEUE_FRAMES {
            let oldest = waiting.frames.pop_front();
            waiting.bytes -= oldest.map_or(0, |frame| frame.len());
            meter.dropped_replaced.one();
        }
        if !waiting.has_room(frame.len()) {
            if !std::mem::replace(&mut waiting.is_full, true) {
                self.overflowed.store(true, Ordering::Release);
                self.overflow.notify_one();
            }
            meter.dropped_full.one();
            return SendOutcome::QueueFull;
        }
        waiting.bytes += frame.len();
        waiting.frames.push_back(frame);
        drop(waiting);
        queue.changed.notify_one();
        SendOutcome::Queued
    }

    /// Waits until a queue overflowed since the last call.
    pub(super) async fn overflowed(&self) {
        while !self.overflowed.swap(false, Ordering::Acquire) {
            self.overflow.notified().await;
        }
    }

    /// Waits for frames of this class and takes some, about [`WRITE_BYTES`]; `None` when no more will come. For one writer
    /// per class.
    pub(super) async fn take(&self, class: Class) -> Option<Vec<Bytes>> {
        let queue = self.queue(class);
        loop {
            let changed = queue.changed.notified();
            {
                let mut waiting = queue.lock();
                if !waiting.frames.is_empty() {
                    let (frames, bytes) = take_some(&mut waiting);
                    self.meter.sent(class, frames.len(), bytes);
                    return Some(frames);
                }
                if waiting.is_finished {
                    return None;
                }
            }
            changed.await;
        }
    }

    /// How many frames of a class wait, and how many bytes.
    pub(crate) fn depths(&self, class: Class) -> (Depth, Depth) {
        let most = if class == Class::Gossip { GOSSIP_QUEUE_FRAMES } else { SEND_QUEUE_FRAMES };
        let waiting = self.queue(class).lock();
        (Depth::new(waiting.frames.len(), most), Depth::new(waiting.bytes, SEND_QUEUE_BYTES))
    }

    /// A writer ended: all is sent and acknowledged, or the connection is lost.
    pub(super) fn writer_ended(&self) {
        self.writers_ended.send_modify(|count| *count += 1);
    }

    /// Waits, after [`Self::finish`], until all writers ended.
    pub(crate) async fn flushed(&self) {
        let mut ended = self.writers_ended.subscribe();
        // The sender lives as long as `self`.
        let _ = ended.wait_for(|count| *count == Class::ALL.len()).await;
    }

    /// Takes no more frames; the writers end when the rest is sent.
    pub(crate) fn finish(&self) {
        for queue in &self.queues {
            queue.lock().is_finished = true;
            queue.changed.notify_one();
        }
    }
}

/// Some frames, and their bytes.
fn take_some(waiting: &mut Waiting) -> (Vec<Bytes>, usize) {
    let mut frames = Vec::new();
    let mut bytes = 0;
    while let Some(frame) = waiting.frames.pop_front_if(|frame| bytes == 0 || bytes + frame.len() <= WRITE_BYTES) {
        bytes += frame.len();
        frames.push(frame);
    }
    waiting.bytes -= bytes;
    if waiting.bytes <= SEND_QUEUE_BYTES / 2 && waiting.frames.len() <= SEND_QUEUE_FRAMES / 2 {
        waiting.is_full = false;
    }
    (frames, bytes)
}

#[cfg(test)]
mod tests {
    use murmurate_crdt::limits::FRAME_BYTES;

    use super::*;

    fn fill(queues: &SendQueues, class: Class, frame: &Bytes) -> usize {
        (0..).take_while(|_| queues.push(class, frame.clone()) == SendOutcome::Queued).count()
    }

    fn overflowed(queues: &SendQueues) -> bool {
        queues.overflowed.swap(false, Ordering::Acquire)
    }

    #[tokio::test]
    async fn a_full_queue_is_told_once_until_there_is_room_again() {
        let queues = SendQueues::default();
        let megabyte = Bytes::from(vec![0; 1 << 20]);
        assert_eq!(fill(&queues, Class::Push, &megabyte), SEND_QUEUE_BYTES >> 20);
        assert!(overflowed(&queues));
        assert_eq!(queues.push(Class::Push, megabyte.clone()), SendOutcome::QueueFull);
        assert!(!overflowed(&queues));
        assert_eq!(queues.push(Class::Control, megabyte.clone()), SendOutcome::Queued);
        for _ in 0..=SEND_QUEUE_BYTES >> 21 {
            assert_eq!(queues.take(Class::Push).await.unwrap().len(), 1);
        }
        assert!(fill(&queues, Class::Push, &megabyte) > 0);
        assert!(overflowed(&queues));
    }

    #[tokio::test]
    async fn queues_are_bounded_in_frames_and_writes_in_bytes() {
        let queues = SendQueues::default();
        assert_eq!(fill(&queues, Class::Push, &Bytes::new()), SEND_QUEUE_FRAMES);
        let frame = Bytes::from(vec![0; 1_000]);
        let count = fill(&queues, Class::Repair, &frame);
        let mut taken = 0;
        while taken < count {
            let frames = queues.take(Class::Repair).await.unwrap();
            assert!(frames.len() * 1_000 <= WRITE_BYTES);
            taken += frames.len();
        }
        assert_eq!(taken, count);
    }

    #[tokio::test]
    async fn the_largest_frame_fits_an_empty_queue_and_nothing_larger_fits_any() {
        let queues = SendQueues::default();
        assert_eq!(queues.push(Class::Repair, vec![0; FRAME_BYTES + 1].into()), SendOutcome::TooLarge);
        assert_eq!(queues.push(Class::Repair, vec![0; FRAME_BYTES].into()), SendOutcome::Queued);
        assert_eq!(queues.push(Class::Repair, Bytes::from_static(b"a")), SendOutcome::QueueFull);
        assert_eq!(queues.take(Class::Repair).await.unwrap()[0].len(), FRAME_BYTES);
    }

    #[tokio::test]
    async fn of_gossip_the_latest_is_kept_and_no_overflow_is_told() {
        let queues = SendQueues::default();
        for number in 0..100_u8 {
            assert_eq!(queues.push(Class::Gossip, vec![number].into()), SendOutcome::Queued);
        }
        let kept: Vec<u8> = queues.take(Class::Gossip).await.unwrap().iter().map(|frame| frame[0]).collect();
        assert_eq!(kept, [96, 97, 98, 99]);
        assert!(!overflowed(&queues));
        let too_large = vec![0; Class::Gossip.frame_bytes() + 1];
        assert_eq!(queues.push(Class::Gossip, too_large.into()), SendOutcome::TooLarge);
    }

    #[tokio::test]
    async fn what_was_queued_before_the_finish_is_still_taken() {
        let queues = SendQueues::default();
        queues.push(Class::Control, Bytes::from_static(b"left"));
        queues.finish();
        assert_eq!(queues.push(Class::Control, Bytes::new()), SendOutcome::NotConnected);
        assert_eq!(queues.take(Class::Control).await, Some(vec![Bytes::from_static(b"left")]));
        assert_eq!(queues.take(Class::Control).await, None);
    }
}
