//! Answers to the local API about who belongs to the mesh.

use data_encoding::HEXLOWER;
use ed25519_dalek::SigningKey;
use murmurate_client::types::{
    AddIssuer, ApiError, CertificateStatus, CreateTicket, ErrorCode, Issuer as ShownIssuer, IssuerAdded, KeyStatus,
    Member, MemberState, Node, NodeRevoked, Revocation, RevokeNode, TicketCreated, TicketRevoked, Tickets, Time, V1,
};
use murmurate_crdt::id::NodeId;
use murmurate_net::identity::parse_key;
use murmurate_net::{PeerAddress, join};
use murmurate_protocol::{Event, Fact, Signer, Statement};

use super::super::Core;
use super::super::commits::{Item, StateEntry, Then};
use super::tickets::Ticket;
use crate::daemon::core::limits::REASON_BYTES;
use crate::daemon::core::limits::{TICKET_DEFAULT_VALID_S, TICKET_USES, TICKET_VALID_S, TICKETS};
use crate::daemon::founding::RECOVERY_KEY;
use crate::daemon::request::{MembershipRequest, Reply};

/// The shortest beginning of an id that names a host.
const ID_DIGITS: usize = 4;

impl Core {
    pub(in crate::daemon::core) async fn answer_membership(&mut self, request: MembershipRequest) {
        match request {
            MembershipRequest::Node { node, reply } => drop(reply.send(self.node(&node))),
            MembershipRequest::Ping { node, within, reply } => self.ping(&node, within, reply).await,
            MembershipRequest::CreateTicket { ticket, reply } => self.create_ticket(&ticket, reply),
            MembershipRequest::Tickets { reply } => {
                let tickets = self.membership.tickets.shown(self.environment.wall_ms());
                drop(reply.send(Ok(Tickets { v: V1, tickets })));
            }
            MembershipRequest::RevokeTicket { id, reply } => self.revoke_ticket(&id, reply),
            MembershipRequest::KeyStatus { reply } => drop(reply.send(Ok(self.key_status()))),
            MembershipRequest::AddIssuer { issuer, reply } => match self.grant_issuer(&issuer) {
                Ok((statement, added)) => self.state_and_answer(statement, added, reply).await,
                Err(error) => drop(reply.send(Err(error))),
            },
            MembershipRequest::Revoke { node, reply } => match self.revocation(&node) {
                Ok((statement, revoked)) => self.state_and_answer(statement, revoked, reply).await,
                Err(error) => drop(reply.send(Err(error))),
            },
            MembershipRequest::Leave { reply } => self.leave(reply).await,
        }
    }

