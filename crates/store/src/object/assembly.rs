//! An object that appears whole: sent at once, or in parts that any threads send in any order.
//!
//! Owns: beginning an upload once, continuing an earlier one, which parts there are, the checksum of the whole,
//! aborting.
//! Does not own: where the bytes come from and how they are cut ([`super::writer`]), requests ([`super::multipart`]).

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::access::address::Object;
use crate::call::body::{Content, combined};
use crate::call::store::Store;
use crate::object::multipart::{Part, Target};
use crate::object::options::{Existing, PARTS_MAX, Published, WriterOptions};
use crate::object::requests::{About, Publishing};
use crate::{Error, Kind};

/// An object in the making. It becomes visible by [`Assembly::publish`] or [`Assembly::publish_at_once`]. If it doesn't
/// come to that, [`Assembly::abort`] removes its parts; dropping it doesn't.
#[derive(Debug)]
pub struct Assembly {
    store: Store,
    object: Object,
    options: WriterOptions,
    token: String,
    /// Its ID, once it has begun. Locked while it begins, so that it begins once.
    upload: Mutex<Option<Arc<str>>>,
    parts: Mutex<Parts>,
}

#[derive(Debug, Default)]
struct Parts {
    /// What an earlier run has sent, by number.
    known: BTreeMap<u32, Part>,
    sent: BTreeMap<u32, Part>,
}

impl Store {
    /// An object in the making. Nothing is sent yet.
    pub fn assembly(&self, object: &Object, options: WriterOptions) -> Assembly {
        Assembly {
            store: self.clone(),
            object: object.clone(),
            options,
            token: self.token(),
            upload: Mutex::default(),
            parts: Mutex::default(),
        }
    }
}

impl Assembly {
    /// The object that it is to become.
    pub fn object(&self) -> &Object {
        &self.object
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Sends `bytes` as the part `number`, counted from 1. Every part but the last one has at least 5 MiB. Sending a
    /// part again replaces it.
    ///
    /// # Errors
    /// [`Error::Exists`] or [`Error::Changed`] if there is an object of this key that isn't to be replaced.
    /// [`Error::TooManyParts`]; see
    /// [`Error`] for others.
    pub fn send(&self, number: u32, bytes: Vec<u8>) -> Result<(), Error> {
        if !(1..=PARTS_MAX).contains(&number) {
            return Err(Error::TooManyParts);
        }
        let id = self.begun()?;
        let content = self.content(bytes);
        let is_there = |part: &Part| part.bytes == content.bytes && part.crc.as_ref() == Some(&content.crc);
        let known = self.parts().known.remove(&number).filter(is_there);
        let part = match known {
            Some(part) => part,
            None => self.store.upload_part(Target { object: &self.object, id: &id }, number, &content)?,
        };
        self.parts().sent.insert(number, part);
        Ok(())
    }

    /// Publishes the object that the parts are, from the first to the last that was sent.
    ///
    /// # Errors
    /// [`Error::Exists`] or [`Error::Changed`] if there is an object of this key that isn't to be replaced. See
    /// [`Error`] for others.
    pub fn publish(&self) -> Result<Published, Error> {
        let missing = || Error::Local(io::Error::other("a part of the object is missing"));
        let id = self.upload().clone().ok_or_else(missing)?;
        let parts: Vec<Part> = self.parts().sent.values().cloned().collect();
        if parts.is_empty() || !(1..).zip(&parts).all(|(number, part)| part.number == number) {
            return Err(missing());
        }
        let checksum = combined(parts.iter().map(|part| (part.crc.as_deref(), part.bytes)));
        let checksum = checksum.ok_or(Error::Answer { reason: "a checksum is malformed" })?;
        let bytes = parts.iter().map(|part| part.bytes).sum();
        let target = Target { object: &self.object, id: &id };
        let how = self.publishing(bytes, &checksum);
        let etag = self.store.complete_upload(target, &parts, &checksum, how)?;
        self.upload().take();
        Ok(Published { bytes, etag, checksum })
    }

    /// Publishes `bytes` as the object, by one request.
    ///
    /// # Errors
    /// As [`Assembly::publish`].
    pub fn publish_at_once(&self, bytes: Vec<u8>) -> Result<Published, Error> {
        if self.options.looks_first {
            self.check_existing()?;
        }
        if self.options.resume {
            self.store.abort_uploads(&self.object)?;
        }
        let content = self.content(bytes);
        let how = self.publishing(content.bytes, &content.crc);
        let etag = self.store.put(&self.object, &content, how, &self.about())?;
        Ok(Published { bytes: content.bytes, etag, checksum: content.crc })
    }

    /// Removes the parts that were sent, if there are any. To be called when none is being sent: a part that arrives
    /// later would stay. The request is sent even if the caller's switch was triggered.
    ///
    /// # Errors
    /// See [`Error`]: [`Store::sweep`] then removes them later.
    pub fn abort(&self) -> Result<(), Error> {
        match self.upload().take() {
            Some(id) => self.store.abort_upload(Target { object: &self.object, id: &id }),
            None => Ok(()),
        }
    }

    fn content(&self, bytes: Vec<u8>) -> Content {
        Content::new(bytes, !self.store.endpoint().is_tls())
    }

    fn about(&self) -> About<'_> {
        let WriterOptions { modified, modified_nanos, content_bytes, ref fields, .. } = self.options;
        About { token: &self.token, modified, modified_nanos, content_bytes, fields }
    }

    fn publishing<'a>(&'a self, bytes: u64, checksum: &'a str) -> Publishing<'a> {
        Publishing { existing: &self.options.existing, token: &self.token, bytes, crc: checksum }
    }

    /// Fails if there is an object that isn't to be replaced, as far as the keys allow to see. The request that
    /// publishes the object has the same condition, but not all stores know it.
    fn check_existing(&self) -> Result<(), Error> {
        let existing = &self.options.existing;
        if *existing == Existing::Replace {
            return Ok(());
        }
        match (self.store.stat(&self.object), existing) {
            (Err(Error::Refused(refusal)), _) if refusal.kind == Kind::Denied => Ok(()),
            (Err(error), _) => Err(error),
            (Ok(Some(_)), Existing::Keep) => Err(Error::Exists),
            (Ok(found), Existing::ReplaceVersion(etag))
                if found.as_ref().is_none_or(|found| found.etag != *etag) =>
            {
                Err(Error::Changed)
            }
            (Ok(_), _) => Ok(()),
        }
    }

    /// The ID of the upload, which begins now if it hasn't.
    fn begun(&self) -> Result<Arc<str>, Error> {
        let mut upload = self.upload();
        if let Some(id) = &*upload {
            return Ok(id.clone());
        }
        // Found at the end as well, but then everything has been sent.
        self.check_existing()?;
        let continued = if self.options.resume { self.continued()? } else { None };
        let id = match continued {
            Some(id) => id,
            None => self.store.create_upload(&self.object, &self.about())?,
        };
        let id: Arc<str> = id.into();
        *upload = Some(id.clone());
        Ok(id)
    }

    /// The latest upload to this key. Others are aborted.
    fn continued(&self) -> Result<Option<String>, Error> {
        let mut latest = None;
        for upload in self.store.uploads_to(&self.object)? {
            let target = Target { object: &self.object, id: &upload.id };
            if latest.is_some() {
                self.store.abort_upload(target)?;
            } else {
                self.parts().known = self.store.parts_of(target)?;
                latest = Some(upload.id);
            }
        }
        Ok(latest)
    }

    fn upload(&self) -> MutexGuard<'_, Option<Arc<str>>> {
        self.upload.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
