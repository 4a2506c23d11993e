//! What both sides say before the first frame, on the one bidirectional stream, which the dialling side opens.
//!
//! ```text
//!  dialler              acceptor
//!     │── Hello ───────────▶│   who: the certificates said it; which process, and whether it is connected already
//!     │◀─────────── Hello ──│
//!     │     H ── READY ──▶ L│   H, the higher node id: no other process with L's identity is known here
//!     │     H ◀── CHOSEN ── L│  L, the lower: this connection is the one; frames may follow
//! ```

use std::sync::Arc;

use murmurate_crdt::id::NodeId;
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};
use quinn::{Connection, ConnectionError, ReadExactError, RecvStream, SendStream};
use tokio::time::{Instant, sleep, sleep_until};

use super::registry::{Admission, Candidate, Registry, Seat};
use crate::close::{CloseCode, close};
use crate::environment::Clock;
use crate::limits;

/// Names one life of one process: 16 random bytes.
pub(crate) type Instance = [u8; 16];

const VERSION: u8 = 1;
const READY: u8 = 1;
const CHOSEN: u8 = 2;

/// Why no connection came of a greeting.
#[derive(Debug)]
pub(crate) enum GreetingError {
    /// There is another one with the same process.
    Duplicate,
    /// The node reached itself.
    OwnAddress,
    /// Another process has this node's identity.
    OwnIdentity,
    /// Another process has the peer's identity, and it is connected and alive.
    IdentityInUse,
    /// The peer broke the rules.
    Protocol(String),
    /// The connection failed; also when the other side closed it.
    Lost(ConnectionError),
    /// Nothing came for too long.
    TimedOut,
}

struct Hello {
    instance: Instance,
    is_connected: bool,
}

impl Hello {
    fn encode(&self) -> Vec<u8> {
        let mut body = Encoder::new();
        body.u8(VERSION).raw(&self.instance).u8(u8::from(self.is_connected));
        let mut message = Encoder::new();
        message.raw(&u16::try_from(body.len()).unwrap_or(u16::MAX).to_be_bytes()).raw(&body.finish());
        message.finish()
    }

    /// What follows the known fields is another version's, and skipped.
    fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(body);
        decoder.u8("version")?;
        let instance = decoder.array("instance")?;
        Ok(Self { instance, is_connected: decoder.u8("connected")? != 0 })
    }
}

impl From<ReadExactError> for GreetingError {
    fn from(error: ReadExactError) -> Self {
        match error {
            ReadExactError::ReadError(quinn::ReadError::ConnectionLost(error)) => Self::Lost(error),
            error => Self::Protocol(error.to_string()),
        }
    }
}

impl From<quinn::WriteError> for GreetingError {
    fn from(error: quinn::WriteError) -> Self {
        match error {
            quinn::WriteError::ConnectionLost(error) => Self::Lost(error),
            error => Self::Protocol(error.to_string()),
        }
    }
}

impl From<ConnectionError> for GreetingError {
    fn from(error: ConnectionError) -> Self {
        Self::Lost(error)
    }
}

/// One side's part in a greeting.
pub(crate) struct Greeting<'a> {
    pub(crate) own: NodeId,
    pub(crate) instance: Instance,
    pub(crate) peer: NodeId,
    /// Who issued the peer's certificate.
    pub(crate) issuer: NodeId,
    pub(crate) connection: &'a Connection,
    pub(crate) is_dialled_here: bool,
    pub(crate) registry: &'a Arc<Registry>,
    pub(crate) clock: &'a dyn Clock,
}

