//! Members only: every other certificate gets nowhere, and both sides can read why.

use std::collections::BTreeSet;

use ed25519_dalek::SigningKey;
use murmurate_crdt::id::{MeshId, NodeId};
use murmurate_net::environment::Random;
use murmurate_net::identity::{ThrowawayMesh, generate_key};
use murmurate_net::{Identity, Issuer, Network, NetworkConfig, PeerRefusal, RefuseReason};
use quinn::ConnectionError;
use rustls_pki_types::CertificateDer;

use crate::rogue::{Rogue, Shown, private_key};
use crate::support::{DAY_MS, Mesh, NOW_MS, Node, environment, key, loopback};

const EXPIRED_MS: u64 = NOW_MS - DAY_MS;
const NOT_YET_MS: u64 = NOW_MS + DAY_MS;

/// The authority of mesh 1, speaking for mesh 2.
fn same_key_other_mesh(mesh: &Mesh) -> Mesh {
    let key = mesh.keys.authority().key().clone();
    let mut rng = Random::seeded(5).rng();
    Mesh { keys: ThrowawayMesh::with_authority(MeshId([2; 16]), key, &mut rng, 0).unwrap() }
}

/// A public key, as rcgen wants it.
struct Key([u8; 32]);

impl rcgen::PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

/// A certificate that says anything, for any key, signed with any key.
fn forged(
    mesh: &Mesh,
    named: NodeId,
    holder: &[u8; 32],
    signer: &SigningKey,
    signer_name: &str,
    is_ca: rcgen::IsCa,
) -> CertificateDer<'static> {
    let named_as = |name: &str| {
        let mut parameters = rcgen::CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        parameters
    };
    let key =
        rcgen::KeyPair::from_pkcs8_der_and_sign_algo(&private_key(signer.as_bytes()), &rcgen::PKCS_ED25519).unwrap();
    let mut parameters = named_as("forged");
    let uri = format!("murmurate:{}/{named}", mesh.keys.anchors().mesh());
    parameters.subject_alt_names = vec![rcgen::SanType::URI(uri.try_into().unwrap())];
    parameters.is_ca = is_ca;
    let issuer = named_as(signer_name);
    parameters.signed_by(&Key(*holder), &rcgen::Issuer::from_params(&issuer, key)).unwrap().der().clone()
}

/// How certificates name the holder of a signing key.
fn signer_name(mesh: &Mesh, key: &SigningKey) -> String {
    let hash = NodeId::of_public_key(key.verifying_key().as_bytes()).to_string();
    format!("murmurate {} {}", mesh.keys.anchors().mesh(), &hash[..16])
}

/// A chain of the issuer that names one node and holds the key of another.
fn borrowed_name(mesh: &Mesh, named: NodeId, holder: &[u8; 32]) -> Vec<CertificateDer<'static>> {
    let issuer = mesh.keys.issuer();
    let name = signer_name(mesh, issuer.key());
    let forged = forged(mesh, named, holder, issuer.key(), &name, rcgen::IsCa::NoCa);
    vec![forged, issuer.certificate().clone()]
}

