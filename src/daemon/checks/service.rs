//! The task that runs checks and reloads, each where it may block, so many at once and no more.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use murmurate_client::types::HeldReason;
use murmurate_net::environment::Environment;
use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::limits::{CHECKS_AT_ONCE, PID_FILE_BYTES, QUEUED, RELOADS_AT_ONCE};
use super::message::{CheckCommand, CheckEvent, CheckFailure, CheckJob, JobId};
use super::process::{Ended, How, Run, read_small};
use super::rules::{Action, CheckRule, Rules};
use super::schema;
use super::staging::Staged;
use crate::daemon::files::FileSystem;

/// Runs what the core asks for. Ends, with all that runs, when the sender of commands is dropped.
#[derive(Debug)]
pub struct CheckService {
    shared: Shared,
    events: mpsc::Sender<CheckEvent>,
    checks: VecDeque<CheckJob>,
    reloads: VecDeque<(JobId, usize)>,
    /// Places in staging that are free: one for each check that may run.
    places: BTreeSet<usize>,
    free_reloads: usize,
    running: JoinSet<Finished>,
}

/// What every job needs.
#[derive(Debug, Clone)]
struct Shared {
    environment: Environment,
    rules: Arc<Rules>,
    files: Arc<dyn FileSystem>,
    stop: Arc<AtomicBool>,
}

/// A job's end, and its place, if it was a check.
struct Finished {
    event: CheckEvent,
    place: Option<usize>,
}

impl CheckService {
    /// Starts with these rules. Must be called within a tokio runtime.
    #[must_use]
    pub fn start(
        environment: Environment,
        rules: Arc<Rules>,
        files: Arc<dyn FileSystem>,
    ) -> (mpsc::Sender<CheckCommand>, mpsc::Receiver<CheckEvent>) {
        let (command_sender, commands) = mpsc::channel(QUEUED);
        let (events, event_receiver) = mpsc::channel(QUEUED);
        let service = Self {
            shared: Shared { environment, rules, files, stop: Arc::default() },
            events,
            checks: VecDeque::new(),
            reloads: VecDeque::new(),
            places: (0..CHECKS_AT_ONCE).collect(),
            free_reloads: RELOADS_AT_ONCE,
            running: JoinSet::new(),
        };
        tokio::spawn(service.run(commands));
        (command_sender, event_receiver)
    }

    async fn run(mut self, mut commands: mpsc::Receiver<CheckCommand>) {
        loop {
            tokio::select! {
                biased;
                Some(Ok(finished)) = self.running.join_next() => {
                    match finished.place {
                        Some(place) => drop(self.places.insert(place)),
                        None => self.free_reloads += 1,
                    }
                    // The core takes events whatever else it does; that it is gone shows in the commands.
                    let _ = self.events.send(finished.event).await;
                }
                command = commands.recv() => match command {
                    Some(CheckCommand::Check(job)) => self.checks.push_back(job),
                    Some(CheckCommand::Reload { job, rule }) => self.reloads.push_back((job, rule)),
                    None => return,
                },
            }
            self.begin();
        }
    }

    fn begin(&mut self) {
        while let Some(place) = self.places.first().copied()
            && let Some(job) = self.checks.pop_front()
        {
            self.places.remove(&place);
            let shared = self.shared.clone();
            self.running.spawn(async move {
                let name = job.job;
                let environment = shared.environment.clone();
                let result = environment.blocking(move || guarded(|| shared.check(&job, place))).await;
                Finished { event: CheckEvent { job: name, result }, place: Some(place) }
            });
        }
        while self.free_reloads > 0
            && let Some((job, rule)) = self.reloads.pop_front()
        {
            self.free_reloads -= 1;
            let shared = self.shared.clone();
            self.running.spawn(async move {
                let environment = shared.environment.clone();
                let result = environment.blocking(move || shared.reload(rule)).await;
                Finished { event: CheckEvent { job, result }, place: None }
            });
        }
    }
}

