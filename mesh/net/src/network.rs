//! The endpoint: one UDP socket, on which this node dials and is dialled.
//!
//! ```text
//!  set_peers ──▶ dial loops ──▶ TLS ─┐
//!                                    ├──▶ greeting ──▶ registry ──▶ connection ══▶ NetworkEvents
//!  socket ─────▶ accept loop ─▶ TLS ─┘
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use murmurate_crdt::id::NodeId;
use quinn::crypto::rustls::HandshakeData;
use quinn::{AsyncUdpSocket, Connection, Endpoint, Incoming, Runtime, TokioRuntime, VarInt};
use rand_core::Rng;
use rustls_pki_types::CertificateDer;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::address::PeerAddress;
use crate::class::Class;
use crate::close::{CloseCode, DisconnectReason, close};
use crate::connection::greeting::{Greeting, GreetingError, Instance};
use crate::connection::registry::Registry;
use crate::connection::{self, PathStats, Receivers, SendOutcome};
use crate::dial::{self, Dialled};
use crate::environment::Environment;
use crate::event::{EventSender, NetworkEvent, NetworkEvents, channel};
use crate::gossip::Gossip;
use crate::identity::{Identity, Member, read_issuer, read_member};
use crate::join::server::serve;
use crate::join::{self, JoinError, Renewed};
use crate::limits;
use crate::meter::{Depth, Meter, NetworkCounts, NetworkDepths};
use crate::peer::Peer;
use crate::refusal::{RefusalLog, RefuseReason, reason_of};
use crate::socket;
use crate::tls::{JOIN_ALPN, Note, SERVER_NAME, Tls, TlsError};
use crate::traffic::Traffic;
use crate::transport::{Transport, endpoint_config};

/// What the network needs to know.
#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// The UDP address to listen on and dial from; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whom to dial; see [`NetworkHandle::set_peers`].
    pub peers: Vec<Peer>,
}

/// The network didn't start. Nothing is left running.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The socket couldn't be opened.
    #[error("listening on UDP {address}: {source}; is another daemon running there?")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The endpoint couldn't be made.
    #[error("setting up QUIC: {0}")]
    Endpoint(io::Error),
    /// TLS couldn't be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Why nothing came back, as far as one can tell.
pub(crate) const NO_ANSWER: &str =
    "no answer: the host is down, UDP is blocked, or the path carries no datagrams of 1,200 bytes";

/// Starts networks.
#[derive(Debug)]
pub struct Network;

impl Network {
    /// Starts on a UDP socket of the system. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// When the address can't be listened on or the identity can't be used.
    pub fn start(
        config: NetworkConfig,
        identity: Identity,
        environment: Environment,
    ) -> Result<(NetworkHandle, NetworkEvents), StartError> {
        let bind = |source| StartError::Bind { address: config.listen, source };
        let socket = socket::bind(config.listen).map_err(bind)?;
        let runtime = Arc::new(TokioRuntime);
        let socket = runtime.wrap_udp_socket(socket).map_err(bind)?;
        Self::start_on(socket, runtime, config.peers, identity, environment)
    }

    /// Starts on a given socket and runtime, for simulated networks. Tasks and timers outside of QUIC are tokio's.
    ///
    /// # Errors
    /// When the endpoint can't be made or the identity can't be used.
    pub fn start_on(
        socket: Arc<dyn AsyncUdpSocket>,
        runtime: Arc<dyn Runtime>,
        peers: Vec<Peer>,
        identity: Identity,
        environment: Environment,
    ) -> Result<(NetworkHandle, NetworkEvents), StartError> {
        let endpoint_config = endpoint_config(identity.key(), &environment);
        let tls = Tls::new(identity, &environment)?;
        let transport = Transport::new(&environment);
        let server = transport.server(tls.server(Note::default())?);
        let endpoint = Endpoint::new_with_abstract_socket(endpoint_config, Some(server), socket, runtime)
            .map_err(StartError::Endpoint)?;
        let mut instance = Instance::default();
        environment.rng().fill_bytes(&mut instance);
        let meter = Arc::<Meter>::default();
        let (events, receiver) = channel(Arc::clone(&meter));
        let registry = Arc::new(Registry::new(Arc::clone(&meter)));
        let gossip = Gossip::new(tls.node_id(), registry.clone(), environment.clone(), events.clone());
        let shared = Arc::new(Shared {
            endpoint,
            tls,
            transport,
            instance,
            environment,
            registry,
            gossip: Arc::new(gossip),
            events,
            meter,
            refusals: RefusalLog::default(),
            handshakes: AtomicUsize::new(0),
            joins: AtomicUsize::new(0),
            dials: Mutex::default(),
        });
        let accepting = tokio::spawn(accept_loop(Arc::clone(&shared))).abort_handle();
        let handle = NetworkHandle { shared, accepting };
        handle.set_peers(peers);
        Ok((handle, receiver))
    }
}

