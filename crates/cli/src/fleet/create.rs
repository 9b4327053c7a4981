//! `haul fleet create`: a list becomes a run of slices.
//!
//! Owns: cutting the list, in constant memory; refusing lines that can't be used.
//! Does not own: the grammar of lines ([`crate::lists::list`]), the form of a slice ([`haul_fleet::pack`]).

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use haul_fleet::{Settings, pack};
use haul_io::reason;

use super::address::Target;
use super::args::FleetCreateArgs;
use crate::lists::list::{BadLine, Lines};
use crate::lists::reader::List;
use crate::report::exit::{Exit, Problem};
use crate::report::text::{counted, quoted};
use crate::report::voice::Voice;

/// Bytes of lines in a slice, before they are packed.
const BYTES_MAX: usize = 8 << 20;
/// The longest line, as in other lists.
const LINE_BYTES_MAX: u64 = 64 * 1024;

/// The slice that is being filled.
#[derive(Default)]
struct Filling {
    lines: Vec<Vec<u8>>,
    bytes: usize,
    /// Slices that were added.
    count: u64,
    line_count: u64,
}

pub(super) fn run(args: &FleetCreateArgs, mut target: Target, voice: &Voice) -> Result<Exit, Problem> {
    let settings = Settings {
        lease: args.lease,
        deliveries_max: args.deliveries,
        rate: args.rate,
        per_host: args.per_host,
    };
    let list = open(&args.input)?;
    let name = List::name(&args.input);
    target.run.create(&settings, &[("list", name.clone())]).map_err(|error| target.problem(&error))?;
    match fill(list, &name, args.slice as usize, &mut target) {
        Ok(filled) => {
            voice.note(format!(
                "{}: {} in {}",
                target.address,
                counted(filled.line_count, "line", "lines"),
                counted(filled.count, "slice", "slices")
            ));
            Ok(Exit::Success)
        }
        Err(problem) => {
            // Nothing of it was of use.
            let _ = target.run.cancel(true);
            Err(problem)
        }
    }
}

fn open(path: &Path) -> Result<Box<dyn Read>, Problem> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let file = File::open(path)
        .map_err(|error| Problem::usage(format!("cannot open list {}: {}", quoted(path), reason(&error))))?;
    Ok(Box::new(file))
}

fn fill(list: Box<dyn Read>, name: &str, slice: usize, target: &mut Target) -> Result<Filling, Problem> {
    let (mut reader, mut filling, mut number) = (BufReader::new(list), Filling::default(), 0_u64);
    loop {
        let mut line = Vec::new();
        let read = (&mut reader).take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line);
        let count =
            read.map_err(|error| Problem::usage(format!("cannot read list {name}: {}", reason(&error))))?;
        if count == 0 {
            break;
        }
        number += 1;
        // The parser drops blank lines, comments and the mark of a file's encoding.
        match Lines::new(line.as_slice()).next() {
            None => continue,
            Some(Err(BadLine { reason, .. })) => {
                return Err(Problem::usage(format!("{name}:{number}: {reason}")));
            }
            Some(Ok(_)) => {}
        }
        let start = if line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let line = line[start..].trim_ascii().to_vec();
        filling.bytes += line.len();
        filling.lines.push(line);
        if filling.lines.len() >= slice || filling.bytes >= BYTES_MAX {
            filling.add(target)?;
        }
    }
    if !filling.lines.is_empty() {
        filling.add(target)?;
    }
    target.run.fill(&[]).map_err(|error| target.problem(&error))?;
    Ok(filling)
}

impl Filling {
    fn add(&mut self, target: &mut Target) -> Result<(), Problem> {
        let (lines, number) = (std::mem::take(&mut self.lines), self.count + 1);
        let added = target.run.add(number, lines.len() as u64, pack(&lines));
        added.map_err(|error| target.problem(&error))?;
        (self.count, self.bytes) = (number, 0);
        self.line_count += lines.len() as u64;
        Ok(())
    }
}
