//! A ticket: what a person carries from an issuer to a new host.

use std::fmt;
use std::str::FromStr;

use data_encoding::{Encoding, Specification};
use murmurate_crdt::id::MeshId;
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};
use sha2::{Digest, Sha256};

use crate::address::PeerAddress;
use crate::limits::{TICKET_ADDRESSES, TICKET_CHARACTERS};

/// What every ticket begins with; the number is that of the format.
const PREFIX: &str = "murmur1";
/// What tickets of any format begin with.
const ANY_PREFIX: &str = "murmur";
/// What the checksum is a hash of, before the ticket's bytes.
const CHECKSUM_CONTEXT: &[u8] = b"murmurate ticket 1\0";
/// Bytes of the checksum: one in four billion mistakes goes unseen.
const CHECKSUM_BYTES: usize = 4;
/// Bytes of the longest host name (RFC 1035, section 2.3.4) with brackets, colon and port.
const ADDRESS_BYTES: usize = 255 + 8;

/// The right to join a mesh, given by one of its issuers. It holds a secret: whoever has it, can use it.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket {
    /// The mesh.
    pub mesh: MeshId,
    /// The fingerprint of the mesh's anchors.
    pub fingerprint: [u8; 32],
    /// The node key of the host that made the ticket, and the only one at which it is redeemed.
    pub issuer_key: [u8; 32],
    /// Where that host is dialled: 1 to 16 addresses.
    pub addresses: Vec<PeerAddress>,
    /// By which the issuer knows the ticket.
    pub id: [u8; 8],
    /// What the joiner proves to know.
    pub secret: [u8; 16],
    /// Until when it can be redeemed by the issuer's clock, in milliseconds since 1970 UTC.
    pub expires_ms: u64,
    /// For how many hosts it is good.
    pub uses: u32,
}

/// The text is no ticket that can be used. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// It begins in another way.
    #[error(
        "this is no ticket: a ticket begins with `{PREFIX}`; paste the line that `murmurate ticket create` printed"
    )]
    NotATicket,
    /// It is of a later format.
    #[error("this ticket was made by a newer version; install the version that the host runs which made it")]
    Newer,
    /// A character in it isn't one of a ticket's.
    #[error("the ticket has the character {character:?}, which no ticket has: it was mistyped; copy it again, whole")]
    Character {
        /// The first such character.
        character: char,
    },
    /// The checksum doesn't match.
    #[error("the ticket's checksum is wrong: it was cut or mistyped; copy it again, whole")]
    Checksum,
    /// There is more text than any ticket has.
    #[error("the text has over {TICKET_CHARACTERS} characters, which no ticket has; paste nothing but the ticket")]
    TooLong,
    /// What it holds can't be read.
    #[error("the ticket can't be read: {0}; make a new one with `murmurate ticket create`")]
    Content(#[from] DecodeError),
}

fn invalid(what: &'static str, why: &'static str) -> DecodeError {
    DecodeError::Invalid { what, why }
}

/// RFC 4648, section 6, in lower case and without padding.
fn base32() -> Encoding {
    let mut specification = Specification::new();
    specification.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    // The symbols are the right number of distinct ASCII characters.
    specification.encoding().unwrap_or(data_encoding::BASE32_NOPAD)
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let digest = Sha256::new().chain_update(CHECKSUM_CONTEXT).chain_update(body).finalize();
    std::array::from_fn(|index| digest[index])
}

impl Ticket {
    fn encode(&self) -> Vec<u8> {
        let mut encoder = Encoder::new();
        encoder.raw(&self.mesh.0).raw(&self.fingerprint).raw(&self.issuer_key).raw(&self.id).raw(&self.secret);
        encoder.varint(self.expires_ms).varint(self.uses.into()).varint(self.addresses.len() as u64);
        for address in &self.addresses {
            encoder.text(&address.to_string());
        }
        encoder.finish()
    }

    /// The text of a ticket with these bytes inside and a right checksum.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn sealed(body: &[u8]) -> String {
        format!("{PREFIX}{}", base32().encode(&[body, &checksum(body)].concat()))
    }

    /// What follows the known fields is a later build's, and skipped.
    fn decode(body: &[u8]) -> Result<Self, DecodeError> {
        let mut decoder = Decoder::new(body);
        let mesh = MeshId(decoder.array("mesh")?);
        let fingerprint = decoder.array("fingerprint")?;
        let issuer_key = decoder.array("issuer's key")?;
        let (id, secret) = (decoder.array("id")?, decoder.array("secret")?);
        let expires_ms = decoder.varint("expiry")?;
        let uses = u32::try_from(decoder.varint("uses")?).map_err(|_| invalid("uses", "past the limit"))?;
        let count = decoder.size(TICKET_ADDRESSES, "addresses")?;
        let addresses = (0..count).map(|_| decode_address(&mut decoder)).collect::<Result<Vec<_>, _>>()?;
        if addresses.is_empty() {
            return Err(invalid("addresses", "there are none"));
        }
        Ok(Self { mesh, fingerprint, issuer_key, addresses, id, secret, expires_ms, uses })
    }
}

fn decode_address(decoder: &mut Decoder<'_>) -> Result<PeerAddress, DecodeError> {
    let text = decoder.text(ADDRESS_BYTES, "address")?;
    text.parse().map_err(|_| invalid("address", "not `host:port`"))
}

impl fmt::Display for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.encode();
        bytes.extend_from_slice(&checksum(&bytes));
        write!(f, "{PREFIX}{}", base32().encode(&bytes))
    }
}

impl FromStr for Ticket {
    type Err = TicketError;

