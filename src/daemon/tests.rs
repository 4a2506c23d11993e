//! Whole daemons in one process: real store, real QUIC on loopback, real folders. The command line has its own tests.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use murmurate_client::types::{AddFolder, Conflicts};
use murmurate_net::Environment;

use super::core::Slot;
use super::request::{Caller, Request};
use super::store::{Batch, Directory, LogOptions, LogStore, Store};
use super::{Daemon, DaemonConfig, throwaway_mesh};

/// How long a condition may take. Far above what it needs: a slow machine isn't a failure.
const PATIENCE: Duration = Duration::from_secs(30);

struct Host {
    daemon: Option<Daemon>,
    config: DaemonConfig,
    folder: PathBuf,
}

struct Mesh {
    _dir: tempfile::TempDir,
    hosts: Vec<Host>,
    environment: Environment,
}

/// A free port below those that the system gives out by itself: between two runs of a host nobody else takes it, and no
/// other test gets it.
fn free_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let mut ports = (0..2_000).map(|_| first + NEXT.fetch_add(1, Ordering::Relaxed));
    let free = ports.find_map(|port| std::net::UdpSocket::bind(("127.0.0.1", port)).ok());
    free.expect("one of 2,000 ports is free").local_addr().unwrap()
}

impl Mesh {
    async fn start(count: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let environment = Environment::system();
        let names: Vec<String> = (1..=count).map(|number| format!("host-{number}")).collect();
        let made = throwaway_mesh(&environment, &names).unwrap();
        let addresses: Vec<SocketAddr> = (0..count).map(|_| free_port()).collect();
        let mut hosts = Vec::new();
        for (index, made) in made.into_iter().enumerate() {
            let data_dir = dir.path().join(&names[index]).join("data");
            std::fs::create_dir_all(&data_dir).unwrap();
            made.save(&data_dir).unwrap();
            let folder = dir.path().join(&names[index]).join("config");
            std::fs::create_dir_all(&folder).unwrap();
            let peers = addresses.iter().filter(|other| **other != addresses[index]);
            let config = DaemonConfig {
                zone: String::new(),
                runtime_dir: dir.path().join(&names[index]).join("run"),
                listen: addresses[index],
                advertise: Vec::new(),
                peers: peers.map(|address| address.to_string().parse().unwrap()).collect(),
                certificate_validity: Duration::from_secs(86_400),
                forget_after: Duration::from_secs(86_400),
                roles: Vec::new(),
                rules: Arc::default(),
                data_dir,
            };
            hosts.push(Host { daemon: None, config, folder });
        }
        let mut mesh = Self { _dir: dir, hosts, environment };
        for index in 0..count {
            mesh.up(index);
            mesh.add_folder(index).await;
        }
        mesh
    }

    fn up(&mut self, index: usize) {
        let host = &mut self.hosts[index];
        host.daemon = Some(Daemon::start(&host.config, &self.environment).unwrap());
    }

    async fn down(&mut self, index: usize) {
        self.hosts[index].daemon.take().unwrap().shut_down().await;
        // A dial that was cut short keeps the socket for some round trips more.
        let address = self.hosts[index].config.listen;
        wait_for(|| std::net::UdpSocket::bind(address).is_ok(), || format!("{address} is in use")).await;
    }

    fn daemon(&self, index: usize) -> &Daemon {
        self.hosts[index].daemon.as_ref().unwrap()
    }

    async fn add_folder(&self, index: usize) {
        self.add_folder_as(index, "config", &self.hosts[index].folder).await;
    }

    async fn add_folder_as(&self, index: usize, name: &str, dir: &Path) {
        let folder = AddFolder { name: name.into(), dir: dir.display().to_string(), adopt: false };
        self.daemon(index).core.ask(|reply| Request::FolderAdd { folder, reply }).await.unwrap();
    }

    async fn remove_folder(&self, index: usize, name: &str) {
        let name = name.to_string();
        self.daemon(index).core.ask(|reply| Request::FolderRemove { name, reply }).await.unwrap();
    }

    /// Waits until the host has a document, or hasn't.
    async fn has_document(&self, index: usize, doc: &str, present: bool) {
        let ask = |reply| Request::Documents { prefix: doc.into(), after: None, reply };
        let done = async || self.daemon(index).core.ask(ask).await.unwrap().documents.is_empty() != present;
        wait_until(done, || format!("{doc} should be there: {present}")).await;
    }

