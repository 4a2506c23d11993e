//! The other hosts: whether they answer, and hold what this host holds.

use murmurate_client::types::{Member, MemberState, Members, Time};

use super::check::Check;
use super::findings::Findings;
use crate::cli::time::span;

const NAME: &str = "peers";

pub(super) fn check(findings: &Findings) -> Check {
    match findings.members() {
        Some(members) => judge(members, findings.host.as_ref().map(|host| host.now)),
        None => Check::without_daemon(NAME),
    }
}

fn judge(members: &Members, now: Option<Time>) -> Check {
    let others = members.members.iter().filter(|member| !member.is_self && member.state != MemberState::Left);
    let others: Vec<_> = others.collect();
    let troubles: Vec<_> = others.iter().filter_map(|member| trouble(member, now)).collect();
    if troubles.is_empty() {
        return Check::ok(NAME, format!("{} alive and in step", others.len()));
    }
    let fix = "`murmurate members`; see that their daemons are up and that UDP gets through in both directions";
    Check::warn(NAME, troubles.join("; "), fix)
}

fn trouble(member: &Member, now: Option<Time>) -> Option<String> {
    let Member { name, state, lag, .. } = member;
    let since = if *state == MemberState::Alive { member.behind_since } else { member.since };
    let time = since.zip(now).map(|(since, now)| format!(" for {}", span(now.as_ms().saturating_sub(since.as_ms()))));
    let time = time.unwrap_or_default();
    match state {
        MemberState::Alive if member.in_step => None,
        MemberState::Alive => Some(format!("{name} lacks {lag} changes, or has others{time}")),
        _ => Some(format!("{name} is {state}{time}, and lacks {lag} changes")),
    }
}
