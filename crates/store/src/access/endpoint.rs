//! The endpoint of a store: the server, and how a bucket is named in its URLs.
//!
//! Owns: URLs of buckets and objects, percent-encoding.
//! Does not own: signatures (`call::signature`), connections ([`haul_fetch`]).
//!
//! Source: Amazon S3 user guide, "Virtual hosting of general purpose buckets"; "UriEncode" of Signature Version 4.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use crate::Error;

/// The characters that SigV4 leaves as they are, apart from the slashes of a path.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
const IN_PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// Where a store listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Without a path.
    base: Url,
    region: String,
    style: Style,
}

/// Where the name of the bucket stands in a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// In the path: `https://host/BUCKET/KEY`.
    Path,
    /// In the host name: `https://BUCKET.host/KEY`. A bucket whose name has a dot or an upper case letter is named in
    /// the path nevertheless, as no certificate fits it.
    VirtualHost,
}

impl Endpoint {
    /// Amazon S3 in `region`, by virtual hosts.
    ///
    /// # Errors
    /// If the region's name can't be part of a host name.
    pub fn aws(region: &str) -> Result<Self, Error> {
        check_region(region)?;
        let suffix = if region.starts_with("cn-") { ".cn" } else { "" };
        let url = format!("https://s3.{region}.amazonaws.com{suffix}");
        Ok(Self::at(&url, region)?.style(Style::VirtualHost))
    }

    /// The store at `url`, by paths.
    ///
    /// # Errors
    /// If that isn't an http or https URL of a server alone.
    pub fn at(url: &str, region: &str) -> Result<Self, Error> {
        check_region(region)?;
        let invalid = |reason| Error::Address { reason };
        let base =
            Url::parse(url).map_err(|_| invalid("the endpoint isn't a URL such as https://host:port"))?;
        let is_bare = matches!(base.path(), "" | "/") && base.query().is_none() && base.fragment().is_none();
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(invalid("the endpoint isn't an http or https URL"));
        }
        if !is_bare || !base.username().is_empty() || base.password().is_some() {
            return Err(invalid("the endpoint must be a server alone: no path, no query, no credentials"));
        }
        Ok(Self { base, region: region.to_owned(), style: Style::Path })
    }

    /// The endpoint that the environment names: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`, or Amazon S3 in
    /// `AWS_REGION` or `AWS_DEFAULT_REGION`, which defaults to us-east-1. `variable` looks up a variable.
    ///
    /// # Errors
    /// As [`Endpoint::at`].
    pub fn from_environment(variable: &dyn Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let first = |names: [&str; 2]| names.into_iter().filter_map(variable).find(|value| !value.is_empty());
        let region = first(["AWS_REGION", "AWS_DEFAULT_REGION"]).unwrap_or_else(|| "us-east-1".to_owned());
        match first(["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]) {
            Some(url) => Self::at(&url, &region),
            None => Self::aws(&region),
        }
    }

    /// Sets the style.
    #[must_use]
    pub fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// The region that requests are signed for.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Whether this is Amazon S3.
    pub fn is_amazon(&self) -> bool {
        let host = self.base.host_str().unwrap_or_default();
        host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn")
    }

    /// Whether bytes are encrypted on their way.
    pub(crate) fn is_tls(&self) -> bool {
        self.base.scheme() == "https"
    }

    /// The value of Host for `bucket`.
    pub(crate) fn host(&self, bucket: &str) -> String {
        let host = self.base.host_str().unwrap_or_default();
        let port = self.base.port().map_or(String::new(), |port| format!(":{port}"));
        match self.style_for(bucket) {
            Style::Path => format!("{host}{port}"),
            Style::VirtualHost => format!("{bucket}.{host}{port}"),
        }
    }

    /// The path of `key` in `bucket`, encoded once, as it is sent and signed. The key may be empty.
    pub(crate) fn path(&self, bucket: &str, key: &str) -> String {
        match self.style_for(bucket) {
            Style::Path if key.is_empty() => format!("/{bucket}"),
            Style::Path => format!("/{bucket}/{}", encode_path(key)),
            Style::VirtualHost => format!("/{}", encode_path(key)),
        }
    }

    /// The URL of this server with `host`, `path` and `query`.
    pub(crate) fn url(&self, host: &str, path: &str, query: &str) -> String {
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{}://{host}{path}{mark}{query}", self.base.scheme())
    }

    fn style_for(&self, bucket: &str) -> Style {
        let fits =
            bucket.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if fits { self.style } else { Style::Path }
    }
}

