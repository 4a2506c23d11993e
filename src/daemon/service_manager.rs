//! What the service manager is told: sd_notify(3), a datagram per message. Without a service manager nothing is sent.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use crate::settings::Surroundings;

/// How long a message may take: longer, and the service manager is stuck itself.
const SEND_DEADLINE: Duration = Duration::from_secs(1);

/// The way to the service manager, if there is one.
#[derive(Debug)]
pub(super) struct ServiceManager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The one that NOTIFY_SOCKET names.
    pub(super) fn of(surroundings: &Surroundings) -> Self {
        let socket = surroundings.variable("NOTIFY_SOCKET").and_then(|name| {
            let socket = connect(name);
            socket.inspect_err(|error| tracing::warn!(%name, %error, "the service manager can't be told anything")).ok()
        });
        Self { socket, watchdog: watchdog(surroundings) }
    }

    /// Whether anybody listens.
    pub(super) fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// Within which time it wants to hear of [`alive`](Self::alive), if it does.
    pub(super) fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Everything is up: the local API answers.
    pub(super) fn ready(&self) {
        self.tell("READY=1");
    }

    /// The settings are read anew; [`ready`](Self::ready) ends it.
    pub(super) fn reloading(&self) {
        self.tell("RELOADING=1");
    }

    /// The end has begun.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// The daemon does its work.
    pub(super) fn alive(&self) {
        if self.watchdog.is_some() {
            self.tell("WATCHDOG=1");
        }
    }

    /// A line for people: `systemctl status` shows it.
    pub(super) fn status(&self, line: &str) {
        // A line break would begin another message.
        self.tell(&format!("STATUS={}", line.replace(char::is_control, " ")));
    }

    fn tell(&self, message: &str) {
        let Some((socket, address)) = &self.socket else { return };
        if let Err(error) = socket.send_to_addr(message.as_bytes(), address) {
            tracing::warn!(%message, %error, "the service manager isn't told");
        }
    }
}

/// A path, or, after an `@`, a name in the abstract namespace.
fn connect(name: &str) -> io::Result<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(name)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(SEND_DEADLINE))?;
    Ok((socket, address))
}

/// WATCHDOG_USEC, unless WATCHDOG_PID says that another process is meant.
fn watchdog(surroundings: &Surroundings) -> Option<Duration> {
    let meant = surroundings.variable("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
    let interval_us = surroundings.variable("WATCHDOG_USEC")?.parse().ok().filter(|us| *us > 0)?;
    meant.then_some(Duration::from_micros(interval_us))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surroundings(variables: &[(&str, &str)]) -> Surroundings {
        let variables = variables.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        Surroundings { variables: variables.collect(), ..Surroundings::default() }
    }

    /// What arrives, in order.
    fn heard(listener: &UnixDatagram, count: usize) -> Vec<String> {
        let receive = |_| {
            let mut bytes = [0; 256];
            let length = listener.recv(&mut bytes).unwrap();
            String::from_utf8(bytes[..length].to_vec()).unwrap()
        };
        (0..count).map(receive).collect()
    }

    #[test]
    fn messages_reach_a_path_and_an_abstract_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("murmurate-test-{}", path.display());
        let listeners = [
            (UnixDatagram::bind(&path).unwrap(), path.display().to_string()),
            (UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap(), format!("@{name}")),
        ];
        for (listener, name) in listeners {
            listener.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            let manager = ServiceManager::of(&surroundings(&[("NOTIFY_SOCKET", &name), ("WATCHDOG_USEC", "3000000")]));
            assert!(manager.is_there());
            assert_eq!(manager.watchdog(), Some(Duration::from_secs(3)));
            manager.ready();
            manager.status("one\ntwo");
            manager.alive();
            manager.reloading();
            manager.stopping();
            let expected = ["READY=1", "STATUS=one two", "WATCHDOG=1", "RELOADING=1", "STOPPING=1"];
            assert_eq!(heard(&listener, expected.len()), expected);
        }
    }

    #[test]
    fn without_a_service_manager_nothing_is_sent() {
        let manager = ServiceManager::of(&surroundings(&[]));
        assert!(!manager.is_there());
        manager.ready();
        let gone = ServiceManager::of(&surroundings(&[("NOTIFY_SOCKET", "/nonexistent/notify")]));
        gone.ready();
    }

    #[test]
    fn a_watchdog_is_this_processes_own_or_nobodys() {
        let own = std::process::id().to_string();
        for (pid, is_meant) in [(own.as_str(), true), ("1", false)] {
            let found = watchdog(&surroundings(&[("WATCHDOG_USEC", "20"), ("WATCHDOG_PID", pid)]));
            assert_eq!(found.is_some(), is_meant);
        }
        for none in ["0", "soon", ""] {
            assert_eq!(watchdog(&surroundings(&[("WATCHDOG_USEC", none)])), None);
        }
    }
}
