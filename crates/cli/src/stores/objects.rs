//! Objects as the ends of a stream: `s3://BUCKET/KEY`.
//!
//! Owns: telling them and prefixes from paths, publishing an object once its stream is complete, their errors.
//! Does not own: requests ([`haul_store`]), the environment ([`super::variables`]).

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use haul_io::Cancel;
use haul_seal::{During, Error};
use haul_store::{Existing, ObjectReader, ObjectWriter, Store, WriterOptions};

use super::variables::StoreVariables;

/// Whether `path` is the address of an object.
pub(crate) fn is_object(path: &Path) -> bool {
    path.as_os_str().as_bytes().starts_with(b"s3://")
}

/// Whether `path` is the address of many objects: a bucket, or a prefix that ends with a slash.
pub(crate) fn is_prefix(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    bytes.strip_prefix(b"s3://").is_some_and(|rest| rest.ends_with(b"/") || !rest.contains(&b'/'))
}

/// Opens the object at `path` for reading.
pub(crate) fn open(path: &Path, stores: &StoreVariables, cancel: &Cancel) -> Result<ObjectReader, Error> {
    let store = stores.store(cancel).map_err(at(During::OpenSource))?;
    read(&store, path)
}

/// As [`open`], in `store`.
pub(crate) fn read(store: &Store, path: &Path) -> Result<ObjectReader, Error> {
    let error = at(During::OpenSource);
    let object = address(path).map_err(error)?;
    let missing = || Error::Io {
        step: During::OpenSource,
        source: io::Error::new(io::ErrorKind::NotFound, "there is no such object"),
    };
    store.reader(&object).map_err(error)?.ok_or_else(missing)
}

/// How an object is written.
pub(crate) struct Publishing<'a> {
    pub(crate) path: &'a Path,
    pub(crate) stores: &'a StoreVariables,
    pub(crate) replace: bool,
    /// The length of the source in bytes, if it is known.
    pub(crate) source_bytes: Option<u64>,
}

/// Runs `work` with a writer whose bytes become an object, if `work` succeeds; otherwise nothing is left of it.
pub(crate) fn into_object<T>(
    how: &Publishing<'_>,
    cancel: &Cancel,
    work: impl FnOnce(Box<dyn Write + Send>) -> Result<T, Error>,
) -> Result<T, Error> {
    let store = how.stores.store(cancel).map_err(at(During::Create))?;
    let bytes = how.source_bytes.map(result_bytes_max);
    let existing = if how.replace { Existing::Replace } else { Existing::Keep };
    write(&store, how.path, WriterOptions { bytes, existing, ..WriterOptions::default() }, work)
}

/// The most bytes of the result of a source of `bytes` bytes. A sealed file is longer by a header, and by 16 bytes for
/// each 64 KiB.
pub(crate) fn result_bytes_max(bytes: u64) -> u64 {
    bytes + bytes / 1024 + (1 << 20)
}

/// As [`into_object`], in `store`.
pub(crate) fn write<T>(
    store: &Store,
    path: &Path,
    options: WriterOptions,
    work: impl FnOnce(Box<dyn Write + Send>) -> Result<T, Error>,
) -> Result<T, Error> {
    let create = at(During::Create);
    let writer = store.writer(&address(path).map_err(create)?, options);
    let sink = ObjectSink(Arc::new(Mutex::new(Some(writer))));
    let worked = work(Box::new(sink.clone())).map_err(existing);
    let writer = sink.lock().take();
    let worked = worked?;
    let Some(writer) = writer else { return Err(create(haul_store::Error::Cancelled)) };
    match writer.finish() {
        Ok(_) => Ok(worked),
        Err(haul_store::Error::Exists) => Err(Error::Exists),
        Err(haul_store::Error::Changed) => Err(Error::SourceChanged),
        Err(error) => Err(Error::Io { step: During::Write, source: error.into() }),
    }
}

/// The object or bucket that `path` is the address of.
///
/// # Errors
/// If it isn't one.
pub(crate) fn address<T: FromStr<Err = haul_store::Error>>(path: &Path) -> Result<T, haul_store::Error> {
    path.to_str().ok_or(haul_store::Error::Address { reason: "the address isn't UTF-8" })?.parse()
}

/// Converts an error of the store in `step`.
pub(crate) fn at(step: During) -> impl Fn(haul_store::Error) -> Error + Copy {
    move |error| Error::Io { step, source: error.into() }
}

/// An object that exists already, or that isn't the version to be replaced any more, is found early, while parts are
/// written.
fn existing(error: Error) -> Error {
    let Error::Io { source, .. } = &error else { return error };
    match source.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(haul_store::Error::Exists) => Error::Exists,
        Some(haul_store::Error::Changed) => Error::SourceChanged,
        _ => error,
    }
}

/// The writer of an object, shared with the stream that fills it.
#[derive(Clone)]
struct ObjectSink(Arc<Mutex<Option<ObjectWriter>>>);

impl ObjectSink {
    fn lock(&self) -> MutexGuard<'_, Option<ObjectWriter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for ObjectSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.lock() {
            Some(writer) => writer.write(bytes),
            None => Err(io::Error::other("the object was published already")),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_and_slashes_at_the_end_mean_many_objects() {
        for (path, is) in [
            ("s3://bucket", (true, true)),
            ("s3://bucket/", (true, true)),
            ("s3://bucket/a/b/", (true, true)),
            ("s3://bucket/a/b", (true, false)),
            ("s3:/bucket/", (false, false)),
            ("bucket/", (false, false)),
        ] {
            assert_eq!((is_object(Path::new(path)), is_prefix(Path::new(path))), is, "{path}");
        }
    }
}
