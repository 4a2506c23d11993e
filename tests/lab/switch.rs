//! A network of the test's own, in user space: it carries, loses, delays, doubles, reorders and cuts by direction.
//!
//! ```text
//!  namespace of host-1               this process               namespace of host-2
//!  daemon on 10.7.0.1  ──▶ socket on 10.7.0.2 ─▶ Link 1→2 ─▶ socket on 10.7.0.1 ──▶ daemon on 10.7.0.2
//!                      ◀──     the same       ◀─ Link 2→1 ◀─     the same       ◀──
//! ```
//! Each host has a network namespace with nothing but loopback, which has the addresses of all hosts. On those of the
//! others stand the switch's sockets, so a daemon sends to, and hears from, its peers' true addresses, and has no way past
//! the switch. This needs no TUN device (no ioctl, no packets to take apart), and a datagram's fate is decided whole: its
//! size is the UDP payload, as QUIC counts it. What can't be shown this way is what routers say back: nothing here answers
//! with ICMP, so what is dropped is dropped in silence, which is the harder case.
//!
//! Each direction of each pair draws from a generator of its own: the n-th datagram of a direction has the same fate in
//! every run with the same seed.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket as StdSocket};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use murmurate_crdt::id::MeshId;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::net::UdpSocket;
use tokio::sync::oneshot;

use crate::harness::{Certificate, Directory, Host, MESH, Mesh, Namespace, authority, prepare, seeded};

/// The port of all daemons: each has a network of its own.
const PORT: u16 = 7_946;
/// Datagrams that are on their way at once in one direction; further ones are lost, as in any switch. At 2 s of delay
/// this carries some 2,000 datagrams a second.
const ON_THE_WAY: usize = 4_096;
/// The largest datagram there is.
const DATAGRAM_BYTES: usize = 65_536;

/// What one direction between two hosts does to datagrams.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Link {
    /// Of a hundred, so many are lost.
    pub(crate) lost: u32,
    /// Of a hundred, so many arrive twice.
    pub(crate) twice: u32,
    /// Of a hundred, so many are held back for up to [`Link::held_for`], and overtaken by those that follow.
    pub(crate) held: u32,
    pub(crate) held_for: Duration,
    /// How long each is on its way.
    pub(crate) delay: Duration,
    /// Larger ones are lost.
    pub(crate) largest_bytes: Option<usize>,
}

impl Link {
    /// Nothing arrives.
    pub(crate) const CUT: Self =
        Self { lost: 100, twice: 0, held: 0, held_for: Duration::ZERO, delay: Duration::ZERO, largest_bytes: None };
}

/// What became of a direction's datagrams.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) carried: u64,
    pub(crate) lost: u64,
    pub(crate) too_large: u64,
    pub(crate) twice: u64,
    pub(crate) held: u64,
}

struct Direction {
    link: Link,
    rng: ChaCha20Rng,
    counts: Counts,
    on_the_way: usize,
}

impl Direction {
    /// After which times copies of this datagram arrive; none if it is lost.
    fn fate(&mut self, bytes: usize) -> Vec<Duration> {
        let link = self.link;
        // As many draws for each datagram, whatever becomes of it.
        let [lost, twice, held] = [(); 3].map(|()| self.rng.next_u32() % 100);
        let held_for = link.held_for.mul_f64(f64::from(self.rng.next_u32()) / f64::from(u32::MAX));
        if link.largest_bytes.is_some_and(|largest| bytes > largest) {
            self.counts.too_large += 1;
            return Vec::new();
        }
        if lost < link.lost || self.on_the_way >= ON_THE_WAY {
            self.counts.lost += 1;
            return Vec::new();
        }
        self.counts.carried += 1;
        let is_held = held < link.held;
        self.counts.held += u64::from(is_held);
        let first = link.delay + if is_held { held_for } else { Duration::ZERO };
        if twice < link.twice {
            self.counts.twice += 1;
            return vec![first, link.delay];
        }
        vec![first]
    }
}

struct Shared {
    hosts: usize,
    directions: Vec<Mutex<Direction>>,
}

impl Shared {
    fn direction(&self, from: usize, to: usize) -> &Mutex<Direction> {
        &self.directions[from * self.hosts + to]
    }
}

/// The switch; it carries until it is dropped.
pub(crate) struct Switch {
    shared: Arc<Shared>,
    _end: oneshot::Sender<()>,
    _namespaces: Vec<Namespace>,
}

/// A mesh of real daemons over a switch. The mesh is dropped first.
pub(crate) struct Lab {
    pub(crate) mesh: Mesh,
    pub(crate) switch: Switch,
}

impl Lab {
    /// Starts a mesh that all stands in step; `None` where namespaces can't be made, and the test is noted as skipped.
    pub(crate) fn start(test: &str, count: usize) -> Option<Self> {
        let namespaces = (0..count).map(|_| Namespace::for_test(test)).collect::<Option<Vec<_>>>()?;
        let directory = Directory::new();
        let authority = authority(MeshId(MESH));
        let addresses: Vec<_> = (0..count).map(address).collect();
        let hosts = namespaces.iter().zip(&addresses).zip(1..).map(|((namespace, &own), number)| {
            let peers: Vec<_> = addresses.iter().filter(|peer| **peer != own).copied().collect();
            let name = format!("host-{number}");
            let host = prepare(directory.path(), &authority, &name, Certificate::Valid, own, &peers);
            Host { namespace: Some(namespace.name().to_owned()), ..host }
        });
        let hosts = hosts.collect();
        let switch = Switch::new(namespaces, seeded(test).next_u64());
        Some(Self { mesh: Mesh::of(directory, hosts), switch })
    }
}

