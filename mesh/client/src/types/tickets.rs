use serde::{Deserialize, Serialize};

use super::{Time, V1};

/// A request: make a ticket, with which other hosts can join.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateTicket {
    /// How many hosts may join with it; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// For how many seconds it can be used; a day when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_s: Option<u64>,
    /// Where joiners reach this host, `host:port`; the addresses that it advertises when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
}

/// A ticket that was made. It is a secret: whoever has it can join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketCreated {
    /// The document's version.
    pub v: V1,
    /// What `murmurate join` takes.
    pub ticket: String,
    /// What is known of it, without the secret.
    #[serde(flatten)]
    pub info: Ticket,
}

/// The tickets that this host made and still keeps, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tickets {
    /// The document's version.
    pub v: V1,
    /// One entry per ticket.
    pub tickets: Vec<Ticket>,
}

/// A ticket, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its name, 16 hexadecimal digits.
    pub id: String,
    /// How it fares.
    pub state: TicketState,
    /// How many hosts may still join with it.
    pub uses_left: u32,
    /// How many may in all.
    pub uses: u32,
    /// When it was made.
    pub created: Time,
    /// From when on it can't be used.
    pub expires: Time,
    /// Who joined with it.
    pub joined: Vec<String>,
}

/// How a ticket fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TicketState {
    /// It can be used.
    Valid,
    /// As many hosts joined with it as may.
    Used,
    /// Its time is over.
    Expired,
    /// Somebody took it back.
    Revoked,
    /// A state of a newer daemon.
    #[serde(other)]
    Unknown,
}

impl TicketState {
    /// The state's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Used => "used",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Unknown => "unknown",
        }
    }
}

/// A ticket was taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketRevoked {
    /// The document's version.
    pub v: V1,
    /// Which.
    pub ticket: Ticket,
}
