//! The lines of `--json`, checked against their schema.
//!
//! Owns: validating what a run printed.
//! Does not own: the schema (`docs/json.schema.json`), running the program.

use std::ffi::OsString;
use std::sync::LazyLock;

use jsonschema::Validator;

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../../../../docs/json.schema.json"));
    jsonschema::validator_for(&schema.expect("the schema is JSON")).expect("the schema is one")
});

/// Checks each line of `stdout` if `args` ask for JSON lines. The last may be cut, as the program may have been killed.
///
/// # Panics
///
/// When a line isn't as the schema says.
#[track_caller]
pub(crate) fn check(args: &[OsString], stdout: &[u8]) {
    if !args.iter().any(|arg| arg == "--json") {
        return;
    }
    let text = String::from_utf8_lossy(stdout);
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        // Help and plain text of a refused command line.
        let Ok(value) = serde_json::from_str(line) else {
            panic!("{args:?} printed what isn't JSON: {line}")
        };
        let faults: Vec<_> = SCHEMA.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(faults.is_empty(), "{args:?}: docs/json.schema.json doesn't allow {line}: {faults:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_of_the_schema_pass() {
        let args = ["get", "--json"].map(OsString::from);
        let retry = concat!(
            r#"{"event":"retry","task":0,"subject":"u","attempt":2,"attempts_max":6,"#,
            r#""pause_s":0.5,"host":"h","reason":"r"}"#
        );
        check(&args, format!("{retry}\n").as_bytes());
        check(&args[..1], b"text\n");
        check(&args, b"{\"event\": \"cut");
        for bad in [
            "text\n".to_owned(),
            "{\"event\":\"new\"}\n".to_owned(),
            format!("{}\n", retry.replace("task", "tusk")),
        ] {
            assert!(std::panic::catch_unwind(|| check(&args, bad.as_bytes())).is_err(), "{bad}");
        }
    }
}
