//! Everything at once, at random: edits of files and by the API, cuts, kills. Afterwards all agree, and nothing that was
//! acknowledged or saved is lost (P2, P3, P7, P8).

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Duration;

use murmurate_client::types::{Choice, Conflict, ErrorCode, ResolveConflict};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::harness::{Client, Host, Mesh, eventually, report, seeded};

const STEPS: u32 = 250;
const EDITED: [&str; 3] = ["a.toml", "deep/b.toml", "notes.txt"];
/// Values of a fixed width, which editors overwrite in place.
const REGISTERS: usize = 4;

/// The same keys in other places, forms and company.
const TOML_SHAPES: &[&str] = &[
    "a = 1\n",
    "# All inline.\na = 1\nb = { c = 2, d = 3 }\nlist = [1, 2]\n",
    "[b]\nc = 2 # here\nd = 3\n\n[[list]]\nname = \"x\"\n",
    "b.c = 2\nb.d.e = 3\n\nlist = []\n",
];
const JSON_SHAPES: &[&str] = &[
    "{\"a\": 1}\n",
    "{\n  \"a\": 1,\n  \"b\": {\"c\": 2, \"d\": 3},\n  \"list\": [1, 2]\n}\n",
    "{\n\t\"b\": {\n\t\t\"c\": 2,\n\t\t\"d\": 3\n\t},\n\t\"list\": [{\"name\": \"x\"}]\n}",
    "{\"b\":{\"c\":2,\"d\":{\"e\":3}},\"list\":[]}",
];

/// Takes what stands.
fn decision(conflict: &Conflict) -> ResolveConflict {
    let address =
        if conflict.key.is_empty() { conflict.doc.clone() } else { format!("{}#{}", conflict.doc, conflict.key) };
    ResolveConflict { address, part: Some(conflict.part), choice: Choice::Version(conflict.values[0].version.clone()) }
}

struct Rough {
    mesh: Mesh,
    rng: ChaCha20Rng,
    next: u64,
    is_cut: bool,
    /// Lines that must be in a file at the end.
    kept: BTreeMap<String, BTreeSet<String>>,
    /// What was ever written to each register.
    written: [BTreeSet<String>; REGISTERS],
    counts: BTreeMap<&'static str, u32>,
}

fn registers() -> String {
    let lines = (0..REGISTERS).map(|number| format!("register_{number} = 1000 # one of {REGISTERS}\n"));
    format!("# Overwritten in place.\n{}", lines.collect::<String>())
}

impl Rough {
    fn below(&mut self, bound: u32) -> usize {
        (self.rng.next_u32() % bound) as usize
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn keep(&mut self, path: &str, line: String) {
        self.kept.entry(path.to_owned()).or_default().insert(line);
    }

    fn step(&mut self) {
        let host = self.below(3);
        let come_back = !self.mesh.hosts[host].is_up() && self.below(4) == 0;
        let name = match self.below(100) {
            _ if come_back => self.end_or_start(host),
            0..25 => self.put(host),
            25..45 => self.append(host),
            45..55 => self.overwrite(host),
            55..75 => self.contend(host),
            75..80 => self.resolve(host),
            80..85 => self.come_and_go(host),
            85..92 => self.cut_or_heal(host),
            _ => self.end_or_start(host),
        };
        *self.counts.entry(name).or_default() += 1;
        // Anywhere in what the step set off.
        std::thread::sleep(Duration::from_micros(u64::from(self.rng.next_u32() % 60_000)));
    }

    fn client(&self, host: usize) -> Option<Client> {
        let host = &self.mesh.hosts[host];
        host.is_up().then(|| host.client())
    }

    /// An acknowledged put stays.
    fn put(&mut self, host: usize) -> &'static str {
        let (number, file) = (self.number(), format!("put-{}.toml", self.below(2)));
        let Some(client) = self.client(host) else { return "nobody to ask" };
        client.put(&format!("config/{file}#key_{number}"), &number.to_string()).unwrap();
        self.keep(&file, format!("key_{number} = {number}"));
        "put"
    }

