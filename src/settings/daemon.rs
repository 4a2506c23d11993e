//! The daemon's settings: `daemon.toml`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use data_encoding::HEXLOWER;
use murmurate_client::types::ApiError;
use murmurate_crdt::overlay::{Overlay, OverlayKind};
use murmurate_net::PeerAddress;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::checks::{self, CheckTable, ReloadTable, SchemaTable};
use super::{Setting, Surroundings, bad_setting, file, first, parse_duration, variable};
use crate::daemon::checks::Rules;

/// Where the system's daemon has its settings.
const SYSTEM_FILE: &str = "/etc/murmurate/daemon.toml";

/// The UDP port for the mesh: free of well-known uses, below the range from which systems choose at random.
const PORT: u16 = 7117;

/// The longest name of a host: a DNS label's, so that it can become one.
const NAME_BYTES: usize = 63;

/// Bytes of the data directory's digest in the name of a runtime directory.
const OWN_RUNTIME_BYTES: usize = 6;

/// For how long certificates are valid: long enough for a host that is away for two weeks, short enough that what is
/// stolen is soon worth nothing even where a revocation doesn't come.
const CERTIFICATE_VALIDITY: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// For how long a host that is dead or left is still shown: over a long weekend nobody forgets it, and what was taken down for
/// good is no problem for ever. Longer than that it is still let in when it returns.
const FORGET_AFTER: Duration = Duration::from_secs(72 * 60 * 60);
const SHORTEST_VALIDITY: Duration = Duration::from_secs(5);
/// What is the longest elsewhere, too.
const LONGEST_VALIDITY: Duration = Duration::from_secs(825 * 24 * 60 * 60);

/// What is logged by default: each connection, folder and trouble, not each change.
const LOG: &str = "info";

/// Roles of one host: each may have an overlay for each file, which are looked up at each of its changes.
pub const ROLES: usize = 32;

const KEYS: [&str; 15] = [
    "name",
    "zone",
    "roles",
    "data_dir",
    "runtime_dir",
    "socket",
    "listen",
    "advertise",
    "peers",
    "certificate_validity",
    "forget_after",
    "log",
    "metrics",
    "check",
    "schema",
    "reload",
];

/// The file, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Option<String>,
    zone: Option<String>,
    roles: Option<Vec<String>>,
    data_dir: Option<PathBuf>,
    runtime_dir: Option<PathBuf>,
    socket: Option<PathBuf>,
    listen: Option<SocketAddr>,
    advertise: Option<Vec<String>>,
    peers: Option<Vec<String>>,
    certificate_validity: Option<String>,
    forget_after: Option<String>,
    log: Option<String>,
    #[serde(default)]
    metrics: MetricsTable,
    #[serde(default)]
    check: Vec<CheckTable>,
    #[serde(default)]
    schema: Vec<SchemaTable>,
    #[serde(default)]
    reload: Vec<ReloadTable>,
}

/// What `[metrics]` says.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricsTable {
    listen: Option<SocketAddr>,
}

/// What the command line says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DaemonFlags {
    /// The settings file; it must exist then.
    pub settings: Option<PathBuf>,
    /// The socket.
    pub socket: Option<PathBuf>,
    /// Identity and store.
    pub data_dir: Option<PathBuf>,
    /// The UDP address for the mesh.
    pub listen: Option<SocketAddr>,
    /// This host's name.
    pub name: Option<String>,
}

