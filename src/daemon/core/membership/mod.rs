//! Who belongs to the mesh, and this host's own place in it.
//!
//! ```text
//!  roster (protocol engine) ──statements──▶ store            tickets ◀── API
//!     │  ▲                                                      │
//!     │  └── own addresses, admissions, renewals ◀── desk ◀── network: joiners and members whose certificates end
//!     └──▶ whom to dial, whom to refuse ──▶ network
//! ```
//! Statements live in the engine's roster and, one by one, in the store. What follows from them (whom to dial, whose
//! connections to close) is worked out anew whenever one is new.

mod addresses;
mod answers;
mod desk;
mod issuing;
mod leaving;
mod named;
mod pings;
mod renewal;
mod statements;
pub(crate) mod tickets;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use murmurate_crdt::id::NodeId;
use murmurate_net::identity::{Anchors, Authority, Issuer};
use murmurate_net::{Identity, Peer, PeerAddress};
use murmurate_protocol::Statement;
use rand_core::Rng;
use tokio::sync::mpsc;

pub(crate) use addresses::Advertise;
pub(crate) use answers::ticket_text;
pub(crate) use leaving::{Ended, left, set_aside};
pub(crate) use renewal::Renewed;
pub(crate) use statements::{MESH_STATE, STATEMENTS, statement_entry, statement_key};
pub(crate) use tickets::Ticket;

use self::leaving::Leaving;
use self::named::Named;
use self::pings::Pings;
use self::renewal::Renewal;
use self::tickets::Tickets;
use super::Core;
use super::commits::Item;
use super::limits;
use crate::daemon::store::StoreError;

/// What this host may sign with, and what it says of itself.
pub(crate) struct Standing {
    /// Its keys and certificates.
    pub(crate) identity: Identity,
    /// Where they are kept; `None` in a simulation without files.
    pub(crate) identity_dir: Option<PathBuf>,
    /// The key that certificates are issued with, once this host is granted to.
    pub(crate) issuer_key: SigningKey,
    /// The authority, where its key is on this host.
    pub(crate) authority: Option<Authority>,
    /// How it finds its own addresses.
    pub(crate) advertise: Advertise,
    /// Hosts to connect to, besides the members.
    pub(crate) peers: Vec<PeerAddress>,
    /// For how long the certificates that it issues are valid.
    pub(crate) certificate_validity: Duration,
    /// For how long a host that is dead or left is still among the members.
    pub(crate) forget_after: Duration,
}

/// The core's part about membership.
pub(crate) struct Membership {
    standing: Standing,
    tickets: Tickets,
    renewal: Renewal,
    leaving: Option<Leaving>,
    pings: Pings,
    /// When the own addresses are looked at again.
    addresses_at: Duration,
    named: Named,
    dialled: Vec<Peer>,
    revoked: BTreeSet<NodeId>,
    /// Where tasks put what the network answered.
    news: mpsc::Sender<Renewed>,
}

impl Membership {
    /// What a host begins with; the receiver brings what the network answered.
    pub(crate) fn new(mut standing: Standing, rng: &mut impl Rng) -> (Self, mpsc::Receiver<Renewed>) {
        // One renewal is under way at a time.
        let (news, receiver) = mpsc::channel(1);
        let membership = Self {
            named: Named::new(std::mem::take(&mut standing.peers), rng),
            standing,
            tickets: Tickets::default(),
            renewal: Renewal::default(),
            leaving: None,
            pings: Pings::default(),
            addresses_at: Duration::ZERO,
            dialled: Vec::new(),
            revoked: BTreeSet::new(),
            news,
        };
        (membership, receiver)
    }

    fn anchors(&self) -> &Anchors {
        self.standing.identity.anchors()
    }
}

impl Core {
    /// Takes over the tickets that the store holds.
    pub(super) fn load_tickets(&mut self) -> Result<(), StoreError> {
        for (key, bytes) in self.store.states(tickets::STATE)? {
            match Ticket::decode(&bytes) {
                Ok(ticket) => self.membership.tickets.load(ticket),
                Err(error) => tracing::error!(%key, %error, "a ticket can't be read; make another"),
            }
        }
        Ok(())
    }

    /// Carries out what follows from a statement that is new here: it is stored, and whom to dial or refuse may change.
    pub(super) fn stated(&mut self, statement: &Statement) {
        self.commits.push(Item { states: vec![statement_entry(statement)], ..Item::default() });
        self.tell_of_statement(statement);
        self.membership_changed();
    }

    /// Works out anew whom to dial and whom to refuse, and tells the network what changed.
    pub(super) fn membership_changed(&mut self) {
        let revoked: BTreeSet<NodeId> = self.engine.roster().revoked().collect();
        if revoked != self.membership.revoked {
            self.network.set_revoked(revoked.clone());
            self.membership.revoked = revoked;
        }
        self.dial_peers();
        self.gossip_members_changed();
        // Another process of this host, or an older state of it, may have said something else.
        self.membership.addresses_at = self.membership.addresses_at.min(self.environment.monotonic());
    }

    fn dial_peers(&mut self) {
        let peers = self.peers_to_dial();
        if peers != self.membership.dialled {
            self.network.set_peers(peers.clone());
            self.membership.dialled = peers;
        }
    }

    /// What is due by time. When it is next, [`Core::membership_wakes`] says.
    pub(super) async fn membership_time(&mut self) {
        let now = self.environment.monotonic();
        if self.membership.addresses_at <= now {
            self.membership.addresses_at = now + limits::ADDRESS_CHECK_INTERVAL;
            self.state_own(false).await;
        }
        if self.membership.named.wakes().is_some_and(|at| at <= now) {
            self.dial_peers();
        }
        self.renew_if_due().await;
        self.leave_if_told();
    }

    /// When [`Core::membership_time`] has something to do at the latest.
    pub(super) fn membership_wakes(&self) -> Duration {
        let now = self.environment.monotonic();
        let leaving = self.membership.leaving.as_ref().map(|_| now + limits::LEAVE_POLL);
        let renewal = self.renewal_wakes();
        let named = self.membership.named.wakes();
        leaving.into_iter().chain(named).chain([renewal, self.membership.addresses_at]).min().unwrap_or(now)
    }

    /// For how long a host that is dead or left is still among the members.
    pub(super) fn forget_after(&self) -> Duration {
        self.membership.standing.forget_after
    }

    /// This host as an issuer, if it was granted to be one.
    pub(super) fn issuer(&self) -> Option<Issuer> {
        let key = self.membership.standing.issuer_key.clone();
        let (_, certificate) = self.issuer_grant()?;
        let issuer = Issuer::new(key, certificate);
        issuer.inspect_err(|error| tracing::error!(%error, "this host's issuer certificate is unusable")).ok()
    }
}