/// Sends, and controls the network. Clones are the same network; it runs until [`NetworkHandle::shutdown`].
#[derive(Clone)]
pub struct NetworkHandle {
    shared: Arc<Shared>,
    accepting: AbortHandle,
}

impl fmt::Debug for NetworkHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetworkHandle").field("node", &self.shared.tls.node_id()).finish_non_exhaustive()
    }
}

impl NetworkHandle {
    /// Queues a frame for a peer, or drops it; never waits.
    pub fn send(&self, peer: &NodeId, class: Class, frame: impl Into<Bytes>) -> SendOutcome {
        match self.shared.registry.queues(peer) {
            Some(queues) => queues.push(class, frame.into()),
            None => {
                self.shared.meter.of(class).dropped_unconnected.one();
                SendOutcome::NotConnected
            }
        }
    }

    /// Replaces whom to dial. Connections stay, also those with peers and over addresses that are dropped.
    pub fn set_peers(&self, peers: Vec<Peer>) {
        let wanted: BTreeSet<Peer> = peers.into_iter().filter(|peer| !peer.addresses.is_empty()).collect();
        let mut dials = self.shared.lock_dials();
        dials.retain(|peer, task| {
            let is_wanted = wanted.contains(peer);
            if !is_wanted {
                task.abort();
            }
            is_wanted
        });
        for peer in wanted {
            let shared = &self.shared;
            dials
                .entry(peer.clone())
                .or_insert_with(|| tokio::spawn(dial::keep_dialling(Arc::clone(shared), peer)).abort_handle());
        }
    }

    /// Replaces the set of nodes whose certificates count no more, and those that they issued, and closes the connections of
    /// all of them.
    pub fn set_revoked(&self, nodes: BTreeSet<NodeId>) {
        // First the set: a connection that is being admitted looks at it afterwards.
        self.shared.tls.revoked().set(nodes.clone());
        for connection in self.shared.registry.vouched_for(|node| nodes.contains(node)) {
            close(&connection, CloseCode::Revoked, "");
        }
    }

    /// Shows other certificates from the next handshake on; open connections stay. For a renewal.
    ///
    /// # Errors
    /// When they are another node's, or TLS refuses them; nothing was changed then.
    pub fn set_identity(&self, identity: Identity) -> Result<(), TlsError> {
        self.shared.tls.set_identity(identity)
    }

    /// Asks an issuer, which has these addresses, for a new certificate. Works also when the own one isn't valid now. What is
    /// given isn't used yet: make an [`Identity`] of it, save it, and pass it to [`NetworkHandle::set_identity`].
    ///
    /// # Errors
    /// See [`JoinError`]; nothing was changed.
    pub async fn renew(&self, addresses: &[PeerAddress], issuer: NodeId) -> Result<Renewed, JoinError> {
        join::renew(&self.shared, addresses, issuer).await
    }

    /// Closes the connection with a peer. It is dialled again like any that was lost.
    pub fn disconnect(&self, peer: &NodeId, reason: &str) {
        if let Some(connection) = self.shared.registry.connection(peer) {
            close(&connection, CloseCode::Disconnected, reason);
        }
    }

    /// Where the socket listens.
    ///
    /// # Errors
    /// When the socket can't tell.
    pub fn local_address(&self) -> io::Result<SocketAddr> {
        self.shared.endpoint.local_addr()
    }

    /// Who is connected, in the order of node ids.
    #[must_use]
    pub fn connected(&self) -> Vec<NodeId> {
        self.shared.registry.all().into_iter().map(|(peer, _)| peer).collect()
    }

    /// How the way to each connected peer is, in the order of node ids.
    #[must_use]
    pub fn paths(&self) -> Vec<PathStats> {
        self.shared.registry.paths()
    }

    /// What went over the connections that are open now.
    #[must_use]
    pub fn traffic(&self) -> Traffic {
        self.shared.registry.traffic()
    }

    /// What was counted since the start.
    #[must_use]
    pub fn counts(&self) -> NetworkCounts {
        self.shared.meter.counts(self.shared.registry.traffic_ever())
    }

