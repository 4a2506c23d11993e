//! Every limit and wait of the network, with its reason.

use std::time::Duration;

/// Longest wait for an answer to a dial. Anyone on a healthy path answers within a few round trips; a short attempt
/// finds a returned network soon.
pub(crate) const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(1);
/// The wait of the patient attempt that runs beside the short ones when nobody answers: enough for a path of seconds.
pub(crate) const PATIENT_ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Pause before an unanswered address is dialled again, jittered so that hosts don't dial in step. With
/// [`ATTEMPT_TIMEOUT`] and the retransmissions inside an attempt, a returned network is noticed within 0.6 s.
pub(crate) const RETRY_MS: std::ops::Range<u64> = 250..500;
/// Pause after an answer that was a refusal: only people can mend it, so it may cost less.
pub(crate) const REFUSED_RETRY_MS: std::ops::Range<u64> = 2_000..4_000;
/// Pause before it is looked again whether only this node itself is at a peer's addresses: addresses move, seldom.
pub(crate) const OWN_ADDRESS_RETRY_MS: std::ops::Range<u64> = 30_000..60_000;
/// How often an address that doesn't resolve or answer is named in the log again.
pub(crate) const UNREACHABLE_LOG_INTERVAL: Duration = Duration::from_secs(60);
/// Longest wait for the resolver.
pub(crate) const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);

/// Idle connections send a ping this often. One that isn't answered QUIC sends again, on a LAN after some 30 ms and each time
/// after twice as long (RFC 9002, section 6.2): once a link is silent it is probed densely, by both sides, and an idle one
/// costs no more for it.
pub(crate) const KEEP_ALIVE: Duration = Duration::from_millis(500);
/// How often a connection looks whether it heard anything, as long as it does.
pub(crate) const TICK: Duration = Duration::from_millis(500);
/// The same while it hears nothing.
pub(crate) const SILENT_TICK: Duration = Duration::from_millis(125);
/// After this time without a datagram the peer is taken for gone: with one of five datagrams lost, it takes a dozen in a row
/// on a LAN. Counted in ticks, so that a host that was stopped itself doesn't blame its peers.
pub(crate) const SILENT_AFTER: Duration = Duration::from_millis(1_500);
/// A slow path gets this many round trips, where they are longer than [`SILENT_AFTER`]: there are fewer attempts on it.
pub(crate) const SILENT_ROUND_TRIPS: u32 = 6;
/// QUIC's own idle timeout bounds handshakes only; established connections end by [`SILENT_AFTER`].
pub(crate) const HANDSHAKE_IDLE_MS: u32 = 10_000;
/// Assumed round trip before it is measured: a lost first packet is sent again after three of these.
pub(crate) const INITIAL_ROUND_TRIP: Duration = Duration::from_millis(100);
/// Longest wait for a greeting, beside [`GREETING_ROUND_TRIPS`].
pub(crate) const GREETING_TIMEOUT: Duration = Duration::from_secs(2);
/// A greeting takes at most two and a half round trips, twice that with a loss.
pub(crate) const GREETING_ROUND_TRIPS: u32 = 8;
/// A connection this old, whose peer says that it has none, was lost on the peer's side. Younger ones cross a dial of
/// the peer's; no peer can lose one within this time other than by a restart.
pub(crate) const STALE_AFTER: Duration = Duration::from_secs(1);
/// Datagrams of a process that just died may still be on their way for this long.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(300);
/// How often the older of two connections is looked at while it is decided which process is alive.
pub(crate) const CONFLICT_POLL: Duration = Duration::from_millis(50);
/// How long a shutdown waits for queued frames to be acknowledged.
pub(crate) const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
/// How long a shutdown waits until its close packets are sent.
pub(crate) const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
/// How long frames that arrived before a close may still take to be handed over.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections and handshakes at once: twice the largest pool, in which everyone may be known over two paths.
/// Further handshakes are ignored; their retransmissions try again.
pub(crate) const CONNECTIONS: usize = 1_024;
/// Handshakes at once from dialling peers; more are ignored, and their retransmissions try again.
pub(crate) const HANDSHAKES: usize = 256;
/// From this many handshakes at once, a peer must first prove its address (QUIC Retry).
pub(crate) const HANDSHAKES_BEFORE_RETRY: usize = 32;
/// Bytes held for one connection attempt that isn't accepted yet: a few packets.
pub(crate) const INCOMING_BUFFER_BYTES: u64 = 16 << 10;

