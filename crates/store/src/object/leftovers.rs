//! Uploads that earlier runs left: they are neither visible nor free of charge.
//!
//! Owns: finding and aborting them.
//! Does not own: continuing one ([`super::assembly`]).

use std::collections::VecDeque;
use std::time::Duration;

use crate::Error;
use crate::access::address::{Bucket, Object};
use crate::call::store::Store;
use crate::object::multipart::{Marker, Page, Target};
use crate::object::upload::Upload;

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
        for upload in self.uploads(bucket) {
            let upload = upload?;
            if is_old(&upload) && is_ours(&upload) {
                self.abort_upload(Target { object: &upload.object, id: &upload.id })?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// The uploads to keys that begin with `bucket`'s prefix, in the store's order. One page is held. Ends after the
    /// first error.
    pub fn uploads(&self, bucket: &Bucket) -> impl Iterator<Item = Result<Upload, Error>> {
        let (store, bucket) = (self.clone(), bucket.clone());
        let mut after = Some(Marker::default());
        let mut page = VecDeque::new();
        std::iter::from_fn(move || {
            loop {
                if let Some(upload) = page.pop_front() {
                    return Some(Ok(upload));
                }
                match store.list_uploads(&bucket, &after.take()?) {
                    Ok(Page { items, next }) => (page, after) = (items.into(), next),
                    Err(error) => return Some(Err(error)),
                }
            }
        })
    }

    /// Aborts the uploads to exactly `object`. Returns how many.
    ///
    /// # Errors
    /// The first one; later uploads are then left.
    pub fn abort_uploads(&self, object: &Object) -> Result<u64, Error> {
        let mut count = 0;
        for upload in self.uploads_to(object)? {
            self.abort_upload(Target { object, id: &upload.id })?;
            count += 1;
        }
        Ok(count)
    }

    /// The uploads to exactly `object`, the latest first.
    pub(crate) fn uploads_to(&self, object: &Object) -> Result<Vec<Upload>, Error> {
        let bucket: Bucket = object.to_string().parse()?;
        let mut found = Vec::new();
        let mut after = Marker::default();
        loop {
            let page = self.list_uploads(&bucket, &after)?;
            found.extend(page.items.into_iter().filter(|upload| upload.object == *object));
            match page.next {
                // Keys are in order: those beyond only begin with this one.
                Some(next) if next.key == object.key() => after = next,
                _ => break,
            }
        }
        found.sort_by_key(|upload| std::cmp::Reverse(upload.initiated));
        Ok(found)
    }
}
