//! Help about topics: `haul help TOPIC`.
//!
//! Owns: which topics there are.
//! Does not own: the help of commands ([`super`]).

use std::ffi::OsString;

const TOPICS: [(&str, &str); 7] = [
    ("lists", include_str!("topics/lists.txt")),
    ("resuming", include_str!("topics/resuming.txt")),
    ("proxies", include_str!("topics/proxies.txt")),
    ("recipients", include_str!("topics/recipients.txt")),
    ("configuration", include_str!("topics/configuration.txt")),
    ("exit-codes", include_str!("topics/exit-codes.txt")),
    ("json", include_str!("topics/json.txt")),
];

/// The text that `words` (the program first) ask for; `None` if they don't ask for a topic.
pub(crate) fn asked_for(words: &[OsString]) -> Option<&'static str> {
    let [_, help, topic] = words else { return None };
    let known = TOPICS.iter().find(|(name, _)| help == "help" && topic == *name)?;
    Some(known.1.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_found_and_fit_a_terminal() {
        let ask = |words: &str| asked_for(&words.split(' ').map(OsString::from).collect::<Vec<_>>());
        for (name, text) in TOPICS {
            assert_eq!(ask(&format!("haul help {name}")), Some(text.trim_end()));
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{name}");
        }
        assert_eq!((ask("haul help get"), ask("haul help"), ask("haul get lists")), (None, None, None));
    }
}
