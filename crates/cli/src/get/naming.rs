//! Names of results, and what each result must be.
//!
//! Owns: the destination of each item, its expected checksums and size.
//! Does not own: requests ([`super::requests`]), creating files.

pub(super) mod bucket;
pub(super) mod own_files;
pub(super) mod packed;

use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use haul_fetch::{
    Algorithm, BadChecksumList, Checksum, ChecksumList, Destination, Expected, FetchTask, Logins, PackName,
    Request, UploadName, Uploader, basename, path_and_query_name, path_name, stays_inside, unreserved,
};
use haul_io::{Cancel, Existing, File, Preserve, Publish, reason};
use haul_pack::Packer;
use haul_seal::sealed_path;
use haul_store::Object;

use super::hidden::Hidden;
use super::requests::{RequestPlan, RequestTemplate};
use crate::args::NameArg;
use crate::lists::failures::to_list_line;
use crate::lists::list::{BadLine, Item, Line};
use crate::report::exit::Problem;
use crate::report::redaction::{redacted, redacted_url, without_query};
use crate::report::text::quoted;
use crate::run::device;
use crate::stores::objects::is_object;

/// The options for results, resolved.
#[derive(Debug)]
pub(super) struct NamingPlan {
    pub(super) output: OutputPlan,
    pub(super) dir: PathBuf,
    pub(super) rule: NameArg,
    pub(super) requests: RequestPlan,
    /// The list, as it is named in messages.
    pub(super) list: String,
    /// Permission bits of results.
    pub(super) mode: u32,
    /// What happens to files that exist.
    pub(super) existing: Existing,
    /// The expected checksum of the single result.
    pub(super) checksum: Option<Checksum>,
    /// The file with the expected checksums of all results.
    pub(super) checksums: Option<PathBuf>,
    /// An algorithm by which every result is hashed.
    pub(super) hash: Option<Algorithm>,
    /// Whether tasks carry the line that they were made from.
    pub(super) keep_lines: bool,
    /// Whether results are sealed: their names end in `.age`, and queries of URLs are shown to nobody.
    pub(super) is_sealed: bool,
    /// Whether names are those of whole URLs, which others of a fleet share with no other URL.
    pub(super) has_whole_names: bool,
}

/// Where results go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum OutputPlan {
    /// Each into a file of its own in the directory.
    Directory,
    /// The single result, into this file.
    File(PathBuf),
    /// The single result, onto stdout.
    Stdout,
}

/// Makes the task for each line.
pub(super) struct Naming {
    /// The destination of the single result, if one was named.
    output: Option<Destination>,
    dir: PathBuf,
    rule: NameArg,
    requests: RequestTemplate,
    /// The list, as it is named in messages.
    list: String,
    mode: u32,
    existing: Existing,
    checksum: Option<Checksum>,
    checksums: Option<ChecksumList>,
    hash: Option<Algorithm>,
    keep_lines: bool,
    is_sealed: bool,
    has_whole_names: bool,
    /// Hides the names of results.
    hidden: Option<Hidden>,
    /// Where results go that don't become files.
    uploader: Option<Arc<dyn Uploader>>,
    /// The shards that results go to.
    packer: Option<Packer>,
}

