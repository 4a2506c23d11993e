//! What the checks look at: the daemon's answers, and this host as this user sees it.

use std::fs;
use std::io;
use std::net::UdpSocket;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use murmurate_client::Mesh;
use murmurate_client::types::{ApiError, Facts, HostFacts, KeyStatus, Members, Status};

use crate::cli::context::Context;
use crate::cli::host_flags::HostFlags;
use crate::host_facts;
use crate::settings::Settings;

/// All that is judged. Checks read it and look at nothing else.
pub(in crate::cli) struct Findings {
    /// The daemon's answers, or why there are none.
    pub(in crate::cli) daemon: Result<Answers, ApiError>,
    /// The daemon's settings, as this user reads them.
    pub(in crate::cli) settings: Result<Settings, ApiError>,
    /// What the daemon measured; while it is down, what this user can.
    pub(in crate::cli) host: Option<HostFacts>,
    /// The settings file, if there is one.
    pub(super) settings_file: Option<FileFacts>,
    /// Whom the data directory belongs to.
    pub(super) daemons_user: Option<u32>,
    /// The identity's directory, and the keys in it.
    pub(super) keys: Option<(PathBuf, io::Result<Vec<FileFacts>>)>,
    /// Whether the address of the settings could be listened on; not tried while the daemon does.
    pub(super) can_listen: Option<io::Result<()>>,
}

pub(in crate::cli) struct Answers {
    pub(in crate::cli) facts: Facts,
    pub(in crate::cli) status: Status,
    pub(in crate::cli) members: Members,
    pub(in crate::cli) keys: KeyStatus,
}

/// Who may do what with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileFacts {
    pub(super) name: String,
    pub(super) mode: u32,
    pub(super) owner: u32,
}

impl Findings {
    pub(in crate::cli) async fn gather(context: &Context, flags: HostFlags) -> Self {
        let daemon = ask(context.mesh().await).await;
        let settings = Settings::load(&flags.with_socket(None), &context.surroundings);
        let host = match (&daemon, &settings) {
            (Ok(answers), _) => Some(answers.facts.host.clone()),
            (Err(_), Ok(settings)) => Some(host_facts::look(&settings.data_dir.value)),
            (Err(_), Err(_)) => None,
        };
        let data_dir = host.as_ref().map(|host| PathBuf::from(&host.data_dir));
        let can_listen = match (&daemon, &settings) {
            (Err(_), Ok(settings)) => Some(UdpSocket::bind(settings.listen.value).map(drop)),
            _ => None,
        };
        Self {
            settings_file: settings.as_ref().ok().and_then(|settings| file(&settings.file.value).ok()),
            daemons_user: data_dir.as_ref().and_then(|dir| file(dir).ok()).map(|dir| dir.owner),
            keys: data_dir.map(|dir| dir.join("identity")).map(|dir| (dir.clone(), keys(&dir))),
            can_listen,
            daemon,
            settings,
            host,
        }
    }

    pub(super) fn facts(&self) -> Option<&Facts> {
        self.daemon.as_ref().ok().map(|answers| &answers.facts)
    }

    pub(super) fn status(&self) -> Option<&Status> {
        self.daemon.as_ref().ok().map(|answers| &answers.status)
    }

    pub(super) fn key_status(&self) -> Option<&KeyStatus> {
        self.daemon.as_ref().ok().map(|answers| &answers.keys)
    }

    pub(super) fn members(&self) -> Option<&Members> {
        self.daemon.as_ref().ok().map(|answers| &answers.members)
    }
}

async fn ask(mesh: Result<Mesh, ApiError>) -> Result<Answers, ApiError> {
    let mesh = mesh?;
    Ok(Answers {
        facts: mesh.facts().await?,
        status: mesh.status().await?,
        members: mesh.members().await?,
        keys: mesh.key_status().await?,
    })
}

fn file(path: &Path) -> io::Result<FileFacts> {
    let found = fs::metadata(path)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(FileFacts { name, mode: found.mode() & 0o7777, owner: found.uid() })
}

fn keys(directory: &Path) -> io::Result<Vec<FileFacts>> {
    let mut keys = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "key") {
            keys.push(file(&path)?);
        }
    }
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(keys)
}
