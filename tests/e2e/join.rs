//! Real hosts join by nothing but the commands that README.md names, and leave again.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value as Json, json};

use crate::harness::{
    APP_TOML, Client, Directory, Failure, HostsApart, Namespace, Process, eventually_of, free_address, murmurate, poll,
    run,
};

/// A host that gets its place by `init` or `join`, with directories of its own.
struct Host {
    name: String,
    directory: PathBuf,
    listen: Option<String>,
    namespace: Option<String>,
    variables: &'static [(&'static str, &'static str)],
    daemon: Option<Process>,
}

impl Host {
    /// On loopback, beside the others.
    fn beside(directory: &Directory, name: &str) -> Self {
        let own = directory.path().join(name);
        std::fs::create_dir_all(own.join("config")).unwrap();
        let listen = Some(free_address().to_string());
        Self { name: name.to_owned(), directory: own, listen, namespace: None, variables: &[], daemon: None }
    }

    fn socket(&self) -> PathBuf {
        self.directory.join("socket")
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_murmurate");
        let mut command = self.namespace.as_ref().map_or_else(murmurate, |name| Namespace::command(name, program));
        command.env("MURMURATE_RUNTIME_DIR", self.directory.join("run"));
        command.envs(self.variables.iter().copied());
        command.args(arguments).arg("--socket").arg(self.socket());
        command
    }

    /// The flags that make it one host of several on a machine.
    fn own_flags(&self) -> Vec<String> {
        let mut flags = vec!["--data-dir".to_owned(), self.data().display().to_string()];
        flags.extend(self.listen.iter().flat_map(|listen| ["--listen".to_owned(), listen.clone()]));
        flags
    }

    fn gets_place(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        command.args(self.own_flags()).args(["--name", &self.name]);
        run(command)
    }