    /// How full the queues are.
    #[must_use]
    pub fn depths(&self) -> NetworkDepths {
        let shared = &self.shared;
        let (events, event_bytes) = shared.events.depths();
        let sending = Class::ALL.map(|class| (class, shared.registry.depths(class)));
        NetworkDepths {
            events,
            event_bytes,
            send_frames: sending.iter().map(|&(class, (frames, _))| (class, frames)).collect(),
            send_bytes: sending.iter().map(|&(class, (_, bytes))| (class, bytes)).collect(),
            gossip_bytes: shared.gossip.depth(),
            handshakes: Depth::new(shared.handshakes.load(Ordering::Relaxed), limits::HANDSHAKES),
            connections: Depth::new(shared.endpoint.open_connections(), limits::CONNECTIONS),
            joins: Depth::new(shared.joins.load(Ordering::Relaxed), limits::JOINS),
        }
    }

    /// What members say of themselves and each other, over these connections.
    #[must_use]
    pub fn gossip(&self) -> &Gossip {
        &self.shared.gossip
    }

    /// Sends what is queued, then closes all connections and the socket. Takes at most about a second and a half.
    pub async fn shutdown(&self) {
        self.set_peers(Vec::new());
        self.shared.gossip.stop();
        self.accepting.abort();
        let connections = self.shared.registry.all();
        for (_, queues) in &connections {
            queues.finish();
        }
        let flushed = async {
            for (_, queues) in &connections {
                queues.flushed().await;
            }
        };
        let _ = timeout(limits::FLUSH_TIMEOUT, flushed).await;
        self.shared.endpoint.close(CloseCode::Shutdown.number(), b"");
        let _ = timeout(limits::SHUTDOWN_TIMEOUT, self.shared.endpoint.wait_idle()).await;
    }
}

/// What all tasks of one network share.
pub(crate) struct Shared {
    pub(crate) endpoint: Endpoint,
    pub(crate) tls: Tls,
    pub(crate) transport: Transport,
    instance: Instance,
    pub(crate) environment: Environment,
    registry: Arc<Registry>,
    gossip: Arc<Gossip>,
    pub(crate) events: EventSender,
    pub(crate) meter: Arc<Meter>,
    pub(crate) refusals: RefusalLog,
    handshakes: AtomicUsize,
    /// Joins being served.
    pub(crate) joins: AtomicUsize,
    dials: Mutex<BTreeMap<Peer, AbortHandle>>,
}

/// Counts a handshake while it lasts.
struct HandshakePermit(Arc<Shared>);

