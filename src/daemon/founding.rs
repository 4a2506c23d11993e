//! How a host gets its place in a mesh, before its daemon runs: by making one, or with a ticket.
//!
//! ```text
//!  init ─▶ authority, recovery key, issuer, first member ─▶ data/identity, data/recovery.key, a first ticket in data/store
//!  join ─▶ own key ─▶ ticket's host ─▶ certificate, anchors, roster ─▶ data/identity
//! ```
//! The identity directory appears whole or not at all, so both can be tried again after a crash.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use murmurate_client::types::{ApiError, ErrorCode, Time};
use murmurate_crdt::id::{MeshId, NodeId};
use murmurate_net::identity::{self, Anchors, Authority, Issuer, NewDirectory, generate_key};
use murmurate_net::join::{JoinError, JoinRefusal, Joined, Ticket, redeem};
use murmurate_net::{Environment, Identity, PeerAddress};
use murmurate_protocol::{Fact, Signer, Statement};
use rand_core::Rng;

use super::core::membership::{self, Advertise};
use super::store::{Batch, Directory, LogOptions, LogStore, Store, StoreError};

/// The file in the data directory in which `init` leaves the recovery key, to be moved away.
pub const RECOVERY_KEY: &str = "recovery.key";
/// Certificates begin a little in the past: clocks differ.
const CLOCK_SLACK_MS: u64 = 60 * 60 * 1_000;
/// For how long the first ticket can be used.
const FIRST_TICKET_S: u64 = 24 * 60 * 60;
/// How many hosts may join with it.
const FIRST_TICKET_USES: u32 = 16;

/// The host that gets a place.
#[derive(Debug, Clone)]
pub struct Place {
    /// Where keys and history are kept.
    pub data_dir: PathBuf,
    /// The host's name in the mesh.
    pub name: String,
    /// Where its daemon will listen.
    pub listen: SocketAddr,
    /// Where others reach it, if that is set.
    pub advertise: Vec<PeerAddress>,
    /// For how long its certificate is valid.
    pub certificate_validity: Duration,
}

/// A mesh that was made.
#[derive(Debug, Clone)]
pub struct Founded {
    /// The mesh.
    pub mesh: MeshId,
    /// Its first node.
    pub node: NodeId,
    /// By which people know it, in hexadecimal.
    pub fingerprint: String,
    /// A ticket for the other hosts; none where no address is known under which they reach this one.
    pub ticket: Option<String>,
    /// Until when the ticket can be used.
    pub ticket_expires: Time,
    /// Where the recovery key is.
    pub recovery_key: PathBuf,
}

/// A host's own keys and statements, ready to be written.
pub(crate) struct NewHost {
    pub(crate) identity: Identity,
    pub(crate) issuer_key: SigningKey,
    pub(crate) statements: Vec<Statement>,
}

/// A mesh's keys, as they are only while it is made.
pub(crate) struct NewMesh {
    pub(crate) anchors: Anchors,
    pub(crate) authority: Authority,
    pub(crate) recovery: SigningKey,
}

impl NewMesh {
    /// New keys for a new mesh.
    pub(crate) fn new(environment: &Environment) -> Result<Self, String> {
        let mut rng = environment.rng();
        let mut mesh = MeshId::default();
        rng.fill_bytes(&mut mesh.0);
        let from_ms = environment.wall_ms().saturating_sub(CLOCK_SLACK_MS);
        let text = |error: identity::IssueError| error.to_string();
        let authority = Authority::new(mesh, generate_key(&mut rng), from_ms).map_err(text)?;
        let recovery = Authority::new(mesh, generate_key(&mut rng), from_ms).map_err(text)?;
        let anchors = Anchors::new(authority.certificate().clone(), recovery.certificate().clone());
        let anchors = anchors.map_err(|error| error.to_string())?;
        Ok(Self { anchors, authority, recovery: recovery.key().clone() })
    }