    /// Waits until the host shows this value, alone or in conflict with others.
    async fn has_value(&self, index: usize, address: &str, value: &str) {
        let ask = |reply| Request::Get { address: address.into(), base: false, reply };
        let done = async || self.daemon(index).core.ask(ask).await.unwrap().value.text == value;
        wait_until(done, || format!("{address} should be {value}")).await;
    }

    async fn put(&self, index: usize, address: &str, value: &str) {
        let caller = Caller { user: "tester".into(), uid: 0 };
        let (address, value) = (address.to_string(), value.to_string());
        let put = |reply| Request::Put { address, value, kind: None, expect: None, at: None, caller, reply };
        self.daemon(index).core.ask(put).await.unwrap();
    }

    async fn conflicts(&self, index: usize) -> Conflicts {
        let ask = |reply| Request::Conflicts { prefix: String::new(), reply };
        self.daemon(index).core.ask(ask).await.unwrap()
    }

    fn path(&self, index: usize, name: &str) -> PathBuf {
        self.hosts[index].folder.join(name)
    }

    /// Waits until the file has this text on all hosts.
    async fn all_have(&self, name: &str, text: &str) {
        for index in 0..self.hosts.len() {
            let path = self.path(index, name);
            wait_for(|| std::fs::read_to_string(&path).unwrap_or_default() == text, || seen(&path)).await;
        }
    }

    async fn converged(&self, index: usize) {
        let mut converged = self.daemon(index).core.converged();
        let all = tokio::time::timeout(PATIENCE, converged.wait_for(|converged| converged.converged)).await;
        assert!(all.is_ok(), "{:?}", *self.daemon(index).core.converged().borrow());
    }
}

fn seen(path: &Path) -> String {
    format!("{}: {:?}", path.display(), std::fs::read_to_string(path))
}

async fn wait_for(done: impl Fn() -> bool, seen: impl Fn() -> String) {
    wait_until(async || done(), seen).await;
}

