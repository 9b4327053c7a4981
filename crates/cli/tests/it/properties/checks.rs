//! Properties that hold for any input. Property tests and the fuzz targets in `fuzz/` share them.

#[allow(dead_code, reason = "the program uses all of it")]
#[path = "../../../src/lists/list.rs"]
mod list;

use std::io::Read;

use list::{Line, Lines};

/// A reader that returns a few bytes at a time.
struct Pieces<'a> {
    rest: &'a [u8],
    piece_bytes: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let count = self.piece_bytes.min(out.len());
        (&self.rest[..count.min(self.rest.len())]).read(out).inspect(|count| self.rest = &self.rest[*count..])
    }
}

/// A list parses the same however it is split. Errors carry increasing line numbers. Each entry, written as a JSON
/// object, parses to the same entry. The first byte of `input` is the size of the pieces.
pub fn list_lines(input: &[u8]) {
    let Some((&choice, text)) = input.split_first() else { return };
    let whole: Vec<Line> = Lines::new(text).collect();
    let pieces = Pieces { rest: text, piece_bytes: 1 + usize::from(choice) };
    assert_eq!(Lines::new(pieces).collect::<Vec<_>>(), whole);
    let line_count = text.split(|byte| *byte == b'\n').count();
    assert!(whole.len() <= line_count);
    let mut numbers = whole.iter().filter_map(|line| line.as_ref().err()).map(|bad| bad.number);
    assert!(numbers.clone().is_sorted() && numbers.all(|number| number >= 1 && number <= line_count as u64));
    for item in whole.into_iter().filter_map(Result::ok) {
        let object = serde_json::to_string(&item).expect("items are plain text and numbers");
        // Escapes may exceed the limit on lines.
        if object.len() < 64 * 1024 {
            assert_eq!(Lines::new(object.as_bytes()).collect::<Vec<_>>(), [Ok(item)]);
        }
    }
}
