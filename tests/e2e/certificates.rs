//! Who isn't a member gets nowhere, and the logs say why (P9).

use std::net::SocketAddr;
use std::sync::Arc;

use murmurate_crdt::id::MeshId;
use quinn::crypto::rustls::QuicClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, SignatureScheme};

use crate::harness::{
    Certificate, Directory, Host, MESH, Mesh, authority, eventually, free_address, murmurate, prepare, run,
};

const SECRET: &str = "config/secret.toml#key";

/// Waits until a daemon's log has this.
#[track_caller]
fn says(mesh: &Mesh, host: &Host, words: &str) {
    eventually(mesh, &format!("{} logs `{words}`", host.name), || {
        if host.logged().contains(words) { Ok(()) } else { Err(host.logged()) }
    });
}

/// The intruder isn't known to any member and knows nothing of the mesh, nor the mesh of what it writes.
#[track_caller]
fn got_nowhere(mesh: &Mesh, intruder: &Host) {
    intruder.put("config/intruder.toml#key", "1");
    assert_eq!(intruder.fails(&["get", SECRET]).code, 3);
    assert_eq!(intruder.json(&["members"])["members"].as_array().unwrap().len(), 1);
    for host in &mesh.hosts {
        let members = host.json(&["members"]);
        assert_eq!(members["members"].as_array().unwrap().len(), mesh.hosts.len(), "{members}");
        assert_eq!(host.fails(&["get", "config/intruder.toml#key"]).code, 3);
    }
}

#[test]
fn who_has_no_good_certificate_gets_nowhere_and_the_log_names_why() {
    let own = authority(MeshId(MESH));
    let mesh = Mesh::start_apart_of(&own, 2);
    mesh.hosts[0].put(SECRET, "1");
    mesh.settle();
    let [one, two] = &mesh.hosts[..] else { panic!() };
    // The same kind of refusal is logged only once in a while, so those that are alike go to different hosts.
    let cases = [
        (
            "elsewhere",
            &authority(MeshId([8; 16])),
            Certificate::Valid,
            one,
            ["is of another mesh", "is of another mesh"],
        ),
        ("forged", &authority(MeshId(MESH)), Certificate::Valid, two, ["isn't signed by", "isn't signed by"]),
        (
            "late",
            &own,
            Certificate::Expired,
            one,
            ["our certificate: it has expired", "the peer's certificate expired at"],
        ),
    ];
    let intruders = cases.map(|(name, authority, certificate, dialled, words)| {
        let directory = mesh.directory.path();
        let mut intruder = prepare(directory, authority, name, certificate, free_address(), &[dialled.address]);
        intruder.start();
        (intruder, dialled, words)
    });
    for (intruder, dialled, [its_words, our_words]) in &intruders {
        says(&mesh, intruder, its_words);
        says(&mesh, dialled, our_words);
        got_nowhere(&mesh, intruder);
    }
}

/// Takes any server for the right one.
#[derive(Debug)]
struct Gullible;

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// Dials with the right protocol and no certificate, and gives how that ends.
async fn dial_without_certificate(address: SocketAddr) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible))
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"murmurate/1".to_vec()];
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = quinn::Endpoint::client(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    match endpoint.connect_with(config, address, "murmurate.invalid").unwrap().await {
        // The dialling side's handshake ends before the other has seen that there is no certificate.
        Ok(connection) => connection.closed().await.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_peer_without_a_certificate_gets_nowhere_and_the_log_names_why() {
    let mesh = Mesh::start_apart(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let end = runtime.block_on(dial_without_certificate(mesh.hosts[0].address));
    assert!(end.contains("certificate"), "{end}");
    says(&mesh, &mesh.hosts[0], "the peer showed no certificate");
    assert_eq!(mesh.hosts[0].json(&["members"])["members"].as_array().unwrap().len(), 1);
}

#[test]
fn a_daemon_without_a_certificate_does_not_start() {
    let directory = Directory::new();
    let host = prepare(directory.path(), &authority(MeshId(MESH)), "bare", Certificate::Valid, free_address(), &[]);
    std::fs::remove_file(host.data().join("identity/node.crt")).unwrap();
    let mut command = murmurate();
    command.arg("up").arg("--settings").arg(host.settings());
    let output = run(command);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("node.crt"), "{errors}");
}
