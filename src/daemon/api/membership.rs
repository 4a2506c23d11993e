//! Who belongs to the mesh: hosts, tickets, keys.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::{delete, get, post};
use murmurate_client::types::{
    AddIssuer, ApiError, CreateTicket, IssuerAdded, KeyStatus, Left, Node, NodeRevoked, Ping, RevokeNode,
    TicketCreated, TicketRevoked, Tickets,
};
use serde::Deserialize;

use super::Api;
use super::answer::{Answer, Document, Parameters, Result};
use super::limits::PING_LONGEST;
use crate::daemon::request::{MembershipRequest, Reply, Request};

/// The operations.
pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/v1/node", get(node))
        .route("/v1/ping", get(ping))
        .route("/v1/tickets", get(tickets).post(create_ticket))
        .route("/v1/ticket", delete(revoke_ticket))
        .route("/v1/key-status", get(key_status))
        .route("/v1/issuers", post(add_issuer))
        .route("/v1/revocations", post(revoke))
        .route("/v1/leave", post(leave))
}

impl Api {
    async fn ask<T>(
        &self,
        request: impl FnOnce(Reply<T>) -> MembershipRequest,
    ) -> std::result::Result<Answer<T>, ApiError> {
        Ok(Answer(self.core.ask(|reply| Request::Membership(request(reply))).await?))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NodeName {
    node: String,
}

async fn node(State(api): State<Api>, Parameters(NodeName { node }): Parameters<NodeName>) -> Result<Node> {
    Ok(api.ask(|reply| MembershipRequest::Node { node, reply }).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PingNode {
    node: String,
    timeout_ms: Option<u64>,
}

async fn ping(State(api): State<Api>, Parameters(PingNode { node, timeout_ms }): Parameters<PingNode>) -> Result<Ping> {
    let within = timeout_ms.map_or(PING_LONGEST, Duration::from_millis).min(PING_LONGEST);
    Ok(api.ask(|reply| MembershipRequest::Ping { node, within, reply }).await?)
}

async fn create_ticket(State(api): State<Api>, Document(ticket): Document<CreateTicket>) -> Result<TicketCreated> {
    Ok(api.ask(|reply| MembershipRequest::CreateTicket { ticket, reply }).await?)
}

async fn tickets(State(api): State<Api>) -> Result<Tickets> {
    Ok(api.ask(|reply| MembershipRequest::Tickets { reply }).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TicketId {
    id: String,
}

async fn revoke_ticket(
    State(api): State<Api>,
    Parameters(TicketId { id }): Parameters<TicketId>,
) -> Result<TicketRevoked> {
    Ok(api.ask(|reply| MembershipRequest::RevokeTicket { id, reply }).await?)
}

async fn key_status(State(api): State<Api>) -> Result<KeyStatus> {
    Ok(api.ask(|reply| MembershipRequest::KeyStatus { reply }).await?)
}

async fn add_issuer(State(api): State<Api>, Document(issuer): Document<AddIssuer>) -> Result<IssuerAdded> {
    Ok(api.ask(|reply| MembershipRequest::AddIssuer { issuer, reply }).await?)
}

async fn revoke(State(api): State<Api>, Document(node): Document<RevokeNode>) -> Result<NodeRevoked> {
    Ok(api.ask(|reply| MembershipRequest::Revoke { node, reply }).await?)
}

async fn leave(State(api): State<Api>) -> Result<Left> {
    Ok(api.ask(|reply| MembershipRequest::Leave { reply }).await?)
}
