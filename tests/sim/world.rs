//! The world: machines, the network between them, people, and simulated time.

use std::cell::Cell;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use murmurate::daemon::request::{Caller, CoreHandle, Reply, Request};
use murmurate::daemon::{DaemonConfig, throwaway_mesh};
use murmurate_client::types::{AddFolder, ApiError, ErrorCode};
use murmurate_net::Environment;
use murmurate_net::environment::Clock;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use turmoil::Sim;

use crate::history::{Fate, History, Write};
use crate::invariants::p1_local_first;
use crate::machine::{Machine, ROOT, WALL_MS};
use crate::network::Network;
use crate::people::{Pattern, Save, rename_over};
use crate::template::TEMPLATES;
use crate::trace::Trace;

/// How far time goes on at once: datagrams arrive at its multiples.
const TICK: Duration = Duration::from_millis(1);
/// The UDP port of all daemons.
const PORT: u16 = 4_000;
/// Longer than any simulation.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);
/// How long certificates are valid that hosts issue.
const VALIDITY: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long an answer may take that the world waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a machine fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    Up,
    /// The daemon is down; people go on editing.
    NoDaemon,
    Off,
}

pub(crate) struct World {
    sim: Sim<'static>,
    pub(crate) machines: Vec<Arc<Machine>>,
    pub(crate) standings: Vec<Standing>,
    pub(crate) network: Network,
    pub(crate) history: History,
    pub(crate) random: ChaCha20Rng,
    puts: Vec<Put>,
    saves: Vec<Save>,
    ambushes: Vec<Ambush>,
    trace: Trace,
    _directory: tempfile::TempDir,
}

/// A put that isn't answered yet.
struct Put {
    machine: usize,
    value: u64,
    asked_at: Duration,
    answer: Pin<Box<dyn Future<Output = Result<Option<u64>, ApiError>>>>,
}

/// Somebody who saves in the very moment in which the daemon replaces the file.
struct Ambush {
    machine: usize,
    value: u64,
    /// What was seen, once it happened.
    happened: Arc<Mutex<Option<u64>>>,
    until: Duration,
}

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Counts the panics of tasks, which tokio keeps to itself.
fn count_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let show = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            show(panic);
        }));
    });
}

