//! One line of a list of hidden names.
//!
//! Owns: its form (a JSON object), the first line of lists, the names of lists.
//! Does not own: sealing lists ([`super::journal`]), using them ([`super::restore`]).

use serde::{Deserialize, Serialize};

/// The first line of every list.
pub(super) const TITLE: &str = "{\"haul\":\"names\",\"version\":1}";
/// The longest entry in bytes.
pub(super) const ENTRY_BYTES_MAX: usize = 60 * 1024;
/// The digits of a random name.
const RANDOM_DIGITS: usize = 32;

/// What a random name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HiddenName {
    /// The name of the sealed file, in the directory of the list: 32 random hexadecimal digits, and the suffix.
    pub file: String,
    /// The name that opening gives the file, below the directory of results; slashes separate directories.
    pub name: String,
    /// Where the file came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
}

impl HiddenName {
    /// The line of the list. A source that would make it too long is left out.
    pub(super) fn to_line(&self) -> String {
        let line = |entry: &Self| serde_json::to_string(entry).expect("text can be written as JSON") + "\n";
        let whole = line(self);
        if whole.len() <= ENTRY_BYTES_MAX {
            whole
        } else {
            line(&Self { source: String::new(), ..self.clone() })
        }
    }
}

/// The name of the list with this number, which starts at 1, without the suffix of sealed files.
pub(super) fn list_name(number: u32) -> String {
    if number == 1 { "names".to_owned() } else { format!("names-{number}") }
}

/// Whether a file that hides its name may be called so, without its suffix: it is random, so that nobody knows it
/// without a look at the directory.
pub(super) fn is_random_name(name: &str) -> bool {
    name.len() == RANDOM_DIGITS && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a list may be called so, without its suffix.
pub(super) fn is_list_name(name: &str) -> bool {
    let number = name.strip_prefix("names-").map(str::parse::<u32>);
    name == "names" || matches!(number, Some(Ok(number)) if list_name(number) == name)
}
