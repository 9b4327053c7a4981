//! Requests of uploads in parts: create, upload, complete, abort, list.
//!
//! Owns: their parameters, their answers.
//! Does not own: which parts there are ([`super::assembly`]).

use std::collections::BTreeMap;

use haul_fetch::Method;

use crate::Error;
use crate::access::address::{Bucket, Object};
use crate::call::body::Content;
use crate::call::send::{Call, Failure};
use crate::call::store::Store;
use crate::call::xml::{Element, write_element};
use crate::object::requests::{About, CRC, Publishing, compare, etag, text};
use crate::object::upload::Upload;
use crate::refusal::{Kind, Refusal};

/// A part that the store has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) number: u32,
    pub(crate) bytes: u64,
    pub(crate) etag: String,
    /// The CRC64NVME; none where the store doesn't list it.
    pub(crate) crc: Option<String>,
}

/// An upload and its object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) object: &'a Object,
    pub(crate) id: &'a str,
}

impl<'a> Target<'a> {
    fn call(self, method: Method) -> Call<'a> {
        Call::new(method, self.object.bucket(), self.object.key()).with("uploadId", self.id)
    }
}

/// Where a page of uploads begins: behind this one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marker {
    pub(crate) key: String,
    id: String,
}

/// A page of a listing, and where the next begins.
pub(crate) struct Page<T, N> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<N>,
}

impl Store {
    /// CreateMultipartUpload. Returns the upload's ID.
    pub(crate) fn create_upload(&self, object: &Object, about: &About<'_>) -> Result<String, Error> {
        let call = Call::new(Method::POST, object.bucket(), object.key())
            .with("uploads", "")
            .field("x-amz-checksum-algorithm", "CRC64NVME")
            .field("x-amz-checksum-type", "FULL_OBJECT");
        let response = self.call(&about.of_call(call))?;
        let id = Element::parse(&response.body)?.need("UploadId")?.to_owned();
        if id.is_empty() { Err(Error::Answer { reason: "an upload without an ID" }) } else { Ok(id) }
    }

    /// UploadPart.
    pub(crate) fn upload_part(&self, to: Target<'_>, number: u32, content: &Content) -> Result<Part, Error> {
        let call = to
            .call(Method::PUT)
            .with("partNumber", number.to_string())
            .field(CRC, content.crc.clone())
            .field("x-amz-sdk-checksum-algorithm", "CRC64NVME")
            .content(content.clone());
        let response = self.call(&call)?;
        compare(&content.crc, text(&response.headers, CRC).as_deref())?;
        let etag = etag(&response.headers)?;
        Ok(Part { number, bytes: content.bytes, etag, crc: Some(content.crc.clone()) })
    }

