//! A bucket as the place that fetched results are uploaded to.
//!
//! Owns: what is asked of the store before a run, which objects are looked for, what earlier runs left of the same
//! keys.
//! Does not own: when parts are sent ([`haul_fetch`]), requests ([`haul_store`]).

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::sync::Arc;

use haul_fetch::{Upload, UploadAbout, Uploaded, Uploader};
use haul_store::{Assembly, Bucket, Conditions, Error, Existing, Kind, Object, Store, WriterOptions};

use crate::report::exit::{Exit, Problem};
use crate::report::voice::Voice;

/// Bytes of a part: many are in memory at once.
const PART_BYTES: u64 = 8 << 20;
/// Uploads of earlier runs that are remembered by their keys; with more, the store is asked for each key.
const LEFTOVERS_MAX: usize = 100_000;

/// How a run uploads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UploadOptions {
    /// Whether objects may be replaced.
    pub(crate) replace: bool,
    /// Whether what earlier runs left of the same keys is continued or removed.
    pub(crate) resume: bool,
    /// Whether there is only one object, for which nothing is asked in advance.
    pub(crate) is_single: bool,
}

/// The objects of a bucket as results.
#[derive(Debug)]
pub(crate) struct BucketUploader {
    store: Store,
    /// Whether the store is to be asked for an object before one of the same key is sent.
    looks_first: bool,
    leftovers: Option<Leftovers>,
}

/// The keys that earlier runs left uploads to, as hashes.
#[derive(Debug)]
enum Leftovers {
    These(RandomState, HashSet<u64>),
    Many,
}

/// One object.
struct ObjectUpload(Assembly);

impl BucketUploader {
    /// For results below `bucket`. Finds what would fail for every object, and says which conditions the store ignores.
    ///
    /// # Errors
    /// If the store can't be used.
    pub(crate) fn open(
        store: Store,
        bucket: &Bucket,
        options: UploadOptions,
        voice: &Voice,
    ) -> Result<Self, Problem> {
        let looks_first = if options.replace {
            false
        } else if options.is_single {
            true
        } else {
            ignores_conditions(&store, bucket, voice)?
        };
        let leftovers = if options.resume { Some(Leftovers::of(&store, bucket)?) } else { None };
        Ok(Self { store, looks_first, leftovers })
    }

    fn is_left(&self, object: &Object) -> bool {
        self.leftovers.as_ref().is_some_and(|leftovers| leftovers.have(object.key()))
    }
}

/// Whether the store may ignore the condition that an object doesn't exist.
///
/// # Errors
/// If the store can't be used.
pub(crate) fn ignores_conditions(store: &Store, bucket: &Bucket, voice: &Voice) -> Result<bool, Problem> {
    if store.endpoint().is_amazon() {
        return Ok(false);
    }
    let Some(conditions) = probe(store, bucket)? else { return Ok(true) };
    if !conditions.all() {
        voice.warning(conditions.to_string());
    }
    Ok(!conditions.put)
}

/// Says so if the store replaces an object whatever its version is.
///
/// # Errors
/// If the store can't be used.
pub(crate) fn check_replacing(store: &Store, bucket: &Bucket, voice: &Voice) -> Result<(), Problem> {
    if !store.endpoint().is_amazon() && probe(store, bucket)?.is_some_and(|conditions| !conditions.replace) {
        voice.warning(
            "the store ignores If-Match when an object is written: what others write to an object meanwhile is lost",
        );
    }
    Ok(())
}

/// The conditions that the store honours; none if that can't be found out.
fn probe(store: &Store, bucket: &Bucket) -> Result<Option<Conditions>, Problem> {
    match store.probe(bucket) {
        Ok(conditions) => Ok(Some(conditions)),
        // Keys that may write objects only can't remove that of the probe.
        Err(Error::Refused(refusal)) if matches!(refusal.kind, Kind::Denied | Kind::NotImplemented) => {
            Ok(None)
        }
        Err(error) => Err(problem(bucket, &error)),
    }
}

pub(crate) fn problem(bucket: &Bucket, error: &Error) -> Problem {
    let exit = if matches!(error, Error::Cancelled) { Exit::Interrupted } else { Exit::Failed };
    Problem { message: format!("cannot write to {bucket}: {error}"), hint: None, exit }
}

impl Leftovers {
    fn of(store: &Store, bucket: &Bucket) -> Result<Self, Problem> {
        let (hasher, mut keys) = (RandomState::new(), HashSet::new());
        for upload in store.uploads(bucket) {
            let upload = match upload {
                // Keys that may not see uploads can't continue them.
                Err(Error::Refused(refusal))
                    if matches!(refusal.kind, Kind::Denied | Kind::NotImplemented) =>
                {
                    break;
                }
                upload => upload.map_err(|error| problem(bucket, &error))?,
            };
            keys.insert(hasher.hash_one(upload.object.key()));
            if keys.len() > LEFTOVERS_MAX {
                return Ok(Self::Many);
            }
        }
        Ok(Self::These(hasher, keys))
    }

    /// Whether there may be uploads to `key`.
    fn have(&self, key: &str) -> bool {
        match self {
            Self::These(hasher, keys) => keys.contains(&hasher.hash_one(key)),
            Self::Many => true,
        }
    }
}

impl Uploader for BucketUploader {
    fn part_bytes(&self, bytes: Option<u64>) -> u64 {
        let options = WriterOptions { part_bytes: PART_BYTES, bytes, ..WriterOptions::default() };
        options.actual_part_bytes() as u64
    }

    fn begin(&self, name: &str, about: UploadAbout) -> io::Result<Arc<dyn Upload>> {
        let object: Object = name.parse().map_err(io::Error::from)?;
        let options = WriterOptions {
            existing: if about.replace { Existing::Replace } else { Existing::Keep },
            resume: self.is_left(&object),
            looks_first: self.looks_first,
            modified: about.modified,
            content_bytes: about.content_bytes,
            ..WriterOptions::default()
        };
        Ok(Arc::new(ObjectUpload(self.store.assembly(&object, options))))
    }

    fn look(&self, name: &str) -> io::Result<Option<Uploaded>> {
        let object: Object = name.parse().map_err(io::Error::from)?;
        let Some(stat) = self.store.stat(&object)? else { return Ok(None) };
        if self.is_left(&object) {
            self.store.abort_uploads(&object)?;
        }
        Ok(Some(Uploaded { bytes: stat.bytes, content_bytes: stat.content_bytes, modified: stat.modified }))
    }
}

impl Upload for ObjectUpload {
    fn send(&self, number: u32, bytes: Vec<u8>) -> io::Result<()> {
        Ok(self.0.send(number, bytes)?)
    }

    fn publish(&self) -> io::Result<()> {
        self.0.publish()?;
        Ok(())
    }

    fn publish_at_once(&self, bytes: Vec<u8>) -> io::Result<()> {
        self.0.publish_at_once(bytes)?;
        Ok(())
    }

    fn abandon(&self) {
        // An upload that can't be removed now is removed by the next run with -c.
        let _ = self.0.abort();
    }
}
