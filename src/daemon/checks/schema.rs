//! JSON Schema: whether what a file means is what its schema asks for.
//!
//! Nothing is fetched: a schema that refers to another file or to an address can't be used. Patterns are matched in linear
//! time, so no schema and no value can make a check run for ever; look-around and back references are refused for that.

use std::path::Path;

use jsonschema::{PatternOptions, Validator};
use murmurate_client::types::HeldReason;
use serde_json::Value;

use super::limits::{SCHEMA_BYTES, VIOLATIONS};
use super::message::CheckFailure;
use super::process::read_small;

/// Checks a file's meaning.
pub(super) fn check(path: &Path, meaning: Option<&Value>) -> Result<(), CheckFailure> {
    let name = path.display();
    let validator =
        load(path).map_err(|why| failure(format!("the schema {name} can't be used: {why}"), String::new()))?;
    let Some(meaning) = meaning else {
        let why = "the file has no keys and values: it is merged as text or as a whole";
        return Err(failure(format!("the schema {name} can't be asked: {why}"), String::new()));
    };
    let violations: Vec<String> =
        validator.iter_errors(meaning).take(VIOLATIONS).map(|error| violation(&error)).collect();
    match violations.first() {
        None => Ok(()),
        Some(first) => Err(failure(format!("{first} (the schema {name})"), violations.join("\n"))),
    }
}

fn load(path: &Path) -> Result<Validator, String> {
    let text = read_small(path, SCHEMA_BYTES).map_err(|error| error.to_string())?;
    let text = text.ok_or_else(|| format!("it has more than {SCHEMA_BYTES} bytes"))?;
    let schema: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
    options.build(&schema).map_err(|error| error.to_string())
}

/// The place as a JSON pointer, and what is wrong there.
fn violation(error: &jsonschema::ValidationError<'_>) -> String {
    let pointer = error.instance_path().as_str();
    let place = if pointer.is_empty() { "the whole file" } else { pointer };
    shortened(&format!("{place}: {error}"))
}

/// A violation quotes the value, which may be all of the file.
fn shortened(text: &str) -> String {
    const SHOWN_BYTES: usize = 500;
    match text.len() {
        ..=SHOWN_BYTES => text.to_owned(),
        _ => format!("{}…", &text[..text.floor_char_boundary(SHOWN_BYTES)]),
    }
}

fn failure(why: String, output: String) -> CheckFailure {
    CheckFailure { cause: HeldReason::Schema, why, output }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn checked(schema: &Value, meaning: Option<&Value>) -> Result<(), CheckFailure> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.json");
        std::fs::write(&path, schema.to_string()).unwrap();
        check(&path, meaning)
    }

    #[test]
    fn violations_name_their_places() {
        let schema = json!({
            "type": "object",
            "required": ["name"],
            "properties": {
                "server": { "properties": { "port": { "type": "integer", "maximum": 65_535 } } },
                "a/b": { "type": "string", "pattern": "^[a-z]+$" },
            },
        });
        checked(&schema, Some(&json!({ "name": "x", "server": { "port": 8080 }, "a/b": "ok" }))).unwrap();
        let wrong = json!({ "server": { "port": 99_999 }, "a/b": "NO" });
        let failure = checked(&schema, Some(&wrong)).unwrap_err();
        assert_eq!(failure.cause, HeldReason::Schema);
        for line in ["the whole file: ", "/server/port: 99999", "/a~1b: \"NO\""] {
            assert!(failure.output.lines().any(|found| found.starts_with(line)), "{line}: {}", failure.output);
        }
        assert!(failure.why.ends_with("app.json)"), "{}", failure.why);
    }

    #[test]
    fn what_cant_be_checked_is_refused_with_the_reason() {
        let why = |schema: &Value, meaning: Option<&Value>| checked(schema, meaning).unwrap_err().why;
        assert!(why(&json!({}), None).contains("no keys and values"));
        assert!(why(&json!({ "type": 5 }), Some(&json!({}))).contains("can't be used"));
        let far = json!({ "$ref": "https://example.org/schema.json" });
        assert!(why(&far, Some(&json!({}))).contains("can't be used"));
        let near = json!({ "$ref": "file:///etc/passwd" });
        assert!(why(&near, Some(&json!({}))).contains("can't be used"));
        assert!(
            check(Path::new("/nonexistent/schema.json"), Some(&json!({}))).unwrap_err().why.contains("can't be used")
        );
    }

    #[test]
    fn a_long_value_isnt_quoted_whole() {
        let failure = checked(&json!({ "type": "integer" }), Some(&json!("é".repeat(100_000)))).unwrap_err();
        assert!(failure.why.len() < 1_000);
    }
}
