use std::fmt;

use serde::{Deserialize, Serialize};

use super::V1;

/// An answer that is an error: `{"v":1,"error":{..}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// The document's version.
    pub v: V1,
    /// The error.
    pub error: ApiError,
}

/// What failed, why, and what to try. Nothing was changed, unless `why` says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiError {
    /// Its stable code.
    pub code: ErrorCode,
    /// What failed, and on what.
    pub what: String,
    /// Why.
    pub why: String,
    /// What to try.
    #[serde(rename = "try")]
    pub try_: String,
    /// The exit code that a command ends with.
    pub exit: u8,
}

impl ApiError {
    /// An error with the exit code that goes with its code.
    pub fn new(code: ErrorCode, what: impl Into<String>, why: impl Into<String>, try_: impl Into<String>) -> Self {
        Self { code, what: what.into(), why: why.into(), try_: try_.into(), exit: code.exit().number() }
    }

    /// What the caller couldn't have foreseen and can't help.
    pub fn internal(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::new(ErrorCode::Internal, what, why, "look into the daemon's log; please report what you find")
    }

    /// As JSON answers carry it.
    #[must_use]
    pub fn reply(self) -> ErrorReply {
        ErrorReply { v: V1, error: self }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.what, self.code, self.why)
    }
}

impl std::error::Error for ApiError {}

/// The exit codes. A number is never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed.
    Failed,
    /// Asked the wrong way.
    Usage,
    /// Not found.
    NotFound,
    /// In conflict, or not what was expected.
    Conflict,
    /// The daemon isn't reachable.
    Unreachable,
    /// There is no quorum.
    NoQuorum,
    /// Not in time, or not converged.
    Timeout,
    /// Not allowed.
    Denied,
    /// Done in part: some hosts are silent.
    Partial,
}

impl Exit {
    /// The number that the process ends with.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::Unreachable => 5,
            Self::NoQuorum => 6,
            Self::Timeout => 7,
            Self::Denied => 8,
            Self::Partial => 9,
        }
    }
}

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $exit:ident;)*) => {
        /// The stable codes of errors and problems.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum ErrorCode {
            $($(#[$doc])* #[serde(rename = $text)] $name,)*
            /// A code of a newer daemon.
            #[serde(rename = "E_UNKNOWN", other)]
            Unknown,
        }

        impl ErrorCode {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)* Self::Unknown];

            /// The code, as text and JSON show it.
            #[must_use]
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Unknown => "E_UNKNOWN",
                }
            }

            /// The exit code of a command that fails so.
            #[must_use]
            pub fn exit(self) -> Exit {
                match self {
                    $(Self::$name => Exit::$exit,)*
                    Self::Unknown => Exit::Failed,
                }
            }
        }
    };
}

