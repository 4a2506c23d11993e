//! The command line's settings: `config.toml`.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use murmurate_client::types::ApiError;
use murmurate_client::{SYSTEM_SOCKET, SocketChoice, default_socket};
use serde::Deserialize;

use super::{DaemonFlags, Setting, Settings, Surroundings, file, first, variable};

const KEYS: [&str; 3] = ["socket", "output", "color"];

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OutputFormat {
    /// For people: aligned columns; the bare value for `get`.
    Table,
    /// One JSON document.
    Json,
    /// One JSON document per line and item.
    Jsonl,
    /// For shells: no header, a tab between columns; the very bytes of a value for `get`.
    Raw,
}

/// When output is coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set or TERM is dumb.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    socket: Option<PathBuf>,
    output: Option<OutputFormat>,
    color: Option<ColorChoice>,
}

/// What the command line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientFlags {
    /// The socket.
    pub socket: Option<PathBuf>,
    /// How data is printed.
    pub output: Option<OutputFormat>,
    /// When output is coloured.
    pub color: Option<ColorChoice>,
}

/// All settings of the command line, each with its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientSettings {
    /// The settings file, there or not; none without a home directory.
    pub file: Option<PathBuf>,
    /// The daemon's socket. Default: the user's own daemon's if it has one, else the system's.
    pub socket: Setting<PathBuf>,
    /// How data is printed. Default: for people.
    pub output: Setting<OutputFormat>,
    /// When output is coloured. Default: where colours are shown.
    pub color: Setting<ColorChoice>,
}

impl ClientSettings {
    /// Reads the settings.
    ///
    /// # Errors
    /// When the file can't be read, a setting is unknown, or a value can't be.
    pub fn load(flags: &ClientFlags, surroundings: &Surroundings) -> Result<Self, ApiError> {
        let path = surroundings.xdg("XDG_CONFIG_HOME", ".config").map(|config| config.join("murmurate/config.toml"));
        let file: File = path.as_deref().map_or_else(|| Ok(File::default()), |path| file::read(path, false, &KEYS))?;
        let source = path.as_deref().unwrap_or(Path::new("")).display().to_string();
        let socket = first(
            flags.socket.clone().map(|socket| Setting::new(socket, "flag --socket")),
            variable(surroundings, "MURMURATE_SOCKET", |text| Ok(text.into()))?,
            file.socket.map(|socket| Setting::new(socket, &source)),
            || daemons_socket(surroundings),
        );
        let output = first(
            flags.output.map(|output| Setting::new(output, "flag --output")),
            variable(surroundings, "MURMURATE_OUTPUT", |text| OutputFormat::from_str(text, true))?,
            file.output.map(|output| Setting::new(output, &source)),
            || Setting::new(OutputFormat::Table, "default"),
        );
        let color = first(
            flags.color.map(|color| Setting::new(color, "flag --color")),
            variable(surroundings, "MURMURATE_COLOR", |text| ColorChoice::from_str(text, true))?,
            file.color.map(|color| Setting::new(color, &source)),
            || Setting::new(ColorChoice::Auto, "default"),
        );
        Ok(Self { file: path, socket, output, color })
    }

    /// Reads a text as the settings file.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn of_text(text: &str) -> Result<(), ApiError> {
        file::parse::<File>(Path::new("config.toml"), text, &KEYS).map(drop)
    }

    /// Whether to colour what goes to a terminal, or not to one.
    #[must_use]
    pub fn colored(&self, is_terminal: bool, surroundings: &Surroundings) -> bool {
        match self.color.value {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => {
                is_terminal
                    && surroundings.variable("NO_COLOR").is_none()
                    && surroundings.variable("TERM") != Some("dumb")
            }
        }
    }
}

/// The socket that daemon.toml names, if it can be read and is right; else where daemons have it by default. That the
/// daemon's settings are wrong is for the daemon to say.
fn daemons_socket(surroundings: &Surroundings) -> Setting<PathBuf> {
    let named = Settings::load(&DaemonFlags::default(), surroundings).ok().map(|settings| settings.socket);
    if let Some(socket) = named.filter(|socket| !socket.source.starts_with("default")) {
        return socket;
    }
    if surroundings.is_root() {
        return Setting::new(SYSTEM_SOCKET.into(), "default for the system");
    }
    let SocketChoice { path, source } = default_socket();
    Setting::new(path, format!("default: {source}"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use murmurate_client::types::ErrorCode;

    use super::*;

    fn in_home(files: &[(&str, &str)], variables: &[(&str, &str)]) -> (tempfile::TempDir, Surroundings) {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = home.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let mut surroundings = Surroundings { uid: 1000, host_name: "h".to_owned(), ..Surroundings::default() };
        let variables = variables.iter().copied().chain([("HOME", home.path().to_str().unwrap())]);
        surroundings.variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        (home, surroundings)
    }

    #[test]
    fn the_daemons_settings_come_after_the_clients() {
        let daemon = (".config/murmurate/daemon.toml", "socket = '/daemon.sock'");
        let client = (".config/murmurate/config.toml", "socket = '/client.sock'\noutput = 'jsonl'");
        let socket = |files: &[_], variables: &[_]| {
            let (_home, surroundings) = in_home(files, variables);
            ClientSettings::load(&ClientFlags::default(), &surroundings).unwrap().socket.value
        };
        assert_eq!(socket(&[daemon], &[]), Path::new("/daemon.sock"));
        assert_eq!(socket(&[daemon, client], &[]), Path::new("/client.sock"));
        assert_eq!(socket(&[daemon, client], &[("MURMURATE_SOCKET", "/v.sock")]), Path::new("/v.sock"));
        let (_home, surroundings) = in_home(&[client], &[("MURMURATE_OUTPUT", "json")]);
        let flags = ClientFlags { socket: Some("/f.sock".into()), ..ClientFlags::default() };
        let settings = ClientSettings::load(&flags, &surroundings).unwrap();
        assert_eq!((settings.socket.value, settings.output.value), ("/f.sock".into(), OutputFormat::Json));
    }

    #[test]
    fn an_unknown_setting_fails() {
        let (_home, surroundings) = in_home(&[(".config/murmurate/config.toml", "colour = 'never'")], &[]);
        let error = ClientSettings::load(&ClientFlags::default(), &surroundings).unwrap_err();
        assert_eq!((error.code, error.try_.as_str()), (ErrorCode::BadSetting, "did you mean `color`?"));
        let (_home, surroundings) = in_home(&[], &[("MURMURATE_OUTPUT", "xml")]);
        assert!(ClientSettings::load(&ClientFlags::default(), &surroundings).is_err());
    }

    #[test]
    fn colour_is_for_terminals_that_want_it() {
        let colored = |choice, variables: &[(&str, &str)], is_terminal| {
            let (_home, surroundings) = in_home(&[], variables);
            let flags = ClientFlags { color: choice, ..ClientFlags::default() };
            ClientSettings::load(&flags, &surroundings).unwrap().colored(is_terminal, &surroundings)
        };
        assert!(colored(None, &[], true));
        assert!(!colored(None, &[], false));
        assert!(!colored(None, &[("NO_COLOR", "1")], true));
        assert!(!colored(None, &[("TERM", "dumb")], true));
        assert!(colored(Some(ColorChoice::Always), &[("NO_COLOR", "1")], false));
        assert!(!colored(Some(ColorChoice::Never), &[], true));
    }
}