    /// Tells the mesh, and answers as soon as what is told is durable here.
    async fn state_and_answer<T: Send + 'static>(&mut self, statement: Statement, answer: T, reply: Reply<T>) {
        self.tell(Event::Statement(statement)).await;
        self.answer_when_durable("tell the mesh", Vec::new(), answer, reply);
    }

    fn answer_when_durable<T: Send + 'static>(
        &mut self,
        what: &'static str,
        states: Vec<StateEntry>,
        answer: T,
        reply: Reply<T>,
    ) {
        let then = Then::Reply(Box::new(move |durable: Result<(), String>| {
            let answer = durable.map(|()| answer).map_err(|why| {
                ApiError::new(ErrorCode::Store, what, why, "free the disk or repair it, then try again")
            });
            drop(reply.send(answer));
        }));
        self.commits.push(Item { states, urgent: true, then, ..Item::default() });
    }

    fn create_ticket(&mut self, wanted: &CreateTicket, reply: Reply<TicketCreated>) {
        match self.new_ticket(wanted) {
            Ok((states, created)) => self.answer_when_durable("make a ticket", states, created, reply),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    fn new_ticket(&mut self, wanted: &CreateTicket) -> Result<(Vec<StateEntry>, TicketCreated), ApiError> {
        const WHAT: &str = "make a ticket";
        if self.issuer().is_none() {
            return Err(self.not_issuer(WHAT));
        }
        let uses = wanted.uses.unwrap_or(1);
        let valid_s = wanted.valid_s.unwrap_or(TICKET_DEFAULT_VALID_S);
        if !(1..=TICKET_USES).contains(&uses) || !(1..=TICKET_VALID_S).contains(&valid_s) {
            let why = format!("a ticket is for 1 to {TICKET_USES} hosts and can be used for 1 second to 365 days");
            return Err(ApiError::new(ErrorCode::BadRequest, WHAT, why, "give other `--uses` or `--expires`"));
        }
        let addresses = self.ticket_addresses(&wanted.addresses)?;
        let now_ms = self.environment.wall_ms();
        let ticket = Ticket::new(&mut self.rng, now_ms, valid_s, uses);
        let text = ticket_text(&ticket, self.membership.anchors(), &self.identity.key, addresses);
        let info = ticket.shown(now_ms);
        let states = self.membership.tickets.insert(ticket, now_ms).ok_or_else(|| {
            let why = format!("{TICKETS} tickets can still be used");
            ApiError::new(
                ErrorCode::Limit,
                WHAT,
                why,
                "take some back: `murmurate ticket ls`, `murmurate ticket revoke`",
            )
        })?;
        Ok((states, TicketCreated { v: V1, ticket: text, info }))
    }

    fn ticket_addresses(&self, wanted: &[String]) -> Result<Vec<PeerAddress>, ApiError> {
        let own;
        let texts = if wanted.is_empty() {
            own = self.membership.standing.advertise.addresses();
            &own
        } else {
            wanted
        };
        let addresses: Result<Vec<PeerAddress>, _> = texts.iter().map(|text| text.parse()).collect();
        let addresses = addresses.map_err(|error: murmurate_net::address::AddressError| {
            ApiError::new(ErrorCode::BadRequest, "make a ticket", error.to_string(), "give `--address HOST:PORT`")
        })?;
        if addresses.is_empty() {
            let why = "no address is known under which other hosts reach this one";
            return Err(ApiError::new(ErrorCode::BadRequest, "make a ticket", why, "give `--address HOST:PORT`"));
        }
        Ok(addresses)
    }

    fn revoke_ticket(&mut self, id: &str, reply: Reply<TicketRevoked>) {
        let now_ms = self.environment.wall_ms();
        let name = id.parse::<join::Ticket>().map_or_else(|_| id.to_owned(), |ticket| HEXLOWER.encode(&ticket.id));
        let Some(ticket) = self.membership.tickets.named(&name) else {
            let try_ = "`murmurate ticket ls` lists those that this host made; each is taken back where it was made";
            let why = "this host made no such ticket";
            drop(reply.send(Err(ApiError::new(ErrorCode::NotFound, "take back the ticket", why, try_))));
            return;
        };
        ticket.revoke();
        let answer = TicketRevoked { v: V1, ticket: ticket.shown(now_ms) };
        let states = vec![ticket.entry()];
        self.answer_when_durable("take back the ticket", states, answer, reply);
    }

    fn not_issuer(&self, what: &str) -> ApiError {
        let roster = self.engine.roster();
        let names: Vec<_> = roster.issuers().filter_map(|(node, _)| roster.name(node)).collect();
        let why = "this host may not issue certificates and tickets";
        let try_ = format!("ask on one that may: {}; or `murmurate keys issuer` there", names.join(", "));
        ApiError::new(ErrorCode::NotIssuer, what, why, try_)
    }

    fn node(&self, text: &str) -> Result<Node, ApiError> {
        let node = self.find_node(text, "show a host")?;
        let roster = self.engine.roster();
        let generation = match node == self.identity.node {
            true => self.engine.generation(),
            false => self.known_peers().iter().find(|peer| peer.node == node).map_or(0, |peer| peer.generation),
        };
        Ok(Node {
            v: V1,
            member: self.member_of(node),
            generation: Some(generation).filter(|generation| *generation > 0),
            history: self.member_history(node),
            addresses: roster.addresses(node).to_vec(),
            admitted: self.admitted(node),
            certificate_ends: roster.not_after_ms(node).map(Time::from_ms),
            issuer: roster.issuers().any(|(issuer, _)| issuer == node),
            revoked: self.shown_revocation(node),
        })
    }

    /// How a host fares, whether it is a member or not.
    pub(super) fn member_of(&self, node: NodeId) -> Member {
        if let Some(peer) = self.known_peers().iter().find(|peer| peer.node == node) {
            return self.member(peer);
        }
        let own = self.members().members.into_iter().find(|member| member.id == node.to_string());
        own.unwrap_or_else(|| self.absent(node))
    }

    /// When a host was admitted, by its issuer's clock.
    fn admitted(&self, node: NodeId) -> Option<Time> {
        match self.engine.roster().admission(node)?.fact() {
            Some(Fact::Admit { issued_ms, .. }) => Some(Time::from_ms(*issued_ms)),
            _ => None,
        }
    }

    /// A host that isn't among the members any more, or was never met.
    fn absent(&self, node: NodeId) -> Member {
        let roster = self.engine.roster();
        let gone = roster.revocation(node).is_some() || roster.has_left(node);
        Member {
            name: roster.name(node).unwrap_or_default().to_owned(),
            id: node.to_string(),
            state: if gone { MemberState::Left } else { MemberState::Unknown },
            address: String::new(),
            since: None,
            lag: 0,
            in_step: false,
            behind_since: None,
            through: Vec::new(),
            version: roster.version(node).map(str::to_owned),
            zone: None,
            roles: Vec::new(),
            heard_alive: None,
            flapping: false,
            clock_ahead_ms: None,
            is_self: false,
        }
    }

    /// The host with this name, or whose id begins so. Members go before those that are gone.
    pub(super) fn find_node(&self, text: &str, what: &str) -> Result<NodeId, ApiError> {
        let roster = self.engine.roster();
        let is_gone = |node: &NodeId| roster.revocation(*node).is_some() || roster.has_left(*node);
        let by_id = |node: &NodeId| text.len() >= ID_DIGITS && node.to_string().starts_with(text);
        let fits = |node: &NodeId| roster.name(*node) == Some(text) || by_id(node);
        let found: Vec<NodeId> = roster.admitted().filter(fits).collect();
        let live: Vec<NodeId> = found.iter().copied().filter(|node| !is_gone(node)).collect();
        match (live.as_slice(), found.as_slice()) {
            ([node], _) | ([], [node]) => Ok(*node),
            ([], []) => {
                let why = format!("no host has the name `{text}` or an id that begins so");
                Err(ApiError::new(ErrorCode::NotFound, what, why, "`murmurate members` lists them"))
            }
            _ => {
                let why = format!("`{text}` fits {} hosts", live.len().max(found.len()));
                let try_ = "give more digits of its id: `murmurate members -o json`";
                Err(ApiError::new(ErrorCode::BadRequest, what, why, try_))
            }
        }
    }

    fn shown_revocation(&self, node: NodeId) -> Option<Revocation> {
        let roster = self.engine.roster();
        let revocation = roster.revocation(node)?;
        Some(Revocation {
            name: roster.name(node).unwrap_or_default().to_owned(),
            id: node.to_string(),
            reason: revocation.reason.to_owned(),
            time: Time::from_ms(revocation.issued_ms),
        })
    }

    fn key_status(&self) -> KeyStatus {
        let standing = &self.membership.standing;
        let (begins, ends, renewed_from) = self.certificate_times();
        let recovery = standing.identity_dir.as_ref().and_then(|directory| directory.parent());
        let recovery = recovery.map(|data| data.join(RECOVERY_KEY)).filter(|path| path.exists());
        let roster = self.engine.roster();
        let mut issuers: Vec<_> = roster.issuers().map(|(node, grant)| self.shown_issuer(node, grant)).collect();
        issuers.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        KeyStatus {
            v: V1,
            mesh: self.identity.mesh.to_string(),
            fingerprint: HEXLOWER.encode(&standing.identity.anchors().fingerprint()),
            certificate: CertificateStatus {
                begins: Time::from_ms(begins),
                ends: Time::from_ms(ends),
                renewed_from: Time::from_ms(renewed_from),
                problem: self.membership.renewal.problem.clone(),
            },
            issuers,
            authority_here: standing.authority.is_some(),
            recovery_key: recovery.map(|path| path.display().to_string()),
            revoked: roster.revoked().filter_map(|node| self.shown_revocation(node)).collect(),
        }
    }

    fn shown_issuer(&self, node: NodeId, grant: &Statement) -> ShownIssuer {
        let since = match grant.fact() {
            Some(Fact::Issuer { issued_ms, .. }) => *issued_ms,
            _ => 0,
        };
        let name = self.engine.roster().name(node).unwrap_or_default().to_owned();
        ShownIssuer { name, id: node.to_string(), since: Time::from_ms(since), is_self: node == self.identity.node }
    }

    fn grant_issuer(&self, wanted: &AddIssuer) -> Result<(Statement, IssuerAdded), ApiError> {
        let what = format!("let {} issue certificates", wanted.node);
        let node = self.find_node(&wanted.node, &what)?;
        let own = self.engine.roster().own(node).filter(|own| !own.left).ok_or_else(|| {
            let why = "it hasn't said yet with which key it would issue";
            ApiError::new(ErrorCode::NotFound, &what, why, "start its daemon once, and try again")
        })?;
        let recovery = self.recovery_key(wanted.recovery_key.as_deref(), &what)?;
        let here = self.membership.standing.authority.as_ref().map(|authority| authority.key().clone());
        let (key, signed_by_recovery) = match (recovery, here) {
            (Some(key), _) => (key, true),
            (None, Some(key)) => (key, false),
            (None, None) => {
                let why = "the authority's key isn't on this host";
                let try_ = "ask on the host where `murmurate init` ran, or give `--recovery-key FILE`";
                return Err(ApiError::new(ErrorCode::Denied, what, why, try_));
            }
        };
        let now_ms = self.environment.wall_ms();
        let (mesh, issuer_key) = (self.identity.mesh, own.issuer_key);
        let internal = |why: String| ApiError::internal(&what, why);
        let authority = self.membership.anchors().with_key(key.clone()).map_err(|error| internal(error.to_string()))?;
        let certificate = authority.grant(issuer_key.as_bytes(), node, 0, u64::MAX);
        let certificate = certificate.map_err(|error| internal(error.to_string()))?;
        let fact = Fact::Issuer { node, key: issuer_key, certificate: certificate.to_vec(), issued_ms: now_ms };
        let signer = if signed_by_recovery { Signer::Recovery(&key) } else { Signer::Authority(&key) };
        let statement = Statement::new(mesh, signer, &fact).map_err(|error| internal(error.to_string()))?;
        let issuer = self.shown_issuer(node, &statement);
        Ok((statement, IssuerAdded { v: V1, issuer }))
    }

    /// The recovery key, if one is given and it is this mesh's.
    fn recovery_key(&self, text: Option<&str>, what: &str) -> Result<Option<SigningKey>, ApiError> {
        let Some(text) = text else { return Ok(None) };
        let bad = |why: String| {
            let try_ = "give the file that `murmurate init` of this very mesh wrote";
            ApiError::new(ErrorCode::Denied, what, why, try_)
        };
        let key = parse_key(text).map_err(|error| bad(format!("the recovery key can't be read: {error}")))?;
        if self.membership.anchors().recovery_key() != Ok(key.verifying_key().to_bytes()) {
            return Err(bad("it isn't this mesh's recovery key".to_owned()));
        }
        Ok(Some(key))
    }

    fn revocation(&self, wanted: &RevokeNode) -> Result<(Statement, NodeRevoked), ApiError> {
        let what = format!("revoke {}", wanted.node);
        let node = self.find_node(&wanted.node, &what)?;
        if node == self.identity.node {
            let try_ = "`murmurate leave` takes this host out; to revoke it, ask on another one";
            return Err(ApiError::new(ErrorCode::BadRequest, what, "it is this host itself", try_));
        }
        if wanted.reason.len() > REASON_BYTES {
            let why = format!("its reason is longer than {REASON_BYTES} bytes");
            return Err(ApiError::new(ErrorCode::BadRequest, what, why, "give a shorter one"));
        }
        let issued_ms = self.environment.wall_ms();
        let fact = Fact::Revoke { node, reason: wanted.reason.clone(), issued_ms };
        let recovery = self.recovery_key(wanted.recovery_key.as_deref(), &what)?;
        let grant = self.issuer_grant();
        let signer = match (&recovery, &grant) {
            (Some(key), _) => Signer::Recovery(key),
            (None, Some((grant, _))) => Signer::Issuer { key: &self.membership.standing.issuer_key, grant },
            (None, None) => return Err(self.not_issuer(&what)),
        };
        let statement = Statement::new(self.identity.mesh, signer, &fact)
            .map_err(|error| ApiError::new(ErrorCode::BadRequest, &what, error.to_string(), "give another reason"))?;
        let name = self.engine.roster().name(node).unwrap_or_default().to_owned();
        let reason = wanted.reason.clone();
        let revoked = Revocation { name, id: node.to_string(), reason, time: Time::from_ms(issued_ms) };
        Ok((statement, NodeRevoked { v: V1, revoked }))
    }
}

/// What `murmurate join` takes.
pub(crate) fn ticket_text(
    ticket: &Ticket,
    anchors: &murmurate_net::identity::Anchors,
    node_key: &SigningKey,
    addresses: Vec<PeerAddress>,
) -> String {
    let ticket = join::Ticket {
        mesh: anchors.mesh(),
        fingerprint: anchors.fingerprint(),
        issuer_key: node_key.verifying_key().to_bytes(),
        addresses,
        id: ticket.id,
        secret: ticket.secret,
        expires_ms: ticket.expires_ms,
        uses: ticket.uses,
    };
    ticket.to_string()
}