fn shown(identity: &Identity) -> Shown {
    (identity.chain().to_vec(), private_key(identity.key().as_bytes()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dials_with_a_wrong_certificate_is_refused_by_name() {
    let mesh = Mesh::new(1, 1);
    let thief = generate_key(&mut Random::seeded(66).rng());
    let borrowed = borrowed_name(&mesh, mesh.identity(5).node_id(), &thief.verifying_key().to_bytes());
    let (other, foreign) = (same_key_other_mesh(&mesh), Mesh::new(1, 99));
    let expired = mesh.identity_valid(3, 0, EXPIRED_MS);
    let early = mesh.identity_valid(3, NOT_YET_MS, NOT_YET_MS + DAY_MS);
    let rows = [
        (None, RefuseReason::NoCertificate, 116),
        (Some(shown(&other.identity(3))), RefuseReason::AnotherMesh { theirs: MeshId([2; 16]) }, 49),
        (Some(shown(&foreign.identity(3))), RefuseReason::ForeignAuthority, 48),
        (Some(shown(&foreign.identity_valid(3, 0, EXPIRED_MS))), RefuseReason::ForeignAuthority, 48),
        (Some(shown(&expired)), RefuseReason::Expired { since_ms: EXPIRED_MS }, 45),
        (Some(shown(&early)), RefuseReason::NotYetValid { until_ms: NOT_YET_MS, now_ms: 0 }, 45),
        (Some((borrowed, private_key(thief.as_bytes()))), RefuseReason::NodeIdMismatch, 42),
    ];
    for (shown, expected, alert) in rows {
        let node = Node::start(mesh.identity(1));
        match Rogue::new(shown, b"murmurate/1").refused(node.address()).await {
            ConnectionError::ConnectionClosed(close) => {
                assert_eq!(u64::from(close.error_code), 0x100 + alert, "{expected}");
            }
            error => panic!("{expected}: {error}"),
        }
        let reason = node.refused(|_| true).await;
        match (&reason, &expected) {
            (RefuseReason::NotYetValid { until_ms, .. }, RefuseReason::NotYetValid { until_ms: from, .. }) => {
                assert_eq!(until_ms, from);
            }
            _ => assert_eq!(reason, expected),
        }
        assert!(!node.has_ever_connected(), "{expected}");
    }
}

/// An issuer of the mesh whose right is over.
fn past_issuer(mesh: &Mesh, node: NodeId) -> Issuer {
    let key = key(70);
    let granted = mesh.keys.authority().grant(key.verifying_key().as_bytes(), node, 0, EXPIRED_MS).unwrap();
    Issuer::new(key, granted).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_that_does_not_lead_to_an_anchor_is_refused_by_name() {
    let mesh = Mesh::new(1, 1);
    let (thief, accomplice) = (key(66), mesh.identity(5));
    let (id, public_key) = (NodeId::of_public_key(thief.verifying_key().as_bytes()), thief.verifying_key().to_bytes());
    let issuer = mesh.keys.issuer();
    let certify = |signer: &SigningKey, name: &str| forged(&mesh, id, &public_key, signer, name, rcgen::IsCa::NoCa);
    let by_member = certify(accomplice.key(), accomplice.name());
    // An issuer makes an issuer.
    let unlimited = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer_name = signer_name(&mesh, issuer.key());
    let second = forged(&mesh, id, &public_key, issuer.key(), &issuer_name, unlimited);
    let by_second = certify(&thief, "forged");
    let past = past_issuer(&mesh, NodeId([7; 32]));
    let by_past = certify(past.key(), &signer_name(&mesh, past.key()));
    let theirs = Mesh::new(2, 2);
    let good = mesh.identity(3);
    let unusable = |why: &str| RefuseReason::BadCertificate(why.to_owned());
    let rows = [
        (
            vec![by_member, accomplice.certificate().clone()],
            RefuseReason::NotAnIssuer { node: accomplice.node_id() },
            48,
        ),
        (vec![by_second.clone(), second.clone()], RefuseReason::ForeignAuthority, 48),
        (vec![by_second, second, issuer.certificate().clone()], unusable("here are 3"), 42),
        (vec![good.certificate().clone()], unusable("here are 1"), 42),
        (vec![good.certificate().clone(), theirs.keys.issuer().certificate().clone()], unusable("another mesh"), 42),
        (vec![issuer.certificate().clone(); 2], unusable("CaUsedAsEndEntity"), 42),
        (
            vec![by_past, past.certificate().clone()],
            RefuseReason::IssuerNotValid { issuer: past.node(), from_ms: 0, until_ms: EXPIRED_MS, now_ms: 0 },
            45,
        ),
    ];
    for (chain, expected, alert) in rows {
        let node = Node::start(mesh.identity(1));
        let key = private_key(thief.as_bytes());
        match Rogue::new(Some((chain, key)), b"murmurate/1").refused(node.address()).await {
            ConnectionError::ConnectionClosed(close) => {
                assert_eq!(u64::from(close.error_code), 0x100 + alert, "{expected}");
            }
            error => panic!("{expected}: {error}"),
        }
        match (node.refused(|_| true).await, expected) {
            (RefuseReason::BadCertificate(why), RefuseReason::BadCertificate(part)) => {
                assert!(why.contains(&part), "{why}");
            }
            (RefuseReason::IssuerNotValid { now_ms, .. }, RefuseReason::IssuerNotValid { .. }) => {
                assert!(now_ms >= NOW_MS);
            }
            (reason, expected) => assert_eq!(reason, expected),
        }
        assert!(!node.has_ever_connected());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_recovery_key_makes_issuers_whose_members_are_members() {
    let mesh = Mesh::new(1, 1);
    let (issuer_key, node) = (key(70), NodeId([7; 32]));
    let granted = mesh.keys.recovery().grant(issuer_key.verifying_key().as_bytes(), node, 0, NOW_MS + DAY_MS).unwrap();
    let issuer = Issuer::new(issuer_key, granted).unwrap();
    let chain = issuer.issue(key(3).verifying_key().as_bytes(), "rescued", 0, NOW_MS + DAY_MS).unwrap();
    let rescued = Node::start(Identity::new(key(3), chain, mesh.keys.anchors().clone()).unwrap());
    let node = Node::start(mesh.identity(1));
    rescued.dial(&[node.address()]);
    rescued.connected(&node, 1).await;
    node.connected(&rescued, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_whose_key_the_peer_does_not_hold_is_worth_nothing() {
    let mesh = Mesh::new(1, 1);
    let node = Node::start(mesh.identity(1));
    let thief = generate_key(&mut Random::seeded(66).rng());
    let stolen = (mesh.identity(5).chain().to_vec(), private_key(thief.as_bytes()));
    let error = Rogue::new(Some(stolen), b"murmurate/1").refused(node.address()).await;
    assert!(
        matches!(&error, ConnectionError::ConnectionClosed(close) if u64::from(close.error_code) == 0x100 + 51),
        "{error}"
    );
    assert!(matches!(node.refused(|_| true).await, RefuseReason::Protocol(_)));
    assert!(!node.has_ever_connected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_answers_with_a_wrong_certificate_is_refused_by_the_dialler() {
    let mesh = Mesh::new(1, 1);
    let (other, foreign) = (same_key_other_mesh(&mesh), Mesh::new(1, 99));
    let rows: [(Identity, &str, u8); 4] = [
        (other.identity(3), "of another mesh, 0202", 49),
        (foreign.identity(3), "isn't signed by this mesh's authority", 48),
        (mesh.identity_valid(3, 0, EXPIRED_MS), "expired at", 45),
        (mesh.identity_valid(3, NOT_YET_MS, NOT_YET_MS + DAY_MS), "not yet valid, check the clock", 45),
    ];
    for (identity, text, alert) in rows {
        let (dialler, acceptor) = (Node::start(mesh.identity(1)), Node::start(identity));
        dialler.dial(&[acceptor.address()]);
        let reason = dialler.refused(|_| true).await;
        assert!(reason.to_string().contains(text), "{reason}");
        assert_eq!(acceptor.refused(|_| true).await, RefuseReason::RefusedByPeer(PeerRefusal { alert }));
        assert!(!dialler.has_ever_connected() && !acceptor.has_ever_connected());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dialler_that_is_refused_is_told_why() {
    let mesh = Mesh::new(1, 1);
    let (dialler, acceptor) = (Node::start(mesh.identity_valid(3, 0, EXPIRED_MS)), Node::start(mesh.identity(1)));
    dialler.dial(&[acceptor.address()]);
    assert_eq!(acceptor.refused(|_| true).await, RefuseReason::Expired { since_ms: EXPIRED_MS });
    let reason = dialler.refused(|_| true).await.to_string();
    assert!(reason.contains("the peer refused our certificate: it has expired"), "{reason}");
    assert!(!dialler.has_ever_connected() && !acceptor.has_ever_connected());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_at_1970_says_check_the_clock_and_connects_when_it_is_set() {
    let mesh = Mesh::new(1, 1);
    let (environment, clock) = environment(0);
    let config = NetworkConfig { listen: loopback(0), peers: Vec::new() };
    let identity = mesh.identity(1);
    let id = identity.node_id();
    let (handle, events) = Network::start(config, identity, environment).unwrap();
    let (late, peer) = (Node::of(id, handle, events), Node::start(mesh.identity(2)));
    late.dial(&[peer.address()]);
    let reason = late.refused(|reason| matches!(reason, RefuseReason::NotYetValid { .. })).await.to_string();
    assert!(reason.contains("check the clock") && reason.contains("1970-01-01"), "{reason}");
    clock.set_wall_ms(NOW_MS);
    late.connected(&peer, 1).await;
    // A jump of years ends no connection.
    clock.set_wall_ms(NOW_MS + 1_000 * DAY_MS);
    late.reaches(&peer, "still there").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_node_is_disconnected_and_stays_out() {
    let (one, two) = crate::support::connected_pair().await;
    two.handle.set_revoked(BTreeSet::from([one.id]));
    one.disconnected(&two, 1).await;
    two.disconnected(&one, 1).await;
    assert_eq!(two.refused(|_| true).await, RefuseReason::Revoked { node: one.id });
    assert_eq!(one.refused(|_| true).await, RefuseReason::RefusedByPeer(PeerRefusal { alert: 44 }));
    two.handle.set_revoked(BTreeSet::new());
    one.connected(&two, 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_protocol_is_refused() {
    let mesh = Mesh::new(1, 1);
    let node = Node::start(mesh.identity(1));
    let error = Rogue::new(Some(shown(&mesh.identity(2))), b"h3").refused(node.address()).await;
    assert!(
        matches!(&error, ConnectionError::ConnectionClosed(close) if u64::from(close.error_code) == 0x100 + 120),
        "{error}"
    );
    assert!(matches!(node.refused(|_| true).await, RefuseReason::Protocol(_)));
}
