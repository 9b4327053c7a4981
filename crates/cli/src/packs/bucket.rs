//! A bucket as the place of shards.
//!
//! Owns: which objects are shards, what killed runs left of them, uploading one.
//! Does not own: what is in them ([`haul_pack`]), requests ([`haul_store`]).

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use haul_pack::{ShardStore, ShardUpload};
use haul_store::{Bucket, Error, Kind, ObjectReader, ObjectWriter, Store, WriterOptions};

use crate::report::exit::Problem;
use crate::report::voice::Voice;
use crate::stores::objects::{address, read};
use crate::stores::uploads::{ignores_conditions, problem};

/// The shards below a prefix.
#[derive(Clone, Debug)]
pub(crate) struct ShardBucket {
    store: Store,
    /// With a slash at the end of the prefix, if there is one.
    bucket: Bucket,
    looks_first: bool,
}

/// One shard.
struct ShardObject(ObjectWriter);

impl ShardBucket {
    /// The objects below `directory`, which is an address. Finds what would fail for every shard.
    ///
    /// # Errors
    /// If the store can't be used.
    pub(crate) fn open(store: Store, directory: &Path, voice: &Voice) -> Result<Self, Problem> {
        let wrong = |error: Error| Problem::usage(format!("the address of shards is invalid: {error}"));
        let bucket = address(&directory.join("")).map_err(wrong)?;
        let looks_first = ignores_conditions(&store, &bucket, voice)?;
        Ok(Self { store, bucket, looks_first })
    }

    /// The names of the shards that exist. `is_shard` tells by a name.
    ///
    /// # Errors
    /// If the store doesn't list them.
    pub(crate) fn names(&self, is_shard: impl Fn(&str) -> bool) -> Result<Vec<String>, Problem> {
        let mut names = Vec::new();
        for listed in self.store.list(&self.bucket) {
            let key = listed.map_err(|error| problem(&self.bucket, &error))?.key;
            let name = key.strip_prefix(self.bucket.prefix()).unwrap_or(&key);
            if is_shard(name) {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Removes the parts of unpublished shards that `is_ours` knows by their names.
    ///
    /// # Errors
    /// If the store can't be used.
    pub(crate) fn sweep(&self, is_ours: impl Fn(&str) -> bool) -> Result<(), Problem> {
        let prefix = self.bucket.prefix();
        let swept = self.store.sweep(&self.bucket, Duration::ZERO, |upload| {
            upload.object.key().strip_prefix(prefix).is_some_and(&is_ours)
        });
        match swept {
            Ok(_) => Ok(()),
            // Keys that may not see uploads leave them.
            Err(Error::Refused(refusal)) if matches!(refusal.kind, Kind::Denied | Kind::NotImplemented) => {
                Ok(())
            }
            Err(error) => Err(problem(&self.bucket, &error)),
        }
    }

    /// The shard `name`, to be read.
    ///
    /// # Errors
    /// If it can't be opened.
    pub(crate) fn read(&self, name: &str) -> Result<ObjectReader, haul_seal::Error> {
        read(&self.store, &self.path(name))
    }

    /// The shard `name`, to be read; `None` if there is none.
    ///
    /// # Errors
    /// If it can't be opened.
    pub(crate) fn find(&self, name: &str) -> io::Result<Option<ObjectReader>> {
        Ok(self.store.reader(&self.bucket.object(name)?)?)
    }
}

impl ShardStore for ShardBucket {
    fn path(&self, name: &str) -> PathBuf {
        format!("s3://{}/{}{name}", self.bucket.name(), self.bucket.prefix()).into()
    }

    fn begin(&self, name: &str, bytes_max: Option<u64>) -> io::Result<Box<dyn ShardUpload>> {
        let object = self.bucket.object(name)?;
        let options =
            WriterOptions { bytes: bytes_max, looks_first: self.looks_first, ..WriterOptions::default() };
        Ok(Box::new(ShardObject(self.store.writer(&object, options))))
    }
}

impl ShardUpload for ShardObject {
    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn publish(self: Box<Self>) -> io::Result<()> {
        self.0.finish()?;
        Ok(())
    }
}