/// All settings of a daemon, each with its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The settings file, there or not.
    pub file: Setting<PathBuf>,
    /// This host's name in the mesh. Default: the system's host name up to the first dot, as people call it.
    pub name: Setting<String>,
    /// Where this host is, in the people's own words: `members` shows it on all hosts. Default: nowhere in particular.
    pub zone: Setting<String>,
    /// This host's roles: it has the values of their overlays, a later one's before an earlier one's. Default: none.
    pub roles: Setting<Vec<Overlay>>,
    /// Identity and store. Default: the system's place for state that outlives a reboot, or the user's.
    pub data_dir: Setting<PathBuf>,
    /// What must not outlive a reboot or be copied with the data. Default: the system's or user's runtime directory.
    pub runtime_dir: Setting<PathBuf>,
    /// The local API's socket. Default: in the runtime directory, where clients look for it.
    pub socket: Setting<PathBuf>,
    /// The UDP address for the mesh. Default: all addresses, because a host can't know by which one others reach it.
    pub listen: Setting<SocketAddr>,
    /// Where other hosts reach this one. Default: none; then it is `listen`, or the addresses of the host's interfaces.
    pub advertise: Setting<Vec<PeerAddress>>,
    /// Hosts to connect to, besides the members that say where they are. Default: none.
    pub peers: Setting<Vec<PeerAddress>>,
    /// For how long the certificates are valid that this host issues; each is renewed at half of that. Default: 30 days.
    pub certificate_validity: Setting<Duration>,
    /// For how long a host that is dead or left is still among the members. Default: 72 hours.
    pub forget_after: Setting<Duration>,
    /// What is logged, as `tracing` filters are written.
    pub log: Setting<String>,
    /// The TCP address on which metrics can be read, a loopback one. Default: none; they are on the local API in any case.
    pub metrics_listen: Setting<Option<SocketAddr>>,
    /// Checks, schemas and reloads. Default: none. From the file only: who starts a daemon with other variables or flags
    /// needn't be who may have it run commands.
    pub rules: Rules,
}

impl Settings {
    /// Reads the settings.
    ///
    /// # Errors
    /// When a file that is named isn't there, a setting is unknown, or a value can't be.
    pub fn load(flags: &DaemonFlags, surroundings: &Surroundings) -> Result<Self, ApiError> {
        let path = Self::file_path(flags, surroundings)?;
        let must_exist = flags.settings.is_some() || surroundings.variable("MURMURATE_SETTINGS").is_some();
        let file: File = file::read(&path.value, must_exist, &KEYS)?;
        Self::resolve(path, file, flags, surroundings)
    }

    /// Reads a text as the settings file.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn of_text(text: &str, surroundings: &Surroundings) -> Result<Self, ApiError> {
        let path = Setting::new(PathBuf::from("/etc/murmurate/daemon.toml"), "here");
        let file: File = file::parse(&path.value, text, &KEYS)?;
        Self::resolve(path, file, &DaemonFlags::default(), surroundings)
    }

    /// The directory of the node's key and certificates.
    #[must_use]
    pub fn identity_dir(&self) -> PathBuf {
        self.data_dir.value.join("identity")
    }

    fn file_path(flags: &DaemonFlags, surroundings: &Surroundings) -> Result<Setting<PathBuf>, ApiError> {
        let flag = flags.settings.clone().map(|path| Setting::new(path, "flag --settings"));
        let variable = variable(surroundings, "MURMURATE_SETTINGS", |text| Ok(text.into()))?;
        Ok(first(flag, variable, None, || match surroundings.xdg("XDG_CONFIG_HOME", ".config") {
            Some(config) if !surroundings.is_root() => {
                Setting::new(config.join("murmurate/daemon.toml"), "default for a user (XDG_CONFIG_HOME)")
            }
            _ => Setting::new(SYSTEM_FILE.into(), "default for the system"),
        }))
    }

    fn resolve(
        path: Setting<PathBuf>,
        file: File,
        flags: &DaemonFlags,
        surroundings: &Surroundings,
    ) -> Result<Self, ApiError> {
        let from = Sources { file: &path.value, surroundings };
        let rules = checks::rules(&path.value, file.check, file.schema, file.reload)?;
        let name = match flags.name.clone() {
            Some(name) => Setting::new(name, "flag --name"),
            None => from.pick("MURMURATE_NAME", text, file.name, || default_name(surroundings))?,
        };
        check_name(&name)?;
        let zone = from.pick("MURMURATE_ZONE", text, file.zone, || Setting::new(String::new(), "default: none"))?;
        check_zone(&zone)?;
        let roles = from.pick_roles(file.roles)?;
        let data_dir = match &flags.data_dir {
            Some(path) => Setting::new(absolute(path)?, "flag --data-dir"),
            None => from.pick_path("MURMURATE_DATA_DIR", file.data_dir, || default_data_dir(surroundings))?,
        };
        let default_runtime = || default_runtime_dir(surroundings, flags.data_dir.as_ref().map(|_| &*data_dir.value));
        let runtime_dir = from.pick_path("MURMURATE_RUNTIME_DIR", file.runtime_dir, default_runtime)?;
        let default_socket =
            || Setting::new(runtime_dir.value.join("murmurate.sock"), "default: in the runtime directory");
        let socket = match flags.socket.clone() {
            Some(socket) => Setting::new(socket, "flag --socket"),
            None => from.pick_path("MURMURATE_SOCKET", file.socket, default_socket)?,
        };
        let default_listen = || Setting::new((std::net::Ipv6Addr::UNSPECIFIED, PORT).into(), "default: all addresses");
        let listen = match flags.listen {
            Some(listen) => Setting::new(listen, "flag --listen"),
            None => from.pick("MURMURATE_LISTEN", address, file.listen, default_listen)?,
        };
        let advertise = from.pick_addresses("MURMURATE_ADVERTISE", "advertise", file.advertise)?;
        let peers = from.pick_addresses("MURMURATE_PEERS", "peers", file.peers)?;
        let certificate_validity = from.pick_validity(file.certificate_validity)?;
        let forget_after = from.pick_forgetting(file.forget_after)?;
        let log = from.pick("MURMURATE_LOG", text, file.log, || Setting::new(LOG.to_owned(), "default"))?;
        let metrics_listen = from.pick_metrics(file.metrics)?;
        Ok(Self {
            file: path,
            name,
            zone,
            roles,
            data_dir,
            runtime_dir,
            socket,
            listen,
            advertise,
            peers,
            certificate_validity,
            forget_after,
            log,
            metrics_listen,
            rules,
        })
    }

    /// Refuses commands from a file that somebody else than root and the daemon's user, `uid`, may write: they would run as
    /// the daemon.
    ///
    /// # Errors
    /// When there are commands, and it is such a file.
    pub fn check_who_writes_commands(&self, uid: u32) -> Result<(), ApiError> {
        if self.rules.have_commands() { checks::check_writers(&self.file.value, uid) } else { Ok(()) }
    }
}

