//! What this host's own settings say: which documents are checked and how, and what is reloaded when they change.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;

use super::pattern::Pattern;

/// All rules of a host. They come from its settings file only, never from anything that is replicated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Commands that check a file.
    pub checks: Vec<CheckRule>,
    /// Schemas that a file must fit.
    pub schemas: Vec<SchemaRule>,
    /// What is done once a file has changed.
    pub reloads: Vec<ReloadRule>,
}

/// A command that checks a file before it is accepted or applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRule {
    /// Which documents.
    pub files: Pattern,
    /// The program with its arguments; `{file}` stands for the staged file, `{doc}` for the document's name.
    pub command: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// A JSON Schema that a file must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaRule {
    /// Which documents.
    pub files: Pattern,
    /// The schema's file.
    pub schema: PathBuf,
}

/// What is done once a file has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReloadRule {
    /// Which documents.
    pub files: Pattern,
    /// What is done.
    pub action: Action,
    /// For how long nothing must have changed before.
    pub debounce: Duration,
    /// After how long it is done under changes that don't pause.
    pub max_wait: Duration,
    /// How long it may take.
    pub timeout: Duration,
}

/// How a service is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A program with its arguments.
    Command(Vec<String>),
    /// A signal to the process that a file names.
    Signal {
        /// Which.
        signal: Signal,
        /// Its name, without `SIG`.
        name: String,
        /// The file with the process's number.
        pid_file: PathBuf,
    },
}

impl Rules {
    /// Whether a document is checked before it is accepted or applied.
    #[must_use]
    pub fn check(&self, document: &str) -> bool {
        self.checks.iter().any(|rule| rule.files.matches(document)) || self.need_meaning(document)
    }

    /// Whether a schema is about the document.
    #[must_use]
    pub fn need_meaning(&self, document: &str) -> bool {
        self.schemas.iter().any(|rule| rule.files.matches(document))
    }

    /// The reloads that follow a change of the document, by their numbers.
    pub fn reloads_of<'a>(&'a self, document: &'a str) -> impl Iterator<Item = usize> + 'a {
        let about = self.reloads.iter().enumerate().filter(|(_, rule)| rule.files.matches(document));
        about.map(|(number, _)| number)
    }

    /// Whether anything is run or sent.
    #[must_use]
    pub fn have_commands(&self) -> bool {
        !self.checks.is_empty() || !self.reloads.is_empty()
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(words) => f.write_str(&words.join(" ")),
            Self::Signal { name, pid_file, .. } => write!(f, "SIG{name} to the process in {}", pid_file.display()),
        }
    }
}

/// The signal of this name, with or without `SIG`; those that services reload at, and no other.
#[must_use]
pub fn signal(name: &str) -> Option<(Signal, &'static str)> {
    let known = [
        (Signal::HUP, "HUP"),
        (Signal::USR1, "USR1"),
        (Signal::USR2, "USR2"),
        (Signal::WINCH, "WINCH"),
        (Signal::QUIT, "QUIT"),
        (Signal::TERM, "TERM"),
        (Signal::INT, "INT"),
    ];
    let name = name.strip_prefix("SIG").unwrap_or(name);
    known.into_iter().find(|(_, known)| *known == name)
}
