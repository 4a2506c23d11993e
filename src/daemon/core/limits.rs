//! The core's limits and waits, with their reasons and what happens at each.

use std::time::Duration;

/// Events taken in between two flushes: bounds how long a busy mesh may delay what is shown. Further ones wait a turn.
pub(crate) const EVENTS_PER_TURN: usize = 256;
/// How long a shutdown waits for the disk; what isn't written by then was promised to nobody.
pub(crate) const SHUTDOWN_WAIT: Duration = Duration::from_secs(5);
/// Reasons of refused connections that are remembered for `status`; the oldest goes.
pub(crate) const REMEMBERED_REFUSALS: usize = 64;

/// Items that the disk's worker may fall behind by. Further ones are kept by the core, in order, until there is room.
pub(crate) const QUEUED_ITEMS: usize = 1_024;
/// Items on their way to the disk above which the core puts off what can wait: snapshots.
pub(crate) const BUSY_ITEMS: usize = 4_096;
/// Items of one batch: bounds what one fsync has to carry. Further ones go with the next.
pub(crate) const BATCH_ITEMS: usize = 1_024;
/// Bytes of one batch after which no further item joins it; the store takes four times as many.
pub(crate) const BATCH_BYTES: usize = 16 << 20;
/// How long a full disk is left alone before the same batch is tried again.
pub(crate) const FULL_RETRY: Duration = Duration::from_secs(1);
/// How long what isn't urgent waits for company: received changes are shown and relayed before they are durable.
pub(crate) const LAZY_DELAY: Duration = Duration::from_millis(10);

/// Watches at once: each may cost a queue of events. A further one is refused as busy.
pub(crate) const WATCHES: usize = 256;
/// Applied changes that a resumed watch is caught up on; further back it is told to read anew.
pub(crate) const RESUMED_CHANGES: usize = 10_000;
/// Documents of which it is kept what their watchers were told last: it saves looking at all keys twice a change. Beyond, all
/// are forgotten, and looked at again.
pub(crate) const TOLD_DOCUMENTS: usize = 64;

/// Documents brought in step in one turn; the others follow in the next ones.
pub(crate) const DOCUMENTS_PER_TURN: usize = 64;

/// How long a change of what this host holds waits for more before gossip tells it: a busy host tells it once in this time.
pub(crate) const STATE_DELAY: Duration = Duration::from_secs(5);
/// How long a document is left alone before its snapshot is written: longer than the pauses of whoever writes to it in a
/// loop.
pub(crate) const SNAPSHOT_QUIET: Duration = Duration::from_millis(500);
/// How long until a write is tried again that may succeed by itself.
pub(crate) const WRITE_RETRY: Duration = Duration::from_secs(1);
/// How long until a write is tried again that raced with a save.
pub(crate) const RACED_RETRY: Duration = Duration::from_millis(20);
/// How long until a write is tried again that somebody must clear the way for.
pub(crate) const BLOCKED_RETRY: Duration = Duration::from_secs(10);
/// Bytes of values in one change: larger ones take longer to pass on than they save.
pub(crate) const OPEN_BYTES: usize = 64 << 10;
/// Values in one change; further ones begin another.
pub(crate) const OPEN_PUTS: usize = 256;
/// Documents kept in memory; the least used is read again when it is needed. At some 100 kB for an ordinary file this bounds them to about 50 MB.
pub(crate) const LOADED_DOCUMENTS: usize = 512;

/// How often this host's interfaces are looked at.
pub(crate) const ADDRESS_CHECK_INTERVAL: Duration = Duration::from_secs(30);
/// Addresses that a host says it has; each is dialled by every other host.
pub(crate) const OWN_ADDRESSES: usize = 8;
/// The longest reason for a revocation.
pub(crate) const REASON_BYTES: usize = 500;
/// Certificates begin a little in the past: clocks differ.
pub(crate) const CLOCK_SLACK_MS: u64 = 60 * 60 * 1_000;
/// How long a host that leaves waits for the others to know; then it goes all the same, and says how many do.
pub(crate) const LEAVE_WAIT: Duration = Duration::from_secs(5);
/// How often it looks whether they do.
pub(crate) const LEAVE_POLL: Duration = Duration::from_millis(20);
/// Hosts of the settings, not yet known as members, that are dialled at a time. Settings that name no more are dialled as ever.
pub(crate) const NAMED_AT_ONCE: usize = 8;
/// How long the turn of these is: some attempts at each.
pub(crate) const NAMED_TURN: Duration = Duration::from_secs(3);
/// How long after a failure a renewal is tried again, at most; a certificate of short validity is tried again sooner.
pub(crate) const RENEWAL_RETRY: Duration = Duration::from_secs(60);
/// The shortest time between two attempts at a renewal.
pub(crate) const SHORTEST_RENEWAL_RETRY: Duration = Duration::from_millis(500);
/// Renewals in the time of one certificate, at most; further ones wait.
pub(crate) const RENEWALS_PER_VALIDITY: u32 = 200;
/// The wall clock may jump, so what is due by it is looked at this often.
pub(crate) const LONGEST_RENEWAL_WAIT: Duration = Duration::from_secs(60);
/// Tickets kept: those that can be used, and the last ones that can't any more.
pub(crate) const TICKETS: usize = 1_024;
/// Hosts that may join with one ticket; more are refused when it is made.
pub(crate) const TICKET_USES: u32 = 1_024;
/// The longest time for which a ticket can be used.
pub(crate) const TICKET_VALID_S: u64 = 365 * 24 * 60 * 60;
/// For how long a ticket can be used where nothing is said.
pub(crate) const TICKET_DEFAULT_VALID_S: u64 = 24 * 60 * 60;
