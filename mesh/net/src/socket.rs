//! UDP sockets of the system, for both families where it has them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use quinn::ConnectError;
use socket2::{Domain, Protocol, Socket, Type};

/// Opens a socket at `address`. On `[::]` it serves IPv4 too; where the system has no IPv6, it serves IPv4 alone then.
pub(crate) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let result = open(address);
    match &result {
        Err(error) if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && is_without_family(error) => {
            tracing::warn!(%address, "this system has no IPv6 ({error}): listening on IPv4 alone");
            open(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port()))
        }
        _ => result,
    }
}

/// Opens a socket to dial from, at any port.
pub(crate) fn bind_any() -> io::Result<UdpSocket> {
    bind(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0))
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        // Whatever the system's default is.
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Whether the system lacks the whole family: it wasn't built in, or is switched off.
fn is_without_family(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.raw_os_error() == Some(EAFNOSUPPORT) || error.kind() == io::ErrorKind::AddrNotAvailable
}

/// Why an address can't be dialled, in words.
pub(crate) fn connect_problem(error: &ConnectError, address: SocketAddr) -> String {
    match error {
        ConnectError::InvalidRemoteAddress(_) if address.is_ipv6() => {
            "this host listens on IPv4 only, and can't dial IPv6; listen on `[::]` for both".to_owned()
        }
        error => error.to_string(),
    }
}
