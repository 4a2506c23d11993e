//! What the network tells the core, over a channel that is bounded in events and in bytes: when the core doesn't keep up,
//! readers wait, and QUIC's flow control makes the peers wait.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use murmurate_crdt::id::NodeId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::close::DisconnectReason;
use crate::gossip::Heard;
use crate::join::{JoinReply, JoinRequest};
use crate::limits;
use crate::meter::{Depth, Meter};
use crate::refusal::RefuseReason;

/// Something happened. For one peer, `Connected`, its frames and `Disconnected` come in this order, and never two
/// `Connected` without a `Disconnected` between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NetworkEvent {
    /// A member is connected; both sides agreed on this connection.
    Connected {
        /// Who.
        peer: NodeId,
        /// Its name, from its certificate.
        name: String,
        /// From where.
        address: SocketAddr,
    },
    /// The connection is gone. Frames that weren't received by then are lost.
    Disconnected {
        /// Whose.
        peer: NodeId,
        /// Why.
        reason: DisconnectReason,
    },
    /// A frame came, at most `crdt::limits::FRAME_BYTES` long.
    Frame {
        /// From whom.
        peer: NodeId,
        /// What it holds.
        bytes: Bytes,
    },
    /// A frame to this peer was dropped because its queue is full. Said once, until half of the queue is free again.
    SendQueueFull {
        /// To whom.
        peer: NodeId,
    },
    /// A handshake was refused, by this side or by the other. Rate limited per host and kind of reason.
    Refused {
        /// Whose address.
        address: SocketAddr,
        /// Why.
        reason: RefuseReason,
    },
    /// What gossip says of a member changed. See [`crate::Gossip`].
    Heard(Heard),
    /// Somebody asks for a certificate. Answer it with the reply, within 20 s.
    Join(JoinRequest, JoinReply),
}

struct Queued {
    event: NetworkEvent,
    /// Given back when the core takes the event.
    _room: Option<OwnedSemaphorePermit>,
}

/// The core's end.
pub struct NetworkEvents {
    receiver: mpsc::Receiver<Queued>,
}

impl NetworkEvents {
    /// The next event; `None` after the network has shut down and its handles are gone. Cancel safe.
    pub async fn recv(&mut self) -> Option<NetworkEvent> {
        self.receiver.recv().await.map(|queued| queued.event)
    }

    /// An event that is there already, if any.
    pub fn try_recv(&mut self) -> Option<NetworkEvent> {
        self.receiver.try_recv().ok().map(|queued| queued.event)
    }
}

impl std::fmt::Debug for NetworkEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NetworkEvents").field("waiting", &self.receiver.len()).finish()
    }
}

/// The network's end.
#[derive(Clone)]
pub(crate) struct EventSender {
    sender: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    meter: Arc<Meter>,
}

/// The core takes no more events.
#[derive(Debug)]
pub(crate) struct CoreGone;

pub(crate) fn channel(meter: Arc<Meter>) -> (EventSender, NetworkEvents) {
    let (sender, receiver) = mpsc::channel(limits::EVENTS);
    let room = Arc::new(Semaphore::new(limits::INBOUND_BYTES as usize));
    (EventSender { sender, room, meter }, NetworkEvents { receiver })
}

impl EventSender {
    /// Waits until the core has room for a frame, and hands it over.
    pub(crate) async fn frame(&self, peer: NodeId, bytes: Bytes) -> Result<(), CoreGone> {
        let cost = u32::try_from(bytes.len()).unwrap_or(u32::MAX).saturating_add(limits::EVENT_BYTES);
        let cost = cost.min(limits::INBOUND_BYTES);
        let room = self.room.clone().acquire_many_owned(cost).await.map_err(|_| CoreGone)?;
        self.queue(NetworkEvent::Frame { peer, bytes }, Some(room)).await
    }

    /// Waits until the core has room, and tells it.
    pub(crate) async fn send(&self, event: NetworkEvent) -> Result<(), CoreGone> {
        self.queue(event, None).await
    }

    /// Tells the core if it has room now; for what the log has said already.
    pub(crate) fn offer(&self, event: NetworkEvent) {
        if self.sender.try_send(Queued { event, _room: None }).is_err() {
            self.meter.events_dropped.one();
            tracing::debug!("an event was dropped, the core doesn't keep up");
        }
    }

    /// How many events wait, and how many bytes of frames.
    pub(crate) fn depths(&self) -> (Depth, Depth) {
        let bytes = limits::INBOUND_BYTES as usize;
        let events = self.sender.max_capacity() - self.sender.capacity();
        (
            Depth::new(events, self.sender.max_capacity()),
            Depth::new(bytes.saturating_sub(self.room.available_permits()), bytes),
        )
    }

    async fn queue(&self, event: NetworkEvent, room: Option<OwnedSemaphorePermit>) -> Result<(), CoreGone> {
        self.sender.send(Queued { event, _room: room }).await.map_err(|_| CoreGone)
    }
}