/// Where settings come from, flags aside.
struct Sources<'a> {
    file: &'a Path,
    surroundings: &'a Surroundings,
}

impl Sources<'_> {
    fn pick<T>(
        &self,
        name: &str,
        parse: impl Fn(&str) -> Result<T, String>,
        field: Option<T>,
        default: impl FnOnce() -> Setting<T>,
    ) -> Result<Setting<T>, ApiError> {
        let field = field.map(|field| Setting::new(field, self.file.display().to_string()));
        Ok(first(None, variable(self.surroundings, name, parse)?, field, default))
    }

    /// Addresses: a list in the file, separated by commas in the variable.
    fn pick_addresses(
        &self,
        variable: &str,
        key: &str,
        field: Option<Vec<String>>,
    ) -> Result<Setting<Vec<PeerAddress>>, ApiError> {
        let field = field.map(|texts| addresses(texts.iter().map(String::as_str))).transpose().map_err(|why| {
            bad_setting(format!("read `{key}` in {}", self.file.display()), why, "correct the address")
        })?;
        let listed = |text: &str| addresses(text.split(',').map(str::trim));
        self.pick(variable, listed, field, || Setting::new(Vec::new(), "default: none"))
    }

    /// Roles: a list in the file, separated by commas in the variable.
    fn pick_roles(&self, field: Option<Vec<String>>) -> Result<Setting<Vec<Overlay>>, ApiError> {
        let field = field.map(|names| roles(names.iter().map(String::as_str))).transpose().map_err(|why| {
            let what = format!("read `roles` in {}", self.file.display());
            bad_setting(what, why, "write, for example, `roles = [\"db\", \"eu\"]`")
        })?;
        let listed = |text: &str| roles(text.split(',').map(str::trim).filter(|name| !name.is_empty()));
        self.pick("MURMURATE_ROLES", listed, field, || Setting::new(Vec::new(), "default: none"))
    }

    /// Where metrics can be read besides the local API.
    fn pick_metrics(&self, table: MetricsTable) -> Result<Setting<Option<SocketAddr>>, ApiError> {
        let parse = |text: &str| metrics_address(text).map(Some);
        let field = table.listen.map(Some);
        let listen = self.pick("MURMURATE_METRICS_LISTEN", parse, field, || Setting::new(None, "default: none"))?;
        match listen.value {
            Some(address) if !address.ip().is_loopback() => Err(bad_setting(
                format!("take {address} as the address for metrics (from {})", listen.source),
                "other hosts could read them there, and anybody could ask; only loopback addresses are taken",
                "write `listen = \"127.0.0.1:9464\"` below `[metrics]`, and let a proxy with a login tell other hosts",
            )),
            _ => Ok(listen),
        }
    }

    fn pick_validity(&self, field: Option<String>) -> Result<Setting<Duration>, ApiError> {
        let field = field.map(|text| validity(&text)).transpose().map_err(|why| {
            let what = format!("read `certificate_validity` in {}", self.file.display());
            bad_setting(what, why, "write, for example, `30d`")
        })?;
        let default = || Setting::new(CERTIFICATE_VALIDITY, "default: 30 days");
        self.pick("MURMURATE_CERTIFICATE_VALIDITY", validity, field, default)
    }

    fn pick_forgetting(&self, field: Option<String>) -> Result<Setting<Duration>, ApiError> {
        let field = field.map(|text| parse_duration(&text)).transpose().map_err(|why| {
            let what = format!("read `forget_after` in {}", self.file.display());
            bad_setting(what, why, "write, for example, `72h`")
        })?;
        self.pick("MURMURATE_FORGET_AFTER", parse_duration, field, || Setting::new(FORGET_AFTER, "default: 72 hours"))
    }

    /// Paths in a file are relative to it.
    fn pick_path(
        &self,
        name: &str,
        field: Option<PathBuf>,
        default: impl FnOnce() -> Setting<PathBuf>,
    ) -> Result<Setting<PathBuf>, ApiError> {
        let field = field.map(|path| self.file.parent().map_or(path.clone(), |directory| directory.join(path)));
        self.pick(name, |text| Ok(text.into()), field, default)
    }
}

fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

fn validity(text: &str) -> Result<Duration, String> {
    let validity = parse_duration(text)?;
    if (SHORTEST_VALIDITY..=LONGEST_VALIDITY).contains(&validity) {
        return Ok(validity);
    }
    Err("a certificate is valid for 5 seconds to 825 days".to_owned())
}

fn roles<'a>(names: impl Iterator<Item = &'a str>) -> Result<Vec<Overlay>, String> {
    let mut roles = Vec::new();
    for name in names {
        let role = Overlay::new(OverlayKind::Role, name).map_err(|error| format!("`{name}`: {error}"))?;
        if roles.contains(&role) {
            return Err(format!("`{name}` is there twice"));
        }
        roles.push(role);
    }
    if roles.len() > ROLES { Err(format!("a host has at most {ROLES} roles")) } else { Ok(roles) }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is no address and port, like `[::]:{PORT}` or `10.0.0.1:{PORT}`"))
}

fn metrics_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| format!("`{text}` is no address and port, like `127.0.0.1:9464`"))
}

fn addresses<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<PeerAddress>, String> {
    let parse = |text: &str| text.parse().map_err(|error: murmurate_net::address::AddressError| error.to_string());
    texts.map(parse).collect()
}

/// What a name is made of, so that it can stand in a command, an address and a table.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.len() <= NAME_BYTES && name.chars().all(plain)
}

fn check_zone(zone: &Setting<String>) -> Result<(), ApiError> {
    if is_plain(&zone.value) {
        return Ok(());
    }
    Err(bad_setting(
        format!("take `{}` as this host's zone (from {})", zone.value.escape_debug(), zone.source),
        format!("a zone has at most {NAME_BYTES} letters, digits, `-`, `_` and `.`"),
        "write, for example, `zone = \"eu-1\"`",
    ))
}

fn check_name(name: &Setting<String>) -> Result<(), ApiError> {
    if !name.value.is_empty() && is_plain(&name.value) {
        return Ok(());
    }
    Err(bad_setting(
        format!("take `{}` as this host's name (from {})", name.value.escape_debug(), name.source),
        format!("a name has 1 to {NAME_BYTES} letters, digits, `-`, `_` and `.`"),
        "set `name` in daemon.toml, or MURMURATE_NAME",
    ))
}

fn default_name(surroundings: &Surroundings) -> Setting<String> {
    let label = surroundings.host_name.split('.').next().unwrap_or_default();
    Setting::new(label.to_owned(), "default: the system's host name")
}

