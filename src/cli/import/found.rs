use murmurate_client::types::ApiError;
use unicode_normalization::UnicodeNormalization;

/// Where files come from, one after the other.
pub(super) trait Source {
    /// The next one; `None` behind the last.
    fn next(&mut self) -> Result<Option<Found>, ApiError>;
}

/// A file, or what stands where one is expected.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its path, as it was found; for people where it can't be taken.
    pub(super) path: String,
    pub(super) executable: bool,
    pub(super) content: Content,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Bytes(Vec<u8>),
    /// Why it isn't taken.
    Refused(String),
}

impl Found {
    pub(super) fn refused(path: impl Into<String>, why: impl Into<String>) -> Self {
        Self { path: path.into(), executable: false, content: Content::Refused(why.into()) }
    }
}

/// The document that a path belongs to, without its first parts and in a folder; or why there is none.
pub(super) fn document_of(path: &str, strip: usize, into: Option<&str>) -> Result<String, &'static str> {
    let path = path.strip_prefix("./").unwrap_or(path);
    if path.starts_with('/') {
        return Err("its path begins at the root");
    }
    if path.split('/').any(|part| part == "..") {
        return Err("its path leads out of the folder");
    }
    if path.split('/').any(|part| matches!(part, "" | ".")) {
        return Err("a part of its path is empty");
    }
    let rest: Vec<&str> = path.split('/').skip(strip).collect();
    if rest.is_empty() {
        return Err("`--strip` leaves nothing of its path");
    }
    let name = into.into_iter().chain(rest).collect::<Vec<_>>().join("/");
    if !name.contains('/') {
        return Err("it is in no folder; name one with `--into`");
    }
    Ok(name.nfc().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_their_folder() {
        type Row = (&'static str, usize, Option<&'static str>, Result<&'static str, &'static str>);
        let rows: [Row; 11] = [
            ("web/app.toml", 0, None, Ok("web/app.toml")),
            ("./web/app.toml", 0, None, Ok("web/app.toml")),
            ("app.toml", 0, Some("web"), Ok("web/app.toml")),
            ("old/conf.d/app.toml", 1, Some("web"), Ok("web/conf.d/app.toml")),
            ("web/e\u{301}.toml", 0, None, Ok("web/é.toml")),
            ("app.toml", 0, None, Err("no folder")),
            ("web/app.toml", 2, Some("web"), Err("--strip")),
            ("../web/app.toml", 0, None, Err("out of")),
            ("web/../../app.toml", 2, Some("web"), Err("out of")),
            ("/etc/passwd", 0, Some("web"), Err("root")),
            ("web//app.toml", 0, None, Err("empty")),
        ];
        for (path, strip, into, expected) in rows {
            match (document_of(path, strip, into), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{path}"),
                (Err(found), Err(expected)) => assert!(found.contains(expected), "{path}: {found}"),
                (found, _) => panic!("{path}: {found:?}"),
            }
        }
    }
}
