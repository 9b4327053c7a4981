//! Failures of the jobs on files, in words.
//!
//! Owns: naming the file that a failure is about, advice.
//! Does not own: texts that need no names ([`haul_seal::Error`]), exit codes ([`super`]).

use std::borrow::Cow;
use std::path::Path;

use serde_json::{Map, Value, json};

use haul_seal::{
    BadIndex, During, Error, HeaderError, OpenError, PluginProblem, WORK_FACTOR_MAX, inspect_file,
};

/// The message about `error`. `target` is the result, as it is shown.
pub(in crate::files) fn message(error: &Error, target: Option<&str>) -> String {
    match (error, target) {
        (Error::Exists, Some(target)) => format!("the result {target} exists already"),
        (Error::Io { step: During::Create | During::Write | During::Publish, source }, Some(target)) => {
            format!("cannot write {target}: {}", haul_io::reason(source))
        }
        _ => error.to_string(),
    }
}

/// The kind of `error`, for scripts.
pub(in crate::files) fn kind(error: &Error) -> &'static str {
    match error {
        Error::Io { step: During::Create | During::Write | During::Publish, .. } => "write",
        Error::Io { step: During::Remove, .. } => "remove",
        Error::Io { .. } | Error::Walk(_) | Error::NotRegular => "read",
        Error::Exchanged | Error::Link { .. } | Error::SourceChanged => "changed",
        Error::Exists => "exists",
        Error::NoTargetName => "no_name",
        Error::Recipients(_) => "recipients",
        Error::Header(OpenError::NoMatch) => "no_match",
        Error::Header(OpenError::WrongPassphrase) => "wrong_passphrase",
        Error::Header(OpenError::Header(HeaderError::NotAge | HeaderError::Converted)) => "not_age",
        Error::Header(OpenError::Header(
            HeaderError::WorkFactorTooHigh { .. } | HeaderError::NoMemory { .. },
        )) => "work_factor",
        Error::Header(_) | Error::Armor(_) => "damaged_header",
        Error::Plugin(_) => "plugin",
        Error::WrongLength | Error::CutShort | Error::AfterEnd => "damaged_length",
        Error::Chunk { .. } => "damaged_chunk",
        Error::Shard(BadIndex::Damaged | BadIndex::Content) => "damaged_shard",
        Error::Shard(_) => "not_in_shard",
        Error::OutOfRange { .. } => "range",
        Error::HalfOverwritten => "half_overwritten",
        _ => "other",
    }
}

/// The members that describe `error` further: which chunk is damaged, and what is lost with it.
pub(in crate::files) fn members(error: &Error) -> Map<String, Value> {
    let Error::Chunk { index, plain, file } = error else { return Map::new() };
    let chunk = json!({
        "index": index,
        "plain_start": plain.start, "plain_bytes": plain.end - plain.start,
        "file_start": file.start, "file_bytes": file.end - file.start,
    });
    Map::from_iter([("chunk".to_owned(), chunk)])
}

/// Advice against `error`. `source` is the file that was read, if it has a name.
pub(in crate::files) fn hint(error: &Error, source: Option<&Path>) -> Option<Cow<'static, str>> {
    let hint = match error {
        Error::Exists => "--force overwrites existing results",
        Error::Header(OpenError::NoMatch) => return Some(source.map_or_else(either_key, needed_key)),
        Error::Plugin(error) if error.problem == PluginProblem::Missing => {
            "install the plugin in a directory of PATH"
        }
        Error::Header(OpenError::Header(HeaderError::WorkFactorTooHigh { limit, .. }))
            if *limit < WORK_FACTOR_MAX =>
        {
            "the limit is lower in trees: name the file itself"
        }
        Error::Header(OpenError::Header(HeaderError::Converted)) => {
            "take the file as it was made, or convert the text to UTF-8 without a byte order mark"
        }
        Error::NoTargetName => "name the result with -o, or the ending with --suffix",
        _ => return None,
    };
    Some(hint.into())
}

fn either_key() -> Cow<'static, str> {
    "-i names a file of identities, -p asks for a passphrase".into()
}

/// What opens the file at `path`, as its header says.
fn needed_key(path: &Path) -> Cow<'static, str> {
    let Ok(facts) = inspect_file(path) else { return either_key() };
    if facts.stanzas.iter().any(|(kind, _)| kind == "scrypt") {
        return "it is sealed with a passphrase: -p asks for it".into();
    }
    let kinds: Vec<_> = facts.stanzas.iter().map(|(kind, _)| kind.as_str()).collect();
    format!(
        "it is sealed to recipients ({}): -i names the file with the identity of one of them",
        kinds.join(", ")
    )
    .into()
}
