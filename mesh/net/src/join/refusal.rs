//! Why an issuer gives no certificate.

use std::fmt;

use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};

use crate::close::printable;
use crate::limits::REFUSAL_TEXT_BYTES;

/// An issuer's answer that gives nothing. Nothing was changed at the issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JoinRefusal {
    /// The issuer has no such ticket: it was revoked, never made, or is long past.
    UnknownTicket,
    /// The ticket was redeemed as often as it may.
    Used,
    /// The ticket's time is over.
    Expired,
    /// The ticket was revoked.
    TicketRevoked,
    /// The joiner doesn't know the ticket's secret.
    WrongSecret,
    /// The node's membership was revoked.
    Revoked,
    /// The host that was asked issues no certificates.
    NotIssuer,
    /// Another member has the name.
    NameTaken,
    /// The name can't be a member's.
    BadName,
    /// Whoever wants to renew is no member.
    NotMember,
    /// The issuer has too much to do; ask again.
    Busy,
    /// Something else, in words.
    Other(String),
}

/// The number of [`JoinRefusal::Other`]; unknown ones are read as it.
const OTHER: u64 = 0;

impl JoinRefusal {
    pub(super) const NUMBERED: [(u64, Self); 11] = [
        (1, Self::UnknownTicket),
        (2, Self::Used),
        (3, Self::Expired),
        (4, Self::TicketRevoked),
        (5, Self::WrongSecret),
        (6, Self::Revoked),
        (7, Self::NotIssuer),
        (8, Self::NameTaken),
        (9, Self::BadName),
        (10, Self::NotMember),
        (11, Self::Busy),
    ];

    fn number(&self) -> u64 {
        Self::NUMBERED.iter().find(|(_, refusal)| refusal == self).map_or(OTHER, |(number, _)| *number)
    }

    /// The number, and the text for those who don't know it.
    pub(super) fn encode(&self, encoder: &mut Encoder) {
        let text = self.to_string();
        encoder.varint(self.number()).text(&text[..text.floor_char_boundary(REFUSAL_TEXT_BYTES)]);
    }

    pub(super) fn decode(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let number = decoder.varint("refusal")?;
        let text = decoder.bytes(REFUSAL_TEXT_BYTES, "refusal's text")?;
        let known = Self::NUMBERED.into_iter().find(|(known, _)| *known == number);
        Ok(known.map_or_else(|| Self::Other(printable(text)), |(_, refusal)| refusal))
    }

    /// What the person at the joining host can do.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::UnknownTicket | Self::Used | Self::Expired | Self::TicketRevoked | Self::WrongSecret => {
                "make a new ticket on a host of the mesh: murmurate ticket create"
            }
            Self::Revoked => {
                "a revoked host joins anew, with a new identity: move its identity directory away, and join with a ticket"
            }
            Self::NotIssuer => {
                "make the ticket on a host that issues certificates: `murmurate keys status` says which do"
            }
            Self::NameTaken => "choose another name with --name",
            Self::BadName => "choose a name of 1 to 64 bytes without control characters with --name",
            Self::NotMember => "join with a ticket",
            Self::Busy => "try again in a moment",
            Self::Other(_) => "see the log of the host that refused",
        }
    }
}

impl fmt::Display for JoinRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownTicket => "the host that made the ticket knows it no more",
            Self::Used => "the ticket was used already, as often as it may be",
            Self::Expired => "the ticket has expired",
            Self::TicketRevoked => "the ticket was revoked",
            Self::WrongSecret => "the ticket's secret is wrong",
            Self::Revoked => "this node's membership is revoked",
            Self::NotIssuer => "the host that was asked issues no certificates",
            Self::NameTaken => "another member has this name",
            Self::BadName => "the name can't be a member's",
            Self::NotMember => "this node is no member of the mesh",
            Self::Busy => "the host that was asked is busy",
            Self::Other(why) => why,
        })
    }
}
