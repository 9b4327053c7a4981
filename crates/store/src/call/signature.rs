//! Signature Version 4: the text that is signed, and the field Authorization.
//!
//! The cryptography is that of `aws_lc_rs`. Paths are signed as they are sent, which is the rule of S3: they are
//! neither normalized nor encoded twice.
//!
//! Owns: the canonical form of a request, the derived key.
//! Does not own: keys ([`crate::access::keys`]), encoding ([`crate::access::endpoint`]).
//!
//! Source: AWS General Reference, "Create a signed AWS API request".

use std::time::SystemTime;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, Tag, sign};
use zeroize::Zeroizing;

use crate::access::endpoint::encode;
use crate::access::keys::Keys;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// What a signature covers.
pub(super) struct Signed<'a> {
    pub(super) method: &'a str,
    /// As it is sent.
    pub(super) path: &'a str,
    /// As it is sent: encoded and sorted.
    pub(super) query: &'a str,
    /// The fields with lower-case names, sorted.
    pub(super) fields: &'a [(String, String)],
    /// The SHA-256 of the body in hexadecimal digits, or a word in its place.
    pub(super) payload: &'a str,
}

/// Where and when a signature is valid.
pub(super) struct Scope<'a> {
    /// As [`timestamp`] writes it.
    pub(super) time: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl Scope<'_> {
    fn text(&self) -> String {
        format!("{}/{}/{}/aws4_request", &self.time[..8], self.region, self.service)
    }
}

impl Signed<'_> {
    /// The value of Authorization.
    pub(super) fn authorization(&self, keys: &Keys, scope: &Scope<'_>) -> String {
        let names = self.names();
        let signature = self.signature(&keys.secret, scope);
        format!(
            "{ALGORITHM} Credential={}/{}, SignedHeaders={names}, Signature={signature}",
            keys.id,
            scope.text()
        )
    }

    fn signature(&self, secret: &str, scope: &Scope<'_>) -> String {
        let hash = sha256(self.canonical().as_bytes());
        let text = format!("{ALGORITHM}\n{}\n{}\n{hash}", scope.time, scope.text());
        let first = Zeroizing::new(format!("AWS4{secret}"));
        let day = hmac(first.as_bytes(), &scope.time[..8]);
        let region = hmac(day.as_ref(), scope.region);
        let service = hmac(region.as_ref(), scope.service);
        let key = hmac(service.as_ref(), "aws4_request");
        hex(hmac(key.as_ref(), &text).as_ref())
    }

    fn canonical(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.method, self.path, self.query);
        for (name, value) in self.fields {
            let value = value.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
            text.push_str(&format!("{name}:{value}\n"));
        }
        text.push_str(&format!("\n{}\n{}", self.names(), self.payload));
        text
    }

    fn names(&self) -> String {
        let mut names: Vec<&str> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
        names.dedup();
        names.join(";")
    }
}

/// Parameters as they are sent and signed: encoded, sorted by the encoded names and values.
pub(super) fn query(parameters: &[(&str, &str)]) -> String {
    let mut pairs: Vec<_> = parameters.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// `20150830T123600Z`.
pub(super) fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(time).to_string().replace(['-', ':'], "")
}

/// The SHA-256 of `bytes` in hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

fn hmac(key: &[u8], text: &str) -> Tag {
    sign(&Key::new(HMAC_SHA256, key), text.as_bytes())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use crate::access::endpoint::encode_path;

    use super::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// The examples of Amazon S3's API Reference, "Authenticating Requests (AWS Signature Version 4)".
    #[test]
    fn the_examples_of_s3_have_their_signatures() {
        const PUT_BODY: &str = "Welcome to Amazon S3.";
        let body = sha256(PUT_BODY.as_bytes());
        let keys = Keys::new(
            "AKIAIOSFODNN7EXAMPLE",
            Zeroizing::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
            None,
        );
        let scope = Scope { time: "20130524T000000Z", region: "us-east-1", service: "s3" };
        let list = [("prefix", "J"), ("max-keys", "2")];
        for (method, path, parameters, more, payload, signature) in [
            (
                "GET",
                "/test.txt",
                &[][..],
                &[("range", "bytes=0-9")][..],
                EMPTY,
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            ),
            (
                "PUT",
                "/test$file.text",
                &[],
                &[("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
                &body,
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            ),
            (
                "GET",
                "/",
                &[("lifecycle", "")],
                &[],
                EMPTY,
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
            (
                "GET",
                "/",
                &list,
                &[],
                EMPTY,
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
        ] {
            let mut fields = fields(more);
            fields.extend(self::fields(&[
                ("host", "examplebucket.s3.amazonaws.com"),
                ("x-amz-content-sha256", payload),
                ("x-amz-date", scope.time),
            ]));
            fields.sort();
            let (path, query) = (encode_path(path), query(parameters));
            let signed = Signed { method, path: &path, query: &query, fields: &fields, payload };
            let authorization = signed.authorization(&keys, &scope);
            assert!(authorization.ends_with(&format!("Signature={signature}")), "{path}: {authorization}");
        }
    }

    /// Figures of AWS's public test vectors for Signature Version 4: their key, date, scope and host.
    #[test]
    fn blanks_bytes_and_parameters_are_canonical() {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let scope = Scope { time: "20150830T123600Z", region: "us-east-1", service: "service" };
        let trimmed = [("my-header1", "value1"), ("my-header2", "\"a   b   c\"")];
        for (method, path, parameters, more, signature) in [
            (
                "GET",
                "/",
                &[][..],
                &[][..],
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            ),
            ("GET", "/", &[], &trimmed, "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
            (
                "POST",
                "/",
                &[("Param1", "value1")],
                &[],
                "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
            ),
            (
                "GET",
                "/\u{1234}",
                &[],
                &[],
                "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
            ),
        ] {
            let mut fields = fields(more);
            fields.extend(self::fields(&[("host", "example.amazonaws.com"), ("x-amz-date", scope.time)]));
            fields.sort();
            let (path, query) = (encode_path(path), query(parameters));
            let signed = Signed { method, path: &path, query: &query, fields: &fields, payload: EMPTY };
            assert_eq!(signed.signature(secret, &scope), signature, "{method} {path}");
        }
    }

    #[test]
    fn parameters_are_sorted_by_their_encoded_form() {
        assert_eq!(
            query(&[("b", "1"), ("a", "\u{e4} /~"), ("B", ""), ("a", "-")]),
            "B=&a=%C3%A4%20%2F~&a=-&b=1"
        );
    }

    #[test]
    fn times_are_in_the_basic_format() {
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_440_938_160);
        assert_eq!(timestamp(time), "20150830T123600Z");
    }
}
