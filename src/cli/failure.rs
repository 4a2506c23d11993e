//! How a command ends early, and what it says then.

use std::io;

use murmurate_client::types::{ApiError, ErrorCode};

use super::view::{Style, paint};

/// Why a command ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// It failed.
    Failed(ApiError),
    /// Whoever read its output has gone: that is how `head` ends things, and no failure.
    ReaderGone,
}

impl From<ApiError> for Stop {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

/// An error of the operating system, where nothing better can be said.
pub(super) fn io(what: &str, error: &io::Error) -> ApiError {
    let code = match error.kind() {
        io::ErrorKind::PermissionDenied => ErrorCode::Denied,
        io::ErrorKind::NotFound => ErrorCode::NotFound,
        _ => ErrorCode::Io,
    };
    ApiError::new(code, what, error.to_string(), "look at the path, its owner and its mode")
}

/// Three lines: what failed and its code, why, what to try; or the JSON that the API answers with.
pub(super) fn render(error: &ApiError, json: bool, colored: bool) -> String {
    if json {
        let reply = serde_json::to_string(&error.clone().reply()).unwrap_or_default();
        return format!("{reply}\n");
    }
    let ApiError { code, what, why, try_, .. } = error;
    let [what, why, try_] = [what, why, try_].map(|text| super::table::printable(text));
    let head = paint("error", Style::Bad, colored);
    format!("{head}: {what} [{code}]\n  why: {why}\n  try: {try_}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_three_lines() {
        let error = ApiError::new(
            ErrorCode::NotFound,
            "read web/app.toml#server.prot",
            "there is no such key\n\u{1b}[2J",
            "`murmurate ls web/app.toml` lists its keys",
        );
        let forms = [render(&error, false, false), render(&error, false, true), render(&error, true, false)];
        insta::assert_snapshot!(forms.join("\n"));
    }
}
