//! Anti-entropy, the answering side. Questions carry all that is needed, so nothing is kept between them.

use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::NodeId;

use crate::context::Context;
use crate::effect::{Class, Effect};
use crate::engine::Engine;
use crate::event::RequestId;
use crate::message::{
    BUCKETS, DOCUMENTS_PER_MESSAGE, DocumentRanges, ENVELOPES_PER_MESSAGE, Message, PAGE_BYTES, STATEMENTS_PER_MESSAGE,
};
use crate::peers::Question;
use crate::summary::Hash;

/// Changes that are being read for a peer.
#[derive(Debug)]
pub(crate) struct Read {
    peer: NodeId,
    request: u64,
}

impl Engine {
    pub(crate) fn answer_buckets(
        &self,
        ctx: &mut Context<'_>,
        peer: NodeId,
        query: u64,
        (folder, after): (&str, &str),
        hashes: &[Hash; BUCKETS],
    ) {
        let mut documents = Vec::new();
        let mut page_bytes = 0;
        let mut complete = true;
        for entry in self.index.differing(folder, after, hashes) {
            page_bytes += entry.size_bytes();
            if !documents.is_empty() && (page_bytes > PAGE_BYTES || documents.len() == DOCUMENTS_PER_MESSAGE) {
                complete = false;
                break;
            }
            documents.push(entry);
        }
        ctx.send(peer, Class::Repair, &Message::Vectors { query, complete, documents });
    }

    /// A peer asks for changes. A later question replaces an earlier one that wasn't begun.
    pub(crate) fn receive_want(
        &mut self,
        ctx: &mut Context<'_>,
        peer: NodeId,
        request: u64,
        mut wants: Vec<DocumentRanges>,
    ) {
        let index = &self.index;
        wants.retain(|want| index.document(&want.document).is_some_and(|own| own.generation() == want.generation));
        if let Some(session) = self.peers.session_mut(peer) {
            session.question = Some(Question { request, wants });
            self.serve(ctx, peer);
        }
    }

    /// Begins to read what a peer asked for, unless something is being read for it or its queue is full.
    pub(crate) fn serve(&mut self, ctx: &mut Context<'_>, peer: NodeId) {
        let Some(session) = self.peers.session_mut(peer) else { return };
        if session.is_reading || session.is_congested() {
            return;
        }
        let Some(Question { request, wants }) = session.question.take() else { return };
        session.is_reading = true;
        let id = RequestId(self.new_request());
        self.reads.insert(id, Read { peer, request });
        ctx.effect(Effect::ReadChanges { request: id, wants, budget_bytes: PAGE_BYTES });
    }

    pub(crate) fn changes_read(&mut self, ctx: &mut Context<'_>, id: RequestId, envelopes: &[SignedEnvelope]) {
        let Some(Read { peer, request }) = self.reads.remove(&id) else { return };
        let envelopes = envelopes.iter().take(ENVELOPES_PER_MESSAGE).map(|envelope| envelope.bytes().clone()).collect();
        ctx.send(peer, Class::Repair, &Message::Changes { request, envelopes });
        if let Some(session) = self.peers.session_mut(peer) {
            session.is_reading = false;
        }
        self.serve(ctx, peer);
    }

    /// Answers to a peer that went aren't given.
    pub(crate) fn forget_reads(&mut self, peer: NodeId) {
        self.reads.retain(|_, read| read.peer != peer);
    }

    pub(crate) fn answer_statements(&self, ctx: &mut Context<'_>, peer: NodeId, after: Hash, nodes: &[NodeId]) {
        let mut statements = Vec::new();
        let mut page_bytes = 0;
        let mut last = after;
        let mut next = None;
        for statement in self.roster.after(after, nodes) {
            page_bytes += statement.bytes().len();
            if page_bytes > PAGE_BYTES || statements.len() == STATEMENTS_PER_MESSAGE {
                next = Some(last);
                break;
            }
            statements.push(statement.bytes().clone());
            last = statement.digest();
        }
        ctx.send(peer, Class::Repair, &Message::Statements { next, statements });
    }
}