    /// A line saved to a file stays, whether its daemon runs or not, and even if the file is replaced meanwhile.
    fn append(&mut self, host: usize) -> &'static str {
        let path = EDITED[self.below(3)];
        let number = self.number();
        let mut options = OpenOptions::new();
        let Ok(mut file) = options.append(true).open(self.mesh.hosts[host].path(path)) else { return "no file yet" };
        file.write_all(format!("line_{number} = {number}\n").as_bytes()).unwrap();
        self.keep(path, format!("line_{number} = {number}"));
        "append"
    }

    /// What a register shows was written by someone.
    fn overwrite(&mut self, host: usize) -> &'static str {
        let (register, value) = (self.below(4), (1000 + self.number()).to_string());
        let mut options = OpenOptions::new();
        let path = self.mesh.hosts[host].path("registers.toml");
        let Ok(mut file) = options.read(true).write(true).open(path) else { return "no file yet" };
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        let key = format!("register_{register} = ");
        let at = text.find(&key).unwrap() + key.len();
        file.seek(SeekFrom::Start(at as u64)).unwrap();
        file.write_all(value.as_bytes()).unwrap();
        self.written[register].insert(value);
        "overwrite"
    }

    /// The same few keys, tables and whole files are written, reshaped and deleted by everybody.
    fn contend(&mut self, host: usize) -> &'static str {
        let Some(client) = self.client(host) else { return "nobody to ask" };
        let file = if self.below(2) == 0 { "fought.toml" } else { "fought.json" };
        let key = ["a", "b.c", "b.d", "b", "list"][self.below(5)];
        let address = format!("config/{file}#{key}");
        match self.below(8) {
            // What the file has no room for, or isn't there, is refused; that is fine.
            0 => drop(client.ask(|mesh| mesh.delete(&address))),
            1 => {
                let shapes = if file.ends_with("json") { JSON_SHAPES } else { TOML_SHAPES };
                client.write_file(&format!("config/{file}"), shapes[self.below(4)]).unwrap();
            }
            2 => drop(client.put(&address, "[1, 2, 3]")),
            _ => drop(client.put(&address, &self.number().to_string())),
        }
        "contend"
    }

    fn resolve(&mut self, host: usize) -> &'static str {
        let Some(client) = self.client(host) else { return "nobody to ask" };
        let conflicts = client.ask(|mesh| mesh.conflicts("")).unwrap().conflicts;
        let Some(conflict) = conflicts.first() else { return "nothing to resolve" };
        let decision = decision(conflict);
        // Somebody else may just have decided it.
        let decided = client.ask(|mesh| mesh.resolve(&decision));
        assert!(decided.as_ref().err().is_none_or(|error| error.code == ErrorCode::NotFound), "{decided:?}");
        "resolve"
    }

    /// Decides every conflict on one host, which ends them everywhere.
    fn resolve_all(&self) {
        let client = self.mesh.hosts[1].client();
        let open = || client.ask(|mesh| mesh.conflicts("")).unwrap().conflicts;
        for _ in 0..1_000 {
            let Some(conflict) = open().first().cloned() else { break };
            let decision = decision(&conflict);
            let decided = client.ask(|mesh| mesh.resolve(&decision));
            decided.unwrap_or_else(|error| panic!("{error}: {conflict:?}"));
        }
        assert_eq!(open(), []);
        self.mesh.settle();
        for host in &self.mesh.hosts {
            assert_eq!(host.json(&["conflicts"])["conflicts"], serde_json::json!([]), "{}", host.name);
        }
    }

    /// A file that is deleted here and there, and made again.
    fn come_and_go(&mut self, host: usize) -> &'static str {
        let host = &self.mesh.hosts[host];
        if host.read("fleeting.toml").is_some() {
            fs::remove_file(host.path("fleeting.toml")).unwrap();
        } else {
            host.save("fleeting.toml", format!("made_on = \"{}\"\n", host.name));
        }
        "come and go"
    }

    fn cut_or_heal(&mut self, host: usize) -> &'static str {
        if self.is_cut {
            self.mesh.heal();
        } else {
            self.mesh.cut_off(&[host]);
        }
        self.is_cut = !self.is_cut;
        if self.is_cut { "cut" } else { "heal" }
    }

    fn end_or_start(&mut self, host: usize) -> &'static str {
        let gently = self.below(4) == 0;
        let host = &mut self.mesh.hosts[host];
        match (host.is_up(), gently) {
            (true, false) => host.kill(),
            (true, true) => assert_eq!(host.stop().code(), Some(0)),
            (false, _) => host.start(),
        }
        if host.is_up() { "start" } else { "end" }
    }

    /// Brings everybody back together.
    fn end(&mut self) {
        self.mesh.heal();
        for host in self.mesh.hosts.iter_mut().filter(|host| !host.is_up()) {
            host.start();
        }
        self.mesh.settle();
    }

    /// Waits until all files are the same everywhere and lack nothing.
    fn check_files(&self) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for (path, lines) in &self.kept {
            eventually(&self.mesh, &format!("{path} has all of its lines"), || {
                let text = self.mesh.hosts[0].text(path);
                let present: BTreeSet<&str> = text.lines().collect();
                let lost: Vec<_> = lines.iter().filter(|line| !present.contains(line.as_str())).collect();
                if lost.is_empty() { Ok(()) } else { Err(format!("lost {lost:?} in\n{text}")) }
            });
        }
        let paths = self.kept.keys().map(String::as_str).chain([
            "registers.toml",
            "fleeting.toml",
            "fought.toml",
            "fought.json",
        ]);
        for path in paths {
            texts.insert(path.to_owned(), self.mesh.same_everywhere(path, |_| true));
        }
        self.check_registers(&texts["registers.toml"]);
        toml::from_str::<toml::Table>(&texts["fought.toml"]).unwrap();
        serde_json::from_str::<serde_json::Value>(&texts["fought.json"]).unwrap();
        texts
    }

    fn check_registers(&self, text: &str) {
        let table: toml::Table = toml::from_str(text).unwrap();
        for (number, written) in self.written.iter().enumerate() {
            let value = table[&format!("register_{number}")].to_string();
            assert!(value == "1000" || written.contains(&value), "{value} is nobody's:\n{text}");
        }
        let shape: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        let expected: String = registers().chars().filter(|c| !c.is_ascii_digit()).collect();
        assert_eq!(shape, expected, "bytes that nobody edited stay");
    }

    fn check_health(&self) {
        self.mesh.has_no_problems();
        let conflicts = self.mesh.hosts[0].json(&["conflicts"]);
        for host in &self.mesh.hosts {
            assert_eq!(host.json(&["conflicts"]), conflicts);
            let status = host.client().ask(|mesh| mesh.status()).unwrap();
            assert!(status.held.is_empty() && status.store.healthy, "{:?}", status.held);
        }
    }
}