impl World {
    /// Makes a mesh of so many machines and switches them on.
    pub(crate) fn new(seed: u64, count: usize, longest_delay: Duration) -> Self {
        count_panics();
        let trace = Trace::default();
        let network = Network::new(seed, trace.clone());
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        let mut sim = turmoil::Builder::new()
            .rng_seed(seed)
            .simulation_duration(FOR_EVER)
            .tick_duration(TICK)
            .min_message_latency(TICK)
            .max_message_latency(longest_delay)
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
            made.save(&data_dir).unwrap();
            let peers = addresses.iter().filter(|other| **other != addresses[index]);
            let config = DaemonConfig {
                zone: String::new(),
                runtime_dir: base.join("run"),
                listen: addresses[index],
                advertise: Vec::new(),
                peers: peers.map(|address| address.to_string().parse().unwrap()).collect(),
                certificate_validity: VALIDITY,
                forget_after: VALIDITY,
                roles: Vec::new(),
                rules: Arc::default(),
                data_dir,
            };
            let own_seed = seed.wrapping_mul(1_000).wrapping_add(index as u64);
            let ahead_ms = i64::from(random.next_u32() % 7_200_000) - 1_800_000;
            let (name, address) = (names[index].clone(), addresses[index].ip());
            let machine = Arc::new(Machine::new(name, address, config, network.clone(), own_seed, ahead_ms));
            let running = Arc::clone(&machine);
            sim.host(names[index].as_str(), move || Arc::clone(&running).run());
            machines.push(machine);
        }
        Self {
            sim,
            standings: vec![Standing::Up; count],
            machines,
            network,
            history: History::default(),
            random,
            puts: Vec::new(),
            saves: Vec::new(),
            ambushes: Vec::new(),
            trace,
            _directory: directory,
        }
    }

    pub(crate) fn trace(&self) -> &Trace {
        &self.trace
    }

    /// How long the world has been.
    pub(crate) fn now(&self) -> Duration {
        self.sim.elapsed()
    }

    pub(crate) fn note(&self, event: impl std::fmt::Display) {
        self.trace.note(self.now(), event);
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.random.next_u32() as usize % bound
    }

    /// Machines that are as asked.
    pub(crate) fn standing(&self, wanted: impl Fn(Standing) -> bool) -> Vec<usize> {
        (0..self.machines.len()).filter(|machine| wanted(self.standings[*machine])).collect()
    }

    /// Lets one tick pass.
    pub(crate) fn step(&mut self) {
        self.sim.step().unwrap();
        assert_eq!(PANICS.get(), 0, "a task panicked");
        let now = self.now();
        for machine in 0..self.machines.len() {
            self.machines[machine].advance(now);
            if self.standings[machine] == Standing::Up && self.machines[machine].switch.is_off() {
                self.note(format_args!("{}: a fault", self.machines[machine].name));
                self.stop_at_random(machine);
            }
        }
        self.advance_saves();
        self.advance_ambushes();
        self.take_answers();
    }

    /// Lets time pass.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now() + duration;
        while self.now() < end {
            self.step();
        }
    }

    /// Lets time pass until something is so. Returns how long that took, or what is wrong still.
    pub(crate) fn run_until(
        &mut self,
        bound: Duration,
        mut look: impl FnMut(&mut Self) -> Result<(), String>,
    ) -> Result<Duration, String> {
        let start = self.now();
        loop {
            match look(self) {
                Ok(()) => return Ok(self.now() - start),
                Err(wrong) if self.now() - start > bound => return Err(wrong),
                Err(_) => self.run_for(100 * TICK),
            }
        }
    }

    /// Asks a daemon and waits for its answer.
    pub(crate) fn ask<T>(&mut self, machine: usize, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, ApiError> {
        let core = self.machines[machine].core().expect("the machine is up");
        let mut answer = pin!(core.ask(request));
        let start = self.now();
        loop {
            if let Poll::Ready(answer) = poll(answer.as_mut()) {
                return answer;
            }
            assert!(self.now() - start < PATIENCE, "no answer");
            self.step();
        }
    }
}

/// Machines.
impl World {
    /// Has every machine keep the folder, and fills it on the first.
    pub(crate) fn set_up(&mut self) {
        self.run_for(Duration::from_millis(200));
        for machine in 0..self.machines.len() {
            let folder = AddFolder { name: "config".into(), dir: ROOT.into(), adopt: false };
            self.ask(machine, |reply| Request::FolderAdd { folder, reply }).unwrap();
        }
        let files = self.machines[0].files.clone();
        for (document, template) in TEMPLATES.iter().enumerate() {
            let values: Vec<u64> = (0..template.keys.len())
                .map(|key| self.add_write(document, key, 0, "the first content", Fate::Done))
                .collect();
            let path = format!("{ROOT}/{}", template.path);
            files.make_directories(path.rsplit_once('/').unwrap().0);
            rename_over(&files, &path, &template.print(&values));
        }
        let everywhere = |world: &mut Self| {
            let missing = world.machines.iter().find(|machine| {
                let has = |path| machine.files.content(&format!("{ROOT}/{path}")).is_some();
                !TEMPLATES.iter().all(|template| has(template.path))
            });
            missing.map_or(Ok(()), |machine| Err(format!("{} hasn't got the files", machine.name)))
        };
        self.run_until(PATIENCE, everywhere).unwrap();
    }

    /// Stops a daemon by force: the process, or the whole machine. What is under way may be lost.
    pub(crate) fn stop_at_random(&mut self, machine: usize) {
        let is_fragile = self.saves.iter().any(|save| save.machine == machine && save.is_fragile());
        let percent = [0, 50, 100][self.below(3)];
        if is_fragile || self.below(2) == 0 {
            self.stop(machine, Standing::NoDaemon, percent);
        } else {
            self.stop(machine, Standing::Off, percent);
        }
    }

