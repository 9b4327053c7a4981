//! `haul fleet create`: a list, or the listing of a bucket, becomes a run of slices.
//!
//! Owns: cutting the list, in constant memory; refusing lines that can't be used.
//! Does not own: the grammar of lines ([`crate::lists::list`], [`super::files`]), the form of a slice
//! ([`haul_fleet::pack`]).

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use haul_fleet::{Settings, pack};
use haul_io::{Cancel, reason};
use haul_store::{Bucket, Listing};

use super::address::Target;
use super::args::FleetCreateArgs;
use super::files::{NAMED, Named};
use crate::lists::list::{BadLine, Lines};
use crate::lists::reader::List;
use crate::report::exit::{Exit, Problem};
use crate::report::text::{counted, quoted};
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::stores::objects::{address, is_object, is_prefix};
use crate::stores::variables::StoreVariables;

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

pub(super) fn run(
    args: &FleetCreateArgs,
    mut target: Target,
    environment: &Environment,
    voice: &Voice,
) -> Result<Exit, Problem> {
    let settings = Settings {
        lease: args.lease,
        deliveries_max: args.deliveries,
        rate: args.rate,
        per_host: args.per_host,
    };
    let name = List::name(&args.input);
    let lists = Lists { name: &name, names_files: args.files, slice: args.slice as usize };
    let listed =
        is_object(&args.input).then(|| Listed::open(&args.input, args.files, environment)).transpose()?;
    let list = if listed.is_none() { Some(open(&args.input)?) } else { None };
    target.run.create(&settings, &[("list", name.clone())]).map_err(|error| target.problem(&error))?;
    let filled = match (list, listed) {
        (Some(list), _) => lists.fill(list, &mut target),
        (None, Some(listed)) => lists.fill_from(listed.lines(), &mut target),
        (None, None) => unreachable!("one of them was opened"),
    };
    match filled {
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

/// Cuts a list.
struct Lists<'a> {
    name: &'a str,
    /// Whether its lines are names of files or objects.
    names_files: bool,
    /// Lines in a slice.
    slice: usize,
}

impl Lists<'_> {
    fn fill(&self, list: Box<dyn Read>, target: &mut Target) -> Result<Filling, Problem> {
        let (mut reader, mut number) = (BufReader::new(list), 0_u64);
        let lines = std::iter::from_fn(|| {
            loop {
                let mut line = Vec::new();
                let read = (&mut reader).take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line);
                match read {
                    Ok(0) => return None,
                    Ok(_) => {}
                    Err(error) => {
                        let problem = format!("cannot read list {}: {}", self.name, reason(&error));
                        return Some(Err(Problem::usage(problem)));
                    }
                }
                number += 1;
                let checked = if self.names_files { file_line(line) } else { url_line(line) };
                match checked {
                    Ok(None) => {}
                    Ok(Some(line)) => return Some(Ok(line)),
                    Err(reason) => {
                        return Some(Err(Problem::usage(format!("{}:{number}: {reason}", self.name))));
                    }
                }
            }
        });
        self.fill_from(lines, target)
    }

    /// Adds the slices of `lines`.
    fn fill_from(
        &self,
        lines: impl Iterator<Item = Result<Vec<u8>, Problem>>,
        target: &mut Target,
    ) -> Result<Filling, Problem> {
        let (mut filling, mut first) = (Filling::default(), None);
        for line in lines {
            let line = line?;
            if self.names_files {
                let named = Named::kind(&line);
                let first = *first.get_or_insert(named);
                if named != first {
                    let line = quoted(Path::new(OsStr::from_bytes(&line)));
                    let message =
                        format!("{}: {line} is one of the {named}, the lines before are {first}", self.name);
                    return Err(Problem::usage(message)
                        .hint("make a run for each: their results could have one name"));
                }
            }
            filling.bytes += line.len();
            filling.lines.push(line);
            if filling.lines.len() >= self.slice || filling.bytes >= BYTES_MAX {
                filling.add(target)?;
            }
        }
        if !filling.lines.is_empty() {
            filling.add(target)?;
        }
        let members: Vec<_> = first.iter().map(|named| (NAMED, named.to_string())).collect();
        target.run.fill(&members).map_err(|error| target.problem(&error))?;
        Ok(filling)
    }
}

/// The line of a list of URLs; none if it is blank or a comment.
fn url_line(line: Vec<u8>) -> Result<Option<Vec<u8>>, String> {
    // The parser drops blank lines, comments and the mark of a file's encoding.
    match Lines::new(line.as_slice()).next() {
        None => return Ok(None),
        Some(Err(BadLine { reason, .. })) => return Err(reason),
        Some(Ok(_)) => {}
    }
    let start = if line.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    Ok(Some(line[start..].trim_ascii().to_vec()))
}

/// The line of a list of names, which are taken as they are; none if it is empty.
fn file_line(mut line: Vec<u8>) -> Result<Option<Vec<u8>>, String> {
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.is_empty() {
        return Ok(None);
    }
    if line.len() as u64 > LINE_BYTES_MAX {
        return Err("the line is too long".to_owned());
    }
    Named::of(&line).map(|_| Some(line))
}

/// The listing of a bucket as a list.
struct Listed {
    listing: Listing,
    bucket: Bucket,
    input: PathBuf,
}

impl Listed {
    fn open(input: &Path, names_files: bool, environment: &Environment) -> Result<Self, Problem> {
        if !names_files || !is_prefix(input) {
            return Err(Problem::usage("a list isn't read from an object")
                .hint("a prefix, with a slash at its end, and --files make a run of all its objects"));
        }
        let failed = |error| problem(input, &error);
        let bucket: Bucket = address(input).map_err(failed)?;
        let store = StoreVariables::resolve(environment).store(&Cancel::new()?).map_err(failed)?;
        Ok(Self { listing: store.list(&bucket), bucket, input: input.to_owned() })
    }

    /// Its objects, without those that stand for directories.
    fn lines(self) -> impl Iterator<Item = Result<Vec<u8>, Problem>> {
        let Self { listing, bucket, input } = self;
        listing.filter_map(move |object| match object {
            Ok(object) if object.key.ends_with('/') => None,
            Ok(object) => Some(Ok(format!("s3://{}/{}", bucket.name(), object.key).into_bytes())),
            Err(error) => Some(Err(problem(&input, &error))),
        })
    }
}

fn problem(input: &Path, error: &haul_store::Error) -> Problem {
    Problem { message: format!("cannot list {}: {error}", quoted(input)), hint: None, exit: Exit::Failed }
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
