//! The daemon as a process: from its settings to the signal that ends it.

use std::io;

use murmurate_client::types::{ApiError, ErrorCode};
use murmurate_net::{Environment, StartError};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::store::StoreError;
use super::{Daemon, DaemonConfig, DaemonError, api};
use crate::settings::{Setting, Settings};

/// Runs the daemon until SIGTERM or SIGINT, with its log on stderr.
///
/// # Errors
/// When it can't start, or its core ends by itself.
pub fn run(settings: &Settings) -> Result<(), ApiError> {
    start_log(settings)?;
    raise_file_limit();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| failed("start the daemon's threads", &error))?;
    runtime.block_on(serve(settings))
}

fn start_log(settings: &Settings) -> Result<(), ApiError> {
    let filter = EnvFilter::try_new(&settings.log.value).map_err(|error| {
        ApiError::new(
            ErrorCode::BadSetting,
            format!("use the log filter `{}` (from {})", settings.log.value, settings.log.source),
            error.to_string(),
            "write a level, like `info`, or a filter, like `info,murmurate_net=debug`",
        )
    })?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
    log.try_init().map_err(|error| ApiError::internal("start the log", error.to_string()))
}

/// Connections, watched directories and the store need more files than the 1,024 that a process may have open at first.
fn raise_file_limit() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(?current, ?maximum, %error, "can't raise the limit of open files");
    }
}

async fn serve(settings: &Settings) -> Result<(), ApiError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|error| failed("listen for signals", &error))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|error| failed("listen for signals", &error))?;
    let socket = api::bind(&settings.socket.value)?;
    let config = DaemonConfig {
        data_dir: settings.data_dir.value.clone(),
        runtime_dir: settings.runtime_dir.value.clone(),
        listen: settings.listen.value,
        advertise: settings.advertise.value.clone(),
        peers: settings.peers.value.clone(),
        certificate_validity: settings.certificate_validity.value,
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
    let serving = tokio::spawn(api::serve(socket, core.clone(), stop));
    let by_itself = tokio::select! {
        _ = terminate.recv() => false,
        _ = interrupt.recv() => false,
        () = core.gone() => true,
    };
    tracing::info!("the daemon is ending");
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

/// A host's name stands in its certificate.
fn warn_of_another_name(settings: &Settings, name: &str) {
    let Setting { value, source } = &settings.name;
    if value != name && !source.starts_with("default") {
        tracing::warn!(%name, "this host joined with its name, and `{value}` (from {source}) isn't used");
    }
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
