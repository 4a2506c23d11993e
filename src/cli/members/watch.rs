//! `members --watch`: a table that is redrawn on a terminal; anywhere else a line for each change.

use std::io::{self, IsTerminal};
use std::time::Duration;

use murmurate_client::types::{self, ApiError};
use murmurate_client::{MemberChanges, Mesh};
use rustix::termios::{Winsize, tcgetwinsize};
use tokio::time::{Instant, sleep_until};

use super::render;
use crate::cli::context::Context;
use crate::cli::events::line;
use crate::cli::failure::{self, Stop};
use crate::cli::time::span;

/// How often the table is drawn anew where nothing changes: times and lags do.
const REDRAW: Duration = Duration::from_secs(1);
/// Where a terminal doesn't say how high it is.
const LINES: usize = 24;

/// Clears the screen, and keeps long lines from being broken.
const BEGIN: &str = "\x1b[2J\x1b[?7l";
const END: &str = "\x1b[?7h";
const HOME: &str = "\x1b[H";
const CLEAR_LINE: &str = "\x1b[K";
const CLEAR_BELOW: &str = "\x1b[J";

pub(super) async fn watch(context: &Context) -> Result<(), Stop> {
    let mesh = context.mesh().await?;
    let changes = mesh.member_changes().await?;
    if !context.is_for_people() || !io::stdout().is_terminal() || context.is_dumb() {
        return lines(context, changes).await;
    }
    context.print(BEGIN)?;
    let result = draw(context, &mesh, changes).await;
    context.print(END)?;
    result
}

async fn lines(context: &Context, mut changes: MemberChanges) -> Result<(), Stop> {
    let interrupt = interrupt();
    tokio::pin!(interrupt);
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(event) => context.print(line(&event?, &context.view()))?,
                None => return Ok(()),
            },
            end = &mut interrupt => return end,
        }
    }
}

async fn draw(context: &Context, mesh: &Mesh, mut changes: MemberChanges) -> Result<(), Stop> {
    let interrupt = interrupt();
    tokio::pin!(interrupt);
    let mut known = mesh.members().await?;
    let mut seen = Instant::now();
    loop {
        let members = mesh.members().await;
        let trouble = members.as_ref().err().cloned();
        if let Ok(members) = members {
            (known, seen) = (members, Instant::now());
        }
        context.print(screen(context, &known, trouble.as_ref(), seen.elapsed()))?;
        let again = Instant::now() + REDRAW;
        tokio::select! {
            change = changes.next() => change.transpose().map(drop)?,
            () = sleep_until(again) => {}
            end = &mut interrupt => return end,
        }
    }
}

/// Ctrl-C ends the watch, and is no failure.
async fn interrupt() -> Result<(), Stop> {
    tokio::signal::ctrl_c().await.map_err(|error| failure::io("wait for Ctrl-C", &error))?;
    Ok(())
}

fn screen(context: &Context, members: &types::Members, trouble: Option<&ApiError>, age: Duration) -> String {
    let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    let banner = trouble.map(|error| format!("the daemon is away ({}); this is {} old", error.why, span(age_ms)));
    let table = render(members, &context.view());
    let lines: Vec<&str> = banner.iter().map(String::as_str).chain(table.lines()).collect();
    let height = tcgetwinsize(io::stdout()).map_or(LINES, |Winsize { ws_row, .. }| usize::from(ws_row).max(2));
    fitted(&lines, height)
}

/// As many lines as there is room for, over what was there.
fn fitted(lines: &[&str], height: usize) -> String {
    let shown = if lines.len() < height { lines.len() } else { height.saturating_sub(2) };
    let mut text = HOME.to_owned();
    for line in &lines[..shown] {
        text.push_str(line);
        text.push_str(CLEAR_LINE);
        text.push('\n');
    }
    if shown < lines.len() {
        text.push_str(&format!("... and {} more{CLEAR_LINE}\n", lines.len() - shown));
    }
    text + CLEAR_BELOW
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_screen_holds_what_fits() {
        let lines = ["a", "b", "c"];
        assert_eq!(fitted(&lines, 10), "\x1b[Ha\x1b[K\nb\x1b[K\nc\x1b[K\n\x1b[J");
        assert_eq!(fitted(&lines, 4), fitted(&lines, 10));
        assert_eq!(fitted(&lines, 3), "\x1b[Ha\x1b[K\n... and 2 more\x1b[K\n\x1b[J");
    }
}
