//! What the steps of a put and of an edit cost in a document, by its number of keys: no disk, no network, one core.
//!
//! ```text
//!  put ──▶ sign ──▶ ingest (decode, signature, checks) ──▶ apply ──▶ show ──▶ conflicts
//!  save ─▶ take_file ─▶ sign ──▶ ingest ──▶ apply a file                └─▶ render from scratch
//! ```
//! `cargo bench --bench documents -- [--rounds N]`. Prints medians in microseconds.

use std::process::ExitCode;
use std::time::Instant;

use ed25519_dalek::SigningKey;
use murmurate_crdt::change;
use murmurate_crdt::conflict;
use murmurate_crdt::document::{Document, Written};
use murmurate_crdt::edit::{Editor, PutOutcome, PutType};
use murmurate_crdt::envelope::{Envelope, MESH_LEVEL, SignedEnvelope};
use murmurate_crdt::id::{ActorId, DocumentId, Generation, Lane, MeshId, NodeId};
use murmurate_crdt::key::parse_key;
use murmurate_crdt::shown::Shown;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Keys of the documents. The largest is just below the limit of keys in a file.
const SIZES: [usize; 4] = [10, 100, 1_000, 9_900];
/// How often a whole file is applied: the largest takes most of a second.
const FILE_ROUNDS: usize = 10;
/// Keys that two hosts put at once, for the listing of conflicts.
const CONFLICTS: usize = 5;
const MESH: MeshId = MeshId([7; 16]);

/// The steps, in the order of the columns.
#[derive(Clone, Copy)]
enum Step {
    Put,
    Sign,
    Ingest,
    Apply,
    ApplyFile,
    Show,
    NoConflicts,
    Render,
    TakeFile,
    Conflicts,
}

const NAMES: [&str; 10] = [
    "put",
    "sign",
    "ingest",
    "apply",
    "apply a new file",
    "show after a put",
    "no conflicts",
    "render from scratch",
    "take a file",
    "5 conflicts",
];

/// How long each step took, each time.
#[derive(Default)]
struct Times([Vec<f64>; NAMES.len()]);

impl Times {
    fn time<T>(&mut self, step: Step, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.0[step as usize].push(start.elapsed().as_secs_f64() * 1e6);
        result
    }

    fn medians(&mut self) -> String {
        let median = |times: &mut Vec<f64>| {
            times.sort_by(f64::total_cmp);
            times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
        };
        self.0.iter_mut().map(|times| format!(" {:.0} |", median(times))).collect()
    }
}

/// A host's copy of the document.
struct Host {
    document: Document,
    shown: Shown,
    key: SigningKey,
    editor: Editor,
}

impl Host {
    fn new(number: u8) -> Outcome<Self> {
        let editor = Editor { actor: ActorId([number; 16]), time_ms: 0, user: String::new() };
        let document = Document::new(DocumentId::new("f/app.toml")?);
        Ok(Self { document, shown: Shown::default(), key: SigningKey::from_bytes(&[number; 32]), editor })
    }

    fn sign(&self, written: &Written) -> SignedEnvelope {
        let envelope = Envelope {
            level: MESH_LEVEL,
            document: self.document.id().clone(),
            generation: Generation::default(),
            set: None,
            author: NodeId::of_public_key(self.key.verifying_key().as_bytes()),
            dot: written.dot,
            time_ms: 0,
            dependencies: written.dependencies.clone(),
            user: String::new(),
            message: String::new(),
            change: written.change.clone(),
        };
        envelope.sign(MESH, &self.key)
    }

    fn put(&mut self, key: usize, value: &str) -> Outcome<Written> {
        let rendered = self.shown.rendered(&self.document);
        let steps = parse_key(&key_of(key))?;
        match self.document.put(&rendered, &steps, value, PutType::Automatic, &self.editor)? {
            PutOutcome::Written(written) => Ok(written),
            PutOutcome::Unchanged(_) => Err("nothing was put".into()),
        }
    }

    fn receive(&mut self, envelope: &SignedEnvelope) -> Outcome<()> {
        let registers = self.document.apply(envelope)?;
        self.shown.touch(registers);
        Ok(())
    }
}

