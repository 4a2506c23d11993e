//! The issuer's side of a join: reads one request, lets the core decide, and writes one answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use quinn::{Connection, ReadToEndError, RecvStream, SendStream, VarInt};
use tokio::time::timeout;

use super::message::{Answer, Request, encode_answer, fits};
use super::{JoinRefusal, JoinReply, JoinRequest, exporter};
use crate::close::{CloseCode, close};
use crate::event::NetworkEvent;
use crate::identity::check_name;
use crate::limits;
use crate::network::Shared;

/// As what refused joins are counted in the log.
const REFUSED_JOIN: &str = "join";

/// Counts a join while it is served.
struct JoinPermit(Arc<Shared>);

impl JoinPermit {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let is_free = |joins| (joins < limits::JOINS).then_some(joins + 1);
        shared.joins.fetch_update(Ordering::Relaxed, Ordering::Relaxed, is_free).ok()?;
        Some(Self(Arc::clone(shared)))
    }
}

impl Drop for JoinPermit {
    fn drop(&mut self) {
        self.0.joins.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why a joiner is sent away without an answer.
struct Broken {
    code: CloseCode,
    why: String,
}

impl Broken {
    fn protocol(why: impl ToString) -> Self {
        Self { code: CloseCode::BadProtocol, why: why.to_string() }
    }

    fn slow(why: &str) -> Self {
        Self { code: CloseCode::Silent, why: why.to_owned() }
    }
}

/// Serves a connection on which no certificate was asked for. Nothing but one request is ever read from it.
pub(crate) async fn serve(shared: &Arc<Shared>, connection: Connection, from: SocketAddr) {
    connection.set_max_concurrent_uni_streams(VarInt::from_u32(0));
    let Some(_permit) = JoinPermit::take(shared) else {
        shared.meter.joins_refused.one();
        return close(&connection, CloseCode::Busy, "too many joins at once");
    };
    if let Err(broken) = converse(shared, &connection, from).await {
        tracing::debug!(address = %from, "a join came to nothing: {}", broken.why);
        close(&connection, broken.code, &broken.why);
    }
}

async fn converse(shared: &Shared, connection: &Connection, from: SocketAddr) -> Result<(), Broken> {
    let (request, mut send) = match timeout(limits::JOIN_MESSAGE_TIMEOUT, receive(shared, connection, from)).await {
        Ok(received) => received?,
        Err(_) => return Err(Broken::slow("no request came")),
    };
    let (node, name) = (request.node_id(), request.name.clone());
    let answer = match timeout(limits::JOIN_DECISION_TIMEOUT, decide(shared, request)).await {
        Ok(answer) => answer,
        Err(_) => Err(JoinRefusal::Busy),
    };
    match &answer {
        Ok(_) => tracing::info!(%node, ?name, address = %from, "a certificate was given"),
        // Strangers must not fill the log.
        Err(refusal) if shared.refusals.is_due(shared.environment.monotonic(), from, REFUSED_JOIN) => {
            tracing::warn!(%node, ?name, address = %from, "a join was refused: {refusal}");
        }
        Err(_) => {}
    }
    let bytes = encode_answer(&answer);
    let deliver = async {
        send.write_all(&bytes).await.map_err(Broken::protocol)?;
        // Fails only on a stream that was ended.
        let _ = send.finish();
        // The joiner closes when it has the answer.
        connection.closed().await;
        Ok(())
    };
    let patience = if answer.is_ok() { limits::JOIN_DELIVERY_TIMEOUT } else { limits::JOIN_MESSAGE_TIMEOUT };
    timeout(patience, deliver).await.unwrap_or_else(|_| Err(Broken::slow("the answer wasn't taken")))
}

async fn receive(
    shared: &Shared,
    connection: &Connection,
    from: SocketAddr,
) -> Result<(JoinRequest, SendStream), Broken> {
    let (send, receive) = connection.accept_bi().await.map_err(Broken::protocol)?;
    let bytes = read(receive).await?;
    let exporter =
        exporter(connection, shared.tls.identity().mesh()).ok_or_else(|| Broken::protocol("TLS gives no exporter"))?;
    let Request { kind, public_key, name } = Request::decode(&bytes, &exporter).map_err(Broken::protocol)?;
    Ok((JoinRequest { kind, public_key, name, from, exporter }, send))
}

async fn read(mut receive: RecvStream) -> Result<Vec<u8>, Broken> {
    receive.read_to_end(limits::JOIN_REQUEST_BYTES).await.map_err(|error| match error {
        ReadToEndError::TooLong => Broken { code: CloseCode::FrameTooLarge, why: "the request is too long".to_owned() },
        ReadToEndError::Read(error) => Broken::protocol(error),
    })
}

async fn decide(shared: &Shared, request: JoinRequest) -> Answer {
    if check_name(&request.name).is_err() {
        return Err(JoinRefusal::BadName);
    }
    let (reply, answer) = JoinReply::new();
    if shared.events.send(NetworkEvent::Join(request, reply)).await.is_err() {
        return Err(JoinRefusal::Busy);
    }
    let answer = answer.await.unwrap_or(Err(JoinRefusal::Busy))?;
    if !fits(&answer) {
        tracing::error!("an answer to a join is past the limits, and wasn't sent");
        return Err(JoinRefusal::Other("the answer is past the limits".to_owned()));
    }
    Ok(answer)
}
