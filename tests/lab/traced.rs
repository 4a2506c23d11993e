//! Daemons under `strace`, which kills them at, or makes fail, the n-th call that writes.
//!
//! The tracer runs beside (`-D`): the daemon stays the test's own child. `strace` counts calls for each thread on its own;
//! a daemon writes from few threads, so small numbers meet all places.

use std::path::Path;
use std::process::Command;

use crate::harness::{note_skipped, run};

/// A program that starts the daemon under `strace` with one injection, `fdatasync:error=EIO:when=3+` for example. What the
/// injection is about is logged.
pub(crate) fn injecting(injection: &str, log: &Path) -> Vec<String> {
    let call = injection.split(':').next().unwrap();
    // Without `--seccomp-bpf`: with it, `strace` 6.1 counts right for errors, and for signals only up to 1.
    let words = ["strace", "-D", "-f", "-qq", "-o", log.to_str().unwrap()];
    let rules = ["-e".to_owned(), format!("trace={call}"), "-e".to_owned(), format!("inject={injection}")];
    words.into_iter().map(str::to_owned).chain(rules).collect()
}

/// Whether `strace` can trace here; else the test is noted as skipped.
pub(crate) fn can_trace(test: &str) -> bool {
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "true"]);
    let reason = match Command::new("strace").arg("-V").output() {
        Err(error) => format!("`strace` can't be run: {error}"),
        Ok(_) => match run(command) {
            output if output.status.success() => return true,
            output => format!("`strace` can't trace: {}", String::from_utf8_lossy(&output.stderr).trim()),
        },
    };
    note_skipped(test, &reason);
    false
}
