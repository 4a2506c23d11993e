//! Which format a file has, from its name and content alone, so that all hosts agree.

use crate::tree::Format;

/// Extensions of TOML files.
const TOML: &[&str] = &["toml"];
/// Extensions of JSON files, with or without comments. JSON5 is another format, and JSON lines are lines.
const JSON: &[&str] = &["json", "jsonc", "code-workspace", "webmanifest", "geojson"];
/// Extensions of YAML files.
const YAML: &[&str] = &["yaml", "yml"];
/// Names of files that are YAML.
const YAML_NAMES: &[&str] = &[".clang-format", ".clang-tidy", ".clangd", ".gemrc", ".yamllint"];
/// Names of files that may hold JSON or another format: JSON if they begin like it.
const PERHAPS_JSON: &[&str] = &[
    ".babelrc",
    ".bowerrc",
    ".eslintrc",
    ".jshintrc",
    ".prettierrc",
    ".stylelintrc",
    ".swcrc",
    ".watchmanconfig",
    "composer.lock",
    "deno.lock",
    "flake.lock",
];

/// What opens and what closes the parts of a template.
const MARKERS: [(&str, &str); 4] = [("{{", "}}"), ("{%", "%}"), ("<%", "%>"), ("${", "}")];

/// The format of a file that is new. `path` may have folders before the name; upper and lower case of the extension don't
/// matter.
///
/// The name goes first, so that a TOML file with a broken byte in it is a syntax error and not a binary file.
#[must_use]
pub fn detect(path: &str, bytes: &[u8]) -> Format {
    let name = path.rsplit('/').next().unwrap_or(path).to_ascii_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if TOML.contains(&extension) {
        return Format::Toml;
    }
    if JSON.contains(&extension) || (PERHAPS_JSON.contains(&&*name) && begins_like_json(bytes)) {
        return Format::Json;
    }
    if YAML.contains(&extension) || YAML_NAMES.contains(&&*name) {
        return Format::Yaml;
    }
    if bytes.contains(&0) || std::str::from_utf8(bytes).is_err() {
        return Format::Binary;
    }
    Format::Text
}

/// Whether the first character that isn't space opens an object, a list or a comment.
fn begins_like_json(bytes: &[u8]) -> bool {
    let text = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes).trim_ascii_start();
    matches!(text.first(), Some(b'{' | b'[' | b'/'))
}

/// Whether a text that doesn't parse looks like a template of its format (Jinja, Helm, ERB, shell): a marker stands where
/// a key or a value would, outside of quotes and comment lines. Such a file is kept as text; another one that doesn't
/// parse is held as a syntax error.
#[must_use]
pub fn looks_like_template(text: &str) -> bool {
    text.lines().any(has_marker)
}

fn has_marker(line: &str) -> bool {
    let line = line.trim_start();
    if line.starts_with('#') || line.starts_with("//") {
        return false;
    }
    // Looked for once: a line of openings alone may be as long as a file.
    let last_closings = MARKERS.map(|(_, close)| line.rfind(close).unwrap_or(0));
    let mut quote = None;
    let mut escaped = false;
    for (at, character) in line.char_indices() {
        match (quote, character) {
            _ if escaped => escaped = false,
            (Some(open), _) if character == open => quote = None,
            (Some('"'), '\\') => escaped = true,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(character),
            (None, _) if is_marker(line, at, &last_closings) => return true,
            (None, _) => {}
        }
    }
    false
}

/// Whether a template's opening stands at `at`, and its closing behind it on the same line.
fn is_marker(line: &str, at: usize, last_closings: &[usize; MARKERS.len()]) -> bool {
    let mut markers = MARKERS.iter().zip(last_closings);
    markers.any(|((open, _), &closing)| line[at..].starts_with(open) && closing >= at + open.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_decides_and_then_the_content() {
        let cases: &[(&str, &[u8], Format)] = &[
            ("app.toml", b"", Format::Toml),
            ("etc/App.TOML", b"\xff", Format::Toml),
            ("a/b.json", b"not json", Format::Json),
            ("tsconfig.jsonc", b"{}", Format::Json),
            ("x.code-workspace", b"{}", Format::Json),
            ("x.json5", b"{}", Format::Text),
            ("k8s/deploy.yaml", b"", Format::Yaml),
            ("docker-compose.YML", b"\xff", Format::Yaml),
            (".clang-format", b"", Format::Yaml),
            ("x.jsonl", b"{}\n{}\n", Format::Text),
            (".eslintrc", b"\xef\xbb\xbf\n // rules\n{}", Format::Json),
            (".eslintrc", b"rules:\n  a: 1\n", Format::Text),
            ("json", b"{}", Format::Text),
            ("x.toml.bak", b"a = 1", Format::Text),
            ("nginx.conf", b"a;\n", Format::Text),
            ("empty", b"", Format::Text),
            ("x.conf", b"a\0b", Format::Binary),
            ("x.conf", b"caf\xe9", Format::Binary),
        ];
        for (path, bytes, format) in cases {
            assert_eq!(detect(path, bytes), *format, "{path}");
        }
    }

    #[test]
    fn templates_are_told_from_mistakes() {
        let templates = [
            "replicas = {{ replicas }}\n",
            "{% if a %}\nx = 1\n{% endif %}\n",
            "{\"a\": <%= port %>}",
            "port = ${PORT}\n",
            "a = 1\n  {{- range .Values }}\n",
        ];
        let mistakes = [
            "a = 1 1\n",
            "{\"path\": \"${HOME}/x\" \"b\": 1}",
            "title = \"{{ x }}\"\nb =\n",
            "# {{ ansible_managed }}\nb =\n",
            "{\"a\": {\"b\": {\"c\": 1}}",
            "{\"a\\\"\": \"{{ x }}\",,}",
            "",
        ];
        templates.iter().for_each(|text| assert!(looks_like_template(text), "{text}"));
        mistakes.iter().for_each(|text| assert!(!looks_like_template(text), "{text}"));
    }

    /// A search behind each opening would take a quarter of an hour here.
    #[test]
    fn a_file_of_openings_is_read_once() {
        for (open, _) in MARKERS {
            assert!(!looks_like_template(&open.repeat(crate::limits::FILE_BYTES / open.len())));
        }
        assert!(!looks_like_template("}} {{") && !looks_like_template("${"));
    }
}