impl Drop for CheckService {
    fn drop(&mut self) {
        // What runs on another thread looks at this soon.
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    /// All rules about the document, the schemas first: they cost least. The first that fails decides.
    fn check(&self, job: &CheckJob, place: usize) -> Result<(), CheckFailure> {
        let name = job.document.as_str();
        for rule in self.rules.schemas.iter().filter(|rule| rule.files.matches(name)) {
            schema::check(&rule.schema, job.meaning.as_ref())?;
        }
        let mut commands = self.rules.checks.iter().filter(|rule| rule.files.matches(name)).peekable();
        if commands.peek().is_none() {
            return Ok(());
        }
        let staged = Staged::new(&*self.files, job, place).map_err(|error| {
            let why = format!("the check can't be run: staging the file: {error}");
            CheckFailure { cause: HeldReason::Check, why, output: String::new() }
        })?;
        commands.try_for_each(|rule| self.check_by(rule, job, &staged.full))
    }

    fn check_by(&self, rule: &CheckRule, job: &CheckJob, staged: &Path) -> Result<(), CheckFailure> {
        let (file, document) = (staged.display().to_string(), job.document.as_str());
        let words: Vec<String> =
            rule.command.iter().map(|word| word.replace("{file}", &file).replace("{doc}", document)).collect();
        let variables = vec![("MURMURATE_FILE", file.clone()), ("MURMURATE_DOC", document.to_owned())];
        let run = Run { words: &words, variables, timeout: rule.timeout, is_alone: true };
        let ended = run.run(&*self.environment.clock, &self.stop);
        // The staged file is gone by the time somebody reads this.
        let real = job.root.join(job.document.path()).display().to_string();
        let ended = Ended { output: ended.output.replace(&file, &real), ..ended };
        judge(HeldReason::Check, &format!("the check `{}`", rule.command.join(" ")), rule.timeout, ended)
    }

    fn reload(&self, rule: usize) -> Result<(), CheckFailure> {
        let Some(rule) = self.rules.reloads.get(rule) else { return Ok(()) };
        let what = format!("the reload `{}`", rule.action);
        match &rule.action {
            Action::Command(words) => {
                let run = Run { words, variables: Vec::new(), timeout: rule.timeout, is_alone: false };
                judge(HeldReason::Reload, &what, rule.timeout, run.run(&*self.environment.clock, &self.stop))
            }
            Action::Signal { signal, pid_file, .. } => send(*signal, pid_file).map_err(|why| CheckFailure {
                cause: HeldReason::Reload,
                why: format!("{what} can't be sent: {why}"),
                output: String::new(),
            }),
        }
    }
}

fn judge(cause: HeldReason, what: &str, timeout: std::time::Duration, ended: Ended) -> Result<(), CheckFailure> {
    let why = match ended.how {
        How::Exited(status) if status.success() => return Ok(()),
        How::Exited(status) => match status.code() {
            Some(code) => format!("{what} failed with exit code {code}{}", quoted(&ended.output)),
            None => format!("{what} failed: {status}{}", quoted(&ended.output)),
        },
        How::TimedOut => format!("{what} took longer than {} s and was ended", timeout.as_secs()),
        How::Stopped => format!("{what} was ended with the daemon"),
        How::NotRun(error) => format!("{what} can't be run: {error}"),
    };
    Err(CheckFailure { cause, why, output: ended.output })
}

/// A schema's validator that panics on a value takes nothing else with it.
fn guarded(check: impl FnOnce() -> Result<(), CheckFailure>) -> Result<(), CheckFailure> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).unwrap_or_else(|_| {
        let why = "the check can't be run: the validator has a fault; the daemon's log has more".to_owned();
        Err(CheckFailure { cause: HeldReason::Schema, why, output: String::new() })
    })
}

/// The last line of an output: where most programs say what is wrong.
fn quoted(output: &str) -> String {
    const SHOWN_BYTES: usize = 200;
    match output.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => format!(": {}", &line.trim()[..line.trim().floor_char_boundary(SHOWN_BYTES)]),
        None => String::new(),
    }
}