    #[track_caller]
    fn init(&self) -> Json {
        let output = self.gets_place(&["init", "-o", "json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    #[track_caller]
    fn joins(&self, ticket: &str) {
        let output = self.gets_place(&["join", ticket]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    #[track_caller]
    fn joins_not(&self, ticket: &str, code: &str) -> Failure {
        let output = self.gets_place(&["join", ticket]);
        let failure = Failure::of(&output);
        assert!(!output.status.success() && failure.lines.len() == 3, "{failure:?}");
        assert!(failure.lines[0].contains(code), "{failure:?}");
        assert!(!self.data().join("identity").exists());
        failure
    }

    /// Starts the daemon and waits until it answers.
    fn up(&mut self) {
        let mut command = self.command(&["up"]);
        command.args(self.own_flags()).arg("--die-with-parent").arg(std::process::id().to_string());
        let log = self.directory.join("log");
        let mut daemon = Process::spawn(command, &log, &log);
        let answers = poll(|| match daemon.ended() {
            Some(status) => Ok(Err(format!("it ended: {status}"))),
            None => Client::attach(&self.socket()).map(|_| Ok(())).map_err(|error| error.to_string()),
        });
        if let Err(why) = answers.and_then(|answer| answer) {
            panic!("{} doesn't start: {why}\n{}", self.name, self.logged());
        }
        self.daemon = Some(daemon);
    }

    fn logged(&self) -> String {
        std::fs::read_to_string(self.directory.join("log")).unwrap_or_default()
    }

    #[track_caller]
    fn does(&self, arguments: &[&str]) -> String {
        let output = run(self.command(arguments));
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {arguments:?}: {errors}\n{}", self.name, self.logged());
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Json {
        serde_json::from_str(&self.does(&[arguments, &["-o", "json"]].concat())).unwrap()
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str], code: &str) -> Failure {
        let failure = Failure::of(&run(self.command(arguments)));
        assert!(failure.code != 0 && failure.lines[0].contains(code), "{arguments:?}: {failure:?}");
        failure
    }

    /// How many members it sees alive, itself included.
    fn alive(&self) -> usize {
        let members = self.json(&["members"]);
        members["members"].as_array().unwrap().iter().filter(|member| member["state"] == "alive").count()
    }

    fn keeps_config(&self) {
        self.does(&["folder", "add", "config", self.directory.join("config").to_str().unwrap()]);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join("config").join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.file(name)).unwrap_or_default()
    }
}

#[track_caller]
fn all_see(hosts: &[Host], count: usize) {
    for host in hosts {
        eventually_of(&format!("{} sees {count} alive", host.name), || match host.alive() {
            alive if alive == count => Ok(()),
            alive => Err(format!("{alive} alive\n{}", host.logged())),
        });
    }
}

/// Hosts that joined one mesh, up and seeing each other. The first made it.
fn mesh(directory: &Directory, count: usize, variables: &'static [(&str, &str)]) -> Vec<Host> {
    let host = |number| Host { variables, ..Host::beside(directory, &format!("host-{number}")) };
    let mut hosts: Vec<Host> = (1..=count).map(host).collect();
    let ticket = hosts[0].init()["ticket"].as_str().unwrap().to_owned();
    hosts[0].up();
    for host in &mut hosts[1..] {
        host.joins(&ticket);
        host.up();
    }
    all_see(&hosts, count);
    hosts
}

#[test]
fn three_hosts_in_networks_of_their_own_join_edit_and_see() {
    let test = "three_hosts_in_networks_of_their_own_join_edit_and_see";
    let Some(networks) = HostsApart::for_test(test, 3) else { return };
    let directory = Directory::new();
    let mut hosts: Vec<Host> = (1..=3)
        .zip(&networks.hosts)
        .map(|(number, network)| {
            let host = Host::beside(&directory, &format!("host-{number}"));
            Host { listen: None, namespace: Some(network.name().to_owned()), ..host }
        })
        .collect();
    let made = hosts[0].init();
    hosts[0].up();
    hosts[1].joins(made["ticket"].as_str().unwrap());
    hosts[1].up();
    hosts[2].joins(hosts[0].does(&["ticket", "create"]).trim());
    hosts[2].up();
    all_see(&hosts, 3);
    hosts.iter().for_each(Host::keeps_config);
    std::fs::write(hosts[1].file("app.toml"), APP_TOML).unwrap();
    for host in &hosts {
        eventually_of("the file is everywhere", || {
            if host.text("app.toml") == APP_TOML { Ok(()) } else { Err(host.logged()) }
        });
    }
    hosts[2].does(&["put", "config/app.toml#server.port", "9999"]);
    eventually_of("the put is in the file", || {
        if hosts[0].text("app.toml").contains("9999") { Ok(()) } else { Err(hosts[0].text("app.toml")) }
    });
    let node = hosts[0].json(&["node", "host-3"]);
    let addresses = node["addresses"].as_array().unwrap();
    assert!(addresses.contains(&json!(format!("{}:7117", HostsApart::address(3)))), "{node}");
    assert!(addresses.contains(&json!("[fd77::3]:7117")), "{node}");

    // Restarted, nobody needs anything but what was stored.
    for host in &mut hosts {
        host.daemon = None;
        host.up();
    }
    all_see(&hosts, 3);
}

#[test]
fn a_ticket_is_good_for_what_it_says_and_each_misuse_has_its_error() {
    let directory = Directory::new();
    let hosts = mesh(&directory, 2, &[]);
    let [one, two] = &hosts[..] else { panic!() };
    let ticket = |arguments: &[&str]| one.does(&[&["ticket", "create"], arguments].concat()).trim().to_owned();
    let new = |name: &str| Host::beside(&directory, name);

    let once = ticket(&[]);
    new("once").joins(&once);
    new("twice").joins_not(&once, "E_TICKET_USED");

    let short = ticket(&["--expires", "1s"]);
    let listed = || one.json(&["ticket", "ls"])["tickets"].to_string();
    eventually_of("the ticket expires", || if listed().contains("expired") { Ok(()) } else { Err(listed()) });
    new("late").joins_not(&short, "E_TICKET_EXPIRED");

    let back = ticket(&["--uses", "3"]);
    one.does(&["ticket", "revoke", &back]);
    new("unwelcome").joins_not(&back, "E_TICKET_UNKNOWN");

    // The second host's address instead of the first's: a ticket is taken only where it was made.
    let two_listens = two.listen.clone().unwrap();
    let misled = ticket(&["--address", &two_listens]);
    new("misled").joins_not(&misled, "E_WRONG_HOST");
    two.fails(&["ticket", "create"], "E_NOT_ISSUER");

    // Another mesh at the ticket's address.
    let mut stranger = new("stranger");
    stranger.init();
    stranger.up();
    let elsewhere = ticket(&["--address", stranger.listen.as_ref().unwrap()]);
    new("astray").joins_not(&elsewhere, "E_WRONG_HOST");
    stranger.fails(&["ticket", "revoke", "0011223344556677"], "E_NOT_FOUND");
    let again = stranger.gets_place(&["join", &ticket(&[])]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("E_ALREADY_MEMBER"));

    let nowhere = ticket(&["--address", &free_address().to_string()]);
    new("alone").joins_not(&nowhere, "E_NO_ANSWER");
    let good = ticket(&[]);
    new("cut").joins_not(&good[..good.len() - 3], "E_BAD_TICKET");
    let same_name = Host { name: "host-2".to_owned(), ..new("namesake") };
    same_name.joins_not(&good, "E_EXISTS");

    // From a file, as a secret should be passed.
    let file = directory.path().join("ticket");
    std::fs::write(&file, format!("{good}\n")).unwrap();
    new("filed").joins(&format!("@{}", file.display()));
}

#[test]
fn a_revoked_host_is_cut_off_at_once_and_its_handshakes_are_refused() {
    let directory = Directory::new();
    let mut hosts = mesh(&directory, 3, &[]);
    hosts.iter().for_each(Host::keeps_config);
    hosts[2].does(&["put", "config/a.toml#before", "1"]);
    for host in &hosts {
        host.does(&["wait", "--converged"]);
    }
    hosts[1].fails(&["revoke", "host-3", "--yes"], "E_NOT_ISSUER");
    hosts[0].fails(&["revoke", "host-1", "--yes"], "E_BAD_REQUEST");
    hosts[0].fails(&["revoke", "host-3"], "E_NOT_CONFIRMED");
    hosts[0].does(&["revoke", "host-3", "--yes", "--reason", "stolen"]);
    let thief = hosts.pop().unwrap();
    all_see(&hosts, 2);
    thief.does(&["put", "config/a.toml#after", "1"]);
    eventually_of("it is told why", || {
        let log = hosts[0].logged() + &hosts[1].logged();
        if log.contains("revoked") { Ok(()) } else { Err(log) }
    });
    hosts[0].does(&["put", "config/a.toml#later", "1"]);
    for host in &hosts {
        host.does(&["wait", "--converged"]);
        assert_eq!(host.does(&["get", "config/a.toml#before"]), "1\n", "no history is lost");
        host.fails(&["get", "config/a.toml#after"], "E_NOT_FOUND");
        assert_eq!(host.json(&["node", "host-3"])["revoked"]["reason"], "stolen");
    }
    thief.fails(&["get", "config/a.toml#later"], "E_NOT_FOUND");

    // A restart forgets nothing of it.
    hosts[1].daemon = None;
    hosts[1].up();
    all_see(&hosts, 2);
    assert_eq!(hosts[1].json(&["keys", "status"])["revoked"][0]["name"], "host-3");
}

#[test]
fn certificates_are_renewed_while_the_daemons_run_and_after_they_expired() {
    let directory = Directory::new();
    let mut hosts = mesh(&directory, 2, &[("MURMURATE_CERTIFICATE_VALIDITY", "10s")]);
    let ends = |host: &Host| host.json(&["keys", "status"])["certificate"]["ends"].as_str().unwrap().to_owned();
    for host in &hosts {
        let first = ends(host);
        eventually_of("a renewed certificate", || if ends(host) > first { Ok(()) } else { Err(host.logged()) });
    }
    // The second is away until its certificate has expired.
    hosts[1].daemon = None;
    let expired = hosts[0].json(&["node", "host-2"])["certificate_ends"].as_str().unwrap().to_owned();
    let now = || ends(&hosts[0]);
    eventually_of("the other's certificate has expired", || {
        // The first renews its own, which is valid for 10 s, at least every 10 s.
        let later = now();
        if later.as_str() > expired.as_str() && is_past(&expired) { Ok(()) } else { Err(later) }
    });
    hosts[1].up();
    all_see(&hosts, 2);
}

fn is_past(time: &str) -> bool {
    let time: murmurate_client::types::Time = time.parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u128::from(time.as_ms()) < now.as_millis()
}

#[test]
fn issuers_are_added_with_the_authority_or_the_recovery_key() {
    let directory = Directory::new();
    let mut hosts = mesh(&directory, 3, &[]);
    hosts[1].fails(&["keys", "issuer", "host-2"], "E_DENIED");
    hosts[0].does(&["keys", "issuer", "host-2"]);
    eventually_of("the second is an issuer", || {
        let status = hosts[1].json(&["keys", "status"]);
        if status["issuers"].as_array().unwrap().len() == 2 { Ok(()) } else { Err(status.to_string()) }
    });
    // The first, with the authority's key, is lost; the recovery key was kept elsewhere.
    let recovery = directory.path().join("recovery.key");
    std::fs::rename(hosts[0].data().join("recovery.key"), &recovery).unwrap();
    hosts.remove(0);
    let recovery = recovery.to_str().unwrap();
    hosts[1].fails(&["keys", "issuer", "host-3"], "E_DENIED");
    hosts[1].does(&["keys", "issuer", "host-3", "--recovery-key", recovery]);
    hosts[1].does(&["revoke", "host-1", "--yes", "--recovery-key", recovery]);
    for (number, host) in hosts.iter().enumerate() {
        let ticket = host.does(&["ticket", "create"]);
        let mut new = Host::beside(&directory, &format!("new-{number}"));
        new.joins(ticket.trim());
        new.up();
        all_see(std::slice::from_ref(&new), 3);
    }
}

#[test]
fn a_host_that_leaves_is_named_so_and_can_join_anew() {
    let directory = Directory::new();
    let mut hosts = mesh(&directory, 2, &[]);
    hosts.iter().for_each(Host::keeps_config);
    std::fs::write(hosts[1].file("app.toml"), APP_TOML).unwrap();
    eventually_of("the file is everywhere", || {
        if hosts[0].text("app.toml") == APP_TOML { Ok(()) } else { Err(hosts[0].logged()) }
    });
    hosts[1].fails(&["leave"], "E_NOT_CONFIRMED");
    let left = hosts[1].json(&["leave", "--yes"]);
    assert_eq!(left["told"], 1, "{left}");
    assert!(PathBuf::from(left["aside"].as_str().unwrap()).join("identity").exists());
    let status = hosts[1].daemon.as_mut().unwrap().wait().unwrap();
    assert!(status.success(), "{status}\n{}", hosts[1].logged());
    assert_eq!(hosts[1].text("app.toml"), APP_TOML, "its files stay as they are");
    eventually_of("it is named as having left", || {
        let node = hosts[0].json(&["node", "host-2"]);
        if node["state"] == "left" { Ok(()) } else { Err(node.to_string()) }
    });
    assert!(Failure::of(&hosts[1].gets_place(&["up"])).lines.iter().any(|line| line.contains("E_NO_IDENTITY")));
    hosts[1].joins(hosts[0].does(&["ticket", "create"]).trim());
    hosts[1].up();
    all_see(&hosts, 2);
    hosts[1].keeps_config();
    hosts[0].does(&["put", "config/app.toml#server.port", "1"]);
    eventually_of("it is in step again", || {
        if hosts[1].text("app.toml") == hosts[0].text("app.toml") { Ok(()) } else { Err(hosts[1].logged()) }
    });
}
