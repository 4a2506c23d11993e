//! A member that issues certificates, with a core that knows tickets and members, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use murmurate_crdt::id::NodeId;
use murmurate_net::environment::SimulatedClock;
use murmurate_net::identity::Issuer;
use murmurate_net::join::{self, JoinAnswer, JoinError, JoinKind, JoinRefusal, JoinReply, JoinRequest, Joined, Ticket};
use murmurate_net::{Environment, Network, NetworkConfig, NetworkEvent, NetworkHandle, PeerAddress};

use tokio::time::{sleep, timeout};

use crate::support::{DAY_MS, DEADLINE, Mesh, NOW_MS, environment, key, loopback};

/// How often a condition is looked at.
const POLL: Duration = Duration::from_millis(10);

/// What the core knows.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) tickets: BTreeMap<[u8; 8], Ticket>,
    pub(crate) members: BTreeSet<NodeId>,
    pub(crate) revoked: BTreeSet<NodeId>,
    /// What a member is given to begin with.
    pub(crate) statements: Vec<Vec<u8>>,
    /// Requests are kept, unanswered.
    pub(crate) is_silent: bool,
    unanswered: Vec<JoinReply>,
    /// Frames and connections of members.
    pub(crate) said_by_members: usize,
}

pub(crate) struct IssuingNode {
    pub(crate) handle: NetworkHandle,
    pub(crate) id: NodeId,
    key: [u8; 32],
    fingerprint: [u8; 32],
    mesh: murmurate_crdt::id::MeshId,
    known: Arc<Mutex<Known>>,
}

/// Decides as a core does.
struct Core {
    issuer: Issuer,
    anchors: murmurate_net::Anchors,
    clock: Arc<SimulatedClock>,
    known: Arc<Mutex<Known>>,
}

impl Core {
    fn take(&self, request: &JoinRequest, reply: JoinReply) {
        let mut known = self.known.lock().unwrap();
        if known.is_silent {
            return known.unanswered.push(reply);
        }
        drop(known);
        match self.decide(request) {
            Ok(answer) => reply.accept(answer),
            Err(refusal) => reply.refuse(refusal),
        }
    }

    fn decide(&self, request: &JoinRequest) -> Result<JoinAnswer, JoinRefusal> {
        let mut known = self.known.lock().unwrap();
        match &request.kind {
            JoinKind::Redeem { ticket, .. } => {
                let ticket = known.tickets.get_mut(ticket).ok_or(JoinRefusal::UnknownTicket)?;
                if !request.proves(&ticket.secret) {
                    return Err(JoinRefusal::WrongSecret);
                }
                if murmurate_net::environment::Clock::wall_ms(self.clock.as_ref()) > ticket.expires_ms {
                    return Err(JoinRefusal::Expired);
                }
                ticket.uses = ticket.uses.checked_sub(1).ok_or(JoinRefusal::Used)?;
                known.members.insert(request.node_id());
            }
            JoinKind::Renew if known.revoked.contains(&request.node_id()) => return Err(JoinRefusal::Revoked),
            JoinKind::Renew if !known.members.contains(&request.node_id()) => return Err(JoinRefusal::NotMember),
            JoinKind::Renew => {}
        }
        let chain = self.issuer.issue(&request.public_key, &request.name, NOW_MS - DAY_MS, NOW_MS + 30 * DAY_MS);
        let (chain, statements) = (chain.map_err(|_| JoinRefusal::BadName)?, known.statements.clone());
        Ok(JoinAnswer { chain, anchors: self.anchors.clone(), statements })
    }
}

impl IssuingNode {
    pub(crate) fn start(mesh: &Mesh, seed: u64) -> Self {
        let (environment, clock) = environment(NOW_MS);
        let identity = mesh.identity(seed);
        let (id, key) = (identity.node_id(), identity.key().verifying_key().to_bytes());
        let config = NetworkConfig { listen: loopback(0), peers: Vec::new() };
        let (handle, mut events) = Network::start(config, identity, environment).unwrap();
        let known = Arc::<Mutex<Known>>::default();
        let core = Core {
            issuer: mesh.keys.issuer().clone(),
            anchors: mesh.keys.anchors().clone(),
            clock: Arc::clone(&clock),
            known: Arc::clone(&known),
        };
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                match event {
                    NetworkEvent::Join(request, reply) => core.take(&request, reply),
                    NetworkEvent::Connected { .. } | NetworkEvent::Frame { .. } => {
                        core.known.lock().unwrap().said_by_members += 1;
                    }
                    _ => {}
                }
            }
        });
        let (fingerprint, mesh) = (mesh.keys.anchors().fingerprint(), mesh.keys.anchors().mesh());
        Self { handle, id, key, fingerprint, mesh, known }
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap()
    }

    /// Waits until so many requests are kept.
    pub(crate) async fn asked(&self, requests: u32) {
        let wait = async {
            while self.known().unanswered.len() < usize::try_from(requests).unwrap() {
                sleep(POLL).await;
            }
        };
        timeout(DEADLINE, wait).await.expect("not asked");
    }

    /// From now on answers; whoever waits is told to ask again.
    pub(crate) fn speak(&self) {
        let mut known = self.known();
        known.is_silent = false;
        known.unanswered.clear();
    }

    pub(crate) fn address(&self) -> PeerAddress {
        self.handle.local_address().unwrap().into()
    }

    /// A ticket for so many hosts, good for a day.
    pub(crate) fn ticket(&self, number: u8, uses: u32) -> Ticket {
        let ticket = Ticket {
            mesh: self.mesh,
            fingerprint: self.fingerprint,
            issuer_key: self.key,
            addresses: vec![self.address()],
            id: [number; 8],
            secret: [number ^ 0xff; 16],
            expires_ms: NOW_MS + DAY_MS,
            uses,
        };
        self.known().tickets.insert(ticket.id, ticket.clone());
        ticket
    }
}

/// Redeems a ticket on a host whose clock is right.
pub(crate) async fn redeem(ticket: &Ticket, seed: u64) -> Result<Joined, JoinError> {
    redeem_as(ticket, &key(seed), &format!("node-{seed}")).await
}

pub(crate) async fn redeem_as(ticket: &Ticket, key: &SigningKey, name: &str) -> Result<Joined, JoinError> {
    let environment: Environment = environment(NOW_MS).0;
    join::redeem(ticket, key, name, &environment).await
}