fn default_data_dir(surroundings: &Surroundings) -> Setting<PathBuf> {
    match surroundings.xdg("XDG_STATE_HOME", ".local/state") {
        Some(state) if !surroundings.is_root() => {
            Setting::new(state.join("murmurate"), "default for a user (XDG_STATE_HOME)")
        }
        _ => Setting::new("/var/lib/murmurate".into(), "default for the system"),
    }
}

fn absolute(path: &Path) -> Result<PathBuf, ApiError> {
    std::path::absolute(path).map_err(|error| {
        bad_setting(format!("use the directory {}", path.display()), error.to_string(), "give an absolute path")
    })
}

/// Never below the data directory: a copy of that must not bring the runtime directory's records along. A host with a data
/// directory of its own gets a runtime directory of its own.
fn default_runtime_dir(surroundings: &Surroundings, own_data_dir: Option<&Path>) -> Setting<PathBuf> {
    let setting = machine_runtime_dir(surroundings);
    let Some(data_dir) = own_data_dir else { return setting };
    let digest = Sha256::digest(data_dir.as_os_str().as_encoded_bytes());
    let name = HEXLOWER.encode(&digest[..OWN_RUNTIME_BYTES]);
    Setting::new(setting.value.join(name), "default for --data-dir")
}

fn machine_runtime_dir(surroundings: &Surroundings) -> Setting<PathBuf> {
    if surroundings.is_root() {
        return Setting::new("/run/murmurate".into(), "default for the system");
    }
    match surroundings.variable("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute()) {
        Some(runtime) => Setting::new(runtime.join("murmurate"), "default for a user (XDG_RUNTIME_DIR)"),
        None => {
            let path = format!("/tmp/murmurate-{}", surroundings.uid);
            Setting::new(path.into(), "default for a user without XDG_RUNTIME_DIR")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use murmurate_client::types::ErrorCode;

    use super::*;

    fn surroundings(variables: &[(&str, &str)], uid: u32) -> Surroundings {
        let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
        Surroundings { variables, uid, host_name: "web-1.example.org".to_owned() }
    }

    fn load(text: &str, variables: &[(&str, &str)], socket: Option<&str>) -> Result<Settings, ApiError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.toml");
        fs::write(&path, text).unwrap();
        let flags = DaemonFlags { settings: Some(path), socket: socket.map(PathBuf::from), ..DaemonFlags::default() };
        Settings::load(&flags, &surroundings(variables, 1000))
    }

    #[test]
    fn flags_go_before_variables_before_the_file_before_defaults() {
        let text = "socket = '/file'\nname = 'file'\nlog = 'debug'";
        let settings = load(text, &[("MURMURATE_SOCKET", "/variable"), ("MURMURATE_NAME", "variable")], Some("/flag"));
        let settings = settings.unwrap();
        assert_eq!(settings.socket, Setting::new("/flag".into(), "flag --socket"));
        assert_eq!(settings.name, Setting::new("variable".to_owned(), "MURMURATE_NAME"));
        assert_eq!(settings.log.value, "debug");
        assert!(settings.log.source.ends_with("daemon.toml"));
        assert_eq!(settings.listen.value.port(), PORT);
    }

    #[test]
    fn hosts_of_one_machine_have_runtime_directories_of_their_own() {
        let of = |data_dir: Option<&str>| {
            let flags = DaemonFlags { data_dir: data_dir.map(PathBuf::from), ..DaemonFlags::default() };
            Settings::resolve(Setting::new("/f".into(), ""), File::default(), &flags, &surroundings(&[], 0)).unwrap()
        };
        let [a, b, machine] = [Some("/srv/a"), Some("/srv/b"), None].map(of);
        assert_eq!(a.data_dir, Setting::new("/srv/a".into(), "flag --data-dir"));
        assert_eq!(machine.runtime_dir.value, Path::new("/run/murmurate"));
        assert_eq!(a.runtime_dir.value.parent(), Some(Path::new("/run/murmurate")));
        assert_ne!(a.runtime_dir, b.runtime_dir);
        assert!(a.socket.value.starts_with(&a.runtime_dir.value));
    }

    #[test]
    fn an_unknown_setting_is_named_with_its_place_and_neighbour() {
        let error = load("name = 'a'\n\n  lisen = '[::]:1'\n", &[], None).unwrap_err();
        assert_eq!((error.code, error.exit), (ErrorCode::BadSetting, 2));
        assert!(error.what.ends_with("daemon.toml, line 3, column 3"), "{}", error.what);
        assert_eq!(error.why, "there is no setting `lisen`");
        assert_eq!(error.try_, "did you mean `listen`?");
        assert!(load("bananas = 1", &[], None).unwrap_err().try_.contains("data_dir"));
    }

    #[test]
    fn values_that_cannot_be_are_named() {
        for (text, what) in [
            ("listen = 'everywhere'", "line 1"),
            ("peers = ['nowhere']", "peers"),
            ("name = 'a b'", "a b"),
            ("name = ''", "name"),
            ("forget_after = 'soon'", "forget_after"),
            ("zone = 'a b'", "a b"),
            ("name = ", "line 1"),
            ("log = 3", "line 1"),
            ("roles = 'db'", "line 1"),
            ("roles = ['db', 'a b']", "roles"),
            ("roles = ['db', 'db']", "roles"),
        ] {
            let error = load(text, &[], None).unwrap_err();
            assert!(error.what.contains(what), "{text}: {error}");
        }
        assert!(load("", &[("MURMURATE_PEERS", "a:1, b")], None).is_err());
        let roles = load("roles = ['x']", &[("MURMURATE_ROLES", "db, eu")], None).unwrap().roles;
        assert_eq!(roles.value.iter().map(Overlay::name).collect::<Vec<_>>(), ["db", "eu"]);
    }

    #[test]
    fn metrics_are_read_on_this_host_only() {
        assert_eq!(load("", &[], None).unwrap().metrics_listen.value, None);
        for own in ["127.0.0.1:9464", "127.8.8.8:1", "[::1]:0"] {
            let text = format!("[metrics]\nlisten = '{own}'");
            assert_eq!(load(&text, &[], None).unwrap().metrics_listen.value, Some(own.parse().unwrap()));
        }
        for open in ["0.0.0.0:9464", "[::]:9464", "10.0.0.1:9464", "[::ffff:10.0.0.1]:9464"] {
            let error = load(&format!("[metrics]\nlisten = '{open}'"), &[], None).unwrap_err();
            assert_eq!(error.code, ErrorCode::BadSetting);
            assert!(error.what.contains(open) && error.why.contains("other hosts"), "{error}");
            assert!(error.try_.contains("127.0.0.1:9464"), "{error}");
            let error = load("", &[("MURMURATE_METRICS_LISTEN", open)], None).unwrap_err();
            assert!(error.what.contains("MURMURATE_METRICS_LISTEN"), "{error}");
        }
        assert!(load("[metrics]\nport = 1", &[], None).is_err());
    }

    #[test]
    fn a_file_that_is_named_must_exist() {
        let flags = DaemonFlags { settings: Some("/nonexistent/daemon.toml".into()), ..DaemonFlags::default() };
        assert_eq!(Settings::load(&flags, &surroundings(&[], 0)).unwrap_err().code, ErrorCode::Io);
    }

    #[test]
    fn users_have_places_of_their_own() {
        let file = || Setting::new(PathBuf::from("/f"), "");
        let resolve = |surroundings| Settings::resolve(file(), File::default(), &DaemonFlags::default(), &surroundings);
        let root = resolve(surroundings(&[("HOME", "/root"), ("XDG_RUNTIME_DIR", "/run/user/0")], 0)).unwrap();
        assert_eq!(root.socket.value, Path::new(murmurate_client::SYSTEM_SOCKET));
        assert_eq!(root.data_dir.value, Path::new("/var/lib/murmurate"));
        assert_eq!(root.name.value, "web-1");
        let user = resolve(surroundings(&[("HOME", "/home/a"), ("XDG_RUNTIME_DIR", "/run/user/1")], 1)).unwrap();
        assert_eq!(user.socket.value, Path::new("/run/user/1/murmurate/murmurate.sock"));
        assert_eq!(user.data_dir.value, Path::new("/home/a/.local/state/murmurate"));
        assert_eq!(user.identity_dir(), Path::new("/home/a/.local/state/murmurate/identity"));
        assert_eq!(resolve(surroundings(&[], 7)).unwrap().runtime_dir.value, Path::new("/tmp/murmurate-7"));
    }
}
