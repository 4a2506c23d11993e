//! What a person reads, for a host in good health, an ill one, and one whose daemon is down.

use super::testing::{ill, well};
use super::*;
use crate::cli::testing::{sheet, view};
use crate::settings::OutputFormat;

#[test]
fn doctor() {
    let checks = look(&well());
    insta::assert_snapshot!(sheet(|view| render(&checks, view)));
}

#[test]
fn every_trouble_has_a_fix() {
    let checks = look(&ill());
    for check in &checks.checks {
        assert_eq!(check.fix.is_some(), matches!(check.state, State::Warn | State::Bad), "{check:?}");
    }
    let bad = crate::cli::failure::render(&bad(&checks).unwrap(), false, false);
    insta::assert_snapshot!([render(&checks, &view(OutputFormat::Table)), bad].join("\n"));
}

#[test]
fn without_a_daemon_the_rest_is_looked_at() {
    let mut findings = well();
    let why = ApiError::new(ErrorCode::Unreachable, "reach the daemon at /m.sock", "no such file", "`murmurate up`");
    findings.daemon = Err(why);
    findings.keys = Some(("/nonexistent".into(), Err(std::io::ErrorKind::NotFound.into())));
    findings.can_listen = Some(Err(std::io::ErrorKind::AddrInUse.into()));
    let checks = look(&findings);
    let of =
        |state| checks.checks.iter().filter(|check| check.state == state).map(|check| &*check.name).collect::<Vec<_>>();
    assert_eq!(
        of(State::Skipped),
        [
            "certificate",
            "issuers",
            "recovery",
            "mtu",
            "peers",
            "lag",
            "links",
            "versions",
            "clocks",
            "limits",
            "refused",
            "store",
            "folders",
            "held",
            "checks",
            "conflicts",
            "documents"
        ]
    );
    assert_eq!(of(State::Bad), ["daemon", "keys", "udp"]);
}