fn address(host: usize) -> SocketAddr {
    let last = u8::try_from(host + 1).unwrap();
    (Ipv4Addr::new(10, 7, 0, last), PORT).into()
}

impl Switch {
    /// Connects hosts, one in each of the namespaces. At first everything arrives at once.
    fn new(namespaces: Vec<Namespace>, seed: u64) -> Self {
        let hosts = namespaces.len();
        let direction = |number: usize| {
            let rng = ChaCha20Rng::seed_from_u64(seed.wrapping_add(number as u64));
            Mutex::new(Direction { link: Link::default(), rng, counts: Counts::default(), on_the_way: 0 })
        };
        let shared = Arc::new(Shared { hosts, directions: (0..hosts * hosts).map(direction).collect() });
        let sockets: Vec<Vec<Option<StdSocket>>> =
            namespaces.iter().enumerate().map(|(own, namespace)| sockets_of(own, hosts, namespace)).collect();
        let (end, ended) = oneshot::channel();
        let carried = Arc::clone(&shared);
        std::thread::spawn(move || carry_all(carried, sockets, ended));
        Self { shared, _end: end, _namespaces: namespaces }
    }

    /// Sets one direction, by the hosts' numbers from 0.
    pub(crate) fn set(&self, from: usize, to: usize, link: Link) {
        self.shared.direction(from, to).lock().unwrap().link = link;
    }

    /// Sets both directions between two hosts.
    pub(crate) fn set_both(&self, one: usize, other: usize, link: Link) {
        self.set(one, other, link);
        self.set(other, one, link);
    }

    /// Sets all directions.
    pub(crate) fn set_all(&self, link: Link) {
        for direction in &self.shared.directions {
            direction.lock().unwrap().link = link;
        }
    }

    /// What became of all datagrams so far.
    pub(crate) fn counts(&self) -> Counts {
        let all = self.shared.directions.iter().map(|direction| direction.lock().unwrap().counts);
        all.fold(Counts::default(), |sum, one| Counts {
            carried: sum.carried + one.carried,
            lost: sum.lost + one.lost,
            too_large: sum.too_large + one.too_large,
            twice: sum.twice + one.twice,
            held: sum.held + one.held,
        })
    }
}

/// In one host's namespace: all hosts' addresses, and on those of the others a socket each.
fn sockets_of(own: usize, hosts: usize, namespace: &Namespace) -> Vec<Option<StdSocket>> {
    for host in 0..hosts {
        let address = format!("{}/32", address(host).ip());
        namespace.tool("ip", &["addr", "add", &address, "dev", "lo"]).unwrap();
    }
    let inside = File::open(format!("/run/netns/{}", namespace.name())).unwrap();
    // Only that thread moves there; its sockets stay.
    let made = std::thread::spawn(move || {
        move_into_link_name_space(inside.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
        let socket = |host| (host != own).then(|| StdSocket::bind(address(host)).unwrap());
        (0..hosts).map(socket).collect()
    });
    made.join().unwrap()
}

/// Carries everything in one thread, until told to end.
fn carry_all(shared: Arc<Shared>, sockets: Vec<Vec<Option<StdSocket>>>, ended: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ready = |socket: StdSocket| {
            socket.set_nonblocking(true).unwrap();
            Arc::new(UdpSocket::from_std(socket).unwrap())
        };
        let sockets: Vec<Vec<Option<Arc<UdpSocket>>>> =
            sockets.into_iter().map(|row| row.into_iter().map(|socket| socket.map(ready)).collect()).collect();
        for (from, row) in sockets.iter().enumerate() {
            for (to, socket) in row.iter().enumerate() {
                let (Some(entrance), Some(exit)) = (socket, &sockets[to][from]) else { continue };
                tokio::spawn(carry(Arc::clone(&shared), from, to, Arc::clone(entrance), Arc::clone(exit)));
            }
        }
        let _ = ended.await;
    });
}

async fn carry(shared: Arc<Shared>, from: usize, to: usize, entrance: Arc<UdpSocket>, exit: Arc<UdpSocket>) {
    let mut buffer = vec![0; DATAGRAM_BYTES];
    loop {
        // A daemon that is gone is told as an error; the next one may be back.
        let Ok(length) = entrance.recv(&mut buffer).await else { continue };
        let delays = shared.direction(from, to).lock().unwrap().fate(length);
        for delay in delays {
            if delay.is_zero() {
                let _ = exit.send_to(&buffer[..length], address(to)).await;
            } else {
                shared.direction(from, to).lock().unwrap().on_the_way += 1;
                let (shared, exit, datagram) = (Arc::clone(&shared), Arc::clone(&exit), buffer[..length].to_vec());
                tokio::spawn(async move {
                    tokio::time::sleep(delay).await;
                    shared.direction(from, to).lock().unwrap().on_the_way -= 1;
                    let _ = exit.send_to(&datagram, address(to)).await;
                });
            }
        }
    }
}
