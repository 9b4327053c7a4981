//! Objects of a bucket, as an iterator in constant memory.
//!
//! Owns: pages of ListObjectsV2, keys with characters that XML can't carry.
//! Does not own: what is done with the objects.

use std::collections::VecDeque;

use haul_fetch::Method;
use percent_encoding::percent_decode_str;

use crate::Error;
use crate::access::address::Bucket;
use crate::call::send::Call;
use crate::call::store::Store;
use crate::call::xml::Element;

/// An object in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The key.
    pub key: String,
    /// Length in bytes.
    pub bytes: u64,
    /// The version, with its quotation marks.
    pub etag: String,
}

/// The objects of a bucket, in the store's order. One page of at most 1000 is held; the next one is asked for when that
/// is used up. Ends after the first error.
#[derive(Debug)]
pub struct Listing {
    store: Store,
    bucket: Bucket,
    page: VecDeque<Listed>,
    next: Next,
}

#[derive(Debug)]
enum Next {
    First,
    Token(String),
    End,
}

impl Store {
    /// ListObjectsV2: the objects whose keys begin with `bucket`'s prefix.
    pub fn list(&self, bucket: &Bucket) -> Listing {
        Listing { store: self.clone(), bucket: bucket.clone(), page: VecDeque::new(), next: Next::First }
    }
}

impl Listing {
    fn fetch(&mut self) -> Result<(), Error> {
        let mut call = Call::new(Method::GET, self.bucket.name(), "")
            .with("list-type", "2")
            .with("encoding-type", "url")
            .with("prefix", self.bucket.prefix());
        if let Next::Token(token) = &self.next {
            call = call.with("continuation-token", token.clone());
        }
        let root = Element::parse(&self.store.call(&call)?.body)?;
        let is_encoded = root.text("EncodingType").is_some_and(|encoding| encoding == "url");
        for object in root.all("Contents") {
            let key = object.need("Key")?;
            let key = if is_encoded { decode(key)? } else { key.to_owned() };
            let etag = object.text("ETag").unwrap_or_default().to_owned();
            self.page.push_back(Listed { key, bytes: object.number("Size")?, etag });
        }
        let token = root.is_true("IsTruncated").then(|| root.need("NextContinuationToken")).transpose()?;
        self.next = match (token, &self.next) {
            (Some(token), Next::Token(last)) if token == last => {
                return Err(Error::Answer { reason: "a listing that doesn't progress" });
            }
            (Some(token), _) => Next::Token(token.to_owned()),
            (None, _) => Next::End,
        };
        Ok(())
    }
}

impl Iterator for Listing {
    type Item = Result<Listed, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(listed) = self.page.pop_front() {
                return Some(Ok(listed));
            }
            if matches!(self.next, Next::End) {
                return None;
            }
            if let Err(error) = self.fetch() {
                (self.next, self.page) = (Next::End, VecDeque::new());
                return Some(Err(error));
            }
        }
    }
}

/// Undoes the encoding of a form, where a space is a plus sign.
fn decode(key: &str) -> Result<String, Error> {
    let key = key.replace('+', " ");
    let key =
        percent_decode_str(&key).decode_utf8().map_err(|_| Error::Answer { reason: "a key isn't UTF-8" })?;
    Ok(key.into_owned())
}
