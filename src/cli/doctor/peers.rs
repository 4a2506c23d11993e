//! The other hosts: whether they answer, and hold what this host holds.

use murmurate_client::types::{Member, MemberState, Members};

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "peers";

pub(super) fn check(findings: &Findings) -> Check {
    match findings.members() {
        Some(members) => judge(members),
        None => Check::without_daemon(NAME),
    }
}

fn judge(members: &Members) -> Check {
    let others = members.members.iter().filter(|member| !member.is_self && member.state != MemberState::Left);
    let others: Vec<_> = others.collect();
    let troubles: Vec<_> = others.iter().filter_map(|member| trouble(member)).collect();
    if troubles.is_empty() {
        return Check::ok(NAME, format!("{} alive and in step", others.len()));
    }
    let fix = "`murmurate members`; see that their daemons are up and that UDP gets through in both directions";
    Check::warn(NAME, troubles.join("; "), fix)
}

fn trouble(member: &Member) -> Option<String> {
    let Member { name, state, lag, .. } = member;
    match state {
        MemberState::Alive if member.in_step => None,
        MemberState::Alive => Some(format!("{name} lacks {lag} changes, or has others")),
        _ => Some(format!("{name} is {state}, and lacks {lag} changes")),
    }
}