error_codes! {
    /// The request makes no sense: malformed JSON, a missing parameter, flags that exclude each other.
    BadRequest = "E_BAD_REQUEST", Usage;
    /// An address isn't `DOC#KEY`.
    BadAddress = "E_BAD_ADDRESS", Usage;
    /// There is no such operation.
    NoRoute = "E_NO_ROUTE", Usage;
    /// A setting is unknown or has a value that can't be.
    BadSetting = "E_BAD_SETTING", Usage;
    /// A question needs an answer, and there is no terminal to ask on.
    NotConfirmed = "E_NOT_CONFIRMED", Usage;
    /// Something must be done at a terminal, and there is none.
    NoTerminal = "E_NO_TERMINAL", Usage;
    /// There is no such document, key, folder or conflict.
    NotFound = "E_NOT_FOUND", NotFound;
    /// The key's version isn't the expected one.
    VersionDiffers = "E_VERSION_DIFFERS", Conflict;
    /// The name is taken.
    Exists = "E_EXISTS", Conflict;
    /// The text isn't a value of the type, or the type has no form in the file's format.
    BadValue = "E_BAD_VALUE", Failed;
    /// The write would leave a file that doesn't parse, or can't be made in this format.
    BadEdit = "E_BAD_EDIT", Failed;
    /// A limit of the mesh would be passed.
    Limit = "E_LIMIT", Failed;
    /// The request is larger than any may be.
    TooLarge = "E_TOO_LARGE", Failed;
    /// The file's own edit is held, because it doesn't parse.
    Held = "E_HELD", Failed;
    /// A check of this host refuses the content.
    CheckFailed = "E_CHECK_FAILED", Failed;
    /// A reload failed.
    ReloadFailed = "E_RELOAD_FAILED", Failed;
    /// The document takes no writes until somebody repairs it.
    Frozen = "E_FROZEN", Failed;
    /// An overlay says what its file can't show.
    Overlay = "E_OVERLAY", Failed;
    /// The folder's directory can't be used.
    BadFolder = "E_BAD_FOLDER", Failed;
    /// The disk is full.
    DiskFull = "E_DISK_FULL", Failed;
    /// The store failed, and takes no writes until the daemon is started again.
    Store = "E_STORE", Failed;
    /// A file or directory can't be read or written.
    Io = "E_IO", Failed;
    /// The editor failed, or couldn't be started.
    Editor = "E_EDITOR", Failed;
    /// Some files were refused; the others were taken.
    SomeRefused = "E_SOME_REFUSED", Failed;
    /// The archive can't be read.
    BadArchive = "E_BAD_ARCHIVE", Failed;
    /// Too many requests or watches at once.
    Busy = "E_BUSY", Failed;
    /// The answer came too late, or the request did.
    Timeout = "E_TIMEOUT", Timeout;
    /// The hosts weren't in step in time.
    NotConverged = "E_NOT_CONVERGED", Timeout;
    /// There is no connection with a host that others reach.
    NoLink = "E_NO_LINK", Failed;
    /// A member lacks changes for longer than it should.
    Lagging = "E_LAGGING", Failed;
    /// Hosts run different versions of the program.
    Versions = "E_VERSIONS", Failed;
    /// Hosts' wall clocks differ.
    Clock = "E_CLOCK", Failed;
    /// The daemon isn't there.
    Unreachable = "E_UNREACHABLE", Unreachable;
    /// The daemon is ending.
    Ending = "E_ENDING", Unreachable;
    /// The connection broke before the answer; whether the request was carried out isn't known.
    Interrupted = "E_INTERRUPTED", Unreachable;
    /// The answer isn't one that this program understands.
    BadAnswer = "E_BAD_ANSWER", Failed;
    /// It isn't allowed.
    Denied = "E_DENIED", Denied;
    /// There is no quorum.
    NoQuorum = "E_NO_QUORUM", NoQuorum;
    /// Some hosts are silent.
    Partial = "E_PARTIAL", Partial;
    /// Another daemon has the socket, the port or the data directory.
    AlreadyRunning = "E_ALREADY_RUNNING", Failed;
    /// This host has no identity that can be used.
    NoIdentity = "E_NO_IDENTITY", Failed;
    /// This host is a member already.
    AlreadyMember = "E_ALREADY_MEMBER", Conflict;
    /// This host may not issue certificates and tickets.
    NotIssuer = "E_NOT_ISSUER", Denied;
    /// The text is no ticket, or was cut or mistyped.
    BadTicket = "E_BAD_TICKET", Usage;
    /// As many hosts as may have joined with the ticket.
    TicketUsed = "E_TICKET_USED", Denied;
    /// The ticket's time is over.
    TicketExpired = "E_TICKET_EXPIRED", Denied;
    /// The ticket was taken back, or its host never made it.
    TicketUnknown = "E_TICKET_UNKNOWN", Denied;
    /// Another host or mesh than the ticket's answered.
    WrongHost = "E_WRONG_HOST", Denied;
    /// Data of one mesh meets an identity of another.
    OtherMesh = "E_OTHER_MESH", Failed;
    /// No host of the mesh answered.
    NoAnswer = "E_NO_ANSWER", Failed;
    /// A daemon ended that should have gone on.
    DaemonEnded = "E_DAEMON_ENDED", Failed;
    /// Something is wrong with this host.
    Unhealthy = "E_UNHEALTHY", Failed;
    /// A fault of the program.
    Internal = "E_INTERNAL", Failed;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_are_distinct_and_read_back() {
        let texts: BTreeSet<_> = ErrorCode::ALL.iter().map(|code| code.text()).collect();
        assert_eq!(texts.len(), ErrorCode::ALL.len());
        for &code in ErrorCode::ALL {
            assert!(code.text().starts_with("E_"));
            assert_ne!(code.exit(), Exit::Done);
            let json = serde_json::to_value(code).unwrap();
            assert_eq!(json, code.text());
            assert_eq!(serde_json::from_value::<ErrorCode>(json).unwrap(), code);
        }
        assert_eq!(serde_json::from_str::<ErrorCode>("\"E_OF_TOMORROW\"").unwrap(), ErrorCode::Unknown);
    }
}
