//! The joiner's side: finds the issuer, proves what it has to, and checks what it is given.

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use murmurate_crdt::id::{MeshId, NodeId};
use quinn::{AsyncUdpSocket, Connection, ConnectionError, Endpoint, Runtime, TokioRuntime, VarInt};
use rand_core::Rng;
use rustls_pki_types::CertificateDer;
use tokio::time::{Instant, sleep, timeout};

use super::error::{Attempt, JoinError};
use super::message::{Answer, Request, decode_answer, prove};
use super::request::JoinKind;
use super::{EXPORTER_BYTES, JoinAnswer, JoinRefusal, Ticket, exporter};
use crate::address::PeerAddress;
use crate::close::{CloseCode, DisconnectReason, close};
use crate::environment::Environment;
use crate::identity::{Anchors, Identity};
use crate::limits;
use crate::network::{NO_ANSWER, Shared};
use crate::race::{Way, find_ways, race};
use crate::socket;
use crate::tls::SERVER_NAME;
use crate::tls::join::{Mismatch, Pin, PinNote, client};
use crate::transport::{Transport, endpoint_config};

/// What a new member was given: checked against the ticket, and good for an identity with the joiner's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The node's certificate and its issuer's.
    pub chain: Vec<CertificateDer<'static>>,
    /// What the mesh trusts.
    pub anchors: Anchors,
    /// The roster's statements, each as its bytes; not checked.
    pub statements: Vec<Vec<u8>>,
    /// The name in the certificate.
    pub name: String,
}

/// What a member was given that renewed: checked, and good for an identity with its key and its anchors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renewed {
    /// The node's new certificate and its issuer's.
    pub chain: Vec<CertificateDer<'static>>,
    /// The roster's statements, as the issuer knows them.
    pub statements: Vec<Vec<u8>>,
}

/// Redeems a ticket at its issuer, from a socket of its own. Waits about a minute at the longest, and 20 s more where the issuer is busy.
///
/// # Errors
/// See [`JoinError`]; nothing was changed here.
pub async fn redeem(
    ticket: &Ticket,
    key: &SigningKey,
    name: &str,
    environment: &Environment,
) -> Result<Joined, JoinError> {
    let local = |error: std::io::Error| JoinError::Local(error.to_string());
    let runtime = Arc::new(TokioRuntime);
    let socket = runtime.wrap_udp_socket(socket::bind_any().map_err(local)?).map_err(local)?;
    redeem_on(socket, runtime, ticket, key, name, environment).await
}

/// Redeems a ticket over a given socket and runtime, for simulated networks.
///
/// # Errors
/// See [`JoinError`]; nothing was changed here.
pub async fn redeem_on(
    socket: Arc<dyn AsyncUdpSocket>,
    runtime: Arc<dyn Runtime>,
    ticket: &Ticket,
    key: &SigningKey,
    name: &str,
    environment: &Environment,
) -> Result<Joined, JoinError> {
    let endpoint = Endpoint::new_with_abstract_socket(endpoint_config(key, environment), None, socket, runtime)
        .map_err(|error| JoinError::Local(error.to_string()))?;
    let asker = Asker {
        endpoint: &endpoint,
        transport: &Transport::new(environment),
        environment,
        mesh: ticket.mesh,
        pin: Pin::Key(ticket.issuer_key),
        key,
        name,
        ticket: Some(ticket),
    };
    let answer = asker.ask(&ticket.addresses).await;
    endpoint.close(CloseCode::Shutdown.number(), b"");
    // So that the other side hears of the end.
    let _ = timeout(limits::SHUTDOWN_TIMEOUT, endpoint.wait_idle()).await;
    let answer = answer?;
    if answer.anchors.fingerprint() != ticket.fingerprint {
        return Err(JoinError::Answer("its anchors aren't those that the ticket names".to_owned()));
    }
    let identity = asker.check(answer.chain, answer.anchors)?;
    Ok(Joined {
        chain: identity.chain().to_vec(),
        anchors: identity.anchors().clone(),
        statements: answer.statements,
        name: identity.name().to_owned(),
    })
}

