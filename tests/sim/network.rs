//! The UDP network between the machines: turmoil carries and delays datagrams, this adapter loses, doubles and cuts off.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, ready};

use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, UdpPoller};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use tokio::sync::mpsc;
use turmoil::net::UdpSocket;

use crate::simulated::switch::Switch;
use crate::trace::Trace;

/// The largest datagram that a socket takes.
const DATAGRAM_BYTES: usize = 1 << 16;
/// Bytes of the ids that a process gives its connections. The id by which a dialler first names an acceptor is longer.
const CONNECTION_ID_BYTES: usize = 8;
/// Datagrams that wait in a socket, as in a kernel's buffer; more are lost.
const WAITING_DATAGRAMS: usize = 1_024;

/// What the network does to datagrams.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Weather {
    /// Of 100 datagrams, how many are lost.
    pub(crate) lost_percent: u32,
    /// Of 100 datagrams, how many come twice.
    pub(crate) doubled_percent: u32,
    /// Larger datagrams vanish; 0 for no limit.
    pub(crate) largest_bytes: usize,
}

/// The network, as all machines and the world share it.
#[derive(Clone)]
pub(crate) struct Network {
    state: Arc<Mutex<State>>,
    trace: Trace,
}

struct State {
    random: ChaCha20Rng,
    weather: Weather,
    /// Ways that carry nothing, from and to.
    cuts: BTreeSet<(IpAddr, IpAddr)>,
}

impl Network {
    pub(crate) fn new(seed: u64, trace: Trace) -> Self {
        let state =
            State { random: ChaCha20Rng::seed_from_u64(seed), weather: Weather::default(), cuts: BTreeSet::new() };
        Self { state: Arc::new(Mutex::new(state)), trace }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Changes what happens to datagrams from now on.
    pub(crate) fn set_weather(&self, weather: Weather) {
        self.state().weather = weather;
    }

    /// Cuts the way from one machine to another, not the way back.
    pub(crate) fn cut(&self, from: IpAddr, to: IpAddr) {
        self.state().cuts.insert((from, to));
    }

    /// Mends all ways.
    pub(crate) fn mend(&self) {
        self.state().cuts.clear();
    }

    /// Wraps a machine's socket.
    pub(crate) fn socket(&self, own: IpAddr, socket: UdpSocket, switch: Switch) -> Arc<dyn AsyncUdpSocket> {
        let (sender, received) = mpsc::channel(WAITING_DATAGRAMS);
        let socket = Arc::new(socket);
        tokio::spawn(receive(Arc::clone(&socket), sender));
        let ids = Mutex::default();
        Arc::new(Socket { own, socket, received: Mutex::new(received), ids, network: self.clone(), switch })
    }

    /// How many copies of a datagram arrive.
    fn copies(&self, from: IpAddr, to: IpAddr, length: usize) -> usize {
        let state = &mut *self.state();
        let weather = state.weather;
        // Both are drawn each time, so that one fault more doesn't change all that follows.
        let (lost, doubled) = (state.random.next_u32() % 100, state.random.next_u32() % 100);
        let vanishes = weather.largest_bytes > 0 && length > weather.largest_bytes;
        if vanishes || lost < weather.lost_percent || state.cuts.contains(&(from, to)) {
            return 0;
        }
        1 + usize::from(doubled < weather.doubled_percent)
    }
}

/// Moves what arrives to where quinn can poll for it.
async fn receive(socket: Arc<UdpSocket>, sender: mpsc::Sender<(Vec<u8>, SocketAddr)>) {
    let mut buffer = vec![0; DATAGRAM_BYTES];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        // Without room it is lost, as in a kernel.
        let _ = sender.try_send((buffer[..length].to_vec(), from));
    }
}

struct Socket {
    own: IpAddr,
    socket: Arc<UdpSocket>,
    received: Mutex<mpsc::Receiver<(Vec<u8>, SocketAddr)>>,
    /// The ids that this process gave its connections.
    ids: Mutex<BTreeSet<Vec<u8>>>,
    network: Network,
    /// Off when the machine stopped in the middle of something.
    switch: Switch,
}

impl Socket {
    /// Whether this is of a handshake with the process that ran here before. Whether quinn drops such a datagram at once or
    /// after a closer look depends on the keys of TLS, which aren't simulated; so it doesn't get there.
    fn is_left_over(&self, datagram: &[u8]) -> bool {
        let Some((destination, _)) = ids_of_handshake(datagram) else { return false };
        destination.len() == CONNECTION_ID_BYTES && !self.ids.lock().unwrap().contains(destination)
    }
}

/// The ids of destination and source in a datagram of a handshake (RFC 8999, section 5.1).
fn ids_of_handshake(datagram: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = datagram.split_first()?;
    let (destination, rest) = split_id(rest.get(4..)?)?;
    let (source, _) = split_id(rest)?;
    (first & 0x80 != 0).then_some((destination, source))
}

fn split_id(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Socket").field(&self.own).finish()
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(AlwaysWritable)
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if self.switch.is_off() {
            return Ok(());
        }
        if let Some((_, own)) = ids_of_handshake(transmit.contents) {
            self.ids.lock().unwrap().insert(own.to_vec());
        }
        let to = transmit.destination;
        let copies = self.network.copies(self.own, to.ip(), transmit.contents.len());
        let at = turmoil::sim_elapsed().unwrap_or_default();
        let line = format!("{} -> {} {} bytes, {copies}", self.own, to.ip(), transmit.contents.len());
        self.network.trace.note_datagram(at, line);
        for _ in 0..copies {
            // That nobody listens there, a sender isn't told.
            let _ = self.socket.try_send_to(transmit.contents, to);
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let (bytes, from) = loop {
            let datagram = ready!(self.received.lock().unwrap().poll_recv(context));
            let Some((bytes, from)) = datagram else { return Poll::Ready(Err(io::ErrorKind::NotConnected.into())) };
            if !self.is_left_over(&bytes) {
                break (bytes, from);
            }
        };
        let length = bytes.len().min(buffers[0].len());
        buffers[0][..length].copy_from_slice(&bytes[..length]);
        meta[0] = RecvMeta { addr: from, len: length, stride: length, ecn: None, dst_ip: None };
        Poll::Ready(Ok(1))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::new(self.own, self.socket.local_addr()?.port()))
    }

    fn may_fragment(&self) -> bool {
        false
    }
}

#[derive(Debug)]
struct AlwaysWritable;

impl UdpPoller for AlwaysWritable {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
