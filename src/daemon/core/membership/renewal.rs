//! This host's own certificate: renewed at half of its time, by itself or by any other issuer; at once where its issuer was
//! revoked, because nobody takes it any more.

use std::time::Duration;

use murmurate_crdt::id::NodeId;
use murmurate_net::identity::{self, CertificateDer, Validity};
use murmurate_net::join::{self as net, JoinError};
use murmurate_net::{Identity, NetworkHandle, PeerAddress};
use murmurate_protocol::{Event, Statement};
use rand_core::Rng;

use super::super::Core;
use crate::daemon::core::limits::{LONGEST_RENEWAL_WAIT, RENEWAL_RETRY, RENEWALS_PER_VALIDITY, SHORTEST_RENEWAL_RETRY};

/// What came of asking for a new certificate.
pub(crate) struct Renewed(Result<net::Renewed, String>);

/// How the certificate's renewal stands.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    is_under_way: bool,
    /// A peer refused the certificate, and another one may help.
    is_wanted: bool,
    not_before: Duration,
    pub(super) problem: Option<String>,
}

/// An issuer that may be asked.
struct Candidate {
    node: NodeId,
    name: String,
    addresses: Vec<PeerAddress>,
}

impl Core {
    /// The certificate's first moment, its last, and from when on it is renewed, in milliseconds since 1970.
    pub(super) fn certificate_times(&self) -> (u64, u64, u64) {
        let Validity { not_before_ms, not_after_ms } = self.membership.standing.identity.validity();
        (not_before_ms, not_after_ms, not_before_ms + not_after_ms.saturating_sub(not_before_ms) / 2)
    }

    /// When the renewal is to be looked at again, by monotonic time.
    pub(super) fn renewal_wakes(&self) -> Duration {
        let (.., due_ms) = self.certificate_times();
        let now_ms = self.environment.wall_ms();
        let wait_ms = if self.is_needed_now() { 0 } else { due_ms.saturating_sub(now_ms) };
        let wait = Duration::from_millis(wait_ms).min(LONGEST_RENEWAL_WAIT);
        let now = self.environment.monotonic();
        let renewal = &self.membership.renewal;
        if renewal.is_under_way { now + LONGEST_RENEWAL_WAIT } else { (now + wait).max(renewal.not_before) }
    }

    fn is_needed_now(&self) -> bool {
        self.membership.renewal.is_wanted || self.engine.roster().is_revoked(self.membership.standing.identity.issuer())
    }

    /// Renews the certificate when it is time.
    pub(super) async fn renew_if_due(&mut self) {
        let (_, ends_ms, due_ms) = self.certificate_times();
        let now = self.environment.monotonic();
        let renewal = &self.membership.renewal;
        let is_due = self.environment.wall_ms() >= due_ms || self.is_needed_now();
        if !is_due || renewal.is_under_way || now < renewal.not_before {
            return;
        }
        let half = Duration::from_millis(ends_ms.saturating_sub(due_ms));
        self.membership.renewal.not_before = now + (half / 10).clamp(SHORTEST_RENEWAL_RETRY, RENEWAL_RETRY);
        if self.engine.roster().is_revoked(self.identity.node) {
            self.membership.renewal.problem = Some("this host was revoked".to_owned());
            return;
        }
        match self.renew_certificate(&self.identity.key.verifying_key().to_bytes(), &self.identity.name.clone()) {
            Ok(issued) => {
                for statement in issued.statements {
                    self.tell(Event::Statement(statement)).await;
                }
                let renewed = net::Renewed { chain: issued.chain, statements: Vec::new() };
                self.take_renewed(Renewed(Ok(renewed))).await;
            }
            Err(_) => self.ask_issuers().await,
        }
    }

