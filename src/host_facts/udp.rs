//! The buffers that UDP sockets get here, and what was lost because this process's were full.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::MetadataExt;

use murmurate_client::types::UdpFacts;

pub(super) fn look() -> Option<UdpFacts> {
    let socket = UdpSocket::bind("127.0.0.1:0").or_else(|_| UdpSocket::bind("[::1]:0")).ok()?;
    let receive_buffer_bytes = rustix::net::sockopt::socket_recv_buffer_size(&socket).ok()? as u64;
    drop(socket);
    Some(UdpFacts { receive_buffer_bytes, dropped: dropped() })
}

/// Counted by the kernel per socket (/proc/net/udp); the sockets are this process's by their inodes.
fn dropped() -> Option<u64> {
    let own: Vec<u64> = fs::read_dir("/proc/self/fd").ok()?.flatten().filter_map(|entry| inode(&entry)).collect();
    let tables = ["/proc/self/net/udp", "/proc/self/net/udp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    let counted = tables.iter().flat_map(|table| table.lines().filter_map(line));
    let of_own: Vec<u64> = counted.filter(|(inode, _)| own.contains(inode)).map(|(_, drops)| drops).collect();
    (!of_own.is_empty()).then(|| of_own.iter().sum())
}

fn inode(entry: &fs::DirEntry) -> Option<u64> {
    let is_socket = fs::read_link(entry.path()).ok()?.to_str()?.starts_with("socket:");
    if is_socket { fs::metadata(entry.path()).ok().map(|found| found.ino()) } else { None }
}

/// A socket's inode and drops: the tenth and thirteenth column.
fn line(line: &str) -> Option<(u64, u64)> {
    let mut columns = line.split_whitespace().skip(9);
    let inode = columns.next()?.parse().ok()?;
    Some((inode, columns.nth(2)?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sockets_line_is_read() {
        let text = "  123: 0100007F:1BCD 00000000:0000 07 00000000:00000000 00:00000000 00000000  1000        0 45678 2 \
                    ffff8880 17";
        assert_eq!(line(text), Some((45_678, 17)));
        assert_eq!(line("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"), None);
    }

    #[test]
    fn drops_of_own_sockets_are_counted() {
        let _socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(dropped().is_some());
    }
}