    /// A member that is an issuer, too: the first one.
    pub(crate) fn first_host(
        &self,
        name: &str,
        validity: Duration,
        environment: &Environment,
    ) -> Result<(NewHost, Issuer), String> {
        let mut rng = environment.rng();
        let (key, issuer_key) = (generate_key(&mut rng), generate_key(&mut rng));
        let mesh = self.anchors.mesh();
        let node = NodeId::of_public_key(key.verifying_key().as_bytes());
        let public_key = issuer_key.verifying_key();
        let certificate = self.authority.grant(public_key.as_bytes(), node, 0, u64::MAX);
        let certificate = certificate.map_err(|error| error.to_string())?;
        let issued_ms = environment.wall_ms();
        let fact = Fact::Issuer { node, key: public_key, certificate: certificate.to_vec(), issued_ms };
        let grant = Statement::new(mesh, Signer::Authority(self.authority.key()), &fact);
        let grant = grant.map_err(|error| error.to_string())?;
        let issuer = Issuer::new(issuer_key.clone(), certificate).map_err(|error| error.to_string())?;
        let mut host = self.host(&issuer, &grant, key, name, validity, environment)?;
        host.issuer_key = issuer_key;
        host.statements.insert(0, grant);
        Ok((host, issuer))
    }

    /// A member that an issuer admits.
    pub(crate) fn host(
        &self,
        issuer: &Issuer,
        grant: &Statement,
        key: SigningKey,
        name: &str,
        validity: Duration,
        environment: &Environment,
    ) -> Result<NewHost, String> {
        let mesh = self.anchors.mesh();
        let now_ms = environment.wall_ms();
        let validity_ms = u64::try_from(validity.as_millis()).unwrap_or(u64::MAX);
        let begins_ms = now_ms.saturating_sub(CLOCK_SLACK_MS.min(validity_ms / 2));
        let ends_ms = now_ms.saturating_add(validity_ms);
        let public_key = key.verifying_key();
        let chain = issuer.issue(public_key.as_bytes(), name, begins_ms, ends_ms).map_err(|error| error.to_string())?;
        let node = NodeId::of_public_key(public_key.as_bytes());
        let facts = [
            Fact::Admit { key: public_key, name: name.to_owned(), issued_ms: now_ms },
            Fact::Renew { node, not_after_ms: ends_ms, issued_ms: now_ms },
        ];
        let sign = |fact| Statement::new(mesh, Signer::Issuer { key: issuer.key(), grant }, &fact);
        let statements: Result<Vec<_>, _> = facts.into_iter().map(sign).collect();
        let statements = statements.map_err(|error| error.to_string())?;
        let identity = Identity::new(key, chain, self.anchors.clone()).map_err(|error| error.to_string())?;
        Ok(NewHost { identity, issuer_key: generate_key(&mut environment.rng()), statements })
    }
}

impl NewHost {
    /// Writes the identity directory.
    pub(crate) fn save(&self, data_dir: &Path, authority: Option<&SigningKey>) -> Result<(), identity::DirectoryError> {
        let statements: Vec<Vec<u8>> = self.statements.iter().map(|statement| statement.bytes().to_vec()).collect();
        let new = NewDirectory {
            identity: &self.identity,
            issuer_key: &self.issuer_key,
            issuer_certificate: None,
            authority_key: authority,
            statements: &statements,
        };
        identity::save(&data_dir.join("identity"), &new)
    }
}

