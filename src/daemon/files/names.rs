//! Which names are documents, and which are left alone.

use murmurate_crdt::id::DocumentId;
use unicode_normalization::UnicodeNormalization;

use super::message::SkipReason;

/// The daemon's own directory at the root of each folder.
pub(crate) const OWN_DIRECTORY: &str = ".murmurate";

/// What a name below the root is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Name {
    /// A document's, or a directory of documents: the mesh's path.
    Document(String),
    /// Ours, or an editor's temporary: not even mentioned.
    Ignored,
    /// Can't be a document.
    Skipped(SkipReason),
}

/// Judges the last part `name` of a path in the directory with the mesh's path `directory`.
pub(crate) fn judge(folder: &str, directory: &str, name: &[u8]) -> Name {
    let Ok(name) = std::str::from_utf8(name) else {
        return Name::Skipped(SkipReason::NotUtf8);
    };
    if is_ignored(name) {
        return Name::Ignored;
    }
    let path = join(directory, &name.nfc().collect::<String>());
    match DocumentId::new(&format!("{folder}/{path}")) {
        Ok(_) => Name::Document(path),
        Err(error) => Name::Skipped(SkipReason::Name(error.to_string())),
    }
}

/// Whether a document's whole path may be written into the folder.
///
/// # Errors
/// With the reason why not.
pub(crate) fn check(folder: &str, path: &str) -> Result<(), String> {
    DocumentId::new(&format!("{folder}/{path}")).map_err(|error| error.to_string())?;
    if path.split('/').any(is_ignored) {
        return Err("such names are left to editors and to the daemon".into());
    }
    if path.split('/').any(|part| part.len() > 255) {
        return Err("a part is longer than 255 bytes".into());
    }
    Ok(())
}

/// The daemon's directory, and what editors and file managers put beside a file while they save it:
///
/// | pattern | whose |
/// |---|---|
/// | `.murmurate` | the daemon's, at the root; elsewhere somebody's copy of one |
/// | `.*.swp`, `.*.swo`, `.*.swx` | vim: swap files |
/// | `4913` | vim: does this directory take files? |
/// | `*~` | vim, emacs, gedit: backup |
/// | `#*#`, `.#*` | emacs: auto-save, lock |
/// | `.goutputstream-*` | GLib: before the rename |
/// | `.*.kate-swp`, `.nfs*`, `.fuse_hidden*` | kate; removed files that are still open |
/// | `..*` | Kubernetes: a volume's generations (`..data`) |
///
/// `*.tmp` isn't among them: people keep such files, and a save by rename shows the right name in the end.
fn is_ignored(name: &str) -> bool {
    let hidden = name.starts_with('.');
    name == OWN_DIRECTORY
        || name == "4913"
        || name.ends_with('~')
        || name.starts_with(".#")
        || (name.len() > 1 && name.starts_with('#') && name.ends_with('#'))
        || (name.starts_with("..") && name.len() > 2)
        || [".goutputstream-", ".nfs", ".fuse_hidden"].iter().any(|start| name.starts_with(start))
        || (hidden && [".swp", ".swo", ".swx", ".kate-swp"].iter().any(|end| name.ends_with(end)))
}

/// Whether a path on disk has an ignored part.
pub(crate) fn has_ignored_part(path: &str) -> bool {
    path.split('/').any(is_ignored)
}

/// `directory/name`; the root is the empty path.
pub(crate) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// The directory of a path and its last part.
pub(crate) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// Whether `path` lies below `directory`, at any depth.
pub(crate) fn is_below(path: &str, directory: &str) -> bool {
    directory.is_empty() || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged() {
        let document = |path: &str| Name::Document(path.to_owned());
        for (name, expected) in [
            ("app.toml".as_bytes(), document("d/app.toml")),
            (b".env", document("d/.env")),
            (b"notes.tmp", document("d/notes.tmp")),
            (b"e\xcc\x81.toml", document("d/\u{e9}.toml")),
            (b"a.swp", document("d/a.swp")),
            (b".a.toml.swp", Name::Ignored),
            (b"a.toml~", Name::Ignored),
            (b"4913", Name::Ignored),
            (b".#a", Name::Ignored),
            (b"#a#", Name::Ignored),
            (b"#", document("d/#")),
            (b".goutputstream-X1", Name::Ignored),
            (b"..data", Name::Ignored),
            (b".murmurate", Name::Ignored),
            (b"\xff.toml", Name::Skipped(SkipReason::NotUtf8)),
        ] {
            assert_eq!(judge("web", "d", name), expected, "{}", String::from_utf8_lossy(name));
        }
        assert!(matches!(judge("web", "", b"a\nb"), Name::Skipped(SkipReason::Name(_))));
        assert!(matches!(judge("web", "", b"a\\b"), Name::Skipped(SkipReason::Name(_))));
    }

    #[test]
    fn hostile_paths_are_refused() {
        for path in ["../a", "a/../b", "/a", "", "a//b", ".murmurate/folder", "d/.murmurate/x", "a~", "..data/a"] {
            assert!(check("web", path).is_err(), "{path}");
        }
        check("web", "conf.d/app.toml").unwrap();
    }
}
