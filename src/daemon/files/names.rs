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
    /// Can't be a document.
    Skipped(SkipReason),
}

/// Judges the last part `name` of a path in the directory with the mesh's path `directory`.
pub(crate) fn judge(folder: &str, directory: &str, name: &[u8]) -> Name {
    let Ok(name) = std::str::from_utf8(name) else {
        return Name::Skipped(SkipReason::NotUtf8);
    };
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
    if path.split('/').any(|part| part == OWN_DIRECTORY) {
        return Err("such names are left to the daemon".into());
    }
    if path.split('/').any(|part| part.len() > 255) {
        return Err("a part is longer than 255 bytes".into());
    }
    Ok(())
}

/// Whether a name is what editors and other tools put beside a file, mostly while they save it:
///
/// | pattern | whose |
/// |---|---|
/// | `.*.swp`, `.*.swo`, `.*.swx` | vim, nano: swap files, locks |
/// | `4913` | vim: does this directory take files? |
/// | `*~` | vim, emacs, gedit: backup, undo |
/// | `#*#`, `.#*`, `.~lock.*#` | emacs: auto-save, lock; LibreOffice: lock |
/// | `.goutputstream-*`, `.*.kate-swp` | GLib: before the rename; kate |
/// | `*___jb_tmp___`, `*___jb_old___` | JetBrains: before and after the rename |
/// | `.nfs*`, `.fuse_hidden*` | removed files that are still open |
/// | `..*` | Kubernetes: a volume's generations (`..data`) |
/// | `sedXXXXXX`, `.NAME.XXXXXX`, `.tmpXXXXXX` | sed -i, rsync, tempfile: before the rename; X by chance |
/// | `.ansible_tmp*`, `*.dpkg-new`, `*.dpkg-tmp` | Ansible, dpkg: before the rename |
/// | `.git`, `.hg`, `.svn`, `.bzr`, `.jj` | version control: its files fit together only as a whole |
///
/// `*.tmp` isn't among them: people keep such files, and a save by rename shows the right name in the end.
pub(crate) fn is_of_a_tool(name: &str) -> bool {
    let starts = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    ["4913", ".git", ".hg", ".svn", ".bzr", ".jj"].contains(&name)
        || starts(&[".#", ".goutputstream-", ".nfs", ".fuse_hidden", ".ansible_tmp"])
        || ends(&["~", "___jb_tmp___", "___jb_old___", ".dpkg-new", ".dpkg-tmp"])
        || (name.len() > 1 && name.ends_with('#') && starts(&["#", ".~lock."]))
        || (name.len() > 2 && name.starts_with(".."))
        || (name.starts_with('.') && ends(&[".swp", ".swo", ".swx", ".kate-swp"]))
        || is_made_up(name)
}

/// Whether a name was made by mkstemp(3), as sed, rsync and tempfile do.
fn is_made_up(name: &str) -> bool {
    let rsync = || name.strip_prefix('.').and_then(|name| name.rsplit_once('.')).map(|(_, end)| end);
    let end = name.strip_prefix("sed").or_else(|| name.strip_prefix(".tmp")).or_else(rsync);
    end.is_some_and(is_by_chance)
}

/// Whether six letters and digits are rather by chance than a word: `backup`, `Sample`, `README` and `stage2` are words.
fn is_by_chance(end: &str) -> bool {
    let is_word = |letters: &str| {
        let rest = letters.strip_prefix(|first: char| first.is_ascii_uppercase()).unwrap_or(letters);
        rest.bytes().all(|byte| byte.is_ascii_lowercase()) || letters.bytes().all(|byte| byte.is_ascii_uppercase())
    };
    end.len() == 6
        && end.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !is_word(end.trim_end_matches(|digit: char| digit.is_ascii_digit()))
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
            (b"\xff.toml", Name::Skipped(SkipReason::NotUtf8)),
        ] {
            assert_eq!(judge("web", "d", name), expected, "{}", String::from_utf8_lossy(name));
        }
        assert!(matches!(judge("web", "", b"a\nb"), Name::Skipped(SkipReason::Name(_))));
        assert!(matches!(judge("web", "", b"a\\b"), Name::Skipped(SkipReason::Name(_))));
    }

    #[test]
    fn what_tools_make_is_told_from_what_people_name() {
        for name in [
            ".a.toml.swp",
            "a.toml~",
            ".a.un~",
            "4913",
            ".#a",
            "#a#",
            ".~lock.a.ods#",
            ".goutputstream-X1",
            "..data",
            ".git",
            "a.toml___jb_tmp___",
            "seda3Xk9Q",
            ".app.toml.x7Gh2K",
            ".env.AbCdEf",
            ".tmpZk31qP",
            "sshd_config.dpkg-new",
        ] {
            assert!(is_of_a_tool(name), "{name}");
        }
        for name in [
            "a.swp",
            "#",
            "..",
            "sedate.txt",
            "sedatives",
            "sed.conf",
            ".env.sample",
            ".env.Docker",
            ".env.README",
            ".env.stage2",
            ".env",
            ".gitignore",
            ".tmp",
            ".tmpfiles",
            ".babelrc.config",
            "tmp.aB3xY9",
            "notes.tmp",
        ] {
            assert!(!is_of_a_tool(name), "{name}");
        }
    }

    #[test]
    fn hostile_paths_are_refused() {
        for path in ["../a", "a/../b", "/a", "", "a//b", ".murmurate/folder", "d/.murmurate/x"] {
            assert!(check("web", path).is_err(), "{path}");
        }
        check("web", "conf.d/app.toml").unwrap();
    }
}