/// Sends a signal to the very process that the file names now.
fn send(signal: rustix::process::Signal, pid_file: &Path) -> Result<(), String> {
    let name = pid_file.display();
    let text = read_small(pid_file, PID_FILE_BYTES).map_err(|error| format!("{name}: {error}"))?.unwrap_or_default();
    // 1 is the system's first process, which no service is.
    let number = text.trim().parse::<i32>().ok().filter(|number| *number > 1).and_then(Pid::from_raw);
    let number = number.ok_or_else(|| format!("{name} holds no process number"))?;
    let sent = pidfd_open(number, PidfdFlags::empty()).and_then(|process| pidfd_send_signal(process, signal));
    sent.map_err(|error| format!("process {}: {error}", number.as_raw_nonzero()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use bytes::Bytes;
    use murmurate_crdt::id::DocumentId;

    use super::*;
    use crate::daemon::checks::pattern::Pattern;
    use crate::daemon::files::HostFileSystem;

    const LONG: Duration = Duration::from_secs(60);

    fn script(text: &str) -> CheckRule {
        let command = ["sh", "-c", text, "check", "{file}", "{doc}"].map(str::to_owned).to_vec();
        CheckRule { files: Pattern::new("web").unwrap(), command, timeout: LONG }
    }

    fn folder() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join(".murmurate")).unwrap();
        root
    }

    fn job(number: u64, root: &Path, content: &str) -> CheckJob {
        CheckJob {
            job: JobId(number),
            root: root.to_owned(),
            document: DocumentId::new("web/conf.d/a.conf").unwrap(),
            bytes: Bytes::from(content.to_owned()),
            executable: false,
            meaning: None,
        }
    }

    async fn run(rules: Rules, jobs: Vec<CheckJob>) -> Vec<CheckEvent> {
        let (commands, mut events) =
            CheckService::start(Environment::system(), Arc::new(rules), Arc::new(HostFileSystem));
        let count = jobs.len();
        for job in jobs {
            commands.send(CheckCommand::Check(job)).await.unwrap();
        }
        let mut ended = Vec::new();
        while ended.len() < count {
            ended.push(events.recv().await.unwrap());
        }
        ended.sort_by_key(|event| event.job);
        ended
    }

    fn why(event: &CheckEvent) -> &str {
        event.result.as_ref().map_or_else(|failure| &*failure.why, |()| "")
    }

    #[tokio::test]
    async fn a_command_sees_the_content_under_the_files_name_and_its_output_names_the_file() {
        let root = folder();
        let text = "test \"$(basename \"$1\")\" = a.conf && test \"$2\" = web/conf.d/a.conf && grep -q good \"$1\" \
                    || { echo \"$1:1: bad\"; exit 2; }";
        let rules = Rules { checks: vec![script(text)], ..Rules::default() };
        let ended = run(rules, vec![job(1, root.path(), "good"), job(2, root.path(), "evil")]).await;
        assert_eq!(why(&ended[0]), "");
        let failure = ended[1].result.as_ref().unwrap_err();
        let real = root.path().join("conf.d/a.conf").display().to_string();
        assert_eq!(failure.output, format!("{real}:1: bad"));
        assert!(failure.why.contains("exit code 2") && failure.why.ends_with("bad"), "{}", failure.why);
        let left = |place: usize| std::fs::read_dir(root.path().join(format!(".murmurate/checks/{place}")));
        assert!((0..2).all(|place| left(place).is_ok_and(|names| names.count() == 0)));
    }

    #[tokio::test]
    async fn more_checks_than_may_run_at_once_all_come_through() {
        let root = folder();
        let rules = Rules { checks: vec![script("grep -q even \"$1\"")], ..Rules::default() };
        let jobs = (0..30).map(|number| job(number, root.path(), if number % 2 == 0 { "even" } else { "odd" }));
        let ended = run(rules, jobs.collect()).await;
        assert!(ended.iter().all(|event| event.result.is_ok() == event.job.0.is_multiple_of(2)), "{ended:?}");
    }

    #[tokio::test]
    async fn a_folder_that_is_gone_and_a_command_that_hangs_are_told() {
        let rule = CheckRule { timeout: Duration::from_secs(1), ..script("sleep 1000") };
        let rules = Rules { checks: vec![rule], ..Rules::default() };
        let root = folder();
        let gone = PathBuf::from("/nonexistent/folder");
        let ended = run(rules, vec![job(1, &gone, "x"), job(2, root.path(), "x")]).await;
        assert!(why(&ended[0]).contains("staging the file"), "{ended:?}");
        assert!(why(&ended[1]).contains("longer than 1 s"), "{ended:?}");
    }

    #[test]
    fn a_pid_file_that_names_no_process_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        let why = || send(rustix::process::Signal::HUP, &path).unwrap_err();
        assert!(why().contains("No such file"));
        for text in ["", "one", "1\n", "0", "-1", &"9".repeat(PID_FILE_BYTES + 1)] {
            std::fs::write(&path, text).unwrap();
            assert!(why().contains("no process number"), "{text}");
        }
    }
}
