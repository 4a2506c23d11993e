//! chitchat's transport: the links that there are. It chooses the peers, and never dials or waits for one.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chitchat::ChitchatMessage;
use chitchat::transport::{Socket, Transport};
use murmurate_crdt::id::NodeId;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use tokio::time::Instant;

use super::Shared;
use super::codec;
use super::rounds::Rounds;

/// Who a reply is for, as chitchat holds it: the first 16 bytes of a node id. Stays within this process.
fn address_of(peer: &NodeId) -> SocketAddr {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&peer.0[..16]);
    SocketAddr::new(IpAddr::V6(Ipv6Addr::from(bytes)), 0)
}

/// Opens the one socket of a chitchat instance.
pub(super) struct LinkTransport {
    pub(super) shared: Arc<Shared>,
    pub(super) interval: Duration,
    pub(super) rng: ChaCha20Rng,
}

#[async_trait]
impl Transport for LinkTransport {
    async fn open(&self, _: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let rounds = Rounds::new(self.interval);
        Ok(Box::new(LinkSocket { shared: Arc::clone(&self.shared), rounds, rng: self.rng.clone(), count: 0 }))
    }
}

struct LinkSocket {
    shared: Arc<Shared>,
    rounds: Rounds,
    rng: ChaCha20Rng,
    /// Rounds so far.
    count: usize,
}

impl LinkSocket {
    /// Begins a round with a Syn, whoever chitchat meant it for: with one linked peer at random. Any can answer.
    fn begin_round(&mut self, syn: &ChitchatMessage) {
        let Some(frame) = self.shared.frame(syn) else { return };
        self.shared.set_syn(Some(frame.clone()));
        let rounds_between = self.shared.rounds_between();
        self.count += 1;
        if !self.count.is_multiple_of(rounds_between) {
            return;
        }
        let linked = self.shared.links.linked();
        if let Some(peer) = choose(&mut self.rng, &linked) {
            self.shared.links.send(peer, frame);
        }
    }

    /// Answers whoever is linked with this address; without a link the answer is dropped.
    fn reply(&self, to: SocketAddr, message: &ChitchatMessage) {
        let linked = self.shared.links.linked();
        let Some(peer) = linked.iter().find(|peer| address_of(peer) == to) else { return };
        if let Some(frame) = self.shared.frame(message) {
            self.shared.links.send(peer, frame);
        }
    }

    /// The next message that is let in.
    fn take(&self) -> Option<(SocketAddr, ChitchatMessage)> {
        let (peer, frame) = self.shared.inbox.pop()?;
        match codec::of_frame(&frame).and_then(|mut message| {
            self.shared.admission().let_in(&mut message);
            codec::to_chitchat(&message)
        }) {
            Ok(message) => Some((address_of(&peer), message)),
            Err(error) => {
                self.shared.unusable(&peer, &error);
                None
            }
        }
    }
}

fn choose<'a>(rng: &mut ChaCha20Rng, among: &'a [NodeId]) -> Option<&'a NodeId> {
    let count = u64::try_from(among.len()).ok().filter(|count| *count > 0)?;
    among.get(usize::try_from(rng.next_u64() % count).ok()?)
}

#[async_trait]
impl Socket for LinkSocket {
    async fn send(&mut self, to: SocketAddr, message: ChitchatMessage) -> anyhow::Result<()> {
        if !matches!(message, ChitchatMessage::Syn { .. }) {
            self.reply(to, &message);
        } else if self.rounds.begin(Instant::now()) {
            self.begin_round(&message);
        }
        Ok(())
    }

    async fn recv(&mut self) -> anyhow::Result<(SocketAddr, ChitchatMessage)> {
        loop {
            self.shared.inbox.ready().await;
            if self.rounds.is_due(Instant::now()) {
                // chitchat asks again after the round.
                std::future::pending::<()>().await;
            }
            if let Some(message) = self.take() {
                return Ok(message);
            }
        }
    }
}