    /// CompleteMultipartUpload; `crc` is that of the whole object. Returns the ETag.
    pub(crate) fn complete_upload(
        &self,
        to: Target<'_>,
        parts: &[Part],
        crc: &str,
        how: Publishing<'_>,
    ) -> Result<String, Error> {
        let mut text =
            String::from("<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
        for part in parts {
            text.push_str("<Part>");
            part.crc.iter().for_each(|crc| write_element(&mut text, "ChecksumCRC64NVME", crc));
            write_element(&mut text, "ETag", &part.etag);
            write_element(&mut text, "PartNumber", &part.number.to_string());
            text.push_str("</Part>");
        }
        text.push_str("</CompleteMultipartUpload>");
        let call = to
            .call(Method::POST)
            .field("content-type", "application/xml")
            .field(CRC, crc)
            .field("x-amz-checksum-type", "FULL_OBJECT")
            .content(Content::new(text.into_bytes(), true));
        let call = how.of_call(call);
        let mut failures = 0;
        loop {
            let failure = match self.call(&call) {
                Ok(response) => match completed(&response.body, crc)? {
                    Ok(etag) => return Ok(etag),
                    // Assembling failed after the status was sent.
                    Err(refusal) => Failure { error: Error::Refused(refusal), is_uncertain: true },
                },
                Err(failure) => return self.published_unseen(to.object, failure, how),
            };
            failures += 1;
            let is_transient =
                matches!(&failure.error, Error::Refused(refusal) if refusal.kind.is_transient());
            if failures > self.retries() || !is_transient {
                return self.published_unseen(to.object, failure, how);
            }
            self.pause(failures, None)?;
        }
    }

    /// AbortMultipartUpload. An upload that no longer exists is no error.
    pub(crate) fn abort_upload(&self, upload: Target<'_>) -> Result<(), Error> {
        match self.call(&upload.call(Method::DELETE).regardless()).map_err(Error::from) {
            Err(Error::Refused(refusal)) if matches!(refusal.kind, Kind::NoUpload | Kind::NoObject) => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// ListParts: up to 1000 parts after the number `after`.
    pub(crate) fn list_parts(&self, upload: Target<'_>, after: u32) -> Result<Page<Part, u32>, Error> {
        let response = self.call(&upload.call(Method::GET).with("part-number-marker", after.to_string()))?;
        let root = Element::parse(&response.body)?;
        let mut items = Vec::new();
        for part in root.all("Part") {
            items.push(Part {
                number: part.number("PartNumber")?,
                bytes: part.number("Size")?,
                etag: part.need("ETag")?.to_owned(),
                crc: part.text("ChecksumCRC64NVME").filter(|crc| !crc.is_empty()).map(str::to_owned),
            });
        }
        let next = root.is_true("IsTruncated").then(|| root.number("NextPartNumberMarker")).transpose()?;
        progressed(next.as_ref(), &after)?;
        Ok(Page { items, next })
    }

    /// All parts of an upload, by number.
    pub(crate) fn parts_of(&self, upload: Target<'_>) -> Result<BTreeMap<u32, Part>, Error> {
        let mut parts = BTreeMap::new();
        let mut after = 0;
        loop {
            let page = self.list_parts(upload, after)?;
            parts.extend(page.items.into_iter().map(|part| (part.number, part)));
            match page.next {
                Some(next) => after = next,
                None => return Ok(parts),
            }
        }
    }

    /// ListMultipartUploads: up to 1000 uploads after `after`.
    pub(crate) fn list_uploads(
        &self,
        bucket: &Bucket,
        after: &Marker,
    ) -> Result<Page<Upload, Marker>, Error> {
        let mut call =
            Call::new(Method::GET, bucket.name(), "").with("uploads", "").with("prefix", bucket.prefix());
        if !after.key.is_empty() {
            call = call.with("key-marker", &*after.key).with("upload-id-marker", &*after.id);
        }
        let root = Element::parse(&self.call(&call)?.body)?;
        let mut items = Vec::new();
        for upload in root.all("Upload") {
            let key = upload.need("Key")?;
            // An object of a key that can't be addressed isn't one of ours.
            if let Ok(object) = Object::new(bucket.name(), key) {
                items.push(Upload::new(object, upload.need("UploadId")?, upload.text("Initiated")));
            }
        }
        let next = root.is_true("IsTruncated").then(|| {
            let id = root.text("NextUploadIdMarker").unwrap_or_default().to_owned();
            root.need("NextKeyMarker").map(|key| Marker { key: key.to_owned(), id })
        });
        let next = next.transpose()?;
        progressed(next.as_ref(), after)?;
        Ok(Page { items, next })
    }
}

/// A store that names the same page again would be asked forever.
fn progressed<N: PartialEq>(next: Option<&N>, after: &N) -> Result<(), Error> {
    if next == Some(after) {
        Err(Error::Answer { reason: "a listing that doesn't progress" })
    } else {
        Ok(())
    }
}

/// The ETag of a completed upload, or why it wasn't completed.
fn completed(body: &[u8], crc: &str) -> Result<Result<String, Refusal>, Error> {
    let root = Element::parse(body)?;
    if root.name == "Error" {
        return Ok(Err(Refusal::within(&root)));
    }
    let is_whole = root.text("ChecksumType").is_none_or(|kind| kind != "COMPOSITE");
    let found =
        root.text("ChecksumCRC64NVME").filter(|found| is_whole && !found.is_empty() && !found.contains('-'));
    compare(crc, found)?;
    Ok(Ok(root.need("ETag")?.to_owned()))
}
