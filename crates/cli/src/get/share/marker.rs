//! The completion marker of a part of a list: a small file or object beside the results. A run that finds the marker
//! of its part has nothing to do.
//!
//! Owns: its name, what it holds, when it counts, writing it after everything else is durable.
//! Does not own: which lines belong to a part ([`super::shard`]), the results.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use haul_io::{Blocking, Cancel, Durability, Existing, Io, Preserve, Publish, reason, run_ready};
use haul_store::{Existing as ExistingObject, Object, Store, WriterOptions};
use serde::{Deserialize, Serialize};

use super::shard::Shard;
use crate::args::GetArgs;
use crate::lists::digest::ListDigest;
use crate::report::exit::Problem;
use crate::report::redaction::redacted_url;
use crate::report::text::{hex, quoted};
use crate::report::voice::Voice;
use crate::run::own_file::{WRITABLE_BY_OTHERS, open_own};
use crate::run::random::system_random;

/// The longest marker that is read. Those that are written have less than 500 bytes.
const BYTES_MAX: u64 = 4_096;
/// Random bytes in a salt.
const SALT_BYTES: usize = 16;
/// The form of markers.
const VERSION: u32 = 1;

/// Where the marker of a run would be, and what it would say.
#[derive(Debug)]
pub(in crate::get) struct MarkerPlan {
    shard: Shard,
    path: PathBuf,
    list: Option<PathBuf>,
    /// The options that decide what results are.
    options: String,
    /// Whether results are sealed: who suspects what was fetched must not find it in a table of digests.
    is_sealed: bool,
    /// Whether a marker that exists counts.
    is_looked_for: bool,
    mode: u32,
}

/// The marker of this run's part.
pub(in crate::get) struct Marker {
    plan: MarkerPlan,
    place: Place,
    list: Option<ListDigest>,
}

enum Place {
    File(PathBuf),
    Object(Box<Store>, Object),
}

/// What a marker says.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    version: u32,
    /// The part's number, from 1 on.
    shard: u64,
    shards: u64,
    /// The SHA-256 of the list; with a salt, that of the salt and these digits.
    list_sha256: Option<String>,
    /// The SHA-256 of the options; the same with a salt.
    options_sha256: String,
    /// Of a sealed run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
    /// The URLs of the part, each of which has its result.
    urls: u64,
}

impl MarkerPlan {
    /// The plan for results in `dir`. There is none for a list on stdin, which can't be compared before it is fetched.
    pub(in crate::get) fn resolve(
        args: &GetArgs,
        shard: Shard,
        dir: &Path,
        is_sealed: bool,
        mode: u32,
    ) -> Option<Self> {
        let is_stdin = args.input.as_deref() == Some(Path::new("-"));
        (!is_stdin).then(|| Self {
            path: dir.join(shard.marker_name()),
            shard,
            list: args.input.clone(),
            options: options(args),
            is_sealed,
            is_looked_for: !args.force && !args.sync,
            mode,
        })
    }

    /// The marker at its place: an object of `store`, if there is one. There is none for a list that is a pipe.
    pub(in crate::get) fn open(self, store: Option<Store>) -> Result<Option<Marker>, Problem> {
        // A list that can't be opened is reported by the reader.
        let is_file = |list: &PathBuf| fs::metadata(list).is_ok_and(|metadata| metadata.is_file());
        if !self.list.as_ref().is_none_or(is_file) {
            return Ok(None);
        }
        let place = match store {
            Some(store) => {
                let object = self.path.to_str().unwrap_or_default().parse().map_err(|error| {
                    Problem::usage(format!("{} can't be a marker: {error}", quoted(&self.path)))
                })?;
                Place::Object(Box::new(store), object)
            }
            None => Place::File(self.path.clone()),
        };
        let list = self.list.is_some().then(ListDigest::new);
        Ok(Some(Marker { plan: self, place, list }))
    }
}

impl Marker {
    /// The digest that the list is to be read into.
    pub(in crate::get) fn list_digest(&self) -> Option<ListDigest> {
        self.list.clone()
    }

