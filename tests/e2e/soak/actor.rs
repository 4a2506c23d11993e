//! Someone who edits on one host, by files and by the API, and remembers what must not be lost.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use murmurate_client::types::{Choice, ResolveConflict};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::harness::Client;

/// Files that everybody treats as they like: only agreement is asked of them.
pub(super) const MESS: [&str; 9] = [
    "mess.toml",
    "deep/mess.toml",
    "mess.json",
    "notes.txt",
    "blob.bin",
    "tool",
    "tree",
    "tree/leaf.txt",
    "100% é.toml",
];
/// Values of a fixed width, one line for each actor, overwritten in place.
pub(super) const SLOTS: &str = "slots.toml";
/// Longest pause between two steps.
const PAUSE_MICROS: u32 = 120_000;

/// The last value that is known to have been written to a key, and those whose fate is unknown.
#[derive(Debug, Default, Clone)]
pub(super) struct Last {
    pub(super) sure: Option<String>,
    pub(super) perhaps: Vec<String>,
}

impl Last {
    fn set(&mut self, value: String) {
        *self = Self { sure: Some(value), perhaps: Vec::new() };
    }
}

/// One actor, on one host.
pub(super) struct Actor {
    pub(super) number: usize,
    pub(super) folder: PathBuf,
    /// Beside the folder, on the same file system.
    pub(super) beside: PathBuf,
    pub(super) socket: PathBuf,
    pub(super) rng: ChaCha20Rng,
    pub(super) next: u32,
    pub(super) put: Last,
    pub(super) slot: Last,
    pub(super) steps: u32,
}

impl Actor {
    /// Acts until told to end.
    pub(super) fn run(mut self, ended: &std::sync::atomic::AtomicBool) -> Self {
        while !ended.load(std::sync::atomic::Ordering::Relaxed) {
            self.step();
            self.steps += 1;
            std::thread::sleep(Duration::from_micros(u64::from(self.rng.next_u32() % PAUSE_MICROS)));
        }
        self
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.rng.next_u32() as usize % bound
    }

    /// A number of four digits that this actor didn't write lately.
    fn value(&mut self) -> String {
        self.next = (self.next + 1) % 900;
        format!("{}{:03}", self.number + 1, self.next)
    }

    fn step(&mut self) {
        // What can't be done at the moment is left: files come and go.
        let path = MESS[self.below(MESS.len())];
        let _ = match self.below(100) {
            0..25 => self.put_own(),
            25..45 => self.overwrite_own(),
            45..58 => self.save(path),
            58..66 => self.save_over(path),
            66..72 => self.edit_line(path),
            72..76 => fs::remove_file(self.folder.join(path)),
            76..79 => self.make_directory(),
            79..83 => self.flip_executable(path),
            83..87 => self.save_broken(),
            87..91 => self.put_file(path),
            91..94 => self.put_shared(),
            94..96 => self.delete_over_api(path),
            _ => self.resolve_one(),
        };
    }

    /// A key of this actor alone: what it put last is what counts.
    fn put_own(&mut self) -> std::io::Result<()> {
        let value = self.value();
        let address = format!("config/api.toml#by_{}", self.number);
        self.put.perhaps.push(value.clone());
        if self.ask(|client| client.put(&address, &value).map(drop)) {
            self.put.set(value);
        }
        Ok(())
    }

    /// A line of this actor alone, in a file that others change at the same time.
    fn overwrite_own(&mut self) -> std::io::Result<()> {
        let value = self.value();
        let mut file = OpenOptions::new().read(true).write(true).open(self.folder.join(SLOTS))?;
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        let key = format!("slot_{} = ", self.number);
        let Some(at) = text.find(&key) else { return Ok(()) };
        file.seek(SeekFrom::Start((at + key.len()) as u64))?;
        file.write_all(value.as_bytes())?;
        self.slot.set(value);
        Ok(())
    }

    fn content(&mut self, path: &str) -> Vec<u8> {
        let (value, lines) = (self.value(), self.below(6));
        let keys = (0..=lines).map(|line| (line, format!("{value}{line}")));
        if path.ends_with(".toml") {
            let table = if self.below(2) == 0 { "[table]\n" } else { "" };
            return keys
                .map(|(line, value)| {
                    format!("{table_at}key_{line} = {value}\n", table_at = if line == 1 { table } else { "" })
                })
                .collect::<String>()
                .into();
        }
        if path.ends_with(".json") {
            let keys: Vec<String> = keys.map(|(line, value)| format!("  \"key_{line}\": {value}")).collect();
            return format!("{{\n{}\n}}\n", keys.join(",\n")).into();
        }
        if path.ends_with(".bin") {
            return std::iter::repeat_n(0xa5, lines * 100).chain(value.bytes()).chain([0, 255]).collect();
        }
        if self.below(10) == 0 {
            Vec::new()
        } else {
            keys.map(|(line, value)| format!("line {line}: {value}\n")).collect::<String>().into()
        }
    }