/// Makes a mesh, with this host as its first.
///
/// # Errors
/// When the host is a member of one already, or its data directory can't be written.
pub fn found(place: &Place, environment: &Environment) -> Result<Founded, ApiError> {
    const WHAT: &str = "make a mesh";
    refuse_member(place, WHAT)?;
    let internal = |why: String| ApiError::internal(WHAT, why);
    let mesh = NewMesh::new(environment).map_err(internal)?;
    let (host, _) = mesh.first_host(&place.name, place.certificate_validity, environment).map_err(internal)?;
    let store = open_store(place, mesh.anchors.mesh(), environment, WHAT)?;
    let recovery_key = place.data_dir.join(RECOVERY_KEY);
    identity::save_key(&recovery_key, &mesh.recovery).map_err(|error| unwritten(WHAT, &error))?;
    let (ticket, ticket_expires) = first_ticket(place, &host, &*store, environment)?;
    host.save(&place.data_dir, Some(mesh.authority.key())).map_err(|error| unwritten(WHAT, &error))?;
    Ok(Founded {
        mesh: mesh.anchors.mesh(),
        node: host.identity.node_id(),
        fingerprint: HEXLOWER.encode(&mesh.anchors.fingerprint()),
        ticket,
        ticket_expires,
        recovery_key,
    })
}

fn first_ticket(
    place: &Place,
    host: &NewHost,
    store: &dyn Store,
    environment: &Environment,
) -> Result<(Option<String>, Time), ApiError> {
    let ticket =
        membership::Ticket::new(&mut environment.rng(), environment.wall_ms(), FIRST_TICKET_S, FIRST_TICKET_USES);
    let expires = Time::from_ms(ticket.expires_ms);
    let advertise = Advertise { fixed: place.advertise.clone(), listen: place.listen };
    let addresses: Vec<PeerAddress> = advertise.addresses().iter().filter_map(|text| text.parse().ok()).collect();
    if addresses.is_empty() {
        return Ok((None, expires));
    }
    let batch = Batch { states: vec![ticket.entry()], ..Batch::default() };
    store.commit(&batch).map_err(|error| unopened("keep the first ticket", &error))?;
    let identity = &host.identity;
    Ok((Some(membership::ticket_text(&ticket, identity.anchors(), identity.key(), addresses)), expires))
}

/// Joins the mesh of a ticket.
///
/// # Errors
/// When the host is a member of one already, nobody answers, or the ticket isn't taken.
pub async fn join(place: &Place, ticket: &Ticket, environment: &Environment) -> Result<Joined, ApiError> {
    const WHAT: &str = "join the mesh";
    refuse_member(place, WHAT)?;
    let store = open_store(place, ticket.mesh, environment, WHAT)?;
    // Should the answer be lost, the next attempt is known for the same host by its key, and costs no further use.
    let key_file = place.data_dir.join(format!("joining-{}.key", HEXLOWER.encode(&ticket.id)));
    let key = match identity::load_key(&key_file) {
        Ok(key) => key,
        Err(identity::DirectoryError::Missing { .. }) => {
            let key = generate_key(&mut environment.rng());
            identity::save_key(&key_file, &key).map_err(|error| unwritten(WHAT, &error))?;
            key
        }
        Err(error) => return Err(unwritten(WHAT, &error)),
    };
    let joined = redeem(ticket, &key, &place.name, environment).await.map_err(|error| not_joined(&error))?;
    let member = Identity::new(key, joined.chain.clone(), joined.anchors.clone());
    let member = member.map_err(|error| ApiError::internal(WHAT, error.to_string()))?;
    let new = NewDirectory {
        identity: &member,
        issuer_key: &generate_key(&mut environment.rng()),
        issuer_certificate: None,
        authority_key: None,
        statements: &joined.statements,
    };
    identity::save(&place.data_dir.join("identity"), &new).map_err(|error| unwritten(WHAT, &error))?;
    drop(store);
    if let Err(error) = std::fs::remove_file(&key_file) {
        tracing::warn!(path = %key_file.display(), %error, "a file that isn't needed any more can't be removed");
    }
    Ok(joined)
}

fn refuse_member(place: &Place, what: &str) -> Result<(), ApiError> {
    let path = place.data_dir.join("identity");
    if path.symlink_metadata().is_err() {
        return Ok(());
    }
    let why = format!("this host is a member already: {} is there", path.display());
    let try_ = "`murmurate leave` takes it out; or give another `--data-dir`";
    Err(ApiError::new(ErrorCode::AlreadyMember, what, why, try_))
}

