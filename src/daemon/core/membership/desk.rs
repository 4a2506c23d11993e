//! Where joiners and members whose certificates end get theirs.
//!
//! A use of a ticket is durable before its certificate is given; the same joiner may ask again.

use murmurate_net::join::{JoinAnswer, JoinKind, JoinRefusal, JoinReply, JoinRequest};
use murmurate_protocol::Event;

use super::super::Core;
use super::super::commits::{Item, StateEntry, Then};
use super::issuing::Issued;

impl Core {
    /// Answers a joiner or a member that renews, as soon as what is given is durable.
    pub(in crate::daemon::core) async fn take_join(&mut self, request: JoinRequest, reply: JoinReply) {
        // The network logs what came of it, and how often a stranger may fill the log.
        match self.grant(&request) {
            Ok((issued, states)) => self.hand_out(issued, states, reply).await,
            Err(refusal) => reply.refuse(refusal),
        }
    }

    fn grant(&mut self, request: &JoinRequest) -> Result<(Issued, Vec<StateEntry>), JoinRefusal> {
        match &request.kind {
            JoinKind::Redeem { ticket, .. } => self.redeem(ticket, request),
            JoinKind::Renew => Ok((self.renewed(request)?, Vec::new())),
        }
    }

    fn redeem(&mut self, id: &[u8; 8], request: &JoinRequest) -> Result<(Issued, Vec<StateEntry>), JoinRefusal> {
        if self.issuer().is_none() {
            return Err(JoinRefusal::NotIssuer);
        }
        let now_ms = self.environment.wall_ms();
        let node = request.node_id();
        // Who has no ticket isn't told anything about the mesh.
        let ticket = self.membership.tickets.get_mut(id).ok_or(JoinRefusal::UnknownTicket)?;
        if !request.proves(&ticket.secret) {
            return Err(JoinRefusal::WrongSecret);
        }
        if self.engine.roster().revocation(node).is_some() {
            return Err(JoinRefusal::Revoked);
        }
        if self.is_name_taken(&request.name, node) {
            return Err(JoinRefusal::NameTaken);
        }
        let ticket = self.membership.tickets.get_mut(id).ok_or(JoinRefusal::UnknownTicket)?;
        ticket.redeem(request.public_key, &request.name, now_ms)?;
        let used = ticket.entry();
        Ok((self.admit(&request.public_key, &request.name)?, vec![used]))
    }

    /// A node that left or was revoked doesn't keep its name from others.
    fn is_name_taken(&self, name: &str, node: murmurate_crdt::id::NodeId) -> bool {
        let roster = self.engine.roster();
        let mut others = roster.members().filter(|other| *other != node && !roster.has_left(*other));
        others.any(|other| roster.name(other) == Some(name))
    }

    fn renewed(&mut self, request: &JoinRequest) -> Result<Issued, JoinRefusal> {
        let (roster, node) = (self.engine.roster(), request.node_id());
        if roster.revocation(node).is_some() {
            return Err(JoinRefusal::Revoked);
        }
        let name = roster.name(node).filter(|_| !roster.has_left(node)).ok_or(JoinRefusal::NotMember)?.to_owned();
        self.renew_certificate(&request.public_key, &name)
    }

    async fn hand_out(&mut self, issued: Issued, states: Vec<StateEntry>, reply: JoinReply) {
        for statement in issued.statements {
            self.tell(Event::Statement(statement)).await;
        }
        let answer = JoinAnswer {
            chain: issued.chain,
            anchors: self.membership.anchors().clone(),
            statements: self.engine.roster().statements().map(|statement| statement.bytes().to_vec()).collect(),
        };
        let then = Then::Reply(Box::new(move |durable| match durable {
            Ok(()) => reply.accept(answer),
            Err(error) => {
                tracing::error!(%error, "a certificate isn't given, because it couldn't be recorded");
                reply.refuse(JoinRefusal::Busy);
            }
        }));
        self.commits.push(Item { states, urgent: true, then, ..Item::default() });
    }
}
