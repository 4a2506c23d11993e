//! A path between two nodes that can be cut, either way, be slow, or lose large datagrams.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::support::{DEADLINE, loopback};

/// Forwards datagrams from whoever sends to [`Relay::address`] to a target, and back.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    path: Arc<Path>,
}

struct Path {
    cut_forward: AtomicBool,
    cut_back: AtomicBool,
    largest_bytes: AtomicUsize,
    delay: Duration,
    retries: watch::Sender<usize>,
}

/// A Retry packet's first byte, but for its unused bits (RFC 9000, section 17.2.5).
const RETRY: u8 = 0xf0;

impl Relay {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        Self::start_slow(target, Duration::ZERO).await
    }

    /// One that takes this long, each way.
    pub(crate) async fn start_slow(target: SocketAddr, delay: Duration) -> Self {
        let front = Arc::new(UdpSocket::bind(loopback(0)).await.unwrap());
        let path = Arc::new(Path {
            cut_forward: AtomicBool::new(false),
            cut_back: AtomicBool::new(false),
            largest_bytes: AtomicUsize::new(usize::MAX),
            delay,
            retries: watch::Sender::default(),
        });
        let relay = Self { address: front.local_addr().unwrap(), path: Arc::clone(&path) };
        tokio::spawn(forward(front, target, path));
        relay
    }

    /// Cuts the way to the target, and the way back, or mends them.
    pub(crate) fn cut(&self, forward: bool, back: bool) {
        self.path.cut_forward.store(forward, Ordering::SeqCst);
        self.path.cut_back.store(back, Ordering::SeqCst);
    }

    /// Waits until the target has asked somebody to prove its address; also where the way back is cut.
    pub(crate) async fn saw_retry(&self) {
        let mut retries = self.path.retries.subscribe();
        timeout(DEADLINE, retries.wait_for(|count| *count > 0)).await.expect("no Retry came").unwrap();
    }

    /// From now on loses larger datagrams, without a word.
    pub(crate) fn lose_above(&self, bytes: usize) {
        self.path.largest_bytes.store(bytes, Ordering::SeqCst);
    }
}

impl Path {
    fn loses(&self, cut: &AtomicBool, bytes: usize) -> bool {
        cut.load(Ordering::SeqCst) || bytes > self.largest_bytes.load(Ordering::SeqCst)
    }

    /// Sends now or after the delay. A full buffer or a dead target loses datagrams, as networks do.
    async fn send(&self, socket: &Arc<UdpSocket>, bytes: &[u8], target: SocketAddr) {
        if self.delay.is_zero() {
            let _ = socket.send_to(bytes, target).await;
            return;
        }
        let (socket, bytes, delay) = (Arc::clone(socket), bytes.to_vec(), self.delay);
        tokio::spawn(async move {
            sleep(delay).await;
            let _ = socket.send_to(&bytes, target).await;
        });
    }
}

async fn forward(front: Arc<UdpSocket>, target: SocketAddr, path: Arc<Path>) {
    let mut ways: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut buffer = vec![0; 65_536];
    while let Ok((length, sender)) = front.recv_from(&mut buffer).await {
        if path.loses(&path.cut_forward, length) {
            continue;
        }
        if let Entry::Vacant(vacant) = ways.entry(sender) {
            let way = Arc::new(UdpSocket::bind(loopback(0)).await.unwrap());
            tokio::spawn(back(Arc::clone(&front), Arc::clone(&way), sender, Arc::clone(&path)));
            vacant.insert(way);
        }
        path.send(&ways[&sender], &buffer[..length], target).await;
    }
}

async fn back(front: Arc<UdpSocket>, way: Arc<UdpSocket>, sender: SocketAddr, path: Arc<Path>) {
    let mut buffer = vec![0; 65_536];
    while let Ok((length, _)) = way.recv_from(&mut buffer).await {
        if buffer[0] & 0xf0 == RETRY {
            path.retries.send_modify(|count| *count += 1);
        }
        if !path.loses(&path.cut_back, length) {
            path.send(&front, &buffer[..length], sender).await;
        }
    }
}
