//! Where a peer is dialled.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// A configured address of a peer: `host:port`, `1.2.3.4:port` or `[v6]:port`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerAddress {
    host: String,
    port: u16,
}

/// The text is no address. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a peer's address: {why}; write `host:port`, for example `db1.example.org:7946` or `[2001:db8::1]:7946`"
)]
pub struct AddressError {
    text: String,
    why: &'static str,
}

impl PeerAddress {
    /// The name or address of the host, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The UDP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The socket address, where the host is a numeric one and needs no resolver.
    #[must_use]
    pub fn numeric(&self) -> Option<SocketAddr> {
        let ip: IpAddr = self.host.parse().ok()?;
        Some(SocketAddr::new(ip, self.port))
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl FromStr for PeerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let fail = |why| Err(AddressError { text: text.to_owned(), why });
        let Some((host, port)) = text.rsplit_once(':') else { return fail("the port is missing") };
        let port = match port.parse() {
            Ok(port) if port != 0 => port,
            _ => return fail("the port is not a number from 1 to 65535"),
        };
        let unbracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = unbracketed.unwrap_or(host);
        let is_v6 = host.parse::<std::net::Ipv6Addr>().is_ok();
        if is_v6 != unbracketed.is_some() || (!is_v6 && host.contains([':', '[', ']'])) {
            return fail("an IPv6 address, and only that, stands in brackets");
        }
        if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control() || c == '/') {
            return fail("the host is missing or has characters that no host name has");
        }
        Ok(Self { host: host.to_owned(), port })
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            return write!(f, "[{}]:{}", self.host, self.port);
        }
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_back_from_their_text() {
        for text in ["db1.example.org:7946", "10.0.0.7:1", "[2001:db8::1]:65535"] {
            let address: PeerAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        assert_eq!("[::1]:9".parse::<PeerAddress>().unwrap().numeric(), "[::1]:9".parse().ok());
        assert_eq!("localhost:9".parse::<PeerAddress>().unwrap().numeric(), None);
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "host",
            "host:",
            "host:0",
            "host:65536",
            ":1",
            "::1:7",
            "[host]:1",
            "[::1]",
            "a b:1",
            "a/b:1",
            "a:b:1",
            "[a:1",
            "fe80::1%eth0:1",
        ] {
            assert!(text.parse::<PeerAddress>().is_err(), "{text:?}");
        }
    }
}
