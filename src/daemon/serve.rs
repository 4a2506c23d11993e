//! The daemon as a process: from its settings to the signal that ends it.

use std::io::{self, IsTerminal};
use std::sync::Arc;

use murmurate_client::types::{ApiError, ErrorCode};
use murmurate_net::{Environment, StartError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::AbortHandle;

use super::metrics::{Listener, Source};
use super::service_manager::ServiceManager;
use super::store::StoreError;
use super::{Daemon, DaemonConfig, DaemonError, Log, api, heartbeat};
use crate::settings::{Setting, Settings, Surroundings};

/// Runs the daemon until SIGTERM or SIGINT, with its log on stderr. `load` reads its settings: now, and again at SIGHUP.
///
/// # Errors
/// When it can't start, or its core ends by itself.
pub fn run(load: impl Fn() -> Result<Settings, ApiError>) -> Result<(), ApiError> {
    let settings = load()?;
    settings.check_who_writes_commands(rustix::process::geteuid().as_raw())?;
    let log = Log::start(&settings.log)?;
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed("start the daemon's threads", &error))?;
    runtime.block_on(serve(&settings, &log, &load))
}

/// Connections, watched directories and the store need more files than the 1,024 that a process may have open at first.
fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(?current, ?maximum, %error, "can't raise the limit of open files");
    }
}

async fn serve(settings: &Settings, log: &Log, load: &impl Fn() -> Result<Settings, ApiError>) -> Result<(), ApiError> {
    let mut signals = Signals::listen().map_err(|error| failed("listen for signals", &error))?;
    let manager = Arc::new(ServiceManager::of(&Surroundings::of_this_process()));
    let socket = api::bind(&settings.socket.value)?;
    let port = match settings.metrics_listen.value {
        Some(address) => Some(Listener::bind(address).await?),
        None => None,
    };
    let config = DaemonConfig {
        zone: settings.zone.value.clone(),
        data_dir: settings.data_dir.value.clone(),
        runtime_dir: settings.runtime_dir.value.clone(),
        listen: settings.listen.value,
        advertise: settings.advertise.value.clone(),
        peers: settings.peers.value.clone(),
        certificate_validity: settings.certificate_validity.value,
        forget_after: settings.forget_after.value,
        roles: settings.roles.value.clone(),
        rules: Arc::new(settings.rules.clone()),
    };
    let daemon = Daemon::start(&config, &Environment::system()).map_err(|error| not_started(&error))?;
    warn_of_another_name(settings, &daemon.name);
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        address = %daemon.address,
        socket = %settings.socket.value.display(),
        "the daemon is up"
    );
    let core = daemon.core.clone();
    let (ending, mut ended) = tokio::sync::watch::channel(false);
    let stop = async move { drop(ended.wait_for(|&ended| ended).await) };
    let metrics = Source::new(core.clone());
    let scraping = port.map(|port| serve_metrics(port, metrics.clone()));
    let serving = tokio::spawn(api::serve(socket, core.clone(), log.clone(), metrics, stop));
    let beating = tokio::spawn(heartbeat::run(Arc::clone(&manager), core.clone()));
    let by_itself = loop {
        tokio::select! {
            wish = signals.next() => match wish {
                Wish::End => break false,
                Wish::Reload => reload(&manager, log, load),
            },
            () = core.gone() => break true,
        }
    };
    tracing::info!("the daemon is ending");
    beating.abort();
    scraping.inspect(AbortHandle::abort);
    manager.stopping();
    let _ = ending.send(true);
    let ended_well = daemon.shut_down().await;
    if let Err(error) = serving.await {
        tracing::error!(%error, "the local API ended badly");
    }
    if by_itself && !ended_well {
        return Err(ApiError::internal("keep the daemon up", "its core ended by itself"));
    }
    Ok(())
}

/// Serves metrics on a port until it is aborted.
fn serve_metrics(port: Listener, metrics: Source) -> AbortHandle {
    if let Ok(address) = port.address() {
        tracing::info!(%address, "metrics are at http://{address}/metrics");
    }
    tokio::spawn(port.serve(metrics)).abort_handle()
}

/// A host's name stands in its certificate.
fn warn_of_another_name(settings: &Settings, name: &str) {
    let Setting { value, source } = &settings.name;
    if value != name && !source.starts_with("default") {
        tracing::warn!(%name, "this host joined with its name, and `{value}` (from {source}) isn't used");
    }
}

/// What a signal asks for.
enum Wish {
    End,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    /// A closed terminal ends what was started on it.
    on_terminal: bool,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            on_terminal: io::stderr().is_terminal(),
        })
    }

    async fn next(&mut self) -> Wish {
        tokio::select! {
            _ = self.terminate.recv() => Wish::End,
            _ = self.interrupt.recv() => Wish::End,
            _ = self.hangup.recv() => if self.on_terminal { Wish::End } else { Wish::Reload },
        }
    }
}

/// Reads the settings again. Only what is logged can change while the daemon runs.
fn reload(manager: &ServiceManager, log: &Log, load: &impl Fn() -> Result<Settings, ApiError>) {
    manager.reloading();
    let reset = load().and_then(|settings| {
        log.reset(&settings.log.value)?;
        Ok(settings.log.value)
    });
    match reset {
        Ok(filter) => tracing::info!(%filter, "the log filter was read again; other settings need a new start"),
        Err(error) => tracing::error!(%error, "the settings can't be read again; nothing was changed"),
    }
    manager.ready();
}

fn failed(what: &str, error: &io::Error) -> ApiError {
    ApiError::new(ErrorCode::Io, what, error.to_string(), "look at the system's limits and log")
}

fn not_started(error: &DaemonError) -> ApiError {
    let (code, try_) = match error {
        DaemonError::Identity(_) | DaemonError::Anchors(_) => (
            ErrorCode::NoIdentity,
            "`murmurate init` makes a mesh, `murmurate join TICKET` joins one; `murmurate paths` shows where it is looked for",
        ),
        DaemonError::OtherMesh { .. } => {
            (ErrorCode::OtherMesh, "move the store away, or give this identity a data directory of its own")
        }
        DaemonError::Store(StoreError::Locked { .. }) => {
            (ErrorCode::AlreadyRunning, "end the other daemon, or use another data directory")
        }
        DaemonError::Store(_) => {
            (ErrorCode::Store, "look at the data directory that `murmurate paths` shows, and its disk")
        }
        DaemonError::Network(StartError::Bind { .. }) => (
            ErrorCode::AlreadyRunning,
            "end what listens there, or choose another address with `listen` in daemon.toml",
        ),
        DaemonError::Network(_) => (ErrorCode::NoIdentity, "make the identity anew if it is damaged"),
    };
    ApiError::new(code, "start the daemon", error.to_string(), try_)
}