/// Bytes on the way per stream: 20 MB/s at 100 ms of round trip.
pub(crate) const STREAM_WINDOW_BYTES: u32 = 2 << 20;
/// Bytes on the way on a connection that wasn't greeted yet, and on a joiner's: strangers can make a host hold no more.
pub(crate) const UNGREETED_WINDOW_BYTES: u32 = 64 << 10;
/// Bytes on the way per connection: a window for each stream, so that a stalled class stalls no other.
pub(crate) const CONNECTION_WINDOW_BYTES: u32 = 8 << 20;
/// The smallest datagram that every path must carry (RFC 9000, section 14).
pub(crate) const MTU_BYTES: u16 = 1_200;

/// Received bytes, of all peers together, that may wait for the core; then the readers wait.
pub(crate) const INBOUND_BYTES: u32 = 32 << 20;
/// What an event costs beside its frame's bytes.
pub(crate) const EVENT_BYTES: u32 = 64;
/// Events that may wait for the core; then the readers wait, and by flow control the peers.
pub(crate) const EVENTS: usize = 1_024;
/// Bytes that may wait to be sent to one peer in one class; a single larger frame is taken when nothing waits.
/// Beyond, frames are dropped, the peer is left alone for a while, and anti-entropy brings what it missed.
pub(crate) const SEND_QUEUE_BYTES: usize = 8 << 20;
/// Frames that may wait to be sent to one peer in one class; beyond, as with [`SEND_QUEUE_BYTES`].
pub(crate) const SEND_QUEUE_FRAMES: usize = 4_096;
/// Frames up to this size are copied together into one write; larger ones are passed on as they are.
pub(crate) const COALESCED_FRAME_BYTES: usize = 4 << 10;
/// Bytes taken from a stream at once.
pub(crate) const READ_BYTES: usize = 64 << 10;
/// Bytes of a greeting's Hello: room for fields that later versions append. A longer one ends the connection.
pub(crate) const HELLO_BYTES: usize = 1_024;
/// Bytes taken from a queue per write.
pub(crate) const WRITE_BYTES: usize = 64 << 10;

/// The same refusal of the same host is named this often.
pub(crate) const REFUSAL_LOG_INTERVAL: Duration = Duration::from_secs(10);
/// Refusals remembered for that; while it is full of recent ones, further ones aren't named.
pub(crate) const REFUSALS_REMEMBERED: usize = 1_024;

/// Joins served at once; more are told that the host is busy. A whole rack that joins at one command fits.
pub(crate) const JOINS: usize = 64;
/// Longest wait for a joiner's request, and for its taking a refusal. It has nothing to compute.
pub(crate) const JOIN_MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for a joiner to take a certificate and the statements, which a slow path needs some round trips for. Who
/// is given one has shown a right to it.
pub(crate) const JOIN_DELIVERY_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for the core's decision, which takes an fsync.
pub(crate) const JOIN_DECISION_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest wait of a joiner for the answer: what the other side may take, and the way.
pub(crate) const JOIN_ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a joiner asks again where it was told that the host is busy.
pub(crate) const JOIN_BUSY_PATIENCE: Duration = Duration::from_secs(20);
/// Pause before that, jittered.
pub(crate) const JOIN_BUSY_RETRY_MS: std::ops::Range<u64> = 200..600;
/// Bytes of a joiner's request; it needs under 300, the rest is room for later versions. A longer one ends the connection.
pub(crate) const JOIN_REQUEST_BYTES: usize = 1_024;
/// Bytes of an answer: the statements, and certificates.
pub(crate) const JOIN_ANSWER_BYTES: usize = STATEMENTS_BYTES + (1 << 20);
/// Bytes of a certificate in an answer; they have about 500.
pub(crate) const CERTIFICATE_BYTES: usize = 4 << 10;
/// Bytes of a statement in an answer, as in the roster: one with its issuer's grant inside is the largest.
pub(crate) const STATEMENT_BYTES: usize = 8 << 10;
/// Statements in an answer.
pub(crate) const STATEMENTS: usize = 16_384;
/// Bytes of the words in a refusal.
pub(crate) const REFUSAL_TEXT_BYTES: usize = 256;
/// Characters of a ticket: 16 addresses with the longest host names need 7,000.
pub(crate) const TICKET_CHARACTERS: usize = 8 << 10;
/// Addresses in a ticket.
pub(crate) const TICKET_ADDRESSES: usize = 16;
/// Head start of each address before the next is tried beside it (RFC 8305, section 5).
pub(crate) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// Addresses tried for one name.
pub(crate) const ADDRESSES_PER_NAME: usize = 16;