impl Greeting<'_> {
    /// Greets, and gives the seat if this connection is the one. Otherwise the connection is closed.
    pub(crate) async fn run(&self) -> Result<Seat, GreetingError> {
        let deadline = Instant::now()
            + limits::GREETING_TIMEOUT
            + self.connection.rtt().saturating_mul(limits::GREETING_ROUND_TRIPS);
        let result = tokio::select! {
            biased;
            result = self.exchange() => result,
            error = self.connection.closed() => Err(GreetingError::Lost(error)),
            () = sleep_until(deadline) => Err(GreetingError::TimedOut),
        };
        // A close by the other side tells more than the stream that broke because of it.
        let result = match (result, self.connection.close_reason()) {
            (Err(GreetingError::Protocol(_)), Some(error)) => Err(GreetingError::Lost(error)),
            (result, _) => result,
        };
        result.map_err(|error| self.fail(error))
    }

    fn fail(&self, error: GreetingError) -> GreetingError {
        let (code, text) = match &error {
            GreetingError::Duplicate => (CloseCode::Duplicate, ""),
            GreetingError::OwnAddress => (CloseCode::OwnAddress, ""),
            GreetingError::OwnIdentity | GreetingError::IdentityInUse => (CloseCode::IdentityInUse, ""),
            GreetingError::Protocol(why) => (CloseCode::BadProtocol, why.as_str()),
            GreetingError::TimedOut => (CloseCode::Silent, "no greeting"),
            GreetingError::Lost(lost) => return self.meaning(lost).unwrap_or(error),
        };
        close(self.connection, code, text);
        error
    }

    /// What the other side's close says about this one.
    fn meaning(&self, error: &ConnectionError) -> Option<GreetingError> {
        match CloseCode::of_error(error)? {
            CloseCode::Duplicate => Some(GreetingError::Duplicate),
            CloseCode::OwnAddress => Some(GreetingError::OwnAddress),
            CloseCode::IdentityInUse => Some(GreetingError::OwnIdentity),
            _ => None,
        }
    }

    async fn exchange(&self) -> Result<Seat, GreetingError> {
        let (mut send, mut receive) =
            if self.is_dialled_here { self.connection.open_bi().await? } else { self.connection.accept_bi().await? };
        let ours = Hello { instance: self.instance, is_connected: self.registry.is_connected(&self.peer) };
        let theirs = if self.is_dialled_here {
            send.write_all(&ours.encode()).await?;
            self.read_hello(&mut receive).await?
        } else {
            let theirs = self.read_hello(&mut receive).await?;
            send.write_all(&ours.encode()).await?;
            theirs
        };
        self.settle_conflict(&theirs).await?;
        if self.own < self.peer {
            self.decide(theirs, &mut send, &mut receive).await
        } else {
            self.follow(theirs, &mut send, &mut receive).await
        }
    }

    async fn read_hello(&self, receive: &mut RecvStream) -> Result<Hello, GreetingError> {
        let mut length = [0; 2];
        receive.read_exact(&mut length).await?;
        let length = usize::from(u16::from_be_bytes(length));
        if length > limits::HELLO_BYTES {
            return Err(GreetingError::Protocol(format!("a greeting of {length} bytes")));
        }
        let mut body = vec![0; length];
        receive.read_exact(&mut body).await?;
        let hello = Hello::decode(&body).map_err(|error| GreetingError::Protocol(error.to_string()))?;
        if self.peer != self.own {
            return Ok(hello);
        }
        if hello.instance == self.instance { Err(GreetingError::OwnAddress) } else { Err(GreetingError::OwnIdentity) }
    }

    async fn decide(
        &self,
        theirs: Hello,
        send: &mut SendStream,
        receive: &mut RecvStream,
    ) -> Result<Seat, GreetingError> {
        self.expect(receive, READY).await?;
        let seat = self.seat(self.registry.decide(self.candidate(&theirs), self.clock.monotonic()))?;
        send.write_all(&[CHOSEN]).await?;
        // Ends the stream; nothing more will be said on it.
        let _ = send.finish();
        Ok(seat)
    }

    async fn follow(
        &self,
        theirs: Hello,
        send: &mut SendStream,
        receive: &mut RecvStream,
    ) -> Result<Seat, GreetingError> {
        send.write_all(&[READY]).await?;
        let _ = send.finish();
        self.expect(receive, CHOSEN).await?;
        self.seat(self.registry.follow(self.candidate(&theirs), self.clock.monotonic()))
    }

    async fn expect(&self, receive: &mut RecvStream, word: u8) -> Result<(), GreetingError> {
        let mut byte = [0];
        receive.read_exact(&mut byte).await?;
        if byte[0] == word {
            return Ok(());
        }
        Err(GreetingError::Protocol(format!("{} came where {word} was due in the greeting", byte[0])))
    }

    fn candidate(&self, theirs: &Hello) -> Candidate {
        Candidate {
            peer: self.peer,
            issuer: self.issuer,
            instance: theirs.instance,
            connection: self.connection.clone(),
            is_dialled_here: self.is_dialled_here,
            is_peer_connected: theirs.is_connected,
        }
    }

    fn seat(&self, admission: Admission) -> Result<Seat, GreetingError> {
        match admission {
            Admission::Admitted(seat) => Ok(seat),
            Admission::Duplicate => Err(GreetingError::Duplicate),
            // It came since the conflict was settled; the retry settles it again.
            Admission::Conflict => Err(GreetingError::TimedOut),
        }
    }

    /// Where another process with the peer's identity is connected: waits until that is gone (the peer was restarted), or
    /// refuses this one when the other is alive (the identity was copied).
    async fn settle_conflict(&self, theirs: &Hello) -> Result<(), GreetingError> {
        let Some(older) = self.registry.conflict(&self.peer, theirs.instance) else { return Ok(()) };
        sleep(limits::LAST_WORDS).await;
        let heard = || older.stats().udp_rx.datagrams;
        let heard_before = heard();
        loop {
            // In this order: the datagram that resets a connection is heard too.
            let is_alive = heard() > heard_before;
            if older.close_reason().is_some() {
                return Ok(());
            }
            if is_alive {
                return Err(GreetingError::IdentityInUse);
            }
            sleep(limits::CONFLICT_POLL).await;
        }
    }
}

/// Reads any bytes as a greeting; see [`crate::fuzzing`].
#[cfg(any(test, feature = "fuzzing"))]
pub(super) fn fuzzing_hello(body: &[u8]) {
    let Ok(hello) = Hello::decode(body) else { return };
    let again = Hello::decode(&hello.encode()[2..]);
    assert!(again.is_ok_and(|again| (again.instance, again.is_connected) == (hello.instance, hello.is_connected)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_is_read_back_also_with_fields_of_a_later_version() {
        let hello = Hello { instance: [3; 16], is_connected: true };
        let mut bytes = hello.encode();
        assert_eq!(bytes[..2], [0, 18]);
        bytes.extend_from_slice(b"later");
        let read = Hello::decode(&bytes[2..]).unwrap();
        assert!(read.instance == [3; 16] && read.is_connected);
        assert!(Hello::decode(&bytes[2..10]).is_err());
    }
}