async fn wait_until(done: impl AsyncFn() -> bool, seen: impl Fn() -> String) {
    let started = Instant::now();
    while !done().await {
        assert!(started.elapsed() < PATIENCE, "{}", seen());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const APP: &str = "# the app\nname = \"a\" # here\nport = 8080\n\n[tls]\ncert = \"c.pem\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_saved_file_is_on_all_hosts_and_edits_of_two_keys_merge() {
    let mesh = Mesh::start(3).await;
    std::fs::write(mesh.path(0, "app.toml"), APP).unwrap();
    mesh.all_have("app.toml", APP).await;
    std::fs::write(mesh.path(0, "app.toml"), APP.replace("8080", "9090")).unwrap();
    std::fs::write(mesh.path(1, "app.toml"), APP.replace("c.pem", "d.pem")).unwrap();
    mesh.all_have("app.toml", &APP.replace("8080", "9090").replace("c.pem", "d.pem")).await;
    mesh.put(2, "config/app.toml#name", "b").await;
    let expected = APP.replace("8080", "9090").replace("c.pem", "d.pem").replace("\"a\"", "\"b\"");
    mesh.all_have("app.toml", &expected).await;
    mesh.converged(0).await;
    std::fs::remove_file(mesh.path(2, "app.toml")).unwrap();
    for index in 0..3 {
        let path = mesh.path(index, "app.toml");
        wait_for(|| !path.exists(), || seen(&path)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_was_down_catches_up_and_its_own_edits_count() {
    let mut mesh = Mesh::start(2).await;
    std::fs::write(mesh.path(0, "app.toml"), APP).unwrap();
    mesh.all_have("app.toml", APP).await;
    mesh.converged(0).await;
    mesh.down(1).await;
    mesh.put(0, "config/app.toml#port", "1").await;
    std::fs::write(mesh.path(1, "app.toml"), APP.replace("8080", "2")).unwrap();
    mesh.up(1);
    mesh.converged(1).await;
    wait_for(
        || {
            let texts: Vec<_> =
                (0..2).map(|index| std::fs::read_to_string(mesh.path(index, "app.toml")).unwrap()).collect();
            texts[0] == texts[1] && (texts[0].contains("port = 1\n") || texts[0].contains("port = 2\n"))
        },
        || format!("{}\n{}", seen(&mesh.path(0, "app.toml")), seen(&mesh.path(1, "app.toml"))),
    )
    .await;
    mesh.converged(0).await;
    let conflicts = mesh.conflicts(0).await;
    assert_eq!(conflicts.conflicts.len(), 1, "{conflicts:?}");
    assert_eq!(conflicts.conflicts[0].values.len(), 2);
    assert_eq!(conflicts, mesh.conflicts(1).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_the_same_when_its_folder_joined_is_known_after_a_restart() {
    let mut mesh = Mesh::start(2).await;
    std::fs::write(mesh.path(0, "app.toml"), APP).unwrap();
    mesh.all_have("app.toml", APP).await;
    mesh.remove_folder(1, "config").await;
    mesh.add_folder(1).await;
    mesh.converged(1).await;
    mesh.down(1).await;
    std::fs::remove_file(mesh.path(1, "app.toml")).unwrap();
    mesh.up(1);
    mesh.has_document(0, "config/app.toml", false).await;
    let path = mesh.path(0, "app.toml");
    wait_for(|| !path.exists(), || seen(&path)).await;
}

/// Brings the store to where it would be had the daemon ended right after the file was replaced the last time.
fn forget_last_write(mesh: &Mesh, name: &str) {
    let directory = Directory::open(&mesh.hosts[0].config.data_dir.join("store")).unwrap();
    let store = LogStore::open(Arc::new(directory), LogOptions::default(), &mut mesh.environment.rng()).unwrap();
    let key = format!("base/config/{name}");
    let slot = Slot::before_last_write(&store.state(&key).unwrap().unwrap());
    store.commit(&Batch { states: vec![(key, Some(slot))], ..Batch::default() }).unwrap();
}

async fn check_edit_after_a_write_that_was_cut_off(in_staging: bool) {
    let mut mesh = Mesh::start(1).await;
    let path = mesh.path(0, "app.toml");
    std::fs::write(&path, "k = 1\n").unwrap();
    mesh.has_document(0, "config/app.toml", true).await;
    mesh.put(0, "config/app.toml#k", "2").await;
    mesh.all_have("app.toml", "k = 2\n").await;
    mesh.converged(0).await;
    mesh.down(0).await;
    forget_last_write(&mesh, "app.toml");
    if !in_staging {
        std::fs::remove_dir_all(mesh.path(0, ".murmurate/staging")).unwrap();
        std::fs::create_dir(mesh.path(0, ".murmurate/staging")).unwrap();
    }
    // An old file is read at once, and what is read after it tells that it was.
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(std::time::SystemTime::now() - Duration::from_secs(60)).unwrap();
    drop(file);
    std::fs::write(mesh.path(0, "later.toml"), "k = 1\n").unwrap();
    mesh.up(0);
    mesh.has_document(0, "config/later.toml", true).await;
    mesh.down(0).await;
    std::fs::write(&path, "k = 3\n").unwrap();
    mesh.up(0);
    mesh.has_value(0, "config/app.toml#k", "3").await;
    assert_eq!(mesh.conflicts(0).await.conflicts, [], "its editor saw what was put");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_was_cut_off_is_the_ground_of_edits_after_the_next_start_too() {
    check_edit_after_a_write_that_was_cut_off(true).await;
    check_edit_after_a_write_that_was_cut_off(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_may_be_called_like_a_kind_of_state() {
    let mut mesh = Mesh::start(1).await;
    let dir = mesh.hosts[0].folder.with_file_name("other");
    std::fs::create_dir_all(&dir).unwrap();
    mesh.add_folder_as(0, "base", &dir).await;
    std::fs::write(dir.join("app.toml"), APP).unwrap();
    mesh.has_document(0, "base/app.toml", true).await;
    mesh.converged(0).await;
    mesh.down(0).await;
    std::fs::remove_file(dir.join("app.toml")).unwrap();
    mesh.up(0);
    mesh.has_document(0, "base/app.toml", false).await;
}

/// All files that were kept outside of a folder.
/// They are rendered a part at a time; nothing else happens that would wake the host for the next part.
#[tokio::test]
async fn a_host_with_many_documents_brings_all_in_step_when_it_starts() {
    const DOCUMENTS: usize = 1_000;
    let mut mesh = Mesh::start(1).await;
    for number in 0..DOCUMENTS {
        std::fs::write(mesh.path(0, &format!("{number:04}.toml")), format!("a = {number}\n")).unwrap();
    }
    mesh.has_document(0, &format!("config/{:04}.toml", DOCUMENTS - 1), true).await;
    mesh.converged(0).await;
    mesh.down(0).await;
    mesh.up(0);
    mesh.converged(0).await;
    mesh.put(0, "config/0999.toml#a", "7").await;
    mesh.all_have("0999.toml", "a = 7\n").await;
}

fn kept(host: &Host) -> Vec<PathBuf> {
    let directory = host.config.data_dir.join("kept/config");
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_edit_of_a_file_that_was_just_replaced_is_kept_and_holds_nothing() {
    use std::os::unix::fs::FileExt;
    let mesh = Mesh::start(2).await;
    std::fs::write(mesh.path(0, "app.toml"), APP).unwrap();
    mesh.all_have("app.toml", APP).await;
    let path = mesh.path(1, "app.toml");
    let mut port = 9000;
    // A writer that has the file open while it is replaced. Only one that is slower than all looks isn't seen.
    while kept(&mesh.hosts[1]).is_empty() {
        assert!(port < 9010, "no edit was kept");
        port += 1;
        let open = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        mesh.put(0, "config/app.toml#port", &port.to_string()).await;
        mesh.all_have("app.toml", &APP.replace("8080", &port.to_string())).await;
        open.write_all_at(b"= = =", 0).unwrap();
        let looked = Instant::now() + Duration::from_secs(5);
        while kept(&mesh.hosts[1]).is_empty() && Instant::now() < looked {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    mesh.put(0, "config/app.toml#port", "1").await;
    mesh.all_have("app.toml", &APP.replace("8080", "1")).await;
    mesh.converged(1).await;
    let text = std::fs::read_to_string(&kept(&mesh.hosts[1])[0]).unwrap();
    assert!(text.starts_with("= = ="), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn puts_that_come_together_have_each_their_answer_their_author_and_their_value() {
    const KEYS: usize = 8;
    let mut mesh = Mesh::start(2).await;
    let file: String = (0..KEYS).map(|key| format!("k{key} = 0\n")).collect();
    std::fs::write(mesh.path(0, "app.toml"), &file).unwrap();
    mesh.all_have("app.toml", &file).await;
    let puts = (1..=5 * KEYS).map(|number| {
        let caller = Caller { user: format!("user-{}", number % 2), uid: 0 };
        let (address, value) = (format!("config/app.toml#k{}", number % KEYS), number.to_string());
        let put = |reply| Request::Put { address, value, kind: None, expect: None, at: None, caller, reply };
        mesh.daemon(0).core.ask(put)
    });
    let results = futures_util::future::join_all(puts).await;
    let mut versions = std::collections::BTreeSet::new();
    for (result, number) in results.into_iter().zip(1..) {
        let result = result.unwrap();
        assert_eq!(result.key, format!("k{}", number % KEYS));
        assert!(versions.insert((result.key.clone(), result.version.clone())), "{result:?} was given twice");
    }
    let mut shown = Vec::new();
    for key in 0..KEYS {
        let address = format!("config/app.toml#k{key}");
        let entry = mesh.daemon(0).core.ask(|reply| Request::Get { address, base: false, reply }).await.unwrap();
        let number: usize = entry.value.text.parse().unwrap();
        assert!(number > 0 && number % KEYS == key, "{entry:?}");
        assert_eq!(entry.author, Some(format!("user-{}", number % 2)));
        assert!(versions.contains(&(entry.key.clone(), entry.version.clone())), "{entry:?}");
        shown.push(format!("k{key} = {number}\n"));
    }
    mesh.all_have("app.toml", &shown.concat()).await;
    mesh.down(0).await;
    mesh.up(0);
    mesh.converged(0).await;
    mesh.all_have("app.toml", &shown.concat()).await;
    assert!(mesh.conflicts(1).await.conflicts.is_empty());
}
