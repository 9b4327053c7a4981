//! The process's own arguments, which every user of the machine can read while it runs.
//!
//! Owns: overwriting secrets in them.
//! Does not own: which arguments are secret ([`crate::args`]).
//!
//! Source: proc_pid_stat(5) (`arg_start`, `arg_end`), proc_pid_mem(5). Nothing is promised: without `/proc`, or if the
//! kernel forbids writing, the arguments stay as they are.

use std::fs::OpenOptions;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

/// The longest arguments that are searched, in bytes: the system's limit is lower by default.
const BYTES_MAX: u64 = 8 << 20;

/// A part of an argument that must not be seen.
#[derive(Debug)]
pub(crate) struct Secret<'a> {
    /// The argument, or the end of one: the value of an option may follow its name.
    pub(crate) argument: &'a str,
    /// The bytes of `argument` that are secret.
    pub(crate) range: Range<usize>,
}

impl<'a> Secret<'a> {
    pub(crate) fn of(argument: &'a str, range: Range<usize>) -> Self {
        Self { argument, range }
    }
}

/// Overwrites `secrets` with asterisks. Must be called before the process is made undumpable, after which it can't open
/// its own memory.
pub(crate) fn hide(secrets: &[Secret<'_>]) {
    if !secrets.is_empty() {
        // Where it can't be done, the secrets stay visible to other users.
        let _ = overwrite(secrets);
    }
}

fn overwrite(secrets: &[Secret<'_>]) -> io::Result<()> {
    let unknown = || io::Error::from(io::ErrorKind::NotFound);
    let (start, end) = span(&std::fs::read_to_string("/proc/self/stat")?).ok_or_else(unknown)?;
    let memory = OpenOptions::new().read(true).write(true).open("/proc/self/mem")?;
    let bytes = end.checked_sub(start).filter(|bytes| *bytes <= BYTES_MAX).ok_or_else(unknown)?;
    let mut arguments = vec![0; usize::try_from(bytes).map_err(io::Error::other)?];
    memory.read_exact_at(&mut arguments, start)?;
    for place in places(&arguments, secrets) {
        memory.write_all_at(&vec![b'*'; place.len()], start + place.start as u64)?;
    }
    Ok(())
}

/// Where the secrets are in `arguments`, each of which ends in a NUL.
fn places(arguments: &[u8], secrets: &[Secret<'_>]) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let mut end = 0;
    for argument in arguments.split(|byte| *byte == 0) {
        end += argument.len();
        for Secret { argument: secret, range } in secrets {
            if argument.ends_with(secret.as_bytes()) {
                let start = end - secret.len();
                places.push(start + range.start..start + range.end);
            }
        }
        end += 1;
    }
    places
}

/// The addresses of the first argument's start and the last one's end: the fields 48 and 49 of the file.
fn span(stat: &str) -> Option<(u64, u64)> {
    // The second field is the name in parentheses, which may contain anything.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_ascii_whitespace().skip(45).map(str::parse);
    Some((fields.next()?.ok()?, fields.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_at_the_ends_of_arguments() {
        let arguments = b"haul\0-u\0me:x\0-ume:x\0--user=me:x\0me:xy\0x\0";
        let found = places(arguments, &[Secret::of("me:x", 3..4)]);
        assert_eq!(found, [11..12, 18..19, 30..31]);
    }

    #[test]
    fn the_span_is_found_behind_any_name() {
        let numbers: Vec<String> = (4..=52).map(|number| number.to_string()).collect();
        let stat = format!("17 (a ) b) S {}", numbers.join(" "));
        assert_eq!(span(&stat), Some((48, 49)));
        assert_eq!(span("17 (a) S 1"), None);
    }
}
