//! What the core sees of a join: the request, and the way to answer it.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use murmurate_crdt::id::NodeId;
use tokio::sync::oneshot;

use super::message::{Answer, proves};
use super::{Exporter, JoinAnswer, JoinRefusal};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinKind {
    /// A first certificate, for a ticket.
    Redeem {
        /// The ticket's id.
        ticket: [u8; 8],
        /// That the joiner knows its secret; see [`JoinRequest::proves`].
        proof: [u8; 32],
    },
    /// A new certificate for a member; its old one may have run out.
    Renew,
}

/// Somebody asks for a certificate. That it holds the key was checked; everything else is the core's to decide.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinRequest {
    /// What is asked for.
    pub kind: JoinKind,
    /// The Ed25519 key of the node.
    pub public_key: [u8; 32],
    /// The name that it wants, which a certificate can hold; it may be taken.
    pub name: String,
    /// From where it asks.
    pub from: SocketAddr,
    pub(super) exporter: Exporter,
}

impl JoinRequest {
    /// The node that asks.
    #[must_use]
    pub fn node_id(&self) -> NodeId {
        NodeId::of_public_key(&self.public_key)
    }

    /// Whether the joiner knows the ticket's secret, and asks on this very connection for this key and name. Takes the same
    /// time for any wrong secret.
    #[must_use]
    pub fn proves(&self, secret: &[u8; 16]) -> bool {
        match &self.kind {
            JoinKind::Redeem { proof, .. } => proves(secret, &self.exporter, &self.public_key, &self.name, proof),
            JoinKind::Renew => false,
        }
    }
}

impl fmt::Debug for JoinRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinRequest")
            .field("node", &self.node_id())
            .field("name", &self.name)
            .field("from", &self.from)
            .finish_non_exhaustive()
    }
}

/// Answers a request, once; of clones, the first that answers. Dropped unanswered, the joiner is told that this host is
/// busy.
#[derive(Clone)]
pub struct JoinReply {
    sender: Arc<Mutex<Option<oneshot::Sender<Answer>>>>,
}

impl JoinReply {
    pub(super) fn new() -> (Self, oneshot::Receiver<Answer>) {
        let (sender, receiver) = oneshot::channel();
        (Self { sender: Arc::new(Mutex::new(Some(sender))) }, receiver)
    }

    /// Gives a certificate. Whatever makes the use count must be durable before.
    pub fn accept(self, answer: JoinAnswer) {
        self.say(Ok(answer));
    }

    /// Gives none, and says why.
    pub fn refuse(self, refusal: JoinRefusal) {
        self.say(Err(refusal));
    }

    fn say(&self, answer: Answer) {
        if let Some(sender) = self.sender.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // The joiner may be gone; there is nobody to tell then.
            let _ = sender.send(answer);
        }
    }
}

impl PartialEq for JoinReply {
    /// Whether they answer the same request.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.sender, &other.sender)
    }
}

impl Eq for JoinReply {}

impl fmt::Debug for JoinReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinReply")
    }
}