    /// Forgives white space anywhere, and upper case: terminals wrap, and mails capitalise.
    fn from_str(text: &str) -> Result<Self, TicketError> {
        if text.len() > TICKET_CHARACTERS {
            return Err(TicketError::TooLong);
        }
        let text: String = text.chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_lowercase()).collect();
        let Some(symbols) = text.strip_prefix(PREFIX) else { return Err(without_prefix(&text)) };
        if let Some(character) = symbols.chars().find(|c| !matches!(c, 'a'..='z' | '2'..='7')) {
            return Err(TicketError::Character { character });
        }
        // A wrong number of symbols, or bits left over: some are missing.
        let bytes = base32().decode(symbols.as_bytes()).map_err(|_| TicketError::Checksum)?;
        let (body, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(TicketError::Checksum)?;
        if *sum != checksum(body) {
            return Err(TicketError::Checksum);
        }
        Ok(Self::decode(body)?)
    }
}

fn without_prefix(text: &str) -> TicketError {
    let number = text.strip_prefix(ANY_PREFIX).and_then(|rest| rest.chars().next());
    if number.is_some_and(|number| number.is_ascii_digit()) { TicketError::Newer } else { TicketError::NotATicket }
}

impl fmt::Debug for Ticket {
    /// Without the secret: logs are read by many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("mesh", &self.mesh)
            .field("addresses", &self.addresses)
            .field("expires_ms", &self.expires_ms)
            .field("uses", &self.uses)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GOLDEN: &str = include_str!("../../tests/golden/ticket.txt");

    fn ticket() -> Ticket {
        Ticket {
            mesh: MeshId([1; 16]),
            fingerprint: [2; 32],
            issuer_key: [3; 32],
            addresses: ["db1.example.org:7946", "10.0.0.7:7946", "[2001:db8::1]:7946"]
                .map(|a| a.parse().unwrap())
                .to_vec(),
            id: [4; 8],
            secret: [5; 16],
            expires_ms: 1_780_000_000_000,
            uses: 3,
        }
    }

    #[test]
    fn a_ticket_of_an_earlier_build_is_still_read() {
        assert_eq!(GOLDEN.trim().parse(), Ok(ticket()));
        assert_eq!(ticket().to_string(), GOLDEN.trim());
    }

    #[test]
    fn white_space_and_upper_case_are_forgiven() {
        let text = ticket().to_string();
        let (start, end) = text.split_at(100);
        assert_eq!(format!("  {start}\n {end}\n").parse(), Ok(ticket()));
        assert_eq!(text.to_ascii_uppercase().parse(), Ok(ticket()));
    }

    #[test]
    fn every_way_to_spoil_a_ticket_is_named() {
        let text = ticket().to_string();
        let last = text.len() - 1;
        let swapped = |index: usize| {
            let other = if text.as_bytes()[index] == b'a' { "b" } else { "a" };
            format!("{}{other}{}", &text[..index], &text[index + 1..])
        };
        let rows = [
            (String::new(), TicketError::NotATicket),
            ("ghp_0123456789".to_owned(), TicketError::NotATicket),
            ("murmuration".to_owned(), TicketError::NotATicket),
            (text.replacen("murmur1", "murmur2", 1), TicketError::Newer),
            (text[..last].to_owned(), TicketError::Checksum),
            (text[..60].to_owned(), TicketError::Checksum),
            (PREFIX.to_owned(), TicketError::Checksum),
            (swapped(50), TicketError::Checksum),
            (format!("{text}x"), TicketError::Checksum),
            (format!("{text}0"), TicketError::Character { character: '0' }),
            (format!("{text}\u{e9}"), TicketError::Character { character: '\u{e9}' }),
            ("murmur1a".repeat(TICKET_CHARACTERS), TicketError::TooLong),
        ];
        for (spoiled, expected) in rows {
            assert_eq!(spoiled.parse::<Ticket>(), Err(expected), "{spoiled}");
        }
        let nowhere = Ticket { addresses: Vec::new(), ..ticket() };
        assert!(matches!(nowhere.to_string().parse::<Ticket>(), Err(TicketError::Content(_))));
    }

    #[test]
    fn the_longest_ticket_fits() {
        let host = format!("{}.example", "a".repeat(245));
        let addresses = vec![format!("{host}:65535").parse().unwrap(); TICKET_ADDRESSES];
        let longest = Ticket { addresses, expires_ms: u64::MAX, uses: u32::MAX, ..ticket() };
        assert_eq!(longest.to_string().parse(), Ok(longest.clone()));
    }

    #[test]
    fn a_ticket_in_a_log_holds_no_secret() {
        let text = format!("{:?}", ticket());
        assert!(!text.contains("5, 5") && !text.contains("secret"), "{text}");
    }

    proptest! {
        #[test]
        fn no_text_makes_reading_a_ticket_panic(text in ".{0,300}") {
            let _ = text.parse::<Ticket>();
            let _ = format!("{PREFIX}{text}").parse::<Ticket>();
        }

        #[test]
        fn no_bytes_make_reading_a_ticket_panic(
            flips in proptest::collection::vec((0..300_usize, any::<u8>()), 0..6),
            cut in 0..300_usize,
            tail: Vec<u8>,
        ) {
            let mut body = ticket().encode();
            for (index, byte) in flips {
                let index = index % body.len();
                body[index] = byte;
            }
            body.truncate(cut.max(1));
            body.extend(tail);
            if let Ok(read) = Ticket::decode(&body) {
                // With a right checksum, as whoever wants to make trouble makes it.
                prop_assert_eq!(read.to_string().parse(), Ok(read));
            }
        }
    }
}
