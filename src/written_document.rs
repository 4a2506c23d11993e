//! Documents that are written from the code, so that they can't go stale.

use std::path::Path;

/// Fails if the file isn't what the code says; with the variable set in the environment it is written.
pub(crate) fn check(file: &str, write: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var_os(write).is_some() {
        std::fs::write(path, text).unwrap();
        return;
    }
    assert!(std::fs::read_to_string(path).unwrap() == text, "{file} is out of date; it says how to write it");
}
