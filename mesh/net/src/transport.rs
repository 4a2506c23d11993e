//! How QUIC is set up: timers, windows, limits, and where its randomness comes from.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ed25519_dalek::SigningKey;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{
    ClientConfig, ConnectionId, ConnectionIdGenerator, EndpointConfig, IdleTimeout, MtuDiscoveryConfig, NoneTokenStore,
    ServerConfig, TimeSource, TransportConfig, ValidationTokenConfig, VarInt,
};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use ring::{hkdf, hmac};

use crate::class::Class;
use crate::environment::{Clock, Environment};
use crate::limits;

/// Bytes of the connection ids that this node gives out.
const CONNECTION_ID_BYTES: usize = 8;
/// Bytes of the id by which a dialler first names the acceptor (RFC 9000, section 7.2: at least 8).
const FIRST_CONNECTION_ID_BYTES: usize = 20;
/// What the key of stateless resets is derived under.
const RESET_CONTEXT: &[u8] = b"murmurate stateless reset 1\0";

/// Gives connection ids from an injected generator.
struct ConnectionIds(ChaCha20Rng);

fn connection_id(rng: &mut ChaCha20Rng, length: usize) -> ConnectionId {
    let mut bytes = [0; FIRST_CONNECTION_ID_BYTES];
    rng.fill_bytes(&mut bytes);
    ConnectionId::new(&bytes[..length])
}

impl ConnectionIdGenerator for ConnectionIds {
    fn generate_cid(&mut self) -> ConnectionId {
        connection_id(&mut self.0, CONNECTION_ID_BYTES)
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// Retry tokens live by monotonic time: a jump of the wall clock must not matter to liveness.
struct MonotonicTime(Arc<dyn Clock>);

impl TimeSource for MonotonicTime {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + self.0.monotonic()
    }
}

/// Makes the QUIC half of endpoint and connections.
pub(crate) struct Transport {
    transport: Arc<TransportConfig>,
    token_key: Arc<hkdf::Prk>,
    time: Arc<MonotonicTime>,
    first_ids: Arc<Mutex<ChaCha20Rng>>,
}

impl Transport {
    pub(crate) fn new(environment: &Environment) -> Self {
        let mut rng = environment.rng();
        let mut token_secret = [0; 64];
        rng.fill_bytes(&mut token_secret);
        Self {
            transport: Arc::new(transport_config()),
            token_key: Arc::new(hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(&token_secret)),
            time: Arc::new(MonotonicTime(Arc::clone(&environment.clock))),
            first_ids: Arc::new(Mutex::new(rng)),
        }
    }

    pub(crate) fn server(&self, tls: QuicServerConfig) -> ServerConfig {
        let mut config = ServerConfig::new(Arc::new(tls), self.token_key.clone());
        let mut tokens = ValidationTokenConfig::default();
        tokens.sent(0);
        config
            .transport_config(Arc::clone(&self.transport))
            .validation_token_config(tokens)
            .time_source(self.time.clone())
            .max_incoming(limits::HANDSHAKES)
            .incoming_buffer_size(limits::INCOMING_BUFFER_BYTES)
            .incoming_buffer_size_total(limits::INCOMING_BUFFER_BYTES * limits::HANDSHAKES as u64);
        config
    }

    pub(crate) fn client(&self, tls: QuicClientConfig) -> ClientConfig {
        let mut config = ClientConfig::new(Arc::new(tls));
        let first_ids = Arc::clone(&self.first_ids);
        config
            .transport_config(Arc::clone(&self.transport))
            .token_store(Arc::new(NoneTokenStore))
            .initial_dst_cid_provider(Arc::new(move || {
                connection_id(&mut first_ids.lock().unwrap_or_else(PoisonError::into_inner), FIRST_CONNECTION_ID_BYTES)
            }));
        config
    }
}

/// The endpoint's own settings. The key of stateless resets comes from the node's key, so that a restarted process can tell
/// its peers at once that the old connections are gone.
pub(crate) fn endpoint_config(node_key: &SigningKey, environment: &Environment) -> EndpointConfig {
    let secret = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, node_key.as_bytes()), RESET_CONTEXT);
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, secret.as_ref())));
    let mut rng = environment.rng();
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    let random = environment.random.clone();
    config.rng_seed(Some(seed)).cid_generator(move || Box::new(ConnectionIds(random.rng())));
    config
}

fn transport_config() -> TransportConfig {
    let streams = u32::try_from(Class::ALL.len()).unwrap_or(u32::MAX);
    let mut config = TransportConfig::default();
    config
        .max_concurrent_bidi_streams(VarInt::from_u32(1))
        .max_concurrent_uni_streams(VarInt::from_u32(streams))
        .datagram_receive_buffer_size(None)
        .datagram_send_buffer_size(0)
        .stream_receive_window(VarInt::from_u32(limits::STREAM_WINDOW_BYTES))
        // Grows once the peer is greeted as a member.
        .receive_window(VarInt::from_u32(limits::UNGREETED_WINDOW_BYTES))
        .send_window(u64::from(limits::CONNECTION_WINDOW_BYTES))
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(limits::HANDSHAKE_IDLE_MS))))
        .keep_alive_interval(Some(limits::KEEP_ALIVE))
        .initial_rtt(limits::INITIAL_ROUND_TRIP)
        .initial_mtu(limits::MTU_BYTES)
        .min_mtu(limits::MTU_BYTES)
        .mtu_discovery_config(Some(MtuDiscoveryConfig::default()));
    config
}
