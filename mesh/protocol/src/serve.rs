//! Anti-entropy, the answering side. Questions carry all that is needed, so nothing is kept between them. All peers together
//! are sent so many bytes a second, each a page in its turn.

use std::sync::Arc;
use std::time::Duration;

use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::NodeId;

use crate::context::Context;
use crate::effect::{Class, Effect};
use crate::engine::Engine;
use crate::event::RequestId;
use crate::message::{
    BUCKETS, DOCUMENTS_PER_MESSAGE, DocumentRanges, ENVELOPES_PER_MESSAGE, Message, PAGE_BYTES, STATEMENTS_PER_MESSAGE,
};
use crate::peers::{Question, Session};
use crate::summary::Hash;

/// Changes that are being read for a peer.
#[derive(Debug)]
pub(crate) struct Read {
    peer: NodeId,
    request: u64,
}

impl Engine {
    pub(crate) fn answer_buckets(
        &mut self,
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
        self.repairs.spend(ctx.now, page_bytes);
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

    /// Begins to read what a peer asked for, unless something is being read for it, its queue is full, or this host has sent as
    /// much to others as it may: then it waits for its turn.
    pub(crate) fn serve(&mut self, ctx: &mut Context<'_>, peer: NodeId) {
        let Some(session) = self.peers.session_mut(peer) else { return };
        if session.is_reading || session.is_congested() || self.repairs.ready_at() > ctx.now {
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
        let envelopes: Vec<Arc<[u8]>> =
            envelopes.iter().take(ENVELOPES_PER_MESSAGE).map(|envelope| envelope.bytes().clone()).collect();
        self.repairs.spend(ctx.now, envelopes.iter().map(|bytes| bytes.len()).sum());
        self.served_last = peer;
        ctx.send(peer, Class::Repair, &Message::Changes { request, envelopes });
        if let Some(session) = self.peers.session_mut(peer) {
            session.is_reading = false;
        }
        self.serve(ctx, peer);
    }

    /// Serves those that wait for their turn, beginning after the one that was served last.
    pub(crate) fn serve_waiting(&mut self, ctx: &mut Context<'_>) {
        if self.repairs.ready_at() > ctx.now {
            return;
        }
        let waiting: Vec<NodeId> = self.waiting_for_repair().collect();
        let next = waiting.partition_point(|&peer| peer <= self.served_last);
        for &peer in waiting.iter().cycle().skip(next).take(waiting.len()) {
            self.serve(ctx, peer);
        }
    }

    fn waiting_for_repair(&self) -> impl Iterator<Item = NodeId> + '_ {
        let is_waiting =
            |session: &Session| session.question.is_some() && !session.is_reading && !session.is_congested();
        self.peers.sessions().filter(move |(_, session)| is_waiting(session)).map(|(peer, _)| peer)
    }

    /// When somebody who waits can be served.
    pub(crate) fn repair_wakes(&self) -> Option<Duration> {
        self.waiting_for_repair().next().map(|_| self.repairs.ready_at())
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
