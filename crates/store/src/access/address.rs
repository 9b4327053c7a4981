//! Addresses of buckets and objects: `s3://BUCKET/KEY`.
//!
//! Owns: which names and keys can be addressed.
//! Does not own: the URLs that they become ([`super::endpoint`]).
//!
//! Source: Amazon S3 user guide, "Bucket naming rules" and "Naming Amazon S3 objects".

use std::fmt;
use std::str::FromStr;

use crate::Error;

const SCHEME: &str = "s3://";

/// The longest key in bytes of UTF-8.
const KEY_BYTES_MAX: usize = 1024;

/// A bucket, and the prefix of the keys that are meant: `s3://BUCKET/PREFIX`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Bucket {
    name: String,
    prefix: String,
}

/// An object: `s3://BUCKET/KEY`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    bucket: String,
    key: String,
}

impl Bucket {
    /// The bucket `name` with all its keys.
    ///
    /// # Errors
    /// If the name isn't one of a bucket.
    pub fn new(name: &str) -> Result<Self, Error> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), prefix: String::new() })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the keys begin with; empty for all keys.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The object whose key is the prefix followed by `name`.
    ///
    /// # Errors
    /// If the key can't be addressed.
    pub fn object(&self, name: &str) -> Result<Object, Error> {
        Object::new(&self.name, &format!("{}{name}", self.prefix))
    }
}

impl Object {
    /// The object `key` of `bucket`.
    ///
    /// # Errors
    /// If the bucket's name is invalid, or if the key is empty, too long, or has a segment `.` or `..`, which URLs
    /// can't carry.
    pub fn new(bucket: &str, key: &str) -> Result<Self, Error> {
        check_name(bucket)?;
        if key.is_empty() {
            return Err(invalid("the address has no key after the bucket"));
        }
        if key.len() > KEY_BYTES_MAX {
            return Err(invalid("the key is longer than 1024 bytes"));
        }
        if key.split('/').any(|segment| segment == "." || segment == "..") {
            return Err(invalid("the key has a segment \".\" or \"..\", which a URL can't carry"));
        }
        Ok(Self { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// The name of the bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl FromStr for Bucket {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (name, prefix) = split(text)?;
        Ok(Self { prefix: prefix.to_owned(), ..Self::new(name)? })
    }
}

impl FromStr for Object {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (bucket, key) = split(text)?;
        Self::new(bucket, key)
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.name, self.prefix)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}/{}", self.bucket, self.key)
    }
}

fn split(text: &str) -> Result<(&str, &str), Error> {
    let rest = text.strip_prefix(SCHEME).ok_or_else(|| invalid("the address doesn't begin with s3://"))?;
    Ok(rest.split_once('/').unwrap_or((rest, "")))
}

/// Other stores than Amazon's allow upper case and underscores. What could leave the host name or the path is refused.
fn check_name(name: &str) -> Result<(), Error> {
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_valid = (3..=255).contains(&name.len()) && name.bytes().all(in_name) && !name.starts_with('.');
    if is_valid && !name.contains("..") {
        return Ok(());
    }
    Err(invalid("a bucket's name has 3 to 255 letters, digits, dots, hyphens and underscores"))
}

fn invalid(reason: &'static str) -> Error {
    Error::Address { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_bucket_and_key() {
        let bucket: Bucket = "s3://photos/2026/".parse().unwrap();
        assert_eq!((bucket.name(), bucket.prefix()), ("photos", "2026/"));
        assert_eq!(bucket.object("a b").unwrap().to_string(), "s3://photos/2026/a b");
        let bucket: Bucket = "s3://photos".parse().unwrap();
        assert_eq!(bucket.to_string(), "s3://photos/");
        let object: Object = "s3://photos/a//b?c#d".parse().unwrap();
        assert_eq!((object.bucket(), object.key()), ("photos", "a//b?c#d"));
    }

    #[test]
    fn addresses_that_a_url_cannot_carry_are_refused() {
        let long = format!("s3://bucket/{}", "k".repeat(1025));
        for text in [
            "http://bucket/key",
            "s3:/bucket/key",
            "s3://bucket",
            "s3://bucket/",
            "s3:///key",
            "s3://b/key",
            "s3://bu cket/key",
            "s3://bucket@host/key",
            "s3://bucket:80/key",
            "s3://a..b/key",
            "s3://.../key",
            "s3://bucket/a/../b",
            "s3://bucket/.",
            &long,
        ] {
            assert!(text.parse::<Object>().is_err(), "{text}");
        }
    }
}