impl NamingPlan {
    /// Reads the files that the options name. A body for stdout goes to `terminal`, if there is one.
    /// A pipe that nobody reads is waited for, at most for `timeout`.
    /// Results whose names are addresses of objects go to `uploader`, if there is one. Triggering `cancel` ends the
    /// waits for a body from stdin.
    pub(super) fn prepare(
        self,
        terminal: Option<File>,
        timeout: Option<Duration>,
        uploader: Option<Arc<dyn Uploader>>,
        cancel: &Cancel,
    ) -> Result<Naming, Problem> {
        let output = match self.output {
            OutputPlan::Directory => None,
            OutputPlan::File(path) if is_object(&path) => Some(match &uploader {
                Some(uploader) => upload(uploader, &path, self.existing).map_err(Problem::usage)?,
                None => Destination::File(publish(path, self.mode, self.existing)),
            }),
            OutputPlan::File(path) if path.is_dir() => {
                return Err(Problem::usage(format!("-o names a file, and {} is a directory", quoted(&path)))
                    .hint(format!("-d {} puts the file into it", quoted(&path))));
            }
            OutputPlan::File(path) => Some(match device::open(&path, timeout)? {
                Some(device) => Destination::Stream(File::from(OwnedFd::from(device))),
                None => Destination::File(publish(path, self.mode, self.existing)),
            }),
            OutputPlan::Stdout => Some(Destination::Stream(match terminal {
                Some(terminal) => terminal,
                None => {
                    haul_io::check_stdout()?;
                    File::from(rustix::io::dup(std::io::stdout()).map_err(std::io::Error::from)?)
                }
            })),
        };
        Ok(Naming {
            output,
            dir: self.dir,
            rule: self.rule,
            requests: self.requests.prepare(cancel, timeout)?,
            list: self.list,
            mode: self.mode,
            existing: self.existing,
            checksum: self.checksum,
            checksums: self.checksums.as_deref().map(read_checksums).transpose()?,
            hash: self.hash,
            keep_lines: self.keep_lines,
            is_sealed: self.is_sealed,
            has_whole_names: self.has_whole_names,
            hidden: None,
            uploader,
            packer: None,
        })
    }
}

impl Naming {
    /// Hides the names of results, if `hidden` is given.
    pub(super) fn hiding(self, hidden: Option<Hidden>) -> Self {
        Self { hidden, ..self }
    }

    /// Packs results, if there is a packer.
    pub(super) fn packing(self, packer: Option<Packer>) -> Self {
        Self { packer, ..self }
    }

    /// The logins for hosts that redirects lead to.
    pub(super) fn logins(&self) -> Option<Logins> {
        self.requests.logins()
    }

    /// The task for `line`. A line that can't be used becomes a task that fails.
    pub(super) fn task(&self, line: Line) -> FetchTask {
        self.task_in(line, self.packer.as_ref())
    }

    /// As [`Naming::task`], for a result that `packer` packs, if there is one.
    pub(super) fn task_in(&self, line: Line, packer: Option<&Packer>) -> FetchTask {
        let list_line = self.keep_lines.then(|| to_list_line(&line));
        let mut task = match line {
            Ok(item) => self.item_task(item, packer),
            Err(BadLine { number, column, reason }) => {
                let reason = redacted(&reason).into_owned();
                let column = column.map_or_else(String::new, |column| format!(":{column}"));
                let label = format!("{}:{number}{column}", self.list);
                FetchTask::of(Err(reason), label, Destination::Discard)
            }
        };
        task.context = list_line;
        task
    }

    fn item_task(&self, item: Item, packer: Option<&Packer>) -> FetchTask {
        let request = self.requests.request(&item);
        let destination = match (&self.output, &request) {
            (Some(destination), _) => Ok(destination.clone()),
            (None, Ok(request)) => self.destination(&item, request, packer),
            (None, Err(_)) => Ok(Destination::Discard),
        };
        let expected = self.expected(&item, &destination, request.as_ref().ok());
        let label = redacted_url(&item.url);
        let label = if self.is_sealed { without_query(label) } else { label }.into_owned();
        match destination.and_then(|destination| Ok((destination, expected?))) {
            Ok((destination, expected)) => {
                let mut task = FetchTask::of(request, label, destination);
                task.expected = expected;
                task.is_hidden = self.hidden.is_some();
                task
            }
            Err(reason) => FetchTask::of(Err(reason), label, Destination::Discard),
        }
    }

