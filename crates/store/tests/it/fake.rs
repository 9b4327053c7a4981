//! The store in memory of `haul-testkit`, as the library sees it.

use std::ops::Deref;
use std::time::Duration;

use haul_store::{Bucket, Credentials, Endpoint, Keys, Object, Settings, Store};
use haul_testkit::{FakeStore, Request};

pub(crate) use haul_testkit::{StoreFault as Fault, store_refusal as refusal};

pub(crate) struct Fake(FakeStore);

impl Fake {
    pub(crate) fn new() -> Self {
        Self(FakeStore::default())
    }

    /// `script` gets each request and how many of the same method and target there were before.
    pub(crate) fn scripted(
        script: impl Fn(&Request, usize) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        Self(FakeStore::scripted(script))
    }

    pub(crate) fn settings(&self) -> Settings {
        let endpoint = Endpoint::at(&self.server.url(""), "us-east-1").unwrap();
        let keys = Keys::new("AKID", "secret".to_owned().into(), None);
        settings(endpoint, Credentials::fixed(keys))
    }

    pub(crate) fn store(&self) -> Store {
        store(self.settings())
    }
}

impl Deref for Fake {
    type Target = FakeStore;

    fn deref(&self) -> &FakeStore {
        &self.0
    }
}

/// Settings without pauses.
pub(crate) fn settings(endpoint: Endpoint, credentials: Credentials) -> Settings {
    Settings {
        retry_pause: Duration::ZERO,
        retry_pause_max: Duration::ZERO,
        ..Settings::new(endpoint, credentials)
    }
}

pub(crate) fn store(settings: Settings) -> Store {
    Store::new(settings, &haul_io::Cancel::new().unwrap()).unwrap()
}

pub(crate) fn bucket() -> Bucket {
    "s3://bucket/".parse().unwrap()
}

pub(crate) fn object(key: &str) -> Object {
    bucket().object(key).unwrap()
}
