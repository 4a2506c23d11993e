//! How much checks and reloads may take: every number with its reason.

use std::time::Duration;

/// Checks and reloads of each kind that a host may have: far more than services on one host.
pub const RULES: usize = 64;
/// Words of a command, and bytes of each: what a person writes into a settings file.
pub const COMMAND_WORDS: usize = 64;
/// See [`COMMAND_WORDS`].
pub const WORD_BYTES: usize = 4_096;
/// Checks that run at once. One that hangs keeps a place until its timeout; the others go on.
pub const CHECKS_AT_ONCE: usize = 8;
/// Reloads that run at once.
pub const RELOADS_AT_ONCE: usize = 8;
/// How long a check may take by default: `nginx -t` takes some 20 ms, and people wait for their puts.
pub const CHECK_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a reload may take by default: services that end connections first take a while.
pub const RELOAD_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest timeout that can be set: who waits longer doesn't check.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(600);
/// A reload waits by default until nothing changed for this long: the files of one edit come within it.
pub const DEBOUNCE: Duration = Duration::from_millis(500);
/// The longest pause that can be set.
pub const LONGEST_DEBOUNCE: Duration = Duration::from_secs(60);
/// Under changes that never pause a reload comes by default after this long all the same.
pub const MAX_WAIT: Duration = Duration::from_secs(5);
/// The longest such wait that can be set.
pub const LONGEST_MAX_WAIT: Duration = Duration::from_secs(300);
/// How long a failed check is left alone before it is run again, should nothing have changed: what was wrong may be
/// elsewhere, and put right meanwhile.
pub const CHECK_AGAIN: Duration = Duration::from_secs(60);
/// How long it is left alone when another file of the same folder changed, which it may depend on.
pub const CHECK_SOON: Duration = Duration::from_secs(1);
/// Of a command's output the first and the last so many bytes are kept: what is wrong stands at one of the two ends.
pub const OUTPUT_BYTES: usize = 4 << 10;
/// Violations of a schema that are listed.
pub const VIOLATIONS: usize = 20;
/// Bytes of a schema's file.
pub const SCHEMA_BYTES: usize = 1 << 20;
/// Bytes of a pid file.
pub const PID_FILE_BYTES: usize = 64;
/// How often a running command is looked at to see whether it should end: nobody waits for that but an ending daemon.
pub const TICK: Duration = Duration::from_millis(100);
/// Bytes of saved files that wait for their checks; beyond, no further saves are read from the folders.
pub const WAITING_BYTES: usize = 64 << 20;
/// Writes over the API that wait for the checks of one document.
pub const WAITING_WRITES: usize = 256;
/// Commands to, and outcomes of, the service. The core keeps what finds no room.
pub const QUEUED: usize = 64;
