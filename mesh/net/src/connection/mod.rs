//! One connection, from its admission to its end.
//!
//! ```text
//!  send ──▶ queue per class ──▶ writer ──▶ stream ═══▶ reader ──▶ frame decoder ──▶ events, gossip
//! ```

mod frame;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
pub(crate) mod greeting;
mod path;
mod queue;
pub(crate) mod registry;

pub use path::PathStats;
pub use queue::SendOutcome;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use murmurate_crdt::id::NodeId;
use quinn::{Connection, ReadError, RecvStream, VarInt};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::class::Class;
use crate::close::{CloseCode, DisconnectReason, close};
use crate::event::{EventSender, NetworkEvent};
use crate::gossip::Gossip;
use crate::limits;
use crate::meter::Meter;
use frame::FrameDecoder;
use queue::SendQueues;
use registry::Seat;

/// Where a connection's frames go.
#[derive(Clone)]
pub(crate) struct Receivers {
    pub(crate) events: EventSender,
    pub(crate) gossip: Arc<Gossip>,
    pub(crate) meter: Arc<Meter>,
}

/// Runs an admitted connection until it ends.
pub(crate) async fn run(mut seat: Seat, name: String, address: SocketAddr, receivers: Receivers) {
    if let Some(mut predecessor) = seat.predecessor.take() {
        // Ends when the predecessor drops its sender, after its last event.
        while predecessor.changed().await.is_ok() {}
    }
    tracing::info!(peer = %seat.peer, %name, %address, "connected");
    let (peer, events) = (seat.peer, &receivers.events);
    let reason = match events.send(NetworkEvent::Connected { peer, name, address }).await {
        Ok(()) => exchange(&seat, &receivers).await,
        Err(_) => DisconnectReason::ClosedHere("shutting down".to_owned()),
    };
    close(&seat.connection, CloseCode::Shutdown, "");
    seat.queues.finish();
    tracing::info!(peer = %seat.peer, %address, %reason, "disconnected");
    // Nobody is left to be told when the core is gone.
    let _ = events.send(NetworkEvent::Disconnected { peer, reason }).await;
}

async fn exchange(seat: &Seat, receivers: &Receivers) -> DisconnectReason {
    let connection = &seat.connection;
    let mut writers = JoinSet::new();
    for class in Class::ALL {
        writers.spawn(write(connection.clone(), Arc::clone(&seat.queues), class));
    }
    let mut readers = JoinSet::new();
    readers.spawn(read_all(connection.clone(), seat.peer, receivers.clone()));
    receivers.gossip.linked(&seat.peer);
    let reason = supervise(seat, &receivers.events, &mut readers).await;
    // What arrived before the end may still be handed over.
    let _ = timeout(limits::DRAIN_TIMEOUT, async { while readers.join_next().await.is_some() {} }).await;
    reason
}

/// Waits for the end, and tells the core of overflows meanwhile.
async fn supervise(
    seat: &Seat,
    events: &EventSender,
    readers: &mut JoinSet<Result<(), BrokenPeer>>,
) -> DisconnectReason {
    let connection = &seat.connection;
    let mut silence = Silence::default();
    let mut ticks = interval(limits::TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            error = connection.closed() => return error.into(),
            () = seat.queues.overflowed() => {
                tracing::debug!(peer = %seat.peer, "send queue full, frames are dropped");
                if events.send(NetworkEvent::SendQueueFull { peer: seat.peer }).await.is_err() {
                    return DisconnectReason::ClosedHere("shutting down".to_owned());
                }
            }
            Some(Ok(Err(broken))) = readers.join_next() => {
                tracing::warn!(peer = %seat.peer, "closed the connection: {}", broken.why);
                close(connection, broken.code, &broken.why);
                return DisconnectReason::BrokenPeer(broken.why);
            }
            _ = ticks.tick() => {
                let heard = connection.stats().udp_rx.datagrams;
                ticks.reset_after(silence.look(heard));
                if silence.is_too_long(connection.rtt()) {
                    close(connection, CloseCode::Silent, "");
                    return DisconnectReason::Silent;
                }
            }
        }
    }
}

/// Counts the ticks since anything was heard.
#[derive(Default)]
struct Silence {
    heard: u64,
    /// The time that passed, as if no tick had been late.
    passed: Duration,
    next_tick: Duration,
}

impl Silence {
    /// A tick came; so many datagrams were heard in all. Says when to look again.
    fn look(&mut self, heard: u64) -> Duration {
        if heard == self.heard {
            self.passed += self.next_tick;
            self.next_tick = limits::SILENT_TICK;
        } else {
            (self.heard, self.passed, self.next_tick) = (heard, Duration::ZERO, limits::TICK);
        }
        self.next_tick
    }

    fn is_too_long(&self, round_trip: Duration) -> bool {
        self.passed >= limits::SILENT_AFTER.max(round_trip.saturating_mul(limits::SILENT_ROUND_TRIPS))
    }
}

async fn write(connection: Connection, queues: Arc<SendQueues>, class: Class) {
    send_queued(&connection, &queues, class).await;
    queues.writer_ended();
}

