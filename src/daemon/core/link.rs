//! The core and its peers: what the network brings goes to the engine, what the engine wants is carried out here.

use std::collections::VecDeque;

use bytes::Bytes;
use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_net::{NetworkEvent, RefuseReason};
use murmurate_protocol::{Class, DocumentRanges, Effect, Event, RequestId};

use super::Core;
use super::commits::Item;
use super::documents::{DocumentError, SAME_VERSION};
use super::limits::REMEMBERED_REFUSALS;
use super::membership::statement_key;

/// Why connections were refused lately, one reason for each address, the latest last.
#[derive(Debug, Default)]
pub(super) struct Refusals(VecDeque<(String, String)>);

impl Refusals {
    fn add(&mut self, address: String, why: String) {
        self.remove(&address);
        if self.0.len() == REMEMBERED_REFUSALS {
            self.0.pop_front();
        }
        self.0.push_back((address, why));
    }

    fn remove(&mut self, address: &str) {
        self.0.retain(|(known, _)| known != address);
    }

    /// Addresses with reasons.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(address, why)| (address.as_str(), why.as_str()))
    }
}

impl Core {
    pub(super) async fn take_network(&mut self, event: NetworkEvent) {
        match event {
            NetworkEvent::Connected { peer, address, .. } => {
                self.refusals.remove(&address.to_string());
                self.addresses.insert(peer, address.to_string());
                // Just set, it may be why the connection is possible now; the peer's is compared with it at once.
                self.tell_wall_clock().await;
                self.tell(Event::PeerConnected { peer }).await;
            }
            NetworkEvent::Disconnected { peer, reason } => {
                tracing::info!(%peer, %reason, "disconnected");
                self.tell(Event::PeerDisconnected { peer }).await;
            }
            NetworkEvent::Frame { peer, bytes, .. } => {
                self.tell(Event::Received { peer, frame: bytes.as_ref().into() }).await;
            }
            NetworkEvent::Heard(heard) => self.take_heard(heard).await,
            NetworkEvent::Join(request, reply) => self.take_join(request, reply).await,
            NetworkEvent::SendQueueFull { peer, .. } => self.tell(Event::SendQueueFull { peer }).await,
            NetworkEvent::Refused { address, reason, .. } => {
                if matches!(&reason, RefuseReason::RefusedByPeer(refusal) if refusal.asks_for_renewal()) {
                    self.want_certificate();
                }
                self.refusals.add(address.to_string(), reason.to_string());
            }
        }
    }

