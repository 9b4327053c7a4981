//! Objects as the ends of a stream: `s3://BUCKET/KEY`.
//!
//! Owns: telling them from paths, publishing an object once its stream is complete, their errors.
//! Does not own: requests ([`haul_store`]), the environment ([`super::variables`]).

use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use haul_io::Cancel;
use haul_seal::{During, Error};
use haul_store::{Object, ObjectReader, ObjectWriter, Store, WriterOptions};

use super::variables::StoreVariables;

/// Whether `path` is the address of an object.
pub(crate) fn is_object(path: &Path) -> bool {
    path.as_os_str().as_bytes().starts_with(b"s3://")
}

/// Opens the object at `path` for reading.
pub(crate) fn open(path: &Path, stores: &StoreVariables, cancel: &Cancel) -> Result<ObjectReader, Error> {
    let error = |error: haul_store::Error| Error::Io { step: During::OpenSource, source: error.into() };
    let (store, object) = locate(path, stores, cancel).map_err(error)?;
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
    let create = |error: haul_store::Error| Error::Io { step: During::Create, source: error.into() };
    let (store, object) = locate(how.path, how.stores, cancel).map_err(create)?;
    // A sealed file is longer by a header, and by 16 bytes for each 64 KiB.
    let bytes = how.source_bytes.map(|bytes| bytes + bytes / 1024 + (1 << 20));
    let writer =
        store.writer(&object, WriterOptions { bytes, replace: how.replace, ..WriterOptions::default() });
    let sink = ObjectSink(Arc::new(Mutex::new(Some(writer))));
    let worked = work(Box::new(sink.clone())).map_err(existing);
    let writer = sink.lock().take();
    let worked = worked?;
    let Some(writer) = writer else { return Err(create(haul_store::Error::Cancelled)) };
    match writer.finish() {
        Ok(_) => Ok(worked),
        Err(haul_store::Error::Exists) => Err(Error::Exists),
        Err(error) => Err(Error::Io { step: During::Write, source: error.into() }),
    }
}

fn locate(
    path: &Path,
    stores: &StoreVariables,
    cancel: &Cancel,
) -> Result<(Store, Object), haul_store::Error> {
    let invalid = haul_store::Error::Address { reason: "the address isn't UTF-8" };
    let object = path.to_str().ok_or(invalid)?.parse()?;
    Ok((stores.store(cancel)?, object))
}

/// An object that exists already is found early, while parts are written.
fn existing(error: Error) -> Error {
    match &error {
        Error::Io { source, .. }
            if matches!(
                source.get_ref().and_then(|inner| inner.downcast_ref()),
                Some(haul_store::Error::Exists)
            ) =>
        {
            Error::Exists
        }
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