/// 20 keys to a table.
fn key_of(key: usize) -> String {
    format!("t{}.k{key}", key / 20)
}

fn file(keys: usize) -> String {
    let line = |key: usize| {
        let header = if key.is_multiple_of(20) { format!("\n[t{}]\n", key / 20) } else { String::new() };
        format!("{header}k{key} = {key}\n")
    };
    (0..keys).map(line).collect()
}

fn measure(keys: usize, rounds: usize) -> Outcome<String> {
    let (mut ours, mut theirs) = (Host::new(1)?, Host::new(2)?);
    let text = file(keys);
    let empty = ours.document.render();
    let first = ours.document.take_file(&empty, text.as_bytes(), false, Lane::FILE, &ours.editor)?;
    let first = ours.sign(&first.ok_or("no edit")?);
    let mut times = Times::default();
    for _ in 0..rounds.min(FILE_ROUNDS) {
        theirs = Host::new(2)?;
        times.time(Step::ApplyFile, || theirs.receive(&first))?;
    }
    for round in 0..rounds {
        // As a daemon has it: rendered already, when the put comes.
        ours.shown.rendered(&ours.document);
        theirs.shown.conflicts(&theirs.document);
        let value = (100_000 + round).to_string();
        let written = times.time(Step::Put, || ours.put(3, &value))?;
        let envelope = times.time(Step::Sign, || ours.sign(&written));
        ours.shown.touch(written.registers);
        let bytes = envelope.bytes().clone();
        let public = ours.key.verifying_key();
        let received = times.time(Step::Ingest, || -> Outcome<SignedEnvelope> {
            let envelope = SignedEnvelope::decode(bytes)?;
            envelope.verify(MESH, &public)?;
            change::check(&envelope)?;
            Ok(envelope)
        })?;
        times.time(Step::Apply, || theirs.receive(&received))?;
        times.time(Step::Show, || theirs.shown.rendered(&theirs.document));
        times.time(Step::NoConflicts, || theirs.shown.conflicts(&theirs.document));
        let rendered = times.time(Step::Render, || theirs.document.render());
        let edited = String::from_utf8(rendered.file().ok_or("no file")?.bytes.clone())?;
        let edited = edited.replace("k5 = ", "k5 = 1").replace("k3 = ", "k3 = 1");
        // A copy, so that every round takes in the same edit.
        let mut copy = theirs.document.clone();
        times
            .time(Step::TakeFile, || copy.take_file(&rendered, edited.as_bytes(), false, Lane::FILE, &theirs.editor))?;
    }
    for key in 0..CONFLICTS {
        let (left, right) = (ours.put(key, "90001")?, theirs.put(key, "90002")?);
        let (to_theirs, to_ours) = (ours.sign(&left), theirs.sign(&right));
        ours.shown.touch(left.registers);
        theirs.shown.touch(right.registers);
        ours.receive(&to_ours)?;
        theirs.receive(&to_theirs)?;
    }
    let rendered = ours.document.render();
    for _ in 0..rounds {
        let found = times.time(Step::Conflicts, || conflict::conflicts(&ours.document, &rendered));
        if found.len() != CONFLICTS {
            return Err(format!("{} conflicts instead of {CONFLICTS}", found.len()).into());
        }
    }
    Ok(times.medians())
}

fn run() -> Outcome<()> {
    let mut rounds = 50;
    let mut given = std::env::args().skip(1).filter(|argument| argument != "--bench");
    while let Some(name) = given.next() {
        match (name.as_str(), given.next()) {
            ("--rounds", Some(value)) => rounds = value.parse()?,
            _ => return Err(format!("unknown option {name}").into()),
        }
    }
    let load = || std::fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned();
    println!("load average {}\n", load());
    println!("| keys |{}", NAMES.map(|name| format!(" {name} |")).concat());
    println!("|---|{}", "---|".repeat(NAMES.len()));
    for keys in SIZES {
        println!("| {keys} |{}", measure(keys, rounds)?);
    }
    println!("\nmedians in microseconds; load average {}", load());
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
