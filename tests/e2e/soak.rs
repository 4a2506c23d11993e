//! Several people at once on each host, while daemons are killed, stopped and cut off, for as long as one likes. Then
//! all hosts must agree on everything, or name why not, and nobody's last value may be gone (P2, P3, P7, P8).
//!
//! `MURMURATE_SOAK_SECONDS` makes it long, `MURMURATE_SEED` gives it the same start again.

mod actor;
mod agreement;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use rustix::process::Signal;

use self::actor::{Actor, Last, SLOTS};
use crate::harness::{Mesh, report, seeded, signal};

const TEST: &str = "after_a_soak_all_agree_and_the_last_values_are_there";
const HOSTS: usize = 3;
const ACTORS_PER_HOST: usize = 2;
/// Long enough for a few kills and cuts, short enough for every run of the tests.
const SECONDS: u64 = 20;

struct Soak {
    mesh: Mesh,
    rng: ChaCha20Rng,
    is_cut: bool,
    counts: BTreeMap<&'static str, u32>,
}

impl Soak {
    fn below_ms(&mut self, bound: u32) -> Duration {
        Duration::from_millis(u64::from(self.rng.next_u32() % bound))
    }

    /// One fault, for a while.
    fn fault(&mut self) {
        let host = self.rng.next_u32() as usize % HOSTS;
        let name = match self.rng.next_u32() % 10 {
            0..4 => self.kill(host),
            4..6 => self.stop(host),
            6..8 => self.freeze(host),
            _ => self.cut_or_heal(host),
        };
        *self.counts.entry(name).or_default() += 1;
        std::thread::sleep(self.below_ms(1_500));
    }

    fn kill(&mut self, host: usize) -> &'static str {
        self.mesh.hosts[host].kill();
        std::thread::sleep(self.below_ms(1_500));
        self.mesh.hosts[host].start();
        "kills"
    }

    fn stop(&mut self, host: usize) -> &'static str {
        assert_eq!(self.mesh.hosts[host].stop().code(), Some(0));
        std::thread::sleep(self.below_ms(1_500));
        self.mesh.hosts[host].start();
        "ends"
    }

    fn freeze(&mut self, host: usize) -> &'static str {
        signal(self.mesh.hosts[host].pid, Signal::STOP);
        std::thread::sleep(self.below_ms(4_000));
        signal(self.mesh.hosts[host].pid, Signal::CONT);
        "freezes"
    }

    fn cut_or_heal(&mut self, host: usize) -> &'static str {
        if self.mesh.namespace.is_none() {
            return "no cuts without root";
        }
        if self.is_cut {
            self.mesh.heal();
        } else {
            self.mesh.cut_off(&[host]);
        }
        self.is_cut = !self.is_cut;
        "cuts and heals"
    }

    fn actors(&mut self) -> Vec<Actor> {
        let hosts = self.mesh.hosts.iter().flat_map(|host| std::iter::repeat_n(host, ACTORS_PER_HOST));
        let made = hosts.enumerate().map(|(number, host)| Actor {
            number,
            folder: host.folder.clone(),
            beside: host.directory.join(format!("beside-{number}")),
            socket: host.socket.clone(),
            rng: ChaCha20Rng::seed_from_u64(self.rng.next_u64()),
            next: 0,
            put: Last::default(),
            slot: Last::default(),
            steps: 0,
        });
        made.collect()
    }
}

fn begin(mesh: &Mesh) {
    let slots = (0..HOSTS * ACTORS_PER_HOST).map(|number| format!("slot_{number} = 1000 # of an actor\n"));
    let slots: String = slots.collect();
    mesh.hosts[0].save(SLOTS, &slots);
    mesh.everywhere(SLOTS, &slots);
}

fn duration() -> Duration {
    let given = std::env::var("MURMURATE_SOAK_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    Duration::from_secs(given.unwrap_or(SECONDS))
}

#[test]
fn after_a_soak_all_agree_and_the_last_values_are_there() {
    // Without a network of its own everything but the cuts.
    let mesh = Mesh::start_apart_in_namespace(TEST, HOSTS).unwrap_or_else(|| Mesh::start_apart(HOSTS));
    begin(&mesh);
    let mut soak = Soak { mesh, rng: seeded(TEST), is_cut: false, counts: BTreeMap::new() };
    let ended = Arc::new(AtomicBool::new(false));
    let running: Vec<JoinHandle<Actor>> = soak.actors().into_iter().map(|actor| act(actor, ended.clone())).collect();
    let end = Instant::now() + duration();
    while Instant::now() < end {
        soak.fault();
    }
    ended.store(true, Ordering::Relaxed);
    let actors: Vec<Actor> = running.into_iter().map(|actor| actor.join().unwrap()).collect();
    let steps: u32 = actors.iter().map(|actor| actor.steps).sum();
    report(&format!("{TEST}: {steps} steps, {:?}", soak.counts));
    if soak.is_cut {
        soak.mesh.heal();
    }
    agreement::check(&soak.mesh, &actors);
    // And it is all on the disks.
    for host in &mut soak.mesh.hosts {
        host.kill();
        host.start();
    }
    agreement::check(&soak.mesh, &actors);
}

fn act(actor: Actor, ended: Arc<AtomicBool>) -> JoinHandle<Actor> {
    std::thread::spawn(move || actor.run(&ended))
}
