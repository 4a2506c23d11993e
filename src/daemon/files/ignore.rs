//! Which files are left alone: those of editors and tools by themselves, others by the folder's own patterns.
//!
//! The patterns stand in `.murmurateignore` at the folder's root, in the syntax of gitignore(5), and are a document like any
//! other, so all hosts have the same. A file that they come to cover stays on every host as it is: it isn't read, written or
//! deleted any more, and neither is its document. Once they cover it no longer, it goes on from what it was last in step
//! with: what was saved meanwhile is an edit, and a file that was removed meanwhile is a delete.

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::message::ContentHash;
use super::names;

/// The document with the patterns.
pub(crate) const PATTERNS: &str = ".murmurateignore";
/// Bytes of patterns: each is compiled, and looked at for each file.
const PATTERNS_BYTES: usize = 64 * 1024;

/// The patterns of a folder.
#[derive(Debug)]
pub(super) struct Ignore {
    patterns: Gitignore,
    /// Of the bytes they were read from; nothing for none.
    hash: Option<ContentHash>,
}

impl Default for Ignore {
    fn default() -> Self {
        Self { patterns: Gitignore::empty(), hash: None }
    }
}

impl Ignore {
    /// Takes the place of these patterns if they are others. Returns whether they were, and the first line that is no
    /// pattern; the other lines count.
    pub(super) fn replace(&mut self, bytes: Option<&[u8]>) -> (bool, Option<String>) {
        let hash = bytes.map(ContentHash::of);
        if self.hash == hash {
            return (false, None);
        }
        let (patterns, wrong) = compile(bytes.unwrap_or_default());
        *self = Self { patterns, hash };
        (true, wrong)
    }

    /// Whether a path, in the mesh's spelling, is left alone, by itself or with a directory that it is in.
    pub(super) fn covers(&self, path: &str, is_directory: bool) -> bool {
        if path == PATTERNS {
            return false;
        }
        let ends = path.match_indices('/').map(|(slash, _)| (slash, true)).chain([(path.len(), is_directory)]);
        ends.into_iter().any(|(end, is_directory)| self.covers_name(&path[..end], is_directory))
    }

    fn covers_name(&self, path: &str, is_directory: bool) -> bool {
        let name = names::split(path).1;
        match self.patterns.matched(path, is_directory) {
            _ if name == names::OWN_DIRECTORY => true,
            Match::Ignore(_) => true,
            Match::Whitelist(_) => false,
            Match::None => names::is_of_a_tool(name),
        }
    }
}

fn compile(bytes: &[u8]) -> (Gitignore, Option<String>) {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(PATTERNS_BYTES)]);
    let mut builder = GitignoreBuilder::new("");
    let mut wrong = (bytes.len() > PATTERNS_BYTES).then(|| format!("only the first {PATTERNS_BYTES} bytes count"));
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        if let Err(error) = builder.add_line(None, line) {
            wrong.get_or_insert_with(|| format!("line {}: {error}", number + 1));
        }
    }
    match builder.build() {
        Ok(patterns) => (patterns, wrong),
        Err(error) => (Gitignore::empty(), Some(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(patterns: &str, path: &str) -> bool {
        let mut ignore = Ignore::default();
        assert_eq!(ignore.replace(Some(patterns.as_bytes())), (true, None), "{patterns}");
        ignore.covers(path, false)
    }

    #[test]
    fn patterns_are_those_of_git() {
        for (patterns, path, expected) in [
            ("", "a.toml", false),
            ("*.log", "a.log", true),
            ("*.log", "deep/er/a.log", true),
            ("/a.log", "deep/a.log", false),
            ("logs/", "logs", false),
            ("logs/", "logs/a", true),
            ("logs/", "deep/logs/a", true),
            ("deep/*.log", "deep/a.log", true),
            ("**/cache/*", "x/cache/y", true),
            ("*.log\n!keep.log", "keep.log", false),
            ("# a comment\n\n\\#a", "#a", true),
            ("a.log\r\nb.log\r\n", "b.log", true),
            ("*\n!*.toml\n!*/", "conf.d/a.toml", false),
            ("*\n!*.toml\n!*/", "conf.d/a.yaml", true),
            ("*", PATTERNS, false),
            ("caf\u{e9}", "caf\u{e9}", true),
        ] {
            assert_eq!(covered(patterns, path), expected, "{path} by {patterns:?}");
        }
    }

    #[test]
    fn what_tools_leave_is_covered_unless_it_is_asked_for_and_our_own_directory_always() {
        for (patterns, path, expected) in [
            ("", "a.toml~", true),
            ("", ".git/config", true),
            ("", "sub/.git/HEAD", true),
            ("!*~", "a.toml~", false),
            ("!.murmurate", ".murmurate/folder", true),
            ("", "sub/.murmurate/folder", true),
            ("", ".gitignore", false),
        ] {
            assert_eq!(covered(patterns, path), expected, "{path} by {patterns:?}");
        }
    }

    #[test]
    fn a_line_that_is_no_pattern_is_named_and_the_others_count() {
        let mut ignore = Ignore::default();
        let (is_new, wrong) = ignore.replace(Some(b"*.log\n[z-a]\n"));
        assert!(is_new && wrong.is_some_and(|wrong| wrong.starts_with("line 2: ")));
        assert!(ignore.covers("a.log", false));
        assert_eq!(ignore.replace(Some(b"*.log\n[z-a]\n")), (false, None));
        assert_eq!(ignore.replace(None), (true, None));
        assert!(!ignore.covers("a.log", false));
    }
}
