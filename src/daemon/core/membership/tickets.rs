//! Tickets that this host made: who may join with them, and who did.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use murmurate_client::types::{Ticket as Shown, TicketState, Time};
use murmurate_crdt::wire::{DecodeError, Decoder, Encoder};
use murmurate_net::join::JoinRefusal;
use rand_core::Rng;

use super::super::commits::StateEntry;
use crate::daemon::core::limits::{TICKET_USES, TICKETS};

/// Names a ticket; no secret.
pub(crate) type TicketId = [u8; 8];
/// Proves that a joiner has the ticket.
pub(crate) type Secret = [u8; 16];

/// The state's key, with the ticket's id in hexadecimal behind it.
pub(crate) const STATE: &str = "ticket/";

const RECORD_VERSION: u8 = 1;
const NAME_BYTES: usize = 255;

/// A host that joined.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Joined {
    public_key: [u8; 32],
    name: String,
}

/// A ticket, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) id: TicketId,
    pub(crate) secret: Secret,
    pub(crate) created_ms: u64,
    pub(crate) expires_ms: u64,
    pub(crate) uses: u32,
    revoked: bool,
    joined: Vec<Joined>,
}

impl Ticket {
    /// A new ticket, with a random name and secret.
    pub(crate) fn new(rng: &mut impl Rng, now_ms: u64, valid_s: u64, uses: u32) -> Self {
        let (mut id, mut secret) = (TicketId::default(), Secret::default());
        rng.fill_bytes(&mut id);
        rng.fill_bytes(&mut secret);
        let expires_ms = now_ms.saturating_add(valid_s.saturating_mul(1_000));
        Self { id, secret, created_ms: now_ms, expires_ms, uses, revoked: false, joined: Vec::new() }
    }

    /// Reads a record.
    ///
    /// # Errors
    /// When it is damaged or of another version.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut d = Decoder::new(bytes);
        if d.u8("ticket version")? != RECORD_VERSION {
            return Err(DecodeError::Invalid { what: "ticket version", why: "unknown to this build" });
        }
        let (id, secret) = (d.array("ticket id")?, d.array("ticket secret")?);
        let (created_ms, expires_ms) = (d.varint("time of making")?, d.varint("time of expiry")?);
        let uses = u32::try_from(d.varint("uses")?)
            .map_err(|_| DecodeError::Invalid { what: "uses", why: "past the limit" })?;
        let revoked = d.u8("revoked")? != 0;
        let count = d.varint("joined hosts")?;
        if count > u64::from(TICKET_USES) {
            return Err(DecodeError::Invalid { what: "joined hosts", why: "past the limit" });
        }
        let mut joined = Vec::new();
        for _ in 0..count {
            joined.push(Joined { public_key: d.array("public key")?, name: d.text(NAME_BYTES, "name")?.to_owned() });
        }
        Ok(Self { id, secret, created_ms, expires_ms, uses, revoked, joined })
    }

    /// The state entry that keeps it.
    pub(crate) fn entry(&self) -> StateEntry {
        let mut e = Encoder::new();
        e.u8(RECORD_VERSION).raw(&self.id).raw(&self.secret).varint(self.created_ms).varint(self.expires_ms);
        e.varint(self.uses.into()).u8(self.revoked.into()).varint(self.joined.len() as u64);
        for joined in &self.joined {
            e.raw(&joined.public_key).text(&joined.name);
        }
        (state_key(&self.id), Some(e.finish()))
    }

    /// Lets a host join, if it still may. The same host may ask again: its first answer may have been lost.
    ///
    /// # Errors
    /// Why it may not.
    pub(crate) fn redeem(&mut self, public_key: [u8; 32], name: &str, now_ms: u64) -> Result<(), JoinRefusal> {
        if self.revoked {
            return Err(JoinRefusal::TicketRevoked);
        }
        if self.joined.iter().any(|joined| joined.public_key == public_key) {
            return Ok(());
        }
        match self.state(now_ms) {
            TicketState::Expired => Err(JoinRefusal::Expired),
            TicketState::Used => Err(JoinRefusal::Used),
            _ => {
                self.joined.push(Joined { public_key, name: name.to_owned() });
                Ok(())
            }
        }
    }

    /// Nobody can join with it from now on.
    pub(crate) fn revoke(&mut self) {
        self.revoked = true;
    }

    fn uses_left(&self) -> u32 {
        self.uses.saturating_sub(u32::try_from(self.joined.len()).unwrap_or(u32::MAX))
    }

    fn state(&self, now_ms: u64) -> TicketState {
        match () {
            () if self.revoked => TicketState::Revoked,
            () if self.uses_left() == 0 => TicketState::Used,
            () if now_ms >= self.expires_ms => TicketState::Expired,
            () => TicketState::Valid,
        }
    }

    /// The ticket without its secret.
    pub(crate) fn shown(&self, now_ms: u64) -> Shown {
        Shown {
            id: HEXLOWER.encode(&self.id),
            state: self.state(now_ms),
            uses_left: self.uses_left(),
            uses: self.uses,
            created: Time::from_ms(self.created_ms),
            expires: Time::from_ms(self.expires_ms),
            joined: self.joined.iter().map(|joined| joined.name.clone()).collect(),
        }
    }
}

