use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;
use murmurate_client::types::{ApiError, Time, V1};
use murmurate_net::Environment;
use serde::Serialize;

use super::context::Context;
use super::failure::Stop;
use super::host_flags::HostFlags;
use super::time::relative;
use super::view::{Style, View, paint};
use crate::daemon::founding::{Place, found};
use crate::settings::{ClientFlags, Settings, Surroundings};

#[derive(Debug, Args)]
pub(super) struct Init {
    #[command(flatten)]
    host: HostFlags,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Made {
    v: V1,
    mesh: String,
    name: String,
    id: String,
    fingerprint: String,
    recovery_key: PathBuf,
    ticket: Option<String>,
    ticket_expires: Time,
    up: String,
}

impl Init {
    pub(super) fn run(self, flags: &ClientFlags) -> Result<(), Stop> {
        let context = Context::new(flags)?;
        let up = self.host.up(flags.socket.as_ref());
        let place = place(self.host, flags, &context.surroundings)?;
        let founded = found(&place, &Environment::system())?;
        let made = Made {
            v: V1,
            mesh: founded.mesh.to_string(),
            name: place.name,
            id: founded.node.to_string(),
            fingerprint: founded.fingerprint,
            recovery_key: founded.recovery_key,
            ticket: founded.ticket,
            ticket_expires: founded.ticket_expires,
            up,
        };
        context.print(render(&made, &context.view()))
    }
}

/// The host that the settings and flags describe.
pub(super) fn place(host: HostFlags, flags: &ClientFlags, surroundings: &Surroundings) -> Result<Place, ApiError> {
    let settings = Settings::load(&host.with_socket(flags.socket.clone()), surroundings)?;
    Ok(Place {
        data_dir: settings.data_dir.value,
        name: settings.name.value,
        listen: settings.listen.value,
        advertise: settings.advertise.value,
        certificate_validity: settings.certificate_validity.value,
    })
}

fn render(made: &Made, view: &View) -> String {
    view.one(made, || text(made, view))
}

fn text(made: &Made, view: &View) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a text never fails.
        let _ = writeln!(text, "{name:<13} {value}");
    };
    line("mesh", &made.mesh);
    line("fingerprint", &made.fingerprint);
    line("this host", &made.name);
    let recovery = format!("{}: move it to a safe place away from all hosts", made.recovery_key.display());
    line("recovery key", &paint(&recovery, Style::Warn, view.colored));
    line("start here", &made.up);
    match &made.ticket {
        Some(ticket) => {
            line("on others", &format!("murmurate join {ticket}"));
            line(
                "",
                &format!("(whoever has this ticket can join; it ends {})", relative(made.ticket_expires, view.now)),
            );
        }
        None => line("on others", "no address of this host is known: `murmurate ticket create --address HOST:PORT`"),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::{now, sheet};

    #[test]
    fn init() {
        let made = |ticket: Option<&str>| Made {
            v: V1,
            mesh: "00ff".repeat(8),
            name: "web-1".into(),
            id: "0123456789abcdef".repeat(4),
            fingerprint: "aabb".repeat(16),
            recovery_key: "/var/lib/murmurate/recovery.key".into(),
            ticket: ticket.map(str::to_owned),
            ticket_expires: Time::from_ms(now().as_ms() + 86_400_000),
            up: "murmurate up".into(),
        };
        let sheets = [made(Some("murmur1abc")), made(None)].map(|made| sheet(|view| render(&made, view)));
        insta::assert_snapshot!(sheets.concat());
    }
}
