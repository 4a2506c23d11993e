use std::env;
use std::io::{self, IsTerminal};
use std::path::Path;

use murmurate_client::types::{ApiError, ErrorCode};
use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};

/// What is opened where nobody says what.
const LAST_RESORT: &str = "vi";

/// An editor's command line.
pub(super) struct Editor {
    command: String,
}

impl Editor {
    /// The one that was asked for, else the user's, which needs a terminal.
    pub(super) fn choose(asked: Option<String>, address: &str) -> Result<Self, ApiError> {
        if let Some(command) = asked {
            return Ok(Self { command });
        }
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            let try_ = format!(
                "name a command that needs none with `--editor COMMAND`, or write it with `murmurate put {address} @FILE`"
            );
            let why = "an editor needs a terminal, and stdin or stdout is none";
            return Err(ApiError::new(ErrorCode::NoTerminal, format!("edit {address}"), why, try_));
        }
        let set = |name| env::var(name).ok().filter(|value| !value.trim().is_empty());
        let command = set("VISUAL").or_else(|| set("EDITOR")).unwrap_or_else(|| LAST_RESORT.into());
        Ok(Self { command })
    }

    /// Lets the user edit the file.
    pub(super) async fn run(&self, path: &Path) -> Result<(), ApiError> {
        let failed = |why: String| {
            let what = format!("edit with `{}`", self.command);
            ApiError::new(ErrorCode::Editor, what, why, "set VISUAL or EDITOR, or give `--editor COMMAND`")
        };
        // Ctrl-C is the editor's business while it runs: it is sent to both.
        let keyboard = [SignalKind::interrupt(), SignalKind::quit()].map(signal);
        // Through a shell, as an editor is often given with flags.
        let script = format!("{} \"$@\"", self.command);
        let status = Command::new("sh").args(["-c", &script, "editor"]).arg(path).status().await;
        drop(keyboard);
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(failed(format!("it ended with {status}, so nothing was written"))),
            Err(error) => Err(failed(error.to_string())),
        }
    }
}