    async fn ask_issuers(&mut self) {
        let candidates = self.candidates();
        if candidates.is_empty() {
            let why = "no other host that may issue certificates is known with an address";
            return self.take_renewed(Renewed(Err(why.to_owned()))).await;
        }
        self.membership.renewal.is_under_way = true;
        let (network, news) = (self.network.clone(), self.membership.news.clone());
        tokio::spawn(async move {
            // Only an ending core doesn't want to know.
            let _ = news.send(Renewed(ask_all(&network, candidates).await)).await;
        });
    }

    /// The other issuers, in random order: no one of them is to carry all renewals.
    fn candidates(&mut self) -> Vec<Candidate> {
        let roster = self.engine.roster();
        let others = roster.issuers().map(|(node, _)| node).filter(|node| *node != self.identity.node);
        let mut candidates: Vec<Candidate> = others
            .map(|node| Candidate {
                node,
                name: roster.name(node).unwrap_or_default().to_owned(),
                addresses: roster.addresses(node).iter().filter_map(|text| text.parse().ok()).collect(),
            })
            .filter(|candidate| !candidate.addresses.is_empty())
            .collect();
        let mut ranks: Vec<u64> = candidates.iter().map(|_| self.rng.next_u64()).collect();
        candidates.sort_by_cached_key(|_| ranks.pop());
        candidates
    }

    /// A peer refused this host's certificate, and another one may help: what was revoked may not be known here.
    pub(in crate::daemon::core) fn want_certificate(&mut self) {
        self.membership.renewal.is_wanted = true;
    }

    /// Takes over a new certificate: handshakes use it from now on, and open connections go on.
    pub(in crate::daemon::core) async fn take_renewed(&mut self, Renewed(result): Renewed) {
        self.membership.renewal.is_under_way = false;
        let renewed = match result {
            Ok(net::Renewed { chain, statements }) => {
                for statement in statements.into_iter().filter_map(|bytes| Statement::decode(bytes).ok()) {
                    self.tell(Event::Statement(statement)).await;
                }
                self.use_certificate(chain)
            }
            Err(why) => Err(why),
        };
        self.membership.renewal.problem = match renewed {
            Ok(()) => {
                self.wait_after_renewal();
                None
            }
            Err(why) => {
                tracing::warn!(%why, "the certificate isn't renewed yet");
                Some(why)
            }
        };
    }

    /// A peer that refuses whatever is shown to it must not make this host renew all the time.
    fn wait_after_renewal(&mut self) {
        let (begins_ms, ends_ms, _) = self.certificate_times();
        let pause = Duration::from_millis(ends_ms.saturating_sub(begins_ms)) / RENEWALS_PER_VALIDITY;
        let renewal = &mut self.membership.renewal;
        renewal.is_wanted = false;
        renewal.not_before = self.environment.monotonic() + pause.max(SHORTEST_RENEWAL_RETRY);
    }

    fn use_certificate(&mut self, chain: Vec<CertificateDer<'static>>) -> Result<(), String> {
        let standing = &mut self.membership.standing;
        let former = &standing.identity;
        let renewed = Identity::new(former.key().clone(), chain.clone(), former.anchors().clone());
        let renewed = renewed.map_err(|error| error.to_string())?;
        if let Some(directory) = &standing.identity_dir {
            identity::save_certificates(directory, &chain).map_err(|error| error.to_string())?;
        }
        self.network.set_identity(renewed.clone()).map_err(|error| error.to_string())?;
        standing.identity = renewed;
        tracing::info!("the certificate is renewed");
        Ok(())
    }
}

async fn ask_all(network: &NetworkHandle, candidates: Vec<Candidate>) -> Result<net::Renewed, String> {
    let mut reasons = Vec::new();
    for Candidate { node, name, addresses } in candidates {
        match network.renew(&addresses, node).await {
            Ok(renewed) => return Ok(renewed),
            Err(error) => reasons.push(reason(&name, &error)),
        }
    }
    Err(reasons.join("; "))
}

fn reason(name: &str, error: &JoinError) -> String {
    format!("{name}: {error}")
}