    /// Tells the engine something and carries out what follows, until nothing follows any more.
    pub(super) async fn tell(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            let now = self.environment.monotonic();
            for effect in self.engine.handle(now, &mut self.rng, event) {
                events.extend(self.carry_out(effect).await);
            }
        }
    }

    async fn carry_out(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Send { peer, class, frame } => {
                // A full queue is told by an event of its own.
                self.network.send(&peer, class_of(class), Bytes::from_owner(frame));
                None
            }
            Effect::Apply { envelope, .. } => self.apply(envelope).await,
            Effect::ReadChanges { request, wants, budget_bytes } => Some(self.read(request, &wants, budget_bytes)),
            Effect::CompareDuplicate { envelope } => self.compare(envelope).await,
            Effect::Equivocation { document, dot, envelopes } => {
                self.documents.freeze(&document, format!("{SAME_VERSION} {dot}"));
                self.commits.push(Item { quarantined: envelopes, ..Item::default() });
                None
            }
            Effect::Stated { statement } => {
                self.stated(&statement);
                None
            }
            Effect::Superseded { digest } => {
                self.commits.push(Item { states: vec![(statement_key(&digest), None)], ..Item::default() });
                None
            }
            Effect::Links { .. } => {
                self.membership_changed();
                None
            }
            Effect::WakeAt(at) => {
                self.engine_wakes = Some(at);
                None
            }
            Effect::Disconnect { peer, reason } => {
                self.network.disconnect(&peer, &reason);
                None
            }
            Effect::Pinged { ping, outcome } => {
                self.pinged(ping, outcome);
                None
            }
            Effect::Trouble(trouble) => {
                tracing::warn!(%trouble, "trouble with a peer");
                None
            }
        }
    }

    /// Applies, shows and queues a change of another host.
    async fn apply(&mut self, envelope: SignedEnvelope) -> Option<Event> {
        self.write_puts_to(&envelope.document).await;
        self.tell_watchers_before(&envelope.document);
        match self.documents.apply(&envelope) {
            Ok(_) => {
                self.dirty.insert(envelope.document.clone());
                self.note_author(&envelope).await;
                self.commits.push(Item { changes: vec![envelope], ..Item::default() });
                None
            }
            Err(error) => {
                let document = envelope.document.clone();
                tracing::error!(%document, dot = %envelope.dot, author = %envelope.author, %error,
                    "a change could not be applied; it is kept aside");
                if !matches!(error, DocumentError::Frozen(_)) {
                    self.documents.freeze(&document, error.to_string());
                }
                self.commits.push(Item { quarantined: vec![envelope], ..Item::default() });
                Some(Event::Frozen { document })
            }
        }
    }

    /// Remembers for which node an actor writes.
    async fn note_author(&mut self, envelope: &SignedEnvelope) {
        let actor = envelope.dot.writer.actor;
        if self.authors.insert(actor, envelope.author) != Some(envelope.author) {
            let state = (super::author_state(actor), Some(envelope.author.0.to_vec()));
            self.commits.push(Item { states: vec![state], ..Item::default() });
        }
    }

    fn read(&self, request: RequestId, wants: &[DocumentRanges], budget_bytes: usize) -> Event {
        let mut envelopes: Vec<SignedEnvelope> = Vec::new();
        let mut left = budget_bytes;
        for want in wants {
            match self.store.changes(&want.document, &want.ranges, left) {
                Ok(read) => {
                    left = read.iter().fold(left, |left, envelope| left.saturating_sub(envelope.bytes().len()));
                    envelopes.extend(read);
                }
                Err(error) => tracing::error!(document = %want.document, %error, "changes can't be read"),
            }
            if left == 0 {
                break;
            }
        }
        Event::ChangesRead { request, envelopes }
    }

    /// A change came twice: the same bytes are a duplicate, others break its author's promise.
    async fn compare(&mut self, envelope: SignedEnvelope) -> Option<Event> {
        let pending = self.documents.pending(&envelope.document, envelope.dot);
        let stored = pending.or_else(|| self.store.change(&envelope.document, envelope.dot).ok().flatten())?;
        if stored.bytes() == envelope.bytes() {
            return None;
        }
        let document = envelope.document.clone();
        self.documents.freeze(&document, format!("{SAME_VERSION} {}", envelope.dot));
        self.commits.push(Item { quarantined: vec![envelope], ..Item::default() });
        Some(Event::Frozen { document })
    }
}

fn class_of(class: Class) -> murmurate_net::Class {
    match class {
        Class::Push => murmurate_net::Class::Push,
        Class::Repair => murmurate_net::Class::Repair,
        Class::Control => murmurate_net::Class::Control,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_refusals_the_latest_are_remembered() {
        let mut refusals = Refusals::default();
        for port in 0..2 * REMEMBERED_REFUSALS {
            refusals.add(format!("10.0.0.9:{port}"), "no certificate".into());
        }
        refusals.add("10.0.0.2:7117".into(), "another mesh".into());
        refusals.add("10.0.0.2:7117".into(), "an expired certificate".into());
        assert_eq!(refusals.iter().count(), REMEMBERED_REFUSALS);
        assert_eq!(refusals.iter().last(), Some(("10.0.0.2:7117", "an expired certificate")));
        refusals.remove("10.0.0.2:7117");
        assert_eq!(refusals.iter().filter(|(address, _)| *address == "10.0.0.2:7117").count(), 0);
    }
}