/// Opens the store, which must be this mesh's or new, so that no daemon runs with it meanwhile.
fn open_store(place: &Place, mesh: MeshId, environment: &Environment, what: &str) -> Result<Arc<dyn Store>, ApiError> {
    let directory = Directory::open(&place.data_dir.join("store")).map_err(|error| unopened(what, &error))?;
    let store = LogStore::open(Arc::new(directory), LogOptions::default(), &mut environment.rng());
    let store = store.map_err(|error| unopened(what, &error))?;
    claim(&store, mesh).map_err(|error| match error {
        Claim::Store(error) => unopened(what, &error),
        Claim::OtherMesh(other) => {
            let why = format!("{} holds the history of mesh {other}", place.data_dir.join("store").display());
            ApiError::new(ErrorCode::OtherMesh, what, why, "move it away, or give another `--data-dir`")
        }
    })?;
    Ok(Arc::new(store))
}

/// Why a store can't serve a mesh.
#[derive(Debug)]
pub(crate) enum Claim {
    /// It holds another mesh's history: two meshes never merge by accident.
    OtherMesh(MeshId),
    /// It can't be read or written.
    Store(StoreError),
}

/// Sees to it that a store only ever serves one mesh.
pub(crate) fn claim(store: &dyn Store, mesh: MeshId) -> Result<(), Claim> {
    match store.state(membership::MESH_STATE).map_err(Claim::Store)? {
        Some(said) if said[..] == mesh.0 => Ok(()),
        Some(said) => Err(Claim::OtherMesh(MeshId(<[u8; 16]>::try_from(&said[..]).unwrap_or_default()))),
        None => {
            let states = vec![(membership::MESH_STATE.to_owned(), Some(mesh.0.to_vec()))];
            store.commit(&Batch { states, ..Batch::default() }).map(drop).map_err(Claim::Store)
        }
    }
}

fn unopened(what: &str, error: &StoreError) -> ApiError {
    let (code, try_) = match error {
        StoreError::Locked { .. } => {
            (ErrorCode::AlreadyRunning, "end the daemon that uses it, or give another `--data-dir`")
        }
        _ => (ErrorCode::Io, "look at the data directory's owner, mode and free space"),
    };
    ApiError::new(code, what, error.to_string(), try_)
}

fn unwritten(what: &str, error: &identity::DirectoryError) -> ApiError {
    ApiError::new(ErrorCode::Io, what, error.to_string(), "look at the data directory's owner, mode and free space")
}

/// A join's failure, for the person who tried it.
fn not_joined(error: &JoinError) -> ApiError {
    let code = match error {
        JoinError::Unreachable { .. } | JoinError::Lost(_) => ErrorCode::NoAnswer,
        JoinError::AnotherHost { .. } | JoinError::AnotherMesh { .. } => ErrorCode::WrongHost,
        JoinError::Refused(refusal) => refused(refusal),
        JoinError::Answer(_) => ErrorCode::BadAnswer,
        JoinError::Local(_) => ErrorCode::Io,
        JoinError::Clock { .. } => ErrorCode::Denied,
    };
    ApiError::new(code, "join the mesh", error.to_string(), error.advice())
}

fn refused(refusal: &JoinRefusal) -> ErrorCode {
    match refusal {
        JoinRefusal::Used => ErrorCode::TicketUsed,
        JoinRefusal::Expired => ErrorCode::TicketExpired,
        JoinRefusal::UnknownTicket | JoinRefusal::TicketRevoked => ErrorCode::TicketUnknown,
        JoinRefusal::NameTaken => ErrorCode::Exists,
        JoinRefusal::NotIssuer => ErrorCode::NotIssuer,
        JoinRefusal::Busy => ErrorCode::Busy,
        _ => ErrorCode::Denied,
    }
}
