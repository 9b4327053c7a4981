//! The order of the words on the command line.
//!
//! Owns: moving options that stand before the command behind it, finding the command.
//! Does not own: the grammar ([`crate::args::Args`]).

use std::ffi::{OsStr, OsString};

/// The options of [`crate::args::CommonArgs`] that may stand before the command, and whether a value follows.
const COMMON: [(&str, bool); 11] = [
    ("--engine", true),
    ("--progress", true),
    ("--trace", true),
    ("--stats", false),
    ("--json", false),
    ("--dry-run", false),
    ("--keep-going", false),
    ("--fail-fast", false),
    ("--no-config", false),
    ("--quiet", false),
    ("--verbose", false),
];

/// `words` (the program first) with the common options before the command moved behind it. Words that start otherwise
/// stay as they are.
pub(crate) fn in_order(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let mut end = 1;
    while let Some(taken) = words.get(end).and_then(|word| taken(word)) {
        end += taken;
    }
    // Without a command, nothing is behind it.
    if end < words.len() {
        words[1..=end].rotate_right(1);
    }
    words
}

/// The number of words that the common option `word` takes; `None` for any other word.
fn taken(word: &OsStr) -> Option<usize> {
    let word = word.to_str()?;
    if let Some(letters) =
        word.strip_prefix('-').filter(|letters| !letters.starts_with('-') && !letters.is_empty())
    {
        // Several letters in one word, or the value of -e.
        return match letters.split_once('e') {
            _ if letters.bytes().all(|letter| b"qv".contains(&letter)) => Some(1),
            Some((start, value)) if start.bytes().all(|letter| b"qv".contains(&letter)) => {
                Some(if value.is_empty() { 2 } else { 1 })
            }
            _ => None,
        };
    }
    let (name, value) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
    let (_, has_value) = COMMON.iter().find(|(known, _)| *known == name)?;
    match (has_value, value) {
        (true, None) => Some(2),
        (false, Some(_)) => None,
        _ => Some(1),
    }
}

/// The word that names the command, if `words` are [`in_order`].
pub(crate) fn command_of(words: &[OsString]) -> Option<&str> {
    words.get(1)?.to_str().filter(|word| !word.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn common_options_may_stand_before_the_command() {
        for (words, ordered) in [
            ("haul -v get u", "haul get -v u"),
            ("haul -vv --json -e threads=2 get u -q", "haul get -vv --json -e threads=2 u -q"),
            ("haul -eserial --progress=never seal x", "haul seal -eserial --progress=never x"),
            ("haul get -v u", "haul get -v u"),
            ("haul -o x get u", "haul -o x get u"),
            ("haul --version", "haul --version"),
            ("haul -v", "haul -v"),
            ("haul -v -e", "haul -v -e"),
            ("haul -h", "haul -h"),
            ("haul", "haul"),
        ] {
            let found = in_order(words.split(' ').map(OsString::from));
            let found: Vec<_> = found.iter().map(|word| word.to_str().unwrap()).collect();
            assert_eq!(found.join(" "), ordered);
        }
    }
}
