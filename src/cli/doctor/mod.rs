//! `doctor`: a line per check, with its fix. One check per file, each a pure judgement over [`Findings`].
//!
//! ```text
//!  daemon ──▶ facts, status, members ─┐
//!                                     ├─▶ Findings ──▶ checks ──▶ lines
//!  this user's look at files ─────────┘
//! ```

mod certificate;
mod check;
mod checks;
mod clock;
mod clocks;
mod conflicts;
mod daemon;
mod disk;
mod documents;
mod findings;
mod folders;
mod fsync;
mod held;
mod inotify;
mod issuers;
mod keys;
mod lag;
mod limits;
mod links;
mod mtu;
mod peers;
mod problems;
mod recovery;
mod refused;
mod settings;
mod store;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
mod udp;
mod versions;

use clap::Args;
use murmurate_client::types::{ApiError, ErrorCode, V1};

use super::context::Context;
use super::failure::Stop;
use super::host_flags::HostFlags;
use super::table::{Cell, Table};
use super::view::View;
use crate::settings::OutputFormat;
pub(super) use check::{Check, Checks, State};
pub(super) use findings::{Answers, Findings};

/// Check this host: a line for each thing that must be right, with its fix
#[derive(Debug, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    host: HostFlags,
}

impl Doctor {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let checks = look(&Findings::gather(context, self.host).await);
        context.print(render(&checks, &context.view()))?;
        match bad(&checks) {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }
}

/// All checks: first what the others rest on.
pub(super) fn look(findings: &Findings) -> Checks {
    let all = [
        daemon::check,
        settings::check,
        keys::check,
        clock::check,
        certificate::check,
        issuers::check,
        recovery::check,
        udp::check,
        mtu::check,
        peers::check,
        lag::check,
        links::check,
        versions::check,
        clocks::check,
        limits::check,
        refused::check,
        store::check,
        disk::check,
        fsync::check,
        inotify::check,
        folders::check,
        held::check,
        checks::check,
        conflicts::check,
        documents::check,
    ];
    Checks { v: V1, checks: all.iter().map(|check| check(findings)).collect() }
}

fn bad(checks: &Checks) -> Option<ApiError> {
    let names: Vec<_> =
        checks.checks.iter().filter(|check| check.state == State::Bad).map(|check| &*check.name).collect();
    if names.is_empty() {
        return None;
    }
    let why = format!("not as it should be: {}", names.join(", "));
    Some(ApiError::new(ErrorCode::Unhealthy, "find this host in good health", why, "do what the lines above say"))
}

fn render(checks: &Checks, view: &View) -> String {
    // People read a fix right after what was found; aligned, it would stand far off on most lines.
    let is_raw = view.format == OutputFormat::Raw;
    let mut table = Table::new(&["STATE", "CHECK", "FOUND", ""]);
    for Check { name, state, found, fix } in &checks.checks {
        let (found, fix) = match fix {
            Some(fix) if !is_raw => (format!("{found} → {fix}"), String::new()),
            fix => (found.clone(), fix.clone().unwrap_or_default()),
        };
        table.row([Cell::new(state.text(), state.style()), name.as_str().into(), found.into(), fix.into()]);
    }
    view.list(checks, &checks.checks, table)
}