fn state_key(id: &TicketId) -> String {
    format!("{STATE}{}", HEXLOWER.encode(id))
}

/// All tickets that this host keeps.
#[derive(Debug, Default)]
pub(crate) struct Tickets {
    by_id: BTreeMap<TicketId, Ticket>,
}

impl Tickets {
    /// Takes in a ticket, and says what to store: it, and the removal of the one that had to make room. `None` if there is
    /// no room, because [`TICKETS`] can be used.
    pub(crate) fn insert(&mut self, ticket: Ticket, now_ms: u64) -> Option<Vec<StateEntry>> {
        let mut entries = vec![ticket.entry()];
        if self.by_id.len() >= TICKETS {
            let over = self.by_id.values().filter(|ticket| ticket.state(now_ms) != TicketState::Valid);
            let oldest = over.min_by_key(|ticket| (ticket.created_ms, ticket.id))?.id;
            self.by_id.remove(&oldest);
            entries.push((state_key(&oldest), None));
        }
        self.by_id.insert(ticket.id, ticket);
        Some(entries)
    }

    /// Takes in a ticket that is stored already.
    pub(crate) fn load(&mut self, ticket: Ticket) {
        self.by_id.insert(ticket.id, ticket);
    }

    pub(crate) fn get_mut(&mut self, id: &TicketId) -> Option<&mut Ticket> {
        self.by_id.get_mut(id)
    }

    /// The ticket with this name in hexadecimal.
    pub(crate) fn named(&mut self, id: &str) -> Option<&mut Ticket> {
        self.by_id.values_mut().find(|ticket| HEXLOWER.encode(&ticket.id) == id)
    }

    /// All of them without their secrets, the newest first.
    pub(crate) fn shown(&self, now_ms: u64) -> Vec<Shown> {
        let mut tickets: Vec<_> = self.by_id.values().collect();
        tickets.sort_by_key(|ticket| (std::cmp::Reverse(ticket.created_ms), ticket.id));
        tickets.into_iter().map(|ticket| ticket.shown(now_ms)).collect()
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const NOW: u64 = 1_000_000;

    fn ticket(seed: u64, uses: u32) -> Ticket {
        Ticket::new(&mut ChaCha20Rng::seed_from_u64(seed), NOW, 60, uses)
    }

    #[test]
    fn a_ticket_lets_in_as_many_as_it_says_until_its_time_is_over() {
        let mut ticket = ticket(1, 2);
        assert_eq!(ticket.redeem([1; 32], "a", NOW), Ok(()));
        assert_eq!(ticket.redeem([1; 32], "a", NOW), Ok(()), "its answer may have been lost");
        assert_eq!(ticket.shown(NOW).uses_left, 1);
        assert_eq!(ticket.redeem([2; 32], "b", ticket.expires_ms), Err(JoinRefusal::Expired));
        assert_eq!(ticket.redeem([2; 32], "b", ticket.expires_ms - 1), Ok(()));
        assert_eq!(ticket.redeem([3; 32], "c", NOW), Err(JoinRefusal::Used));
        assert_eq!(ticket.redeem([2; 32], "b", ticket.expires_ms), Ok(()), "it was let in in time");
        ticket.revoke();
        assert_eq!(ticket.redeem([1; 32], "a", NOW), Err(JoinRefusal::TicketRevoked));
    }

    #[test]
    fn a_record_reads_back() {
        let mut ticket = ticket(1, 3);
        ticket.redeem([1; 32], "web-1", NOW).unwrap();
        ticket.revoke();
        let (key, bytes) = ticket.entry();
        let bytes = bytes.unwrap();
        assert_eq!(key, format!("ticket/{}", HEXLOWER.encode(&ticket.id)));
        assert_eq!(Ticket::decode(&bytes).unwrap(), ticket);
        for end in 0..bytes.len() {
            assert!(Ticket::decode(&bytes[..end]).is_err(), "cut at {end}");
        }
    }

    #[test]
    fn what_cannot_be_used_makes_room_and_what_can_stays() {
        let mut tickets = Tickets::default();
        for seed in 0..TICKETS as u64 {
            assert_eq!(tickets.insert(ticket(seed, 1), NOW).unwrap().len(), 1);
        }
        assert_eq!(tickets.insert(ticket(9_999, 1), NOW), None);
        let later = NOW + 60_000;
        let entries = tickets.insert(Ticket { created_ms: later, ..ticket(9_999, 1) }, later).unwrap();
        assert_eq!((entries.len(), entries[1].1.as_ref()), (2, None));
        assert_eq!(tickets.shown(later).len(), TICKETS);
    }
}
