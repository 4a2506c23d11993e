//! Which documents a rule is about: `web/app.toml`, `web/*.conf`, `web/**`, or `web` for the whole folder.

use std::fmt;

/// Longest pattern: as long as a document's name may be, with some room for stars.
const PATTERN_BYTES: usize = 2_048;

/// A pattern over documents' names, `folder/path`.
///
/// `*` stands for any characters but `/`, `?` for one of these, and a part `**` for any number of parts. A pattern that
/// is a folder's name alone stands for all that is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<String>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.len() > PATTERN_BYTES {
            return Err(format!("a pattern has 1 to {PATTERN_BYTES} bytes"));
        }
        let mut parts: Vec<String> = text.split('/').map(str::to_owned).collect();
        if parts.iter().any(|part| part.is_empty() || part == "." || part == "..") {
            return Err(format!("`{text}` is no FOLDER/PATH: no part may be empty, `.` or `..`"));
        }
        if parts.iter().any(|part| part.contains("**") && part != "**") {
            return Err(format!("`{text}`: `**` stands for whole parts, as in `web/**/a.conf`"));
        }
        if parts.len() == 1 {
            parts.push("**".to_owned());
        }
        Ok(Self { text: text.to_owned(), parts })
    }

    /// Whether it is about the document of this name.
    #[must_use]
    pub fn matches(&self, document: &str) -> bool {
        let parts: Vec<&str> = document.split('/').collect();
        matches_parts(&self.parts, &parts)
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// As [`matches_part`], with `**` for the star: where the last one fails, it takes one part more.
fn matches_parts(pattern: &[String], parts: &[&str]) -> bool {
    let (mut at, mut part) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while part < parts.len() {
        match pattern.get(at) {
            Some(any) if any == "**" => {
                star = Some((at, part));
                at += 1;
            }
            Some(one) if matches_part(one, parts[part]) => {
                at += 1;
                part += 1;
            }
            _ => {
                let Some((star_at, from)) = star else { return false };
                star = Some((star_at, from + 1));
                (at, part) = (star_at + 1, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|rest| rest == "**")
}

fn matches_part(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut next) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while next < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, next));
                at += 1;
            }
            Some(one) if *one == '?' || *one == text[next] => {
                at += 1;
                next += 1;
            }
            _ => {
                let Some((star_at, from)) = star else { return false };
                star = Some((star_at, from + 1));
                (at, next) = (star_at + 1, from + 1);
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_names() {
        let rows: &[(&str, &[&str], &[&str])] = &[
            ("web/a.conf", &["web/a.conf"], &["web/a.confx", "web/b/a.conf", "xweb/a.conf", "web"]),
            ("web/*.conf", &["web/a.conf", "web/.conf"], &["web/d/a.conf", "web/a.conf.d", "app/a.conf"]),
            ("web/**", &["web/a", "web/d/e/f"], &["app/a", "webs/a"]),
            ("web", &["web/a", "web/d/e/f"], &["app/web", "webs/a"]),
            ("web/**/a.conf", &["web/a.conf", "web/d/a.conf", "web/d/e/a.conf"], &["web/d/b.conf", "web/a.conf/b"]),
            ("*/a?.toml", &["x/ab.toml", "y/aé.toml"], &["x/a.toml", "x/y/ab.toml"]),
            ("w/a*b*c", &["w/abc", "w/a1b2b3c"], &["w/acb", "w/abcd"]),
            ("**/b/**/c", &["b/c", "a/b/c", "a/b/x/b/y/c"], &["c", "a/c/b"]),
        ];
        for (text, fits, others) in rows {
            let pattern = Pattern::new(text).unwrap();
            fits.iter().for_each(|name| assert!(pattern.matches(name), "{text} fits {name}"));
            others.iter().for_each(|name| assert!(!pattern.matches(name), "{text} doesn't fit {name}"));
            assert_eq!(pattern.to_string(), *text);
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for text in ["", "/etc/web", "web/", "web//a", "web/../a", "web/a**", &"a".repeat(PATTERN_BYTES + 1)] {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_pattern_of_many_stars_takes_no_long_time() {
        let pattern = Pattern::new(&format!("w/{}b", "*a".repeat(500))).unwrap();
        assert!(!pattern.matches(&format!("w/{}", "a".repeat(1_000))));
    }
}
