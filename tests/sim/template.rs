//! The documents that people fight over: fixed text with numbers in it. What isn't a number must never change.

/// One document.
#[derive(Debug)]
pub(crate) struct Template {
    /// Its path in the folder.
    pub(crate) path: &'static str,
    /// Its keys, in the order of their values.
    pub(crate) keys: &'static [&'static str],
    text: &'static str,
}

/// Values have so many digits, so that a save changes no other byte's place.
const DIGITS: usize = 9;

/// All documents. Shorter than a disk's sector, so that a save that is torn by a power cut doesn't tear a number.
pub(crate) const TEMPLATES: [Template; 2] = [
    Template {
        path: "app.toml",
        keys: &["k0", "k1", "server.k2", "server.k3", "server.limits.k4", "server.limits.k5"],
        text: "# Many people edit this.\nk0 = @ # first\nk1=@\n\n[server]   # where it listens\nk2   =  @\n  # indented\n  \
               k3 = @\n\n\n[server.limits]\nk4 = @\nk5 = @ # no newline at the end",
    },
    Template {
        path: "deep/app.json",
        keys: &["k0", "inner.k1", "inner.k2"],
        text: "{\n\t\"k0\" : @,\n    \"inner\": { \"k1\": @,\r\n \"k2\":@ }\n}\n\n",
    },
];

impl Template {
    /// The document's name in the mesh.
    pub(crate) fn document(&self) -> String {
        format!("config/{}", self.path)
    }

    /// The file with these values.
    pub(crate) fn print(&self, values: &[u64]) -> Vec<u8> {
        let mut values = values.iter();
        let mut text = String::new();
        for (index, piece) in self.text.split('@').enumerate() {
            if index > 0 {
                text.push_str(&values.next().unwrap().to_string());
            }
            text.push_str(piece);
        }
        text.into_bytes()
    }

    /// The values in a file; nothing if anything else in it isn't as it was.
    pub(crate) fn read(&self, bytes: &[u8]) -> Option<Vec<u64>> {
        let mut rest = std::str::from_utf8(bytes).ok()?;
        let mut values = Vec::new();
        for (index, piece) in self.text.split('@').enumerate() {
            if index > 0 {
                let (digits, after) = rest.split_at_checked(DIGITS)?;
                values.push(digits.parse().ok()?);
                rest = after;
            }
            rest = rest.strip_prefix(piece)?;
        }
        rest.is_empty().then_some(values)
    }
}

#[test]
fn a_template_reads_what_it_printed_and_nothing_else() {
    for template in &TEMPLATES {
        let values: Vec<u64> = (0..template.keys.len() as u64).map(|key| 100_000_000 + key).collect();
        let printed = template.print(&values);
        assert!(printed.len() < 512);
        assert_eq!(template.read(&printed), Some(values));
        assert_eq!(template.read(&printed[1..]), None);
        assert_eq!(template.read(&[printed.as_slice(), b"\n"].concat()), None);
    }
}