    /// The checksums and the size that the body of `item` must have, from all sources.
    fn expected(
        &self,
        item: &Item,
        destination: &Result<Destination, String>,
        request: Option<&Request>,
    ) -> Result<Expected, String> {
        let mut checksums: Vec<_> = self.checksum.iter().cloned().collect();
        if let Some(hex) = &item.sha256 {
            let checksum = Checksum::from_hex(Algorithm::Sha256, hex);
            checksums.push(checksum.map_err(|_| format!("{} isn't a SHA-256 checksum", quoted(hex)))?);
        }
        if let (Some(listed), Some(request)) = (&self.checksums, request) {
            let name = match destination {
                Ok(Destination::File(publish)) => {
                    publish.path.strip_prefix(&self.dir).unwrap_or(&publish.path).into()
                }
                Ok(Destination::Upload(to)) => {
                    let name = Path::new(&to.name);
                    name.strip_prefix(&self.dir).unwrap_or(name).into()
                }
                Ok(Destination::Pack(to)) => to.name.clone(),
                _ => PathBuf::from(basename(request.url())),
            };
            // Lists of checksums are made from what servers have, which isn't sealed.
            let plain = name.with_extension("");
            let found = listed.of(&name).or_else(|| listed.of(&plain).filter(|_| self.is_sealed));
            let found = found.ok_or_else(|| format!("no checksum is listed for {}", quoted(&name)))?;
            checksums.extend_from_slice(found);
        }
        Ok(Expected { checksums, size: item.size, hash: self.hash })
    }

    fn destination(
        &self,
        item: &Item,
        request: &Request,
        packer: Option<&Packer>,
    ) -> Result<Destination, String> {
        let name: PathBuf = match (&item.out, self.rule) {
            (Some(out), _) if !stays_inside(out) => {
                return Err(format!("{} leaves the directory", quoted(out)));
            }
            (Some(out), _) => out.clone(),
            (None, _) if self.has_whole_names => path_and_query_name(request.url()).into(),
            (None, NameArg::Basename) => basename(request.url()).into(),
            (None, NameArg::Path) => path_name(request.url()).into(),
            // Only a whole path with its query tells all URLs apart.
            (None, NameArg::Hidden) => path_and_query_name(request.url()).into(),
            (None, NameArg::Disposition) => {
                let name = unreserved(Path::new(&basename(request.url())));
                let name = if self.is_sealed { sealed_path(&name) } else { name };
                return Ok(Destination::named_in(&self.dir, &name, self.existing, Some(self.mode)));
            }
        };
        // Only the user may choose the names of haul's own files.
        let name = if item.is_typed { name } else { unreserved(&name) };
        if let Some(packer) = packer {
            let name = name.components().filter(|part| matches!(part, Component::Normal(_))).collect();
            return Ok(Destination::Pack(Box::new(PackName { packer: packer.clone(), name })));
        }
        let name = match &self.hidden {
            Some(hidden) => hidden.hide(&name, &redacted_url(&item.url))?,
            None if self.is_sealed => sealed_path(&name),
            None => name,
        };
        match &self.uploader {
            Some(uploader) => upload(uploader, &self.dir.join(name), self.existing),
            None => Ok(Destination::file_in(&self.dir, &name, self.existing, Some(self.mode))),
        }
    }
}

/// The object at `address`.
fn upload(uploader: &Arc<dyn Uploader>, address: &Path, existing: Existing) -> Result<Destination, String> {
    let name = address.to_str().ok_or_else(|| format!("{} isn't UTF-8", quoted(address)))?.to_owned();
    let object: Result<Object, _> = name.parse();
    object.map_err(|error| format!("{} can't be the address of an object: {error}", quoted(address)))?;
    let (uploader, replace) = (uploader.clone(), existing == Existing::Replace);
    Ok(Destination::Upload(Box::new(UploadName { uploader, name, replace })))
}

fn read_checksums(path: &Path) -> Result<ChecksumList, Problem> {
    ChecksumList::read(path).map_err(|error| match error.get_ref().and_then(|bad| bad.downcast_ref()) {
        Some(BadChecksumList { line }) => {
            Problem::usage(format!("line {line} of checksums {} isn't a checksum", quoted(path)))
        }
        None => Problem::usage(format!("cannot read checksums {}: {}", quoted(path), reason(&error))),
    })
}

fn publish(path: PathBuf, mode: u32, existing: Existing) -> Publish {
    Publish { existing, preserve: Preserve { mode: Some(mode), ..Preserve::default() }, ..Publish::new(path) }
}
