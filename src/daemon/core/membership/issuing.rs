//! Certificates and the statements that go with them.

use murmurate_crdt::id::NodeId;
use murmurate_net::identity::CertificateDer;
use murmurate_net::join::JoinRefusal;
use murmurate_protocol::{Fact, Signer, Statement};

use super::super::Core;
use crate::daemon::core::limits::CLOCK_SLACK_MS;

/// A certificate that was issued, and what the mesh is told of it.
pub(super) struct Issued {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) statements: Vec<Statement>,
}

impl Core {
    /// The statement that lets this host issue, and its issuer's certificate.
    pub(super) fn issuer_grant(&self) -> Option<(&Statement, CertificateDer<'static>)> {
        let statement = self.engine.roster().issuers().find(|(node, _)| *node == self.identity.node)?.1;
        match statement.fact() {
            Some(Fact::Issuer { key, certificate, .. })
                if *key == self.membership.standing.issuer_key.verifying_key() =>
            {
                Some((statement, CertificateDer::from(certificate.clone())))
            }
            _ => None,
        }
    }

    /// A new member: its admission and its first certificate.
    pub(super) fn admit(&self, public_key: &[u8; 32], name: &str) -> Result<Issued, JoinRefusal> {
        let key =
            ed25519_dalek::VerifyingKey::from_bytes(public_key).map_err(|_| unusable("the key is no Ed25519 key"))?;
        let mut issued = self.renew_certificate(public_key, name)?;
        let node = NodeId::of_public_key(public_key);
        if self.engine.roster().name(node) != Some(name) {
            let admit = Fact::Admit { key, name: name.to_owned(), issued_ms: self.environment.wall_ms() };
            issued.statements.insert(0, self.sign_as_issuer(admit)?);
        }
        Ok(issued)
    }

    /// A certificate from now on, and the statement of until when.
    pub(super) fn renew_certificate(&self, public_key: &[u8; 32], name: &str) -> Result<Issued, JoinRefusal> {
        let issuer = self.issuer().ok_or(JoinRefusal::NotIssuer)?;
        let now_ms = self.environment.wall_ms();
        let validity = self.membership.standing.certificate_validity;
        let validity_ms = u64::try_from(validity.as_millis()).unwrap_or(u64::MAX);
        let begins_ms = now_ms.saturating_sub(CLOCK_SLACK_MS.min(validity_ms / 2));
        let ends_ms = now_ms.saturating_add(validity_ms);
        let chain = issuer.issue(public_key, name, begins_ms, ends_ms).map_err(|error| {
            tracing::error!(%error, %name, "a certificate can't be made");
            JoinRefusal::BadName
        })?;
        let node = NodeId::of_public_key(public_key);
        let renew = Fact::Renew { node, not_after_ms: ends_ms, issued_ms: now_ms };
        Ok(Issued { chain, statements: vec![self.sign_as_issuer(renew)?] })
    }

    fn sign_as_issuer(&self, fact: Fact) -> Result<Statement, JoinRefusal> {
        let (grant, _) = self.issuer_grant().ok_or(JoinRefusal::NotIssuer)?;
        let key = &self.membership.standing.issuer_key;
        Statement::new(self.identity.mesh, Signer::Issuer { key, grant }, &fact).map_err(|error| {
            tracing::error!(%error, "a statement can't be made");
            unusable("its admission can't be stated")
        })
    }
}

fn unusable(why: &str) -> JoinRefusal {
    JoinRefusal::Other(why.to_owned())
}
