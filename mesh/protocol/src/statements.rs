//! The way of a statement: verified, into the roster, handed out to be stored, and passed on at once to whom it may be new.
//! What a push missed is found by the roster's hash in summaries.

use std::sync::Arc;

use murmurate_crdt::id::NodeId;

use crate::anti_entropy::ROSTER_AGAIN;
use crate::context::Context;
use crate::effect::{Class, Effect, Trouble};
use crate::engine::Engine;
use crate::message::Message;
use crate::plumtree::{ROSTER, item_id};
use crate::roster::{Fact, Inserted, Statement};
use crate::summary::Hash;

impl Engine {
    pub(crate) fn receive_statements(
        &mut self,
        ctx: &mut Context<'_>,
        peer: NodeId,
        next: Option<Hash>,
        statements: Vec<Arc<[u8]>>,
    ) {
        // An answer brings what may be known, and says nothing of how good the way is by which new ones come.
        let is_answer = self.peers.session(peer).is_some_and(|session| session.is_asked_for_statements(ctx.now));
        for statement in statements {
            let id = item_id(&statement);
            if is_answer {
                self.item_fetched(id);
            } else {
                self.item_came(ctx, peer, id, ROSTER);
            }
            match Statement::decode(statement) {
                Ok(statement) => self.state(ctx, peer, statement),
                Err(error) => ctx.trouble(Trouble::BadStatement { peer, error: error.into() }),
            }
        }
        if let Some(after) = next {
            self.ask_statements(ctx, peer, after, Vec::new());
            self.roster_asked = Some((peer, ctx.now + ROSTER_AGAIN));
        } else if is_answer {
            self.roster_asked.take_if(|(asked, _)| *asked == peer);
        }
    }

    /// Asks a peer for the statements about these nodes; about all, if none is named.
    pub(crate) fn ask_statements(&mut self, ctx: &mut Context<'_>, peer: NodeId, after: Hash, nodes: Vec<NodeId>) {
        if let Some(session) = self.peers.session_mut(peer) {
            session.statements_asked_at = Some(ctx.now);
        }
        ctx.send(peer, Class::Control, &Message::WantStatements { after, nodes });
    }

    /// Takes in a statement from the store.
    pub(crate) fn loaded_statement(&mut self, ctx: &mut Context<'_>, statement: Statement) {
        let loaded = statement.clone();
        let Some(Inserted { added, dropped }) = self.insert(ctx, self.config.node, statement) else { return };
        if self.roster.is_superseded(&loaded) {
            ctx.effect(Effect::Superseded { digest: loaded.digest() });
        }
        dropped.into_iter().for_each(|digest| ctx.effect(Effect::Superseded { digest }));
        added.iter().for_each(|statement| self.stated(ctx, statement));
    }

    /// Takes in a statement from `peer`, or one that was made here.
    pub(crate) fn state(&mut self, ctx: &mut Context<'_>, peer: NodeId, statement: Statement) {
        let Some(Inserted { added, dropped }) = self.insert(ctx, peer, statement) else { return };
        for statement in added {
            ctx.effect(Effect::Stated { statement: statement.clone() });
            // First, so that a revoked node isn't sent anything any more.
            self.stated(ctx, &statement);
            self.relay_statement(ctx, &statement, peer);
        }
        dropped.into_iter().for_each(|digest| ctx.effect(Effect::Superseded { digest }));
    }

    fn insert(&mut self, ctx: &mut Context<'_>, peer: NodeId, statement: Statement) -> Option<Inserted> {
        match self.roster.insert(statement) {
            Ok(inserted) => {
                if inserted.is_new() {
                    self.announce_soon(ctx);
                    self.review_links_soon(ctx.now);
                }
                Some(inserted)
            }
            Err(error) => {
                ctx.trouble(Trouble::BadStatement { peer, error });
                None
            }
        }
    }

    /// What follows from a statement that is in the roster now.
    fn stated(&mut self, ctx: &mut Context<'_>, statement: &Statement) {
        let node = statement.node();
        match statement.fact() {
            Some(Fact::Admit { .. }) => self.admitted(ctx, node),
            Some(Fact::Revoke { .. }) => self.revoked(ctx, node),
            _ => {}
        }
    }

    fn admitted(&mut self, ctx: &mut Context<'_>, node: NodeId) {
        if node != self.config.node && !self.roster.is_revoked(node) {
            self.peers.know(node, ctx.now);
        }
        for arrival in self.strangers.release(node) {
            self.ingest(ctx, arrival);
        }
    }
}
