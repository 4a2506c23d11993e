//! Push: a new change goes at once to whom it may be new.
//!
//! ```text
//!   author ──▶ all its neighbours ──▶ those of their neighbours that are neither the author's nor the sender's
//! ```
//! In a full mesh each change crosses each link from its author once; where links are missing it takes one more hop.
//! Who was wrongly believed to have it already gets it by anti-entropy.

use murmurate_crdt::envelope::SignedEnvelope;
use murmurate_crdt::id::NodeId;

use crate::context::Context;
use crate::peers::{Peers, Session};
use crate::roster::Statement;

/// Pushes a change that was written here to all peers.
pub(crate) fn push_own(ctx: &mut Context<'_>, peers: &Peers, envelope: &SignedEnvelope) {
    for (peer, _) in peers.sessions().filter(|(_, session)| !session.is_congested()) {
        ctx.push(peer, envelope.bytes().clone());
    }
}

/// Passes a pushed change on to the peers that the author and the sender don't reach.
pub(crate) fn relay(ctx: &mut Context<'_>, peers: &Peers, envelope: &SignedEnvelope, from: NodeId) {
    let neighbours_of = |node| peers.session(node).map(|session| &session.neighbours);
    let reaches = |node, peer: &NodeId| neighbours_of(node).is_some_and(|neighbours| neighbours.contains(peer));
    let needs = |peer: NodeId, session: &Session| {
        !session.is_congested()
            && peer != from
            && peer != envelope.author
            && !reaches(from, &peer)
            && !reaches(envelope.author, &peer)
    };
    for (peer, _) in peers.sessions().filter(|&(peer, session)| needs(peer, session)) {
        ctx.push(peer, envelope.bytes().clone());
    }
}

/// Passes a new statement on to the peers that its sender, which may be this node, doesn't reach.
pub(crate) fn relay_statement(ctx: &mut Context<'_>, peers: &Peers, statement: &Statement, from: NodeId) {
    let reached = peers.session(from).map(|session| &session.neighbours);
    let needs = |peer, session: &Session| {
        !session.is_congested() && peer != from && !reached.is_some_and(|reached| reached.contains(&peer))
    };
    for (peer, _) in peers.sessions().filter(|&(peer, session)| needs(peer, session)) {
        ctx.push_statement(peer, statement.bytes().clone());
    }
}
