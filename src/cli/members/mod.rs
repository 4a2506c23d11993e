mod watch;

use clap::Args;
use murmurate_client::types::{self, Member, MemberState};

use super::context::Context;
use super::failure::Stop;
use super::table::{Cell, Table};
use super::time::relative_if_any;
use super::view::{Style, View};

#[derive(Debug, Args)]
pub(super) struct Members {
    /// Go on: redraw the table as it changes; where the output isn't a terminal, print a line for each change
    #[arg(long)]
    watch: bool,
}

impl Members {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        if self.watch {
            return watch::watch(context).await;
        }
        let members = context.mesh().await?.members().await?;
        context.print(render(&members, &context.view()))
    }
}

fn render(members: &types::Members, view: &View) -> String {
    let mut table = Table::new(&[
        "NAME", "STATE", "SINCE", "LAG", "BEHIND", "IN STEP", "ADDRESS", "VERSION", "ID", "ZONE", "ROLES",
    ]);
    for member in &members.members {
        table.row(cells(member, view));
    }
    view.list(members, &members.members, table)
}

fn cells(member: &Member, view: &View) -> [Cell; 11] {
    let own = if member.is_self { " (self)" } else { "" };
    [
        format!("{}{own}", member.name).into(),
        Cell::new(state(member), style(member.state)),
        relative_if_any(member.since, view.now).into(),
        Cell::new(member.lag.to_string(), if member.lag == 0 { Style::Plain } else { Style::Warn }),
        relative_if_any(member.behind_since, view.now).into(),
        if member.in_step { Cell::new("yes", Style::Good) } else { Cell::new("no", Style::Warn) },
        address(member).into(),
        member.version.clone().unwrap_or_default().into(),
        Cell::new(short(&member.id), Style::Dim),
        member.zone.clone().unwrap_or_default().into(),
        member.roles.join(",").into(),
    ]
}

/// A member's state, and whether that is of no long standing.
pub(super) fn state(member: &Member) -> String {
    if member.flapping { format!("{} (flapping)", member.state) } else { member.state.to_string() }
}

/// Where a member is reached, or how else it is known of.
fn address(member: &Member) -> String {
    match member.heard_alive {
        _ if !member.through.is_empty() => format!("through {}", member.through.join(", ")),
        Some(true) => "heard of by others".to_owned(),
        _ => member.address.clone(),
    }
}

/// The first digits of an id: enough to tell a mesh's hosts apart.
pub(super) fn short(id: &str) -> String {
    id.chars().take(12).collect()
}

pub(super) fn style(state: MemberState) -> Style {
    match state {
        MemberState::Alive => Style::Good,
        MemberState::Suspect => Style::Warn,
        MemberState::Dead => Style::Bad,
        MemberState::Left | MemberState::Unknown => Style::Dim,
    }
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::V1;

    use super::*;
    use crate::cli::testing::{ago, sheet};

    #[test]
    fn members() {
        let member = |name: &str, state| Member {
            name: name.into(),
            id: "0123456789abcdef".repeat(4),
            state,
            address: "10.0.0.1:7117".into(),
            since: Some(ago(7_300)),
            lag: 0,
            in_step: true,
            behind_since: None,
            through: Vec::new(),
            version: Some("0.1.0".into()),
            zone: Some("eu".into()),
            roles: vec!["db".into(), "web".into()],
            heard_alive: None,
            flapping: false,
            clock_ahead_ms: None,
            is_self: false,
        };
        let own = Member { is_self: true, ..member("web-1", MemberState::Alive) };
        let away =
            Member { in_step: false, flapping: true, version: None, since: None, ..member("db", MemberState::Suspect) };
        let heard =
            Member { heard_alive: Some(true), zone: None, roles: Vec::new(), ..member("far", MemberState::Suspect) };
        let relayed = Member { through: vec!["db".into(), "web-2".into()], ..away.clone() };
        let behind =
            Member { lag: 318, behind_since: Some(ago(9)), in_step: false, ..member("web-2", MemberState::Alive) };
        let members = types::Members {
            v: V1,
            members: vec![own, away, relayed, behind, heard, member("old", MemberState::Left)],
        };
        insta::assert_snapshot!(sheet(|view| render(&members, view)));
    }
}
