//! The number of entries in a list, for the progress.
//!
//! Owns: counting lines beside the run.
//! Does not own: what the lines say ([`super::list`]).

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use crate::report::progress::{Progress, ProgressEvent};

/// Tells `progress` how many files the run has: `others`, and the lines of `list` if that is a regular file. Counting
/// takes place beside the run; where the system refuses a thread, the number isn't known.
pub(crate) fn tell(others: u64, list: Option<&Path>, progress: &Progress) {
    let Some(list) = list else { return progress.tell(ProgressEvent::Total(others)) };
    let Some(file) = File::open(list).ok().filter(|file| file.metadata().is_ok_and(|data| data.is_file()))
    else {
        return;
    };
    let progress = progress.clone();
    let count_lines = move || {
        if let Ok(lines) = count(BufReader::new(file)) {
            progress.tell(ProgressEvent::Total(others + lines));
        }
    };
    let _ = std::thread::Builder::new().name("list length".to_owned()).spawn(count_lines);
}

/// The number of lines that are neither blank nor comments.
fn count(mut list: BufReader<impl Read>) -> std::io::Result<u64> {
    let (mut count, mut is_at_start) = (0, true);
    loop {
        let bytes = list.fill_buf()?;
        if bytes.is_empty() {
            return Ok(count);
        }
        for byte in bytes {
            match byte {
                b'\n' => is_at_start = true,
                // A byte order mark is no content either.
                b' ' | b'\t' | b'\r' | 0xef | 0xbb | 0xbf => {}
                b'#' if is_at_start => is_at_start = false,
                _ => {
                    count += u64::from(is_at_start);
                    is_at_start = false;
                }
            }
        }
        let length = bytes.len();
        list.consume(length);
    }
}

#[cfg(test)]
mod tests {
    use super::super::list::Lines;
    use super::*;

    #[test]
    fn as_many_lines_are_counted_as_are_read() {
        for text in [
            "",
            "http://a/",
            "http://a/\n\n  # no\n\t\r\n  http://b/#x\r\n{\"url\": \"http://c/\"}\nnonsense\n",
            "\u{feff}# no\r\nhttp://b/\r\n",
            "\u{feff}http://b/\n#\n",
        ] {
            let read = Lines::new(text.as_bytes()).count() as u64;
            // A buffer of one byte splits every line.
            for capacity in [1, 4_096] {
                let counted = count(BufReader::with_capacity(capacity, text.as_bytes())).unwrap();
                assert_eq!(counted, read, "{text:?}");
            }
        }
    }
}