/// Bytes of a node's name: X.509's bound for a common name.
pub const NAME_BYTES: usize = 64;
/// Bytes of a file of the identity directory: keys and certificates are a few hundred.
pub(crate) const IDENTITY_FILE_BYTES: usize = 64 << 10;
/// Bytes of the statements that a node is given when it joins, and keeps: enough for what makes thousands of members known.
pub const STATEMENTS_BYTES: usize = 4 << 20;
/// Bytes of the reason sent with a close.
pub(crate) const CLOSE_REASON_BYTES: usize = 256;

/// How often gossip begins a round: an exchange with one peer, in which both learn what the other knows. What a host says
/// of itself is known to all of 10 hosts after some three rounds; idle, it costs each host there 0.5 kB/s.
pub const GOSSIP_INTERVAL: Duration = Duration::from_secs(1);
/// Incarnations for each of which a further interval passes between two exchanges, so that the bytes per second don't grow
/// with the number of members.
pub(crate) const GOSSIP_NODES_PER_ROUND: usize = 16;
/// Incarnations of members that gossip holds: each is 51 bytes of a digest, which chitchat must fit into 65,507 bytes.
pub(crate) const GOSSIP_NODES: usize = 1_200;
/// From this much of [`GOSSIP_NODES`] on, the status tells that the limit is near.
pub(crate) const GOSSIP_ALARM_PERCENT: usize = 80;
/// Incarnations of one member at once: one for each of its starts within [`GOSSIP_FORGETS`].
pub(crate) const GOSSIP_INCARNATIONS: usize = 16;
/// How long chitchat keeps who is silent; it tells others for half of this time. Whoever comes back is heard of again.
pub(crate) const GOSSIP_FORGETS: Duration = Duration::from_secs(600);
/// A member is silent once nothing was heard of it for this many times its usual pause.
pub(crate) const GOSSIP_PHI: f64 = 8.0;
/// Pauses from which the usual one is taken.
pub(crate) const GOSSIP_SAMPLES: usize = 32;
/// Longer pauses don't count as usual: the longest from one exchange to the next is some 75 s, at the most members.
pub(crate) const GOSSIP_LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Rounds after a start in which nobody is told to be silent who was alive before.
pub(crate) const GOSSIP_FIRST_ROUNDS: u32 = 60;
/// Pause before gossip that ended begins anew, doubled each time.
pub(crate) const GOSSIP_BACKOFF: Duration = Duration::from_secs(1);
/// The longest such pause.
pub(crate) const GOSSIP_BACKOFF_MAX: Duration = Duration::from_secs(60);
/// Keys of one member.
pub(crate) const GOSSIP_KEYS: usize = 32;
/// Bytes of a key, and of the other names in a message.
pub(crate) const GOSSIP_KEY_BYTES: usize = 32;
/// Bytes of a value: 32 roles with long names are 2,079.
pub(crate) const GOSSIP_VALUE_BYTES: usize = 4 << 10;
/// Bytes of a message. chitchat keeps its own below 64 KiB, but compresses what changed by itself.
pub(crate) const GOSSIP_MESSAGE_BYTES: usize = 1 << 20;
/// Bytes of a message in its frame.
pub(crate) const GOSSIP_FRAME_BYTES: usize = 128 << 10;
/// Gossip that may wait to be sent to one peer; the oldest goes, a later one says the same and more.
pub(crate) const GOSSIP_QUEUE_FRAMES: usize = 4;
/// Gossip of one peer that may wait here; beyond, its oldest goes.
pub(crate) const GOSSIP_INBOX_FRAMES: usize = 4;
/// Bytes of gossip that may wait here in all; beyond, the oldest goes.
pub(crate) const GOSSIP_INBOX_BYTES: usize = 4 << 20;
/// Gossip that is taken from one peer in a second: some ten times what a peer sends at most. Further frames are dropped.
pub(crate) const GOSSIP_FRAMES_PER_SECOND: usize = 32;