    /// Stops a daemon, or a machine with it, of whose unsynced bytes that share is there afterwards.
    pub(crate) fn stop(&mut self, machine: usize, standing: Standing, percent: u32) {
        self.note(format_args!("{} stops: {standing:?} {percent}", self.machines[machine].name));
        self.standings[machine] = standing;
        self.machines[machine].went_down();
        self.sim.crash(self.machines[machine].name.as_str());
        self.puts.retain(|put| put.machine != machine);
        if standing == Standing::Off {
            self.saves.retain(|save| save.machine != machine);
            self.machines[machine].lose_power(percent);
        }
    }

    /// Starts a daemon that is down.
    pub(crate) fn start(&mut self, machine: usize) {
        self.note(format_args!("{} starts", self.machines[machine].name));
        self.standings[machine] = Standing::Up;
        self.machines[machine].prepare_process();
        self.sim.bounce(self.machines[machine].name.as_str());
    }

    /// Ends all daemons, so that their stores can be looked at.
    pub(crate) fn end(&mut self) {
        for machine in 0..self.machines.len() {
            self.stop(machine, Standing::NoDaemon, 100);
            self.machines[machine].prepare_process();
        }
    }
}

/// People.
impl World {
    fn add_write(&mut self, document: usize, key: usize, machine: usize, how: &'static str, fate: Fate) -> u64 {
        let (value, began) = (self.history.next_value(), self.now());
        self.history.add(Write { document, key, value, machine, how, began, saw: None, fate })
    }

    fn draw_key(&mut self) -> (usize, usize) {
        let document = self.below(TEMPLATES.len());
        (document, self.below(TEMPLATES[document].keys.len()))
    }

    /// Somebody puts a value; a careful one looks at the present one first, and puts only over that.
    pub(crate) fn put(&mut self, machine: usize) {
        let Some(core) = self.machines[machine].core() else { return };
        let (document, key) = self.draw_key();
        let is_careful = self.below(2) == 0;
        let how = if is_careful { "a put that expects" } else { "a put" };
        let value = self.add_write(document, key, machine, how, Fate::Unknown);
        let address = self.history.get(value).unwrap().address();
        self.note(format_args!("{}: {how} {address} {value}", self.machines[machine].name));
        let answer = Box::pin(put(core, address, value, is_careful));
        self.puts.push(Put { machine, value, asked_at: self.now(), answer });
    }

    fn take_answers(&mut self) {
        for mut put in std::mem::take(&mut self.puts) {
            let (name, now) = (&self.machines[put.machine].name, self.now());
            p1_local_first::check(name, put.asked_at, now);
            match poll(put.answer.as_mut()) {
                Poll::Pending => self.puts.push(put),
                Poll::Ready(Ok(saw)) => {
                    self.note(format_args!("{name}: {} is acknowledged", put.value));
                    self.history.set_fate(put.value, Fate::Done);
                    if let Some(saw) = saw {
                        self.history.set_saw(put.value, saw);
                    }
                }
                Poll::Ready(Err(error)) => {
                    self.note(format_args!("{name}: {} is refused, {}", put.value, error.code));
                    // Only a machine that stops leaves a write's fate open.
                    assert!(
                        self.machines[put.machine].switch.is_off() || error.code == ErrorCode::VersionDiffers,
                        "{name}: {error:?}"
                    );
                    if error.code == ErrorCode::VersionDiffers {
                        self.history.set_fate(put.value, Fate::Refused);
                    }
                }
            }
        }
    }

