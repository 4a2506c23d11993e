use std::fmt::Write;

use clap::Args;
use murmurate_client::types::KeyStatus;

use super::{Context, Stop, View};
use crate::cli::time::relative;
use crate::cli::view::{Style, paint};

/// Below this many issuers nobody can join or renew once one host is lost.
const ISSUERS_WANTED: usize = 2;

#[derive(Debug, Args)]
pub(in crate::cli) struct Status {}

impl Status {
    pub(super) async fn run(self, context: &Context) -> Result<(), Stop> {
        let status = context.mesh().await?.key_status().await?;
        context.print(render(&status, &context.view()))
    }
}

fn render(status: &KeyStatus, view: &View) -> String {
    view.one(status, || text(status, view))
}

fn text(status: &KeyStatus, view: &View) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a text never fails.
        let _ = writeln!(text, "{name:<12} {value}");
    };
    line("mesh", &status.mesh);
    line("fingerprint", &status.fingerprint);
    let certificate = &status.certificate;
    line(
        "certificate",
        &format!(
            "ends {}, is renewed {}",
            relative(certificate.ends, view.now),
            relative(certificate.renewed_from, view.now)
        ),
    );
    if let Some(problem) = &certificate.problem {
        line("", &paint(&format!("not renewed: {problem}"), Style::Bad, view.colored));
    }
    let issuers: Vec<_> = status.issuers.iter().map(|issuer| issuer.name.as_str()).collect();
    line("issuers", &issuers.join(", "));
    if issuers.len() < ISSUERS_WANTED {
        let why = "without that host nobody can join or renew; `murmurate keys issuer NODE` adds one";
        line("", &paint(why, Style::Warn, view.colored));
    }
    line("authority", if status.authority_here { "its key is on this host" } else { "its key isn't on this host" });
    if let Some(path) = &status.recovery_key {
        let why = format!("{path}: move the recovery key to a safe place away from all hosts");
        line("", &paint(&why, Style::Warn, view.colored));
    }
    for revoked in &status.revoked {
        line("revoked", &format!("{} {}: {}", revoked.name, relative(revoked.time, view.now), revoked.reason));
    }
    text
}

#[cfg(test)]
mod tests {
    use murmurate_client::types::{CertificateStatus, Issuer, Revocation, Time, V1};

    use super::*;
    use crate::cli::testing::{ago, now, sheet};

    #[test]
    fn keys_status() {
        let later = |seconds: u64| Time::from_ms(now().as_ms() + seconds * 1_000);
        let certificate = CertificateStatus {
            begins: ago(86_400),
            ends: later(2_505_600),
            renewed_from: later(1_209_600),
            problem: Some("no issuer answers".into()),
        };
        let issuer = Issuer { name: "web-1".into(), id: "0123456789abcdef".repeat(4), since: ago(90), is_self: true };
        let revoked =
            Revocation { name: "db-1".into(), id: "fedc".repeat(16), reason: "stolen".into(), time: ago(300) };
        let status = KeyStatus {
            v: V1,
            mesh: "00ff".repeat(8),
            fingerprint: "aabb".repeat(16),
            certificate,
            issuers: vec![issuer],
            authority_here: true,
            recovery_key: Some("/var/lib/murmurate/recovery.key".into()),
            revoked: vec![revoked],
        };
        insta::assert_snapshot!(sheet(|view| render(&status, view)));
    }
}
