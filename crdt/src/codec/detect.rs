//! Which format a file has, from its name and content alone, so that all hosts agree.

use super::names::{self, Sure};
use super::{env, ini, outer};
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
    let path = path.to_ascii_lowercase();
    let name = path.rsplit('/').next().unwrap_or(&path);
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if TOML.contains(&extension) {
        return Format::Toml;
    }
    if JSON.contains(&extension) || (PERHAPS_JSON.contains(&name) && begins_like_json(bytes)) {
        return Format::Json;
    }
    if YAML.contains(&extension) || YAML_NAMES.contains(&name) {
        return Format::Yaml;
    }
    if bytes.contains(&0) || std::str::from_utf8(bytes).is_err() {
        return Format::Binary;
    }
    of_lines(&path, name, bytes)
}

/// The format of a file that had the format `before`. Where the name alone doesn't tell, a file of keys stays one: one that
/// is emptied, or has a mistake, isn't another kind of file.
#[must_use]
pub fn detect_again(path: &str, bytes: &[u8], before: Option<Format>) -> Format {
    let format = detect(path, bytes);
    let path = path.to_ascii_lowercase();
    let name = path.rsplit('/').next().unwrap_or(&path);
    let by_content = match before {
        Some(Format::Env) => names::env(name),
        Some(Format::Ini) => names::ini(&path),
        _ => return format,
    };
    before.filter(|_| format == Format::Text && by_content == Sure::IfItFits).unwrap_or(format)
}

/// The format of a text that isn't known by its extension alone. `path` and `name` are in lower case.
fn of_lines(path: &str, name: &str, bytes: &[u8]) -> Format {
    if names::is_blocks(path) {
        return Format::Blocks;
    }
    let fits = |fits: fn(&str) -> bool| outer::take_off(bytes).is_ok_and(|(_, text)| fits(&text));
    match (names::env(name), names::ini(path)) {
        (Sure::Yes, _) => Format::Env,
        (_, Sure::Yes) => Format::Ini,
        (Sure::IfItFits, _) if fits(env::fits) => Format::Env,
        (_, Sure::IfItFits) if fits(ini::fits) => Format::Ini,
        _ => Format::Text,
    }
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
            ("nginx.conf", b"a;\n", Format::Blocks),
            ("etc/nginx/conf.d/web.conf", b"", Format::Blocks),
            ("etc/nginx/sites-enabled/default", b"server {}\n", Format::Blocks),
            ("etc/nginx/mime.types", b"", Format::Blocks),
            ("haproxy.cfg", b"global\n", Format::Blocks),
            ("haproxy/api.cfg", b"", Format::Blocks),
            (".env", b"A=1\n", Format::Env),
            ("web/.env.production", b"", Format::Env),
            ("web.env", b"", Format::Env),
            ("env.example", b"", Format::Env),
            ("web.env.sample", b"", Format::Env),
            ("env", b"# c\nA=1\n", Format::Env),
            ("env", b"#!/bin/sh\nset -e\n", Format::Text),
            ("env", b"true\n", Format::Text),
            ("environment", b"A=1\n", Format::Env),
            ("env.sh", b"A=1\n", Format::Text),
            ("env.py", b"a = 1\n", Format::Text),
            ("a.service", b"", Format::Ini),
            ("a.service.d/10-limits.conf", b"[Service]\nLimitNOFILE=1\n", Format::Ini),
            (".editorconfig", b"root = true\n", Format::Ini),
            (".git/config", b"", Format::Ini),
            ("app.ini.example", b"", Format::Ini),
            ("gradle-wrapper.properties", b"", Format::Ini),
            ("sysctl.d/a.conf", b"# c\nnet.ipv4.ip_forward = 1\n", Format::Ini),
            ("rootwrap.conf", b"\xef\xbb\xbf[DEFAULT]\r\nfilters_path=/etc\r\n", Format::Ini),
            ("x.conf", b"", Format::Text),
            ("x.conf", b"# all of it\n", Format::Text),
            ("ssh.conf", b"Port 22\nPermitRootLogin no\n", Format::Text),
            ("modprobe.conf", b"options snd index=0\n", Format::Text),
            ("named.conf", b"options {\n  directory \"/var\";\n};\n", Format::Text),
            ("site.conf", b"server {\n  set $a = 1;\n}\n", Format::Text),
            ("httpd.conf", b"<VirtualHost *:80>\nSetEnv A=1\n</VirtualHost>\n", Format::Text),
            ("dovecot.conf", b"log = yes\nplugin {\n a = b\n}\n", Format::Text),
            ("crontab", b"MAILTO=root\n0 5 * * * root a=b c\n", Format::Text),
            ("cron.conf", b"MAILTO=root\n0 5 * * * root a=b c\n", Format::Text),
            ("export.conf", b"export A=1\n", Format::Text),
            ("empty", b"", Format::Text),
            ("x.conf", b"a\0b", Format::Binary),
            ("x.conf", b"caf\xe9", Format::Binary),
        ];
        for (path, bytes, format) in cases {
            assert_eq!(detect(path, bytes), *format, "{path}");
        }
    }

    #[test]
    fn a_file_of_sections_stays_one() {
        let again = |path: &str, before| detect_again(path, b"# none\n", before);
        assert_eq!(again("x.conf", Some(Format::Ini)), Format::Ini);
        assert_eq!(again("x.conf", Some(Format::Text)), Format::Text);
        assert_eq!(again("x.conf", None), Format::Text);
        assert_eq!(again("x.txt", Some(Format::Ini)), Format::Text);
        assert_eq!(again("env", Some(Format::Env)), Format::Env);
        assert_eq!(detect_again("x.conf", b"\0", Some(Format::Ini)), Format::Binary);
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
            assert!(!looks_like_template(&open.repeat(crate::limits::MERGED_FILE_BYTES / open.len())));
        }
        assert!(!looks_like_template("}} {{") && !looks_like_template("${"));
    }
}