    /// Somebody begins to save a file with one or two new values.
    pub(crate) fn save(&mut self, machine: usize) {
        let document = self.below(TEMPLATES.len());
        let template = &TEMPLATES[document];
        // Two people who save one file at once on one machine lose each other's edits, with any daemon or none.
        if self.is_saving(machine, template.path) || self.ambushes.iter().any(|ambush| ambush.machine == machine) {
            return;
        }
        let path = format!("{ROOT}/{}", template.path);
        let Some(mut values) = self.machines[machine].files.content(&path).and_then(|bytes| template.read(&bytes))
        else {
            return;
        };
        let pattern = Pattern::draw(&mut self.random);
        let mut written = Vec::new();
        for _ in 0..=self.below(2) {
            let key = self.below(template.keys.len());
            // A value that this very save wrote before was never in a file.
            if written.contains(&values[key]) {
                continue;
            }
            let value = self.add_write(document, key, machine, pattern.name(), Fate::Unknown);
            self.history.set_saw(value, std::mem::replace(&mut values[key], value));
            written.push(value);
        }
        self.note(format_args!("{}: {} {written:?}", self.machines[machine].name, pattern.name()));
        let content = template.print(&values);
        self.saves.push(Save::begin((machine, template.path), ROOT, content, written, pattern, self.now()));
    }

    fn advance_saves(&mut self) {
        let now = self.now();
        for mut save in std::mem::take(&mut self.saves) {
            let files = self.machines[save.machine].files.clone();
            if save.advance(&files, now, &mut self.random) {
                self.note(format_args!("{}: {:?} are saved", self.machines[save.machine].name, save.values));
                save.values.iter().for_each(|value| self.history.set_fate(*value, Fate::Done));
            } else {
                self.saves.push(save);
            }
        }
    }

    /// Somebody will save at the very moment at which the daemon replaces a file.
    pub(crate) fn ambush(&mut self, machine: usize) {
        let is_here = |save: &Save| save.machine == machine;
        if self.saves.iter().any(is_here) || self.ambushes.iter().any(|ambush| ambush.machine == machine) {
            return;
        }
        let (document, key) = self.draw_key();
        let template = &TEMPLATES[document];
        let how = "a save within the exchange";
        let value = self.add_write(document, key, machine, how, Fate::Unknown);
        let happened = Arc::new(Mutex::new(None));
        let (files, seen) = (self.machines[machine].files.clone(), Arc::clone(&happened));
        let path = format!("{ROOT}/{}", template.path);
        let target = path.clone();
        self.machines[machine].files.before_move(&target, move || {
            let Some(mut values) = files.content(&path).and_then(|bytes| template.read(&bytes)) else { return };
            *seen.lock().unwrap() = Some(std::mem::replace(&mut values[key], value));
            rename_over(&files, &path, &template.print(&values));
        });
        let until = self.now() + Duration::from_secs(1);
        self.ambushes.push(Ambush { machine, value, happened, until });
    }

    fn advance_ambushes(&mut self) {
        let now = self.now();
        for ambush in std::mem::take(&mut self.ambushes) {
            let saw = *ambush.happened.lock().unwrap();
            if let Some(saw) = saw {
                self.note(format_args!("{}: {} is saved within", self.machines[ambush.machine].name, ambush.value));
                self.history.set_saw(ambush.value, saw);
                self.history.set_fate(ambush.value, Fate::Done);
            } else if now > ambush.until {
                self.machines[ambush.machine].files.no_ambush();
                self.history.set_fate(ambush.value, Fate::Refused);
            } else {
                self.ambushes.push(ambush);
            }
        }
    }

    /// Whether somebody is in the middle of saving a file.
    pub(crate) fn is_saving(&self, machine: usize, path: &str) -> bool {
        self.saves.iter().any(|save| save.machine == machine && save.path == path)
    }

    /// Whether nobody does anything.
    pub(crate) fn is_quiet(&self) -> bool {
        self.saves.is_empty() && self.puts.is_empty() && self.ambushes.is_empty()
    }
}

async fn put(core: CoreHandle, address: String, value: u64, is_careful: bool) -> Result<Option<u64>, ApiError> {
    let (mut expect, mut saw) = (None, None);
    if is_careful {
        let entry = core.ask(|reply| Request::Get { address: address.clone(), base: false, reply }).await?;
        (expect, saw) = (Some(entry.version), entry.value.text.parse().ok());
    }
    let (value, caller) = (value.to_string(), Caller { user: "tester".into(), uid: 0 });
    core.ask(|reply| Request::Put { address, value, kind: None, expect, at: None, caller, reply }).await?;
    Ok(saw)
}

/// Looks whether a future of the world, outside of all machines, is ready.
fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
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
