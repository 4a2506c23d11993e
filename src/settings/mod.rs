//! Settings: flags go before `MURMURATE_*` variables, those before the settings file, that before the defaults.

mod checks;
mod client;
mod daemon;
mod duration;
mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod surroundings;

pub use client::{ClientFlags, ClientSettings, ColorChoice, OutputFormat};
pub use daemon::{DaemonFlags, ROLES, Settings};
pub use duration::parse_duration;
pub use surroundings::Surroundings;

use murmurate_client::types::{ApiError, ErrorCode};

/// A setting's value, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// In words: a flag, a variable, a file or a default with its reason.
    pub source: String,
}

impl<T> Setting<T> {
    /// A value from somewhere.
    pub fn new(value: T, source: impl Into<String>) -> Self {
        Self { value, source: source.into() }
    }
}

/// The first of a flag, a variable and a file's field that there is, else the default.
fn first<T>(
    flag: Option<Setting<T>>,
    variable: Option<Setting<T>>,
    field: Option<Setting<T>>,
    default: impl FnOnce() -> Setting<T>,
) -> Setting<T> {
    flag.or(variable).or(field).unwrap_or_else(default)
}

/// A variable's value, parsed.
fn variable<T>(
    surroundings: &Surroundings,
    name: &str,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<Option<Setting<T>>, ApiError> {
    let Some(text) = surroundings.variable(name) else { return Ok(None) };
    match parse(text) {
        Ok(value) => Ok(Some(Setting::new(value, name))),
        Err(why) => Err(bad_setting(format!("read the variable {name}"), why, format!("unset {name}, or correct it"))),
    }
}

fn bad_setting(what: String, why: impl Into<String>, try_: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::BadSetting, what, why, try_)
}