/// `key` as the path of a URL.
pub(crate) fn encode_path(key: &str) -> Cow<'_, str> {
    utf8_percent_encode(key, IN_PATH).into()
}

/// `value` as the name or value of a query's parameter.
pub(crate) fn encode(value: &str) -> Cow<'_, str> {
    utf8_percent_encode(value, UNRESERVED).into()
}

fn check_region(region: &str) -> Result<(), Error> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !region.is_empty() && region.bytes().all(is_name) {
        return Ok(());
    }
    Err(Error::Address { reason: "the region isn't a name such as eu-central-1" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(endpoint: &Endpoint, bucket: &str, key: &str, expected: &str) {
        let url = endpoint.url(&endpoint.host(bucket), &endpoint.path(bucket, key), "");
        assert_eq!(url, expected);
        // The URL must survive parsing, or another path would be sent than was signed.
        assert_eq!(Url::parse(&url).unwrap().path(), endpoint.path(bucket, key));
    }

    #[test]
    fn buckets_are_named_in_the_path_or_in_the_host() {
        let aws = Endpoint::aws("eu-central-1").unwrap();
        check(&aws, "photos", "a/b", "https://photos.s3.eu-central-1.amazonaws.com/a/b");
        check(&aws, "my.photos", "a", "https://s3.eu-central-1.amazonaws.com/my.photos/a");
        let own = Endpoint::at("http://127.0.0.1:9000/", "x").unwrap();
        check(&own, "photos", "a", "http://127.0.0.1:9000/photos/a");
        check(&own, "photos", "", "http://127.0.0.1:9000/photos");
        check(
            &Endpoint::aws("cn-north-1").unwrap(),
            "abc",
            "k",
            "https://abc.s3.cn-north-1.amazonaws.com.cn/k",
        );
    }

    #[test]
    fn keys_are_encoded_once() {
        let own = Endpoint::at("http://h", "x").unwrap();
        let key = "a b+c%20?d#e/ü//~-_.&=\\\"<\u{7f}*'()!";
        let expected = "/abc/a%20b%2Bc%2520%3Fd%23e/%C3%BC//~-_.%26%3D%5C%22%3C%7F%2A%27%28%29%21";
        assert_eq!(own.path("abc", key), expected);
        check(&own, "abc", key, &format!("http://h{expected}"));
    }

    #[test]
    fn the_environment_names_the_endpoint() {
        let of = |pairs: &[(&str, &str)]| {
            let find = |name: &str| Some(pairs.iter().find(|(key, _)| *key == name)?.1.to_owned());
            Endpoint::from_environment(&find).map(|endpoint| endpoint.url(&endpoint.host("abc"), "/", ""))
        };
        assert_eq!(of(&[]).unwrap(), "https://abc.s3.us-east-1.amazonaws.com/");
        assert_eq!(
            of(&[("AWS_DEFAULT_REGION", "eu-west-1")]).unwrap(),
            "https://abc.s3.eu-west-1.amazonaws.com/"
        );
        assert_eq!(of(&[("AWS_ENDPOINT_URL", "http://h:1")]).unwrap(), "http://h:1/");
        assert_eq!(
            of(&[("AWS_ENDPOINT_URL_S3", "http://s"), ("AWS_ENDPOINT_URL", "http://h")]).unwrap(),
            "http://s/"
        );
        for url in ["ftp://h", "h:1", "http://u:p@h", "http://h/path", "http://h?x"] {
            assert!(of(&[("AWS_ENDPOINT_URL", url)]).is_err(), "{url}");
        }
        assert!(of(&[("AWS_REGION", "evil.example/")]).is_err());
    }
}
