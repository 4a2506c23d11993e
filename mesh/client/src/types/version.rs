use serde::{Deserialize, Serialize};

use super::V1;

/// What the daemon is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The document's version.
    pub v: V1,
    /// The daemon's version.
    pub version: String,
    /// The newest version of this API that the daemon speaks.
    pub api: u64,
}

/// The address of the document of a file, from its path `folder/path`, in which `#`, `%` and `?` may stand.
#[must_use]
pub fn document_address(name: &str) -> String {
    name.replace('%', "%25").replace('#', "%23").replace('?', "%3F")
}

/// What [`document_address`] was made of; of an overlay's address, the file's path with `?host=NAME` or `?role=NAME`.
#[must_use]
pub fn document_name(address: &str) -> String {
    let (file, overlay) = address.find('?').map_or((address, ""), |at| address.split_at(at));
    // `%` last: what it stands before is no code then.
    let file = file.replace("%3F", "?").replace("%23", "#").replace("%25", "%");
    file + overlay
}

/// The overlay that an address names, as `host=NAME` or `role=NAME`.
#[must_use]
pub fn overlay_of(address: &str) -> Option<&str> {
    let document = address.split('#').next().unwrap_or_default();
    document.split_once('?').map(|(_, overlay)| overlay)
}

/// The version (`actor.lane:sequence`) within a causal token (`actor.lane:sequence@document`); a bare version is
/// given back as it is.
#[must_use]
pub fn token_version(token: &str) -> &str {
    token.split_once('@').map_or(token, |(version, _)| version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_documents_name_and_its_address_are_made_of_each_other() {
        for name in ["web/app.toml", "web/a#b?c%.toml", "web/%3F%2523", "web/100%25"] {
            assert_eq!(document_name(&document_address(name)), name);
            assert_eq!(overlay_of(&document_address(name)), None);
        }
        assert_eq!(document_name("web/a%3F.toml?host=web-1"), "web/a?.toml?host=web-1");
        assert_eq!(overlay_of("web/a%3F.toml?host=web-1#port"), Some("host=web-1"));
    }
}
