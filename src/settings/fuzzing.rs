//! Any text as a settings file.

use murmurate_client::types::ErrorCode;

use super::{ClientSettings, Settings, Surroundings};

/// The toml crate's stack grows with what nests, and a settings file is its owner's own: no larger ones are tried.
const INPUT_BYTES: usize = 4 << 10;

/// Text as both settings files: read, or refused with what is wrong and what to try.
pub fn settings(data: &[u8]) {
    let Some(text) = std::str::from_utf8(data).ok().filter(|text| text.len() <= INPUT_BYTES) else { return };
    let surroundings = Surroundings { uid: 1_000, host_name: "host".to_owned(), ..Surroundings::default() };
    let errors = [Settings::of_text(text, &surroundings).err(), ClientSettings::of_text(text).err()];
    for error in errors.into_iter().flatten() {
        assert!(matches!(error.code, ErrorCode::BadSetting | ErrorCode::Io), "{error}");
        assert!(!error.what.is_empty() && !error.why.is_empty() && !error.try_.is_empty(), "{error:?}");
    }
}
