//! Starts meshes, drives their hosts, waits for what must come true, and leaves nothing behind.
//!
//! ```text
//!  Mesh ──▶ `murmurate dev`, or one `murmurate up` per host ──▶ daemons (in a Namespace, where a test cuts the network)
//!   └─▶ Host ──▶ command line, files of its folder, Client (the library, for many requests)
//! ```
//! Shared by `tests/e2e` and `tests/lab`.
#![allow(dead_code, unused_imports, reason = "each of the two uses a part of it")]

mod client;
mod directory;
mod exposition;
mod host;
mod hosts_apart;
mod mesh;
mod mounts;
mod namespace;
mod prepare;
mod process;
mod wait;

pub(crate) use client::Client;
pub(crate) use directory::{Directory, copy_directory};
pub(crate) use exposition::Exposition;
pub(crate) use host::{Failure, Host};
pub(crate) use hosts_apart::HostsApart;
pub(crate) use mesh::{MESH, Mesh};
pub(crate) use mounts::Mounted;
pub(crate) use namespace::{Namespace, note_skipped};
pub(crate) use prepare::{Certificate, authority, free_address, prepare};
pub(crate) use process::{Process, is_running, murmurate, run, signal};
pub(crate) use wait::{DEADLINE, eventually, eventually_of, poll};

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// A file of the kind that people edit, with comments in all places.
pub(crate) const APP_TOML: &str = r#"# The service.
title = "Murmurate"   # shown to people

[server]
# Where it listens.
host = "127.0.0.1"
port = 8080

[limits]
rps = 200
burst = 80
"#;

/// Shown even when the test passes: `cargo test` captures only what the print macros write.
pub(crate) fn report(line: &str) {
    // Nobody to tell when stderr is gone.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The randomness of a test, from `MURMURATE_SEED` or the clock; the seed is shown.
pub(crate) fn seeded(test: &str) -> ChaCha20Rng {
    let given = std::env::var("MURMURATE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        now.as_secs() ^ u64::from(now.subsec_nanos()).rotate_left(32)
    });
    report(&format!("{test}: MURMURATE_SEED={seed}"));
    ChaCha20Rng::seed_from_u64(seed)
}
