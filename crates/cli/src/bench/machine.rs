//! The circumstances of a comparison: machine, date, version, command.
//!
//! Owns: asking the system for them, the command in the shell's syntax.
//! Does not own: the page that shows them ([`super::page`]).

use std::ffi::OsStr;
use std::path::Path;
use std::time::SystemTime;

use crate::report::redaction::{redacted, without_keys};
use crate::report::text::{harmless, human_bytes, quoted};
use crate::run::environment::Environment;

/// What a reader needs to judge figures, and to repeat them.
#[derive(Clone, Debug)]
pub(crate) struct Circumstances {
    /// Names and values, in the order in which they are shown.
    pub(super) facts: Vec<(&'static str, String)>,
    /// The command, for a shell.
    pub(super) command: String,
}

impl Circumstances {
    /// The circumstances of this process, whose files lie in `dir`.
    pub(super) fn gather(dir: &Path, environment: &Environment) -> Self {
        let kernel = rustix::system::uname();
        let (system, release) = (kernel.sysname().to_string_lossy(), kernel.release().to_string_lossy());
        let architecture = kernel.machine().to_string_lossy();
        let cores = environment.cores;
        let processor = field("/proc/cpuinfo", "model name").unwrap_or_else(|| architecture.to_string());
        let memory = field("/proc/meminfo", "MemTotal").and_then(|text| bytes_of_kib(&text));
        let memory = memory.map_or_else(|| "unknown".to_owned(), human_bytes);
        let seconds = humantime::format_rfc3339_seconds(SystemTime::now());
        let facts = vec![
            ("Machine", format!("{processor}, {cores} cores, {memory} of memory")),
            ("System", format!("{system} {release}, {architecture}")),
            ("Files on", file_system(dir)),
            ("Date", seconds.to_string()),
            ("Version", env!("HAUL_VERSION").replace('\n', ", ")),
        ];
        let words: Vec<_> = std::env::args_os().collect();
        Self { facts, command: command(words.iter().map(AsRef::as_ref)) }
    }
}

/// The value of the first line `name: value` of a file of the kernel's.
fn field(path: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == name).then(|| value.trim().to_owned())
    })
}

fn bytes_of_kib(text: &str) -> Option<u64> {
    text.strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1_024)
}

/// The kind of file system that holds `dir`. Source: statfs(2).
fn file_system(dir: &Path) -> String {
    const NAMES: [(u64, &str); 8] = [
        (0x0102_1994, "tmpfs"),
        (0xef53, "ext2, ext3 or ext4"),
        (0x5846_5342, "XFS"),
        (0x9123_683e, "btrfs"),
        (0x794c_7630, "overlayfs"),
        (0x2fc1_2fc1, "ZFS"),
        (0x6969, "NFS"),
        (0x6573_5546, "FUSE"),
    ];
    let Ok(found) = rustix::fs::statfs(dir) else { return "unknown".to_owned() };
    let kind = found.f_type as u64 & 0xffff_ffff;
    let known = NAMES.iter().find(|(number, _)| *number == kind);
    known.map_or_else(|| format!("a file system of type {kind:#x}"), |(_, name)| (*name).to_owned())
}

/// The words as a line for a POSIX shell, without secrets. What isn't text, or could manipulate a terminal, is escaped,
/// and then the line is only for reading.
fn command<'a>(words: impl Iterator<Item = &'a OsStr>) -> String {
    let words: Vec<_> = words.map(word).collect();
    words.join(" ")
}

fn word(word: &OsStr) -> String {
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_./=,:@%+".contains(character);
    match word.to_str() {
        Some(text) if !text.is_empty() && text.chars().all(is_plain) => without_secrets(text),
        Some(text) if harmless(text) == text => {
            format!("'{}'", without_secrets(text).replace('\'', r"'\''"))
        }
        _ => without_secrets(&quoted(word)),
    }
}

fn without_secrets(text: &str) -> String {
    without_keys(&redacted(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_for_a_shell_and_keeps_no_secret() {
        let line = |words: &[&str]| command(words.iter().map(OsStr::new));
        assert_eq!(line(&["haul", "bench", "xor", "--max-bytes=60k"]), "haul bench xor --max-bytes=60k");
        assert_eq!(line(&["haul", "--dir", "a b's", ""]), r"haul --dir 'a b'\''s' ''");
        let url = line(&["haul", "bench", "get", "--url", "http://me:word@example.org/?a=b&c"]);
        assert_eq!(url, "haul bench get --url 'http://***@example.org/?a=b&c'");
        assert!(!line(&["\u{1b}[31m"]).contains('\u{1b}'));
    }

    #[test]
    fn every_fact_has_a_value() {
        let circumstances = Circumstances::gather(Path::new("/proc"), &Environment::of(&[]));
        assert!(circumstances.facts.iter().all(|(_, value)| !value.is_empty()), "{circumstances:?}");
        assert_eq!(bytes_of_kib("12 kB"), Some(12_288));
        assert_eq!(field("/proc/self/status", "nothing"), None);
    }
}
