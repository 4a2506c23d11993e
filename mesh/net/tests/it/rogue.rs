//! A peer that shows what it likes, trusts everybody, and says what it likes.

use std::net::SocketAddr;
use std::sync::Arc;

use murmurate_crdt::id::NodeId;
use murmurate_net::Identity;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, ConnectionError, Endpoint};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use tokio::time::timeout;

use crate::support::{DEADLINE, loopback};

/// What PKCS #8 has before an Ed25519 key.
const KEY_PREFIX: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

pub(crate) fn private_key(seed: &[u8; 32]) -> PrivatePkcs8KeyDer<'static> {
    [KEY_PREFIX.as_slice(), seed].concat().into()
}

#[derive(Debug)]
struct TrustAll;

impl ServerCertVerifier for TrustAll {
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

/// Certificates, and a key that may be theirs.
pub(crate) type Shown = (Vec<CertificateDer<'static>>, PrivatePkcs8KeyDer<'static>);

pub(crate) struct Rogue {
    endpoint: Endpoint,
}

impl Rogue {
    pub(crate) fn new(shown: Option<Shown>, alpn: &[u8]) -> Self {
        Self::offering(shown, &[alpn])
    }

    pub(crate) fn offering(shown: Option<Shown>, protocols: &[&[u8]]) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(TrustAll));
        let mut tls = match shown {
            Some((chain, key)) => {
                // Unlike rustls' own way, this doesn't check that the key is the certificate's.
                let key = rustls::crypto::ring::sign::any_eddsa_type(&key).unwrap();
                let shown = rustls::sign::CertifiedKey::new(chain, key);
                builder.with_client_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(shown)))
            }
            None => builder.with_no_client_auth(),
        };
        tls.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let mut endpoint = Endpoint::client(loopback(0)).unwrap();
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        endpoint.set_default_client_config(config);
        Self { endpoint }
    }

    /// One with a true certificate.
    pub(crate) fn member(identity: &Identity) -> Self {
        let key = private_key(identity.key().as_bytes());
        Self::new(Some((identity.chain().to_vec(), key)), b"murmurate/1")
    }

    /// Dials, and gives the error with which it ends.
    pub(crate) async fn refused(&self, address: SocketAddr) -> ConnectionError {
        let dial = async {
            match self.endpoint.connect(address, "anyone").unwrap().await {
                Ok(connection) => connection.closed().await,
                Err(error) => error,
            }
        };
        timeout(DEADLINE, dial).await.expect("neither refused nor answered")
    }

    /// Begins to dial.
    pub(crate) fn dial(&self, address: SocketAddr) -> quinn::Connecting {
        self.endpoint.connect(address, "anyone").unwrap()
    }

    /// Dials and greets as a member does.
    pub(crate) async fn greeted(&self, address: SocketAddr, identity: &Identity, peer: NodeId) -> Connection {
        timeout(DEADLINE, self.greet(address, identity, peer)).await.expect("no greeting")
    }

    async fn greet(&self, address: SocketAddr, identity: &Identity, peer: NodeId) -> Connection {
        let connection = self.endpoint.connect(address, "anyone").unwrap().await.unwrap();
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        let hello = [[0, 18, 1].as_slice(), &[0xee; 16], &[0]].concat();
        send.write_all(&hello).await.unwrap();
        let mut theirs = [0; 20];
        receive.read_exact(&mut theirs).await.unwrap();
        let (ready, chosen) = ([1], [2]);
        let mut word = [0];
        if identity.node_id() < peer {
            receive.read_exact(&mut word).await.unwrap();
            assert_eq!(word, ready);
            send.write_all(&chosen).await.unwrap();
        } else {
            send.write_all(&ready).await.unwrap();
            receive.read_exact(&mut word).await.unwrap();
            assert_eq!(word, chosen);
        }
        connection
    }
}
