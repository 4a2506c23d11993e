//! Questions: on a terminal only.

use std::io::{self, BufRead, IsTerminal};

use murmurate_client::types::{ApiError, ErrorCode};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use super::context::note;

/// Goes on if the flag `--yes` was given, or a person at the terminal says so.
pub(super) fn confirm(yes: bool, what: &str, question: &str) -> Result<(), ApiError> {
    let declined =
        |why: &str| Err(ApiError::new(ErrorCode::NotConfirmed, what, why, "give `--yes` to go on without being asked"));
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return declined("it must be confirmed, and there is no terminal to ask on");
    }
    note(&format!("{question} [y/N]"));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match answer.trim() {
        "y" | "Y" | "yes" if read.is_ok() => Ok(()),
        _ => declined("it wasn't confirmed; nothing was changed"),
    }
}

/// Whether to do something: the flag `--yes` says so, or a person at the terminal. Ctrl-C says no.
pub(super) async fn ask(yes: bool, question: &str) -> bool {
    if yes {
        return true;
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return false;
    }
    note(&format!("{question} [y/N]"));
    let (answer, answered) = oneshot::channel();
    // A thread of its own, which ends with the process: a task's would be waited for.
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        answer.send(read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes"))
    });
    let Ok(mut interrupt) = signal(SignalKind::interrupt()) else { return false };
    tokio::select! {
        answer = answered => answer.unwrap_or(false),
        _ = interrupt.recv() => false,
    }
}
