//! The world: machines, the network between them, and simulated time.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use murmurate::daemon::request::{Reply, Request};
use murmurate::daemon::{DaemonConfig, save_identity, throwaway_mesh};
use murmurate_client::types::ApiError;
use murmurate_net::Environment;
use murmurate_net::environment::Clock;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use turmoil::Sim;

use crate::machine::{Machine, WALL_MS};
use crate::network::Network;
use crate::simulated::disk::SimulatedDisk;
use crate::trace::Trace;

/// How far time goes on at once: datagrams arrive at its multiples.
const TICK: Duration = Duration::from_millis(1);
/// The UDP port of all daemons.
const PORT: u16 = 4_000;
/// Longer than any simulation.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    sim: Sim<'static>,
    machines: Vec<Arc<Machine>>,
    network: Network,
    trace: Trace,
    _directory: tempfile::TempDir,
}

impl World {
    /// Makes a mesh of so many machines and switches them on.
    pub(crate) fn new(seed: u64, count: usize) -> Self {
        let trace = Trace::default();
        let network = Network::new(seed, trace.clone());
        let mut sim = turmoil::Builder::new()
            .rng_seed(seed)
            .simulation_duration(FOR_EVER)
            .tick_duration(TICK)
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(20))
            .udp_capacity(4_096)
            .build();
        let directory = tempfile::tempdir().unwrap();
        let names: Vec<String> = (1..=count).map(|number| format!("host-{number}")).collect();
        let addresses: Vec<SocketAddr> =
            names.iter().map(|name| SocketAddr::new(sim.lookup(name.as_str()), PORT)).collect();
        let environment = Environment::seeded(seed, Arc::new(Standstill));
        let made = throwaway_mesh(&environment, &names).unwrap();
        let mut machines = Vec::new();
        for (index, made) in made.into_iter().enumerate() {
            let base = directory.path().join(&names[index]);
            let data_dir = base.join("data");
            std::fs::create_dir_all(&data_dir).unwrap();
            save_identity(&data_dir, &made.identity, &made.admission).unwrap();
            let peers = addresses.iter().filter(|other| **other != addresses[index]);
            let config = DaemonConfig {
                runtime_dir: base.join("run"),
                listen: addresses[index],
                peers: peers.map(|address| address.to_string().parse().unwrap()).collect(),
                data_dir,
            };
            let own_seed = seed.wrapping_mul(1_000).wrapping_add(index as u64);
            let disk = SimulatedDisk::new(ChaCha20Rng::seed_from_u64(own_seed));
            let machine =
                Machine::new(names[index].clone(), addresses[index].ip(), config, disk, network.clone(), own_seed);
            let machine = Arc::new(machine);
            let running = Arc::clone(&machine);
            sim.host(names[index].as_str(), move || Arc::clone(&running).run());
            machines.push(machine);
        }
        Self { sim, machines, network, trace, _directory: directory }
    }

    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Lets one tick pass.
    pub(crate) fn step(&mut self) {
        self.sim.step().unwrap();
    }

    /// Lets time pass.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.sim.elapsed() + duration;
        while self.sim.elapsed() < end {
            self.step();
        }
    }

    /// Asks a daemon and waits for its answer.
    pub(crate) fn ask<T>(&mut self, machine: usize, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, ApiError> {
        let core = self.machines[machine].core().expect("the machine is up");
        let mut answer = pin!(core.ask(request));
        let start = self.sim.elapsed();
        loop {
            if let Poll::Ready(answer) = poll(answer.as_mut()) {
                return answer;
            }
            assert!(self.sim.elapsed() - start < PATIENCE, "no answer");
            self.step();
        }
    }
}

/// Looks whether a future of the world, outside of all machines, is ready.
fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// The clock before the world begins.
#[derive(Debug)]
struct Standstill;

impl Clock for Standstill {
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    fn wall_ms(&self) -> u64 {
        WALL_MS
    }
}