/// Sends what is queued in one class. Errors end it silently: the connection's end says why.
async fn send_queued(connection: &Connection, queues: &SendQueues, class: Class) {
    let Ok(mut stream) = connection.open_uni().await else { return };
    let _ = stream.set_priority(class.priority());
    if stream.write_all(&[class.number()]).await.is_err() {
        return;
    }
    while let Some(frames) = queues.take(class).await {
        if stream.write_all_chunks(&mut frame::encode(frames)).await.is_err() {
            return;
        }
    }
    let _ = stream.finish();
    // Waits until all of it is acknowledged.
    let _ = stream.stopped().await;
}

struct BrokenPeer {
    code: CloseCode,
    why: String,
}

impl BrokenPeer {
    fn protocol(why: impl Into<String>) -> Self {
        Self { code: CloseCode::BadProtocol, why: why.into() }
    }
}

/// Reads the peer's streams, one per class, until they end.
async fn read_all(connection: Connection, peer: NodeId, receivers: Receivers) -> Result<(), BrokenPeer> {
    let mut readers = JoinSet::new();
    let mut opened = 0;
    loop {
        tokio::select! {
            biased;
            accepted = connection.accept_uni(), if opened < Class::ALL.len() => {
                let Ok(stream) = accepted else { break };
                opened += 1;
                readers.spawn(read(stream, peer, receivers.clone()));
            }
            Some(result) = readers.join_next() => {
                if let Ok(broken @ Err(_)) = result {
                    return broken;
                }
            }
            else => return Ok(()),
        }
    }
    while let Some(result) = readers.join_next().await {
        if let Ok(broken @ Err(_)) = result {
            return broken;
        }
    }
    Ok(())
}

/// Reads one stream's frames and hands them over, to the core at its pace.
async fn read(mut stream: RecvStream, peer: NodeId, receivers: Receivers) -> Result<(), BrokenPeer> {
    let Some((class, mut chunk)) = read_class(&mut stream).await? else { return Ok(()) };
    let mut decoder = FrameDecoder::new(class.frame_bytes());
    loop {
        loop {
            match decoder.next(&mut chunk) {
                Ok(Some(frame)) if class == Class::Gossip => {
                    receivers.meter.received(class, frame.len());
                    receivers.gossip.received(peer, frame);
                }
                Ok(Some(frame)) => {
                    receivers.meter.received(class, frame.len());
                    if receivers.events.frame(peer, frame).await.is_err() {
                        return Ok(());
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    let _ = stream.stop(VarInt::from_u32(0));
                    return Err(BrokenPeer { code: CloseCode::FrameTooLarge, why: error.to_string() });
                }
            }
        }
        chunk = match read_chunk(&mut stream).await? {
            Chunk::Bytes(bytes) => bytes,
            Chunk::End if decoder.is_between_frames() => return Ok(()),
            Chunk::End => return Err(BrokenPeer::protocol("a stream ends inside a frame")),
            Chunk::Lost => return Ok(()),
        };
    }
}

/// What class a stream is of, and what came after that; `None` when it ends before.
async fn read_class(stream: &mut RecvStream) -> Result<Option<(Class, Bytes)>, BrokenPeer> {
    loop {
        let Chunk::Bytes(mut chunk) = read_chunk(stream).await? else { return Ok(None) };
        if chunk.is_empty() {
            continue;
        }
        let number = chunk.split_to(1)[0];
        let class = Class::of_number(number);
        let class = class.ok_or_else(|| BrokenPeer::protocol(format!("a stream of unknown class {number}")))?;
        return Ok(Some((class, chunk)));
    }
}

/// What a stream gives next.
enum Chunk {
    Bytes(Bytes),
    End,
    /// The connection ended, which says why by itself.
    Lost,
}

async fn read_chunk(stream: &mut RecvStream) -> Result<Chunk, BrokenPeer> {
    match stream.read_chunk(limits::READ_BYTES, true).await {
        Ok(Some(chunk)) => Ok(Chunk::Bytes(chunk.bytes)),
        Ok(None) => Ok(Chunk::End),
        Err(ReadError::ConnectionLost(_)) => Ok(Chunk::Lost),
        Err(error) => Err(BrokenPeer::protocol(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_looked_at_more_often_and_ends_by_the_limit_or_some_round_trips() {
        let ms = Duration::from_millis;
        // (round trip, ticks without a word, after which the peer is gone)
        for (round_trip, last) in [(ms(1), 9), (ms(250), 9), (ms(300), 12), (ms(600), 26)] {
            let mut silence = Silence::default();
            assert_eq!((silence.look(1), silence.look(2)), (limits::TICK, limits::TICK));
            assert!(!silence.is_too_long(round_trip));
            let too_long: Vec<bool> = (0..last)
                .map(|_| {
                    assert_eq!(silence.look(2), limits::SILENT_TICK);
                    silence.is_too_long(round_trip)
                })
                .collect();
            assert_eq!(too_long.iter().position(|&is| is), Some(last - 1), "{round_trip:?}");
            assert_eq!(silence.look(3), limits::TICK);
            assert!(!silence.is_too_long(round_trip));
        }
    }
}
