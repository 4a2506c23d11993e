//! The UDP socket for the mesh: it is bound, or can be, and has room for what arrives at once.

use murmurate_client::types::UdpFacts;

use super::check::Check;
use super::findings::Findings;

const NAME: &str = "udp";
/// Room for some hundred full datagrams; systems give 208 KiB by default.
const BUFFER_BYTES: u64 = 128 << 10;
/// A few are lost at a start or in a burst; QUIC sends them again.
const DROPPED: u64 = 100;
const FIX: &str = "sysctl -w net.core.rmem_default=1048576, then start the daemon again";

pub(super) fn check(findings: &Findings) -> Check {
    let address = match (findings.status(), &findings.settings, &findings.can_listen) {
        (Some(status), ..) => status.address.clone(),
        (None, Ok(settings), Some(Err(error))) => {
            let found = format!("{} can't be used: {error}", settings.listen.value);
            return Check::bad(NAME, found, "end what listens there, or choose another `listen` in daemon.toml");
        }
        (None, Ok(settings), _) => format!("{} is free", settings.listen.value),
        (None, Err(_), _) => return Check::skipped(NAME, "the settings say which address"),
    };
    match findings.host.as_ref().and_then(|host| host.udp) {
        Some(udp) => judge(&address, udp),
        None => Check::skipped(NAME, "the sockets' buffers aren't known"),
    }
}

fn judge(address: &str, udp: UdpFacts) -> Check {
    let UdpFacts { receive_buffer_bytes, dropped } = udp;
    let found = format!("{address}, {} KiB of receive buffer", receive_buffer_bytes >> 10);
    match dropped.unwrap_or(0) {
        dropped if dropped > DROPPED => Check::warn(NAME, format!("{found}, {dropped} datagrams lost for it"), FIX),
        _ if receive_buffer_bytes < BUFFER_BYTES => Check::warn(NAME, found, FIX),
        _ => Check::ok(NAME, found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::doctor::check::State;

    #[test]
    fn small_buffers_and_losses_are_told() {
        let state = |receive_buffer_bytes, dropped| judge("a:1", UdpFacts { receive_buffer_bytes, dropped }).state;
        assert_eq!(state(212_992, None), State::Ok);
        assert_eq!(state(212_992, Some(DROPPED)), State::Ok);
        assert_eq!(state(212_992, Some(DROPPED + 1)), State::Warn);
        assert_eq!(state(4_096, None), State::Warn);
    }
}