    fn save(&mut self, path: &str) -> std::io::Result<()> {
        let content = self.content(path);
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().unwrap())?;
        fs::write(path, content)
    }

    fn save_over(&mut self, path: &str) -> std::io::Result<()> {
        let content = self.content(path);
        fs::write(&self.beside, content)?;
        fs::rename(&self.beside, self.folder.join(path))
    }

    /// As an editor does it that is open for a moment: read, change one line, write.
    fn edit_line(&mut self, path: &str) -> std::io::Result<()> {
        let path = self.folder.join(path);
        let text = fs::read_to_string(&path)?;
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        if lines.is_empty() {
            return Ok(());
        }
        let at = self.below(lines.len());
        lines[at] = lines[at].replace(['1', '3', '5'], "7");
        fs::write(path, lines.join("\n") + "\n")
    }

    fn make_directory(&mut self) -> std::io::Result<()> {
        let (directory, value) = (format!("new-{}", self.below(3)), self.value());
        fs::create_dir_all(self.folder.join(&directory).join("sub"))?;
        fs::write(self.folder.join(&directory).join("a.toml"), format!("a = {value}\n"))?;
        fs::write(self.folder.join(&directory).join("sub/b.txt"), format!("{value}\n"))
    }

    fn flip_executable(&mut self, path: &str) -> std::io::Result<()> {
        let path = self.folder.join(path);
        let mode = fs::metadata(&path)?.permissions().mode();
        if path.is_dir() { Ok(()) } else { fs::set_permissions(path, Permissions::from_mode(mode ^ 0o111)) }
    }

    /// A mistake, mostly corrected soon.
    fn save_broken(&mut self) -> std::io::Result<()> {
        fs::write(self.folder.join("mess.toml"), "key_0 = [1, \nkey_1 = = 2\n")?;
        if self.below(3) > 0 {
            std::thread::sleep(Duration::from_millis(400));
            return self.save("mess.toml");
        }
        Ok(())
    }

    fn put_file(&mut self, path: &str) -> std::io::Result<()> {
        let (doc, content) = (doc(path), self.content(path));
        self.ask(|client| client.ask(|mesh| mesh.write_file(&doc, content)).map(drop));
        Ok(())
    }

    fn put_shared(&mut self) -> std::io::Result<()> {
        let value = self.value();
        self.ask(|client| client.put("config/mess.toml#table.shared", &value).map(drop));
        Ok(())
    }

    fn delete_over_api(&mut self, path: &str) -> std::io::Result<()> {
        let address = if self.below(2) == 0 { doc(path) } else { "config/mess.toml#key_2".to_owned() };
        self.ask(|client| client.ask(|mesh| mesh.delete(&address)).map(drop));
        Ok(())
    }

    fn resolve_one(&mut self) -> std::io::Result<()> {
        let chosen = self.rng.next_u32() as usize;
        self.ask(|client| {
            let conflicts = client.ask(|mesh| mesh.conflicts("config/"))?.conflicts;
            let open: Vec<_> = conflicts.iter().filter(|conflict| !conflict.doc.ends_with(SLOTS)).collect();
            if open.is_empty() {
                return Ok(());
            }
            let conflict = open[chosen % open.len()];
            let doc = &conflict.doc;
            let address = if conflict.key.is_empty() { doc.clone() } else { format!("{doc}#{}", conflict.key) };
            let choice = Choice::Take(1 + chosen % conflict.values.len().max(1));
            let decision = ResolveConflict { address, part: Some(conflict.part), choice };
            client.ask(|mesh| mesh.resolve(&decision)).map(drop)
        });
        Ok(())
    }

    /// Whether the daemon is there and did as it was asked.
    fn ask(&self, question: impl FnOnce(&Client) -> Result<(), murmurate_client::Error>) -> bool {
        Client::attach(&self.socket).is_ok_and(|client| question(&client).is_ok())
    }
}

/// The address of a file's document.
pub(super) fn doc(path: &str) -> String {
    format!("config/{}", path.replace('%', "%25").replace('#', "%23"))
}
