//! Takes out of a bug report what its reader needn't know.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use murmurate_client::types::{ErrorCode, FileState, FileStatus, Problem};
use serde_json::Value;

/// Gives each address a name of its own, the same wherever it stands: who talks to whom can still be seen.
#[derive(Default)]
pub(super) struct Addresses {
    names: BTreeMap<String, String>,
}

impl Addresses {
    /// Replaces the addresses in all texts of a document.
    pub(super) fn take_out(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.without(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.take_out(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.take_out(field)),
            _ => {}
        }
    }

    /// The text, word by word, without addresses.
    fn without(&mut self, text: &str) -> String {
        let is_between =
            |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')' | '"' | '\'' | '`' | '=' | '<' | '>');
        let mut cleaned = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let end = rest.find(is_between).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            cleaned.push_str(&self.word(word));
            let mut after = after.chars();
            cleaned.extend(after.next());
            rest = after.as_str();
        }
        cleaned
    }

    fn word(&mut self, word: &str) -> String {
        let trimmed = word.trim_end_matches([':', '.', ']']);
        // The bracket of `[::1]` belongs to it.
        let candidates = [word, word.strip_suffix([':', '.']).unwrap_or(word), trimmed];
        let Some(address) = candidates.into_iter().find(|word| is_address(word)) else { return word.to_owned() };
        let next = self.names.len() + 1;
        let name = self.names.entry(address.to_owned()).or_insert_with(|| format!("address-{next}"));
        word.replacen(address, name, 1)
    }
}

fn is_address(word: &str) -> bool {
    let bare = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')).unwrap_or(word);
    let bare = bare.split_once('%').map_or(bare, |(address, _scope)| address);
    word.parse::<SocketAddr>().is_ok() || bare.parse::<IpAddr>().is_ok() || is_name_with_port(word)
}

/// `db-1.example.org:7117`.
fn is_name_with_port(word: &str) -> bool {
    let Some((name, port)) = word.rsplit_once(':') else { return false };
    let is_name = name.contains(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'));
    is_name && port.parse::<u16>().is_ok()
}

/// Why an edit is held or kept back, or not merged by key, may quote it, and so may what a check printed. Where it stands is
/// enough.
pub(super) fn file(file: &mut FileStatus) {
    file.output = None;
    if !matches!(file.state, FileState::Failed | FileState::Skipped) {
        file.reason = None;
    }
    file.format_reason = None;
    // Nor who works there.
    file.author = None;
}

/// What a reload printed may quote a file, too.
pub(super) fn problem(problem: &mut Problem) {
    if problem.code == ErrorCode::ReloadFailed {
        problem.why.clear();
    }
}

/// The same, in the log.
pub(super) fn log_line(line: &str) -> &str {
    const QUOTING: [&str; 3] = ["the edit is held", "the file is kept back", "a reload failed"];
    match QUOTING.iter().find_map(|said| Some(line.find(said)? + said.len())) {
        Some(end) => &line[..line[end..].find(" why=").map_or(line.len(), |why| end + why)],
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_get_names() {
        let mut addresses = Addresses::default();
        for (text, without) in [
            ("a connection with 10.0.0.1:7117 was refused", "a connection with address-1 was refused"),
            ("address=[fe80::1%2]:7117, peers: `db-1.example.org:7117`", "address=address-2, peers: `address-3`"),
            ("no route to 10.0.0.1: down. ::1 (10.0.0.1:7117)", "no route to address-4: down. address-5 (address-1)"),
            (
                "2026-01-02T03:04:05.678Z INFO murmurate_net::dial: no",
                "2026-01-02T03:04:05.678Z INFO murmurate_net::dial: no",
            ),
            ("config/app.toml#a.b 1.2.3 12:30 E_IO: x", "config/app.toml#a.b 1.2.3 12:30 E_IO: x"),
        ] {
            assert_eq!(addresses.without(text), without);
        }
    }

    #[test]
    fn a_held_edit_is_not_quoted() {
        let line = "2026 WARN murmurate: the edit is held document=config/a.toml why=`s3cret` is no value place=None";
        assert_eq!(log_line(line), "2026 WARN murmurate: the edit is held document=config/a.toml");
        let line = "2026 WARN murmurate: a reload failed why=`s3cret` is no value";
        assert_eq!(log_line(line), "2026 WARN murmurate: a reload failed");
        assert_eq!(log_line("trouble why=disk"), "trouble why=disk");
    }
}