fn begin(mesh: &Mesh) {
    let host: &Host = &mesh.hosts[0];
    for path in EDITED {
        host.save(path, "line_0 = 0\n");
        mesh.everywhere(path, "line_0 = 0\n");
    }
    for (path, content) in [("fought.toml", TOML_SHAPES[1]), ("fought.json", JSON_SHAPES[1])] {
        host.save(path, content);
        mesh.everywhere(path, content);
    }
    host.save("registers.toml", registers());
    mesh.everywhere("registers.toml", registers());
}

#[test]
fn after_a_rough_time_all_agree_and_nothing_is_lost() {
    let test = "after_a_rough_time_all_agree_and_nothing_is_lost";
    let Some(mesh) = Mesh::start_apart_in_namespace(test, 3) else { return };
    begin(&mesh);
    let (rng, kept, written) = (seeded(test), BTreeMap::new(), Default::default());
    let mut rough = Rough { mesh, rng, next: 0, is_cut: false, kept, written, counts: BTreeMap::new() };
    for _ in 0..STEPS {
        rough.step();
    }
    report(&format!("{test}: {:?}", rough.counts));
    rough.end();
    rough.check_files();
    rough.check_health();
    rough.resolve_all();
    let texts = rough.check_files();
    // And it is all on the disks.
    for host in &mut rough.mesh.hosts {
        host.kill();
    }
    rough.mesh.start_all();
    assert_eq!(rough.check_files(), texts);
    rough.check_health();
}
