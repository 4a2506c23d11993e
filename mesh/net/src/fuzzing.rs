//! What must hold for any bytes from the network, as functions that panic where it doesn't.
//!
//! `cargo fuzz` calls them with what it makes up (`fuzz/README.md`); this crate's tests call them with its seeds and with
//! mutations of those.

pub use crate::connection::fuzzing::{frames, greeting};
pub use crate::join::fuzzing::{answer, request, ticket};

use crate::PeerAddress;

/// An address of a peer: one that is read is written as one that reads the same.
pub fn peer_address(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(address) = text.parse::<PeerAddress>() else { return };
    assert_eq!(address.to_string().parse().as_ref(), Ok(&address), "{text:?}");
}

#[cfg(test)]
mod tests {
    #[path = "../../../../crdt/src/fuzzing/mutate.rs"]
    mod mutate;

    use mutate::{check, seeds};

    fn golden(text: &str) -> Vec<u8> {
        let digits: String = text.lines().filter(|line| !line.starts_with('#')).collect();
        data_encoding::HEXLOWER.decode(digits.as_bytes()).unwrap()
    }

    #[test]
    fn frames() {
        check(seeds("frames"), 1_000, super::frames);
    }

    #[test]
    fn greeting() {
        check(seeds("greeting"), 1_000, super::greeting);
    }

    #[test]
    fn peer_address() {
        check(seeds("peer_address"), 2_000, super::peer_address);
    }

    #[test]
    fn ticket() {
        let text = include_bytes!("../tests/golden/ticket.txt").to_vec();
        check([seeds("ticket"), vec![text]].concat(), 1_000, super::ticket);
    }

    #[test]
    fn request() {
        let rows = [include_str!("../tests/golden/join-redeem.hex"), include_str!("../tests/golden/join-renew.hex")];
        check([seeds("join_request"), rows.map(golden).to_vec()].concat(), 256, super::request);
    }

    #[test]
    fn answer() {
        let rows = [include_str!("../tests/golden/join-accepted.hex"), include_str!("../tests/golden/join-refused.hex")];
        check([seeds("join_answer"), rows.map(golden).to_vec()].concat(), 256, super::answer);
    }
}