    /// Whether an earlier run has completed this part of this list, with these options. Says so, or why its marker
    /// doesn't count.
    pub(in crate::get) fn is_complete(&self, voice: &Voice) -> bool {
        let path = &self.plan.path;
        if !self.plan.is_looked_for {
            return false;
        }
        let found = match self.read() {
            Ok(None) => return false,
            Ok(Some(bytes)) => serde_json::from_slice::<Content>(&bytes).ok(),
            Err(error) => {
                voice.warning(format!("cannot read the marker {}: {}", quoted(path), reason(&error)));
                return false;
            }
        };
        let list = self.plan.list.as_deref().map(ListDigest::of_file).transpose();
        let complete = |found: &Content| {
            let content = |list| self.content(list, found.urls, found.salt.clone());
            list.is_ok_and(|list| *found == content(list)).then_some(found.urls)
        };
        match found.as_ref().map(complete) {
            Some(Some(urls)) => {
                let shard = self.plan.shard;
                voice.note(format!(
                    "part {shard} of this list is complete, as {} says (URLs: {urls}); --force fetches it again",
                    quoted(path)
                ));
                return true;
            }
            Some(None) => voice.note(format!(
                "the marker {} doesn't count: it is of another list or of other options",
                quoted(path)
            )),
            None => voice.note(format!("the marker {} doesn't count: it isn't understood", quoted(path))),
        }
        false
    }

    /// Writes the marker of a part whose `urls` all have results. These are made durable first.
    ///
    /// # Errors
    /// The message, if that failed.
    pub(in crate::get) fn write(&self, urls: u64) -> Result<(), Problem> {
        let mut salt = [0; SALT_BYTES];
        system_random()(&mut salt);
        let salt = self.plan.is_sealed.then(|| hex(&salt));
        let content = self.content(self.list.as_ref().map(ListDigest::hex), urls, salt);
        let text = serde_json::to_string(&content).map_err(io::Error::other).map(|text| text + "\n");
        let written = text.and_then(|text| match &self.place {
            Place::File(path) => self.publish(path, text.as_bytes()),
            Place::Object(store, object) => {
                let options = WriterOptions { existing: ExistingObject::Replace, ..WriterOptions::default() };
                let mut writer = store.writer(object, options);
                writer.write_all(text.as_bytes())?;
                Ok(writer.finish().map(drop)?)
            }
        });
        written.map_err(|error| {
            let path = quoted(&self.plan.path);
            Problem::unwritten(format!("cannot write the marker {path}: {}", reason(&error)), &error)
        })
    }

    fn content(&self, list_sha256: Option<String>, urls: u64, salt: Option<String>) -> Content {
        let (shard, shards) = self.plan.shard.number_and_count();
        let salted = |digits: String| match &salt {
            Some(salt) => sha256(&format!("{salt}{digits}")),
            None => digits,
        };
        let options_sha256 = salted(sha256(&self.plan.options));
        let list_sha256 = list_sha256.map(salted);
        Content { version: VERSION, shard, shards, list_sha256, options_sha256, salt, urls }
    }

    fn read(&self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = Vec::new();
        match &self.place {
            Place::File(path) => {
                let file = match open_own(path) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    file => file?,
                };
                if file.metadata()?.nlink() != 1 {
                    return Err(io::Error::other("it has a second name"));
                }
                file.take(BYTES_MAX).read_to_end(&mut bytes)?;
            }
            Place::Object(store, object) => match store.reader(object)? {
                None => return Ok(None),
                Some(reader) => {
                    reader.take(BYTES_MAX).read_to_end(&mut bytes)?;
                }
            },
        }
        Ok(Some(bytes))
    }

    /// Publishes the file after the results in its directory are durable, and makes it durable.
    fn publish(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // A part may have no URLs.
        fs::create_dir_all(dir)?;
        rustix::fs::syncfs(&File::open(dir)?)?;
        let mode = Some(self.plan.mode & !WRITABLE_BY_OTHERS);
        let publish = Publish {
            existing: Existing::Replace,
            durability: Durability::Synced,
            preserve: Preserve { mode, ..Preserve::default() },
            ..Publish::new(path)
        };
        let io = Blocking::new(Cancel::new()?);
        run_ready(io.write_file(publish, bytes.to_vec().into())).0.map(drop)
    }
}

fn sha256(text: &str) -> String {
    hex(digest(&SHA256, text.as_bytes()).as_ref())
}

/// The options that decide which results there are, and what they hold. Header fields and logins aren't among them, as
/// they are secret, and may differ from run to run.
fn options(args: &GetArgs) -> String {
    let (requests, sealing) = (&args.requests, &args.sealing);
    let sealing =
        (&sealing.recipient, &sealing.recipients_file, sealing.secret.passphrase, sealing.armor, sealing.pq);
    let body = (&requests.method, &requests.data);
    let content = (args.compressed, args.compressed_archives, args.no_fail_on_status, &args.checksums);
    let urls: Vec<_> = args.urls.iter().map(|url| redacted_url(url)).collect();
    format!("{urls:?} {:?} {sealing:?} {body:?} {content:?}", args.name)
}
