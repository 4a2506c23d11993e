use std::fmt::Write;

use clap::Args;
use murmurate_client::types::{self, Transition};

use super::context::Context;
use super::failure::Stop;
use super::members::{state, style};
use super::table::printable;
use super::time::{relative, relative_if_any};
use super::view::{Style, View, paint};

#[derive(Debug, Args)]
pub(super) struct Node {
    /// The host's name, or the beginning of its id
    node: String,
}

impl Node {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let node = context.mesh().await?.node(&self.node).await?;
        context.print(render(&node, &context.view()))
    }
}

fn render(node: &types::Node, view: &View) -> String {
    view.one(node, || text(node, view))
}

fn text(node: &types::Node, view: &View) -> String {
    let member = &node.member;
    let own = if member.is_self { " (self)" } else { "" };
    let certificate =
        node.certificate_ends.map_or_else(String::new, |ends| format!("ends {}", relative(ends, view.now)));
    let state = paint(&state(member), style(member.state), view.colored);
    let mut lines = vec![
        ("name", format!("{}{own}", printable(&member.name))),
        ("id", member.id.clone()),
        ("state", format!("{state} {}", relative_if_any(member.since, view.now))),
        ("in step", if member.in_step { "yes".into() } else { format!("no, {} changes behind", member.lag) }),
        ("address", member.address.clone()),
        ("advertises", node.addresses.join(", ")),
        ("zone", printable(member.zone.as_deref().unwrap_or_default())),
        ("roles", printable(&member.roles.join(", "))),
        ("version", member.version.clone().unwrap_or_default()),
        ("admitted", relative_if_any(node.admitted, view.now)),
        ("certificate", certificate),
        ("issuer", if node.issuer { "yes".into() } else { "no".into() }),
    ];
    if let Some(revoked) = &node.revoked {
        let why = format!("{}: {}", relative(revoked.time, view.now), printable(&revoked.reason));
        lines.push(("revoked", paint(&why, Style::Bad, view.colored)));
    }
    if let Some(clock) = member.clock_ahead_ms {
        lines.push(("clock", clock_text(clock)));
    }
    lines.extend(node.history.iter().enumerate().map(|(number, transition)| {
        let name = if number == 0 { "history" } else { "" };
        (name, transition_text(transition, view))
    }));
    lines.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{}", format!("{name:<12} {value}").trim_end());
        text
    })
}

fn clock_text(ahead_ms: i64) -> String {
    match ahead_ms {
        0.. => format!("{} ms ahead of this host's", ahead_ms),
        _ => format!("{} ms behind this host's", ahead_ms.unsigned_abs()),
    }
}

fn transition_text(transition: &Transition, view: &View) -> String {
    let Transition { time, from, to, by } = transition;
    let to = paint(to.name(), style(*to), view.colored);
    let change = from.map_or_else(|| to.clone(), |from| format!("{from} -> {to}"));
    let by = by.as_deref().map_or_else(String::new, |by| format!(", said {}", printable(by)));
    format!("{time} ({}) {change}{by}", relative(*time, view.now))
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::{Member, MemberState, Revocation, Time, V1};

    use super::*;
    use crate::cli::testing::{ago, now, sheet};

    fn transition(seconds: u64, from: Option<MemberState>, to: MemberState, by: Option<&str>) -> Transition {
        Transition { time: ago(seconds), from, to, by: by.map(str::to_owned) }
    }

    #[test]
    fn node() {
        let id = "0123456789abcdef".repeat(4);
        let member = Member {
            name: "web-1".into(),
            id: id.clone(),
            state: MemberState::Dead,
            address: "10.0.0.1:7117".into(),
            since: Some(ago(7_300)),
            lag: 3,
            behind_since: Some(ago(60)),
            through: vec!["web-2".into()],
            in_step: false,
            version: Some("0.1.0".into()),
            zone: Some("eu".into()),
            roles: vec!["db".into(), "web".into()],
            heard_alive: None,
            flapping: true,
            clock_ahead_ms: Some(-7_200),
            is_self: false,
        };
        let node = types::Node {
            v: V1,
            member,
            generation: Some(1_767_322_145_000),
            history: vec![
                transition(9_000, None, MemberState::Alive, Some("web-1")),
                transition(7_301, Some(MemberState::Alive), MemberState::Suspect, Some("db")),
                transition(7_300, Some(MemberState::Suspect), MemberState::Dead, None),
            ],
            addresses: vec!["10.0.0.1:7117".into(), "[fd00::1]:7117".into()],
            admitted: Some(ago(90_000)),
            certificate_ends: Some(Time::from_ms(now().as_ms() + 86_400_000)),
            issuer: true,
            revoked: Some(Revocation { name: "web-1".into(), id, reason: "stolen".into(), time: ago(60) }),
        };
        insta::assert_snapshot!(sheet(|view| render(&node, view)));
    }
}
