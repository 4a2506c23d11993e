//! Which of the two protocols whoever dials wants: it is asked for a certificate, or not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::{ALPN, JOIN_ALPN};

/// Whether one handshake is a joiner's, as its first message says.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted(Arc<AtomicBool>);

impl Wanted {
    /// Whether no certificate is wanted of the other side.
    pub(super) fn is_join(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Shows the node's certificate, and notes which protocol it is shown for.
#[derive(Debug)]
pub(super) struct Door {
    certified: Arc<CertifiedKey>,
    wanted: Wanted,
}

impl Door {
    pub(super) fn new(certified: Arc<CertifiedKey>, wanted: Wanted) -> Self {
        Self { certified, wanted }
    }
}

/// Whoever also offers the members' protocol gets that one, and is asked for a certificate.
fn is_join(offered: impl Iterator<Item = impl AsRef<[u8]>>) -> bool {
    let mut offers_join = false;
    for protocol in offered {
        match protocol.as_ref() {
            ALPN => return false,
            JOIN_ALPN => offers_join = true,
            _ => {}
        }
    }
    offers_join
}

impl ResolvesServerCert for Door {
    /// rustls asks for the certificate before it decides whether to ask for the other side's.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_join = hello.alpn().is_some_and(is_join);
        self.wanted.0.store(is_join, Ordering::Relaxed);
        Some(Arc::clone(&self.certified))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_offers_nothing_but_joining_is_a_joiner() {
        assert!(is_join([JOIN_ALPN].iter()));
        assert!(is_join([b"h3".as_slice(), JOIN_ALPN].iter()));
        assert!(!is_join([JOIN_ALPN, ALPN].iter()));
        assert!(!is_join([ALPN].iter()));
        assert!(!is_join([b"h3"].iter()));
    }
}
