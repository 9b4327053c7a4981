//! Uploads that earlier runs left: they are neither visible nor free of charge.
//!
//! Owns: finding and aborting them.
//! Does not own: continuing one ([`super::writer`]).

use std::time::{Duration, SystemTime};

use crate::Error;
use crate::access::address::{Bucket, Object};
use crate::call::store::Store;
use crate::object::multipart::Target;

/// An upload in parts that was neither completed nor aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The object that it would become.
    pub object: Object,
    /// When it began, by the store's clock, if the store tells.
    pub initiated: Option<SystemTime>,
    pub(crate) id: String,
}

impl Upload {
    pub(crate) fn new(object: Object, id: &str, initiated: Option<&str>) -> Self {
        let initiated = initiated.and_then(|text| humantime::parse_rfc3339_weak(text).ok());
        Self { object, initiated, id: id.to_owned() }
    }
}

impl Store {
    /// Aborts the uploads to keys that begin with `bucket`'s prefix and that `is_ours` accepts, if they began at least
    /// `age` ago. Returns how many. A store doesn't say which program an upload belongs to: pass keys of a run's own.
    /// Constant memory.
    ///
    /// # Errors
    /// The first one; later uploads are then left.
    pub fn sweep(
        &self,
        bucket: &Bucket,
        age: Duration,
        is_ours: impl Fn(&Upload) -> bool,
    ) -> Result<u64, Error> {
        let now = self.now();
        let is_old = |upload: &Upload| {
            let initiated = upload.initiated.unwrap_or(now);
            age.is_zero() || now.duration_since(initiated).is_ok_and(|since| since >= age)
        };
        let mut count = 0;
        let mut after = (String::new(), String::new());
        loop {
            let page = self.list_uploads(bucket, &after)?;
            for upload in page.items.iter().filter(|upload| is_old(upload) && is_ours(upload)) {
                self.abort_upload(Target { object: &upload.object, id: &upload.id })?;
                count += 1;
            }
            match page.next {
                Some(next) => after = next,
                None => return Ok(count),
            }
        }
    }

    /// The uploads to exactly `object`, the latest first.
    pub(crate) fn uploads_to(&self, object: &Object) -> Result<Vec<Upload>, Error> {
        let bucket: Bucket = object.to_string().parse()?;
        let mut found = Vec::new();
        let mut after = (String::new(), String::new());
        loop {
            let page = self.list_uploads(&bucket, &after)?;
            found.extend(page.items.into_iter().filter(|upload| upload.object == *object));
            match page.next {
                // Keys are in order: those beyond only begin with this one.
                Some(next) if next.0 == object.key() => after = next,
                _ => break,
            }
        }
        found.sort_by(|one, other| other.initiated.cmp(&one.initiated));
        Ok(found)
    }
}
