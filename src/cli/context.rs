//! What every verb works with: settings, the daemon, the way out.

use std::io::{self, IsTerminal, Write};

use murmurate_client::Mesh;
use murmurate_client::types::{ApiError, Time};

use super::failure::{self, Stop};
use super::view::View;
use crate::settings::{ClientFlags, ClientSettings, OutputFormat, Surroundings};

/// What every verb works with.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) settings: ClientSettings,
    pub(super) surroundings: Surroundings,
    colored: bool,
}

impl Context {
    pub(super) fn new(flags: &ClientFlags) -> Result<Self, ApiError> {
        let surroundings = Surroundings::of_this_process();
        let settings = ClientSettings::load(flags, &surroundings)?;
        let colored = settings.colored(io::stdout().is_terminal(), &surroundings);
        Ok(Self { settings, surroundings, colored })
    }

    /// How to print, as of now.
    pub(super) fn view(&self) -> View {
        let now_ms = jiff::Timestamp::now().as_millisecond();
        let now = Time::from_ms(u64::try_from(now_ms).unwrap_or(0));
        View { format: self.settings.output.value, colored: self.colored, now }
    }

    /// Whether a person reads along, as far as the format tells.
    pub(super) fn is_for_people(&self) -> bool {
        self.settings.output.value == OutputFormat::Table
    }

    /// Whether a terminal can't move its cursor.
    pub(super) fn is_dumb(&self) -> bool {
        self.surroundings.variable("TERM") == Some("dumb")
    }

    pub(super) async fn mesh(&self) -> Result<Mesh, ApiError> {
        Mesh::attach_to(&self.settings.socket.value).await
    }

    /// Writes data to stdout, and sees to it that it is there.
    pub(super) fn print(&self, data: impl AsRef<[u8]>) -> Result<(), Stop> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(data.as_ref()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Stop::ReaderGone),
            Err(error) => Err(failure::io("write to stdout", &error).into()),
            Ok(()) => Ok(()),
        }
    }

    /// Says something that isn't data.
    pub(super) fn note(&self, text: &str) {
        note(text);
    }
}

/// Says something that isn't data. That nobody hears it is no failure.
pub(super) fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says why a command failed.
pub(super) fn complain(error: &ApiError, json: bool) {
    let surroundings = Surroundings::of_this_process();
    let settings = ClientSettings::load(&ClientFlags::default(), &surroundings);
    let colored = settings.is_ok_and(|settings| settings.colored(io::stderr().is_terminal(), &surroundings));
    let _ = io::stderr().write_all(failure::render(error, json, colored).as_bytes());
}