impl Drop for HandshakePermit {
    fn drop(&mut self) {
        self.0.handshakes.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn accept_loop(shared: Arc<Shared>) {
    while let Some(incoming) = shared.endpoint.accept().await {
        let handshakes = shared.handshakes.load(Ordering::Relaxed);
        if handshakes >= limits::HANDSHAKES || shared.endpoint.open_connections() >= limits::CONNECTIONS {
            shared.meter.handshakes_ignored.one();
            incoming.ignore();
        } else if handshakes >= limits::HANDSHAKES_BEFORE_RETRY && !incoming.remote_address_validated() {
            shared.meter.handshakes_retried.one();
            // Fails only for addresses that proved themselves.
            let _ = incoming.retry();
        } else {
            shared.handshakes.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(accept(HandshakePermit(Arc::clone(&shared)), incoming));
        }
    }
}

async fn accept(permit: HandshakePermit, incoming: Incoming) {
    let shared = &permit.0;
    let address = canonical(incoming.remote_address());
    let note = Note::default();
    // The key and certificate were accepted at the start.
    let Ok(tls) = shared.tls.server(note.clone()) else { return };
    let result = async { incoming.accept_with(Arc::new(shared.transport.server(tls)))?.await }.await;
    match result {
        Ok(connection) if is_join(&connection) => {
            let shared = Arc::clone(shared);
            // It counts as a join from now on.
            drop(permit);
            serve(&shared, connection, address).await;
        }
        Ok(connection) => {
            shared.greet(connection, address, false).await;
        }
        Err(error) => match reason_of(&error, note.take()) {
            Some(reason) => shared.refused(address, reason),
            None => tracing::debug!(%address, %error, "a handshake came to nothing"),
        },
    }
}

/// IPv4 addresses as such, also on a socket for both families.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether no certificate was asked for.
fn is_join(connection: &Connection) -> bool {
    let data = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    data.is_some_and(|data| data.protocol.as_deref() == Some(JOIN_ALPN))
}

/// Who is at the other end, and who issued its certificate.
fn member_of(connection: &Connection) -> Option<(Member, NodeId)> {
    let identity = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    let [certificate, issuer] = identity.as_slice() else { return None };
    Some((read_member(certificate).ok()?, read_issuer(issuer).ok()?.node))
}

/// From now on the peer is a member that may send as much as is good for speed.
fn connection_opens(connection: &Connection) {
    connection.set_receive_window(VarInt::from_u32(limits::CONNECTION_WINDOW_BYTES));
}

impl Shared {
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    fn lock_dials(&self) -> MutexGuard<'_, BTreeMap<Peer, AbortHandle>> {
        self.dials.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Names a refusal in the log and to the core, unless the same was named just now.
    fn refused(&self, address: SocketAddr, reason: RefuseReason) {
        self.meter.connections_refused.one();
        if self.refusals.is_due(self.environment.monotonic(), address, reason.kind()) {
            tracing::warn!(%address, "connection refused: {reason}");
            self.events.offer(NetworkEvent::Refused { address, reason });
        }
    }

    /// One attempt to connect to an address; it fails with what came of it instead.
    pub(crate) async fn connect(&self, address: SocketAddr, attempt_timeout: Duration) -> Result<Connection, Dialled> {
        let unanswered = |why: String| Dialled::Unanswered(format!("{address}: {why}"));
        let note = Note::default();
        let tls = self.tls.client(note.clone()).map_err(|error| unanswered(error.to_string()))?;
        let connecting = self
            .endpoint
            .connect_with(self.transport.client(tls), address, SERVER_NAME)
            .map_err(|error| unanswered(socket::connect_problem(&error, address)))?;
        match timeout(attempt_timeout, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(match reason_of(&error, note.take()) {
                Some(reason) => {
                    self.refused(address, reason);
                    Dialled::Refused
                }
                None => unanswered(error.to_string()),
            }),
            Err(_) => Err(unanswered(NO_ANSWER.to_owned())),
        }
    }

    /// Greets on a connection whose certificates are checked, and runs it if it is the one with its peer.
    pub(crate) async fn greet(
        self: &Arc<Self>,
        connection: Connection,
        address: SocketAddr,
        is_dialled_here: bool,
    ) -> Dialled {
        let Some((member, issuer)) = member_of(&connection) else {
            close(&connection, CloseCode::BadProtocol, "no certificate");
            self.refused(address, RefuseReason::NoCertificate);
            return Dialled::Refused;
        };
        let greeting = Greeting {
            own: self.tls.node_id(),
            instance: self.instance,
            peer: member.node,
            issuer,
            connection: &connection,
            is_dialled_here,
            registry: &self.registry,
            clock: self.environment.clock.as_ref(),
        };
        let error = match greeting.run().await {
            Ok(seat) => {
                connection_opens(&seat.connection);
                if self.tls.revoked().contains(&member.node) || self.tls.revoked().contains(&issuer) {
                    close(&connection, CloseCode::Revoked, "");
                }
                let receivers = Receivers {
                    events: self.events.clone(),
                    gossip: Arc::clone(&self.gossip),
                    meter: Arc::clone(&self.meter),
                };
                tokio::spawn(connection::run(seat, member.name, address, receivers));
                return Dialled::Reached(member.node);
            }
            Err(error) => error,
        };
        self.ungreeted(address, member.node, error)
    }

    fn ungreeted(&self, address: SocketAddr, node: NodeId, error: GreetingError) -> Dialled {
        let reason = match error {
            GreetingError::Duplicate => return Dialled::Reached(node),
            GreetingError::OwnAddress => return Dialled::OwnAddress,
            GreetingError::TimedOut => return Dialled::Unanswered("no greeting came".to_owned()),
            GreetingError::OwnIdentity if node == self.tls.node_id() => RefuseReason::OwnIdentity,
            GreetingError::OwnIdentity => RefuseReason::OwnIdentityElsewhere,
            GreetingError::IdentityInUse => RefuseReason::IdentityInUse { node },
            GreetingError::Protocol(why) => RefuseReason::Protocol(why),
            GreetingError::Lost(error) => match reason_of(&error, None) {
                Some(reason) => reason,
                None => return Dialled::Unanswered(DisconnectReason::from(error).to_string()),
            },
        };
        self.refused(address, reason);
        Dialled::Refused
    }
}
