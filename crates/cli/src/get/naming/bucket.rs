//! A bucket as the destination of results.
//!
//! Owns: which options fit a bucket, the way to its store.
//! Does not own: uploading ([`crate::stores::uploads`]), keys of single objects ([`super`]).

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use haul_fetch::{Config, Uploader};
use haul_io::Cancel;
use haul_store::{Bucket, Error, Store};

use super::OutputPlan;
use crate::args::{GetArgs, NameArg};
use crate::report::exit::Problem;
use crate::report::text::quoted;
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::run::signals::SignalWatch;
use crate::stores::objects::is_object;
use crate::stores::uploads::{BucketUploader, UploadOptions};
use crate::stores::variables::StoreVariables;

/// The bucket that results go to, and its store.
#[derive(Debug)]
pub(crate) struct BucketPlan {
    /// With the prefix of all keys.
    bucket: Bucket,
    stores: StoreVariables,
}

impl BucketPlan {
    /// The plan, if the directory of results, or the name of the only one, is an address.
    ///
    /// # Errors
    /// If it isn't a valid one, or options need a directory.
    pub(crate) fn resolve(
        args: &GetArgs,
        output: &OutputPlan,
        dir: &Path,
        environment: &Environment,
    ) -> Result<Option<Self>, Problem> {
        let address = match output {
            OutputPlan::Directory => dir,
            OutputPlan::File(path) => path,
            OutputPlan::Stdout => return Ok(None),
        };
        if !is_object(address) {
            return Ok(None);
        }
        let wrong = |reason: &dyn Display| {
            Problem::usage(format!("{} isn't the address of results: {reason}", quoted(address)))
        };
        let bucket = match address.to_str() {
            Some(text) => text.parse().map_err(|error: Error| wrong(&error))?,
            None => return Err(wrong(&"it isn't UTF-8")),
        };
        if args.sync {
            let problem =
                Problem::usage("--sync needs a directory: a bucket has no records beside its objects");
            return Err(problem.hint("-c skips objects whose length and time are those of the server"));
        }
        if matches!(args.name, NameArg::Disposition | NameArg::Hidden) {
            let problem = Problem::usage("--name disposition and hidden need a directory, not a bucket");
            return Err(problem.hint("use --name path or --name basename"));
        }
        Ok(Some(Self { bucket, stores: StoreVariables::resolve(environment) }))
    }

    /// The bucket, as a place for results. It is reached in the way of `config`. Signals trigger `cancel`.
    ///
    /// # Errors
    /// If the store can't be used.
    pub(crate) fn open(
        &self,
        config: &Config,
        options: UploadOptions,
        cancel: &Cancel,
        voice: &Voice,
    ) -> Result<Arc<dyn Uploader>, Problem> {
        let _watch = SignalWatch::start(cancel.clone())?;
        let store = self.store(config, cancel)?;
        Ok(Arc::new(BucketUploader::open(store, &self.bucket, options, voice)?))
    }

    /// The store, which is reached in the way of `config`. Triggering `cancel` ends what is done with it.
    ///
    /// # Errors
    /// If it can't be used.
    pub(crate) fn store(&self, config: &Config, cancel: &Cancel) -> Result<Store, Problem> {
        let client = Config {
            proxies: config.proxies.clone(),
            host_overrides: config.host_overrides.clone(),
            family: config.family,
            connect_timeout: config.connect_timeout,
            read_timeout: config.read_timeout,
            ..Config::default()
        };
        let store = self.stores.store_by(client, cancel);
        store.map_err(|error| Problem::usage(format!("cannot write to {}: {error}", self.bucket)))
    }
}