/// Asks an issuer of this node's own mesh for a new certificate.
pub(crate) async fn renew(shared: &Shared, addresses: &[PeerAddress], issuer: NodeId) -> Result<Renewed, JoinError> {
    let identity = shared.tls.identity();
    let asker = Asker {
        endpoint: &shared.endpoint,
        transport: &shared.transport,
        environment: &shared.environment,
        mesh: identity.mesh(),
        pin: Pin::Node(issuer),
        key: identity.key(),
        name: identity.name(),
        ticket: None,
    };
    let answer = asker.ask(addresses).await?;
    let renewed = asker.check(answer.chain, identity.anchors().clone())?;
    Ok(Renewed { chain: renewed.chain().to_vec(), statements: answer.statements })
}

/// One that asks one issuer for a certificate.
struct Asker<'a> {
    endpoint: &'a Endpoint,
    transport: &'a Transport,
    environment: &'a Environment,
    mesh: MeshId,
    pin: Pin,
    key: &'a SigningKey,
    name: &'a str,
    /// What it redeems; renews if there is none.
    ticket: Option<&'a Ticket>,
}

impl Asker<'_> {
    /// Asks, and asks again for a while where the issuer is busy.
    async fn ask(&self, addresses: &[PeerAddress]) -> Result<JoinAnswer, JoinError> {
        let mut rng = self.environment.rng();
        let give_up = Instant::now() + limits::JOIN_BUSY_PATIENCE;
        loop {
            match self.ask_once(addresses).await? {
                Ok(answer) => return Ok(answer),
                Err(JoinRefusal::Busy) if Instant::now() < give_up => {
                    let range = limits::JOIN_BUSY_RETRY_MS;
                    sleep(Duration::from_millis(range.start + rng.next_u64() % (range.end - range.start))).await;
                }
                Err(refusal) => return Err(JoinError::Refused(refusal)),
            }
        }
    }

    async fn ask_once(&self, addresses: &[PeerAddress]) -> Result<Answer, JoinError> {
        let connection = self.connect(addresses).await?;
        let answer = match timeout(limits::JOIN_ANSWER_TIMEOUT, self.exchange(&connection)).await {
            Ok(answer) => answer,
            Err(_) => Err(JoinError::Lost("nothing came for too long".to_owned())),
        };
        close(&connection, CloseCode::Shutdown, "");
        answer
    }

    /// A connection with the right host, over the first way that leads to it.
    async fn connect(&self, addresses: &[PeerAddress]) -> Result<Connection, JoinError> {
        let (ways, unresolved) = find_ways(addresses).await;
        let unresolved = unresolved.into_iter().map(|(address, why)| Attempt { address, why });
        let mut errors = vec![JoinError::Unreachable { attempts: unresolved.collect() }];
        match race(ways, |way| self.attempt(way)).await {
            Ok(connection) => Ok(connection),
            Err(failures) => {
                errors.extend(failures);
                Err(most_telling(errors))
            }
        }
    }

    async fn attempt(&self, way: Way) -> Result<Connection, JoinError> {
        let unreachable =
            |why: String| JoinError::Unreachable { attempts: vec![Attempt { address: way.label(), why }] };
        let note = PinNote::default();
        let tls = client(self.mesh, self.pin, &self.environment.clock, note.clone())
            .map_err(|error| JoinError::Local(error.to_string()))?;
        let connecting = self
            .endpoint
            .connect_with(self.transport.client(tls), way.address, SERVER_NAME)
            .map_err(|error| unreachable(socket::connect_problem(&error, way.address)))?;
        match timeout(limits::PATIENT_ATTEMPT_TIMEOUT, connecting).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(match note.take() {
                Some(mismatch) => self.error_of(mismatch, &way),
                None => unreachable(problem(&error)),
            }),
            Err(_) => Err(unreachable(NO_ANSWER.to_owned())),
        }
    }

    fn error_of(&self, mismatch: Mismatch, way: &Way) -> JoinError {
        let address = way.label();
        match mismatch {
            Mismatch::Mesh(theirs) => JoinError::AnotherMesh { address, theirs, ours: self.mesh },
            Mismatch::Key => JoinError::AnotherHost { address },
            Mismatch::Clock { from_ms, until_ms, now_ms } => JoinError::Clock { from_ms, until_ms, now_ms },
            Mismatch::Certificate(why) => {
                JoinError::Unreachable { attempts: vec![Attempt { address, why: format!("its certificate: {why}") }] }
            }
        }
    }

    async fn exchange(&self, connection: &Connection) -> Result<Answer, JoinError> {
        let lost = |error: String| JoinError::Lost(error);
        connection.set_receive_window(VarInt::from_u32(limits::CONNECTION_WINDOW_BYTES));
        let exporter = exporter(connection, self.mesh).ok_or_else(|| lost("TLS gives no exporter".to_owned()))?;
        let request = self.request(&exporter).encode(self.key, &exporter);
        let exchange = async {
            let (mut send, mut receive) = connection.open_bi().await.map_err(|error| error.to_string())?;
            send.write_all(&request).await.map_err(|error| error.to_string())?;
            // Fails only on a stream that was ended.
            let _ = send.finish();
            receive.read_to_end(limits::JOIN_ANSWER_BYTES).await.map_err(|error| error.to_string())
        };
        match exchange.await {
            Ok(bytes) => decode_answer(&bytes).map_err(|error| JoinError::Answer(error.to_string())),
            // A close by the other side tells more than the stream that broke because of it.
            Err(why) => match connection.close_reason() {
                Some(error) if CloseCode::of_error(&error) == Some(CloseCode::Busy) => Ok(Err(JoinRefusal::Busy)),
                Some(error) => Err(lost(DisconnectReason::from(error).to_string())),
                None => Err(lost(why)),
            },
        }
    }

    fn request(&self, exporter: &[u8; EXPORTER_BYTES]) -> Request {
        let public_key = self.key.verifying_key().to_bytes();
        let kind = match self.ticket {
            Some(ticket) => {
                let proof = prove(&ticket.secret, exporter, &public_key, self.name);
                JoinKind::Redeem { ticket: ticket.id, proof }
            }
            None => JoinKind::Renew,
        };
        Request { kind, public_key, name: self.name.to_owned() }
    }

    /// Checks that what was given is a certificate for this key, by these anchors, that is valid now.
    fn check(&self, chain: Vec<CertificateDer<'static>>, anchors: Anchors) -> Result<Identity, JoinError> {
        let identity =
            Identity::new(self.key.clone(), chain, anchors).map_err(|error| JoinError::Answer(error.to_string()))?;
        let (validity, now_ms) = (identity.validity(), self.environment.wall_ms());
        if !validity.contains(now_ms) {
            let (from_ms, until_ms) = (validity.not_before_ms, validity.not_after_ms);
            return Err(JoinError::Clock { from_ms, until_ms, now_ms });
        }
        Ok(identity)
    }
}

/// The error that says the most; if nobody answered anywhere, all of them as one.
fn most_telling(errors: Vec<JoinError>) -> JoinError {
    let mut attempts = Vec::new();
    let mut best: Option<JoinError> = None;
    for error in errors {
        match error {
            JoinError::Unreachable { attempts: more } => attempts.extend(more),
            error if best.as_ref().is_none_or(|best| best.weight() < error.weight()) => best = Some(error),
            _ => {}
        }
    }
    best.unwrap_or(JoinError::Unreachable { attempts })
}

fn problem(error: &ConnectionError) -> String {
    match error {
        ConnectionError::TimedOut => NO_ANSWER.to_owned(),
        error => DisconnectReason::from(error.clone()).to_string(),
    }
}
