//! Signature Version 4: the text that is signed, and the field Authorization.
//!
//! The cryptography is that of `aws_lc_rs`. Paths are signed as they are sent, which is the rule of S3: they are
//! neither normalized nor encoded twice.
//!
//! Owns: the canonical form of a request, the derived key.
//! Does not own: keys ([`crate::access::keys`]), encoding ([`crate::access::endpoint`]).
//!
//! Source: AWS General Reference, "Create a signed AWS API request"; its test suite.

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
    use std::fs;
    use std::path::Path;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Context {
        credentials: Credentials,
        normalize: bool,
        region: String,
        service: String,
        #[serde(default)]
        sign_body: bool,
        #[serde(default)]
        omit_session_token: bool,
        timestamp: String,
    }

    #[derive(Deserialize)]
    struct Credentials {
        access_key_id: String,
        secret_access_key: Zeroizing<String>,
        token: Option<Zeroizing<String>>,
    }

    /// Cases whose path isn't the same when it is encoded once and not normalized, as S3 has it.
    const NOT_FOR_S3: [&str; 7] = [
        "get-relative-normalized",
        "get-relative-relative-normalized",
        "get-slash-dot-slash-normalized",
        "get-slash-normalized",
        "get-slash-pointless-dot-normalized",
        "get-slashes-normalized",
        "get-header-value-multiline",
    ];

    #[test]
    fn the_test_suite_of_aws_is_signed_as_expected() {
        let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws-signing-test-suite");
        let mut count = 0;
        for case in fs::read_dir(suite).unwrap() {
            let case = case.unwrap();
            let name = case.file_name().into_string().unwrap();
            if case.file_type().unwrap().is_dir() && !NOT_FOR_S3.contains(&name.as_str()) {
                check_case(&name, &case.path());
                count += 1;
            }
        }
        assert_eq!(count, 31);
    }

    fn check_case(name: &str, folder: &Path) {
        let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap().replace("\r\n", "\n");
        let context: Context = serde_json::from_str(&read("context.json")).unwrap();
        let request = read("request.txt");
        let (head, body) = request.split_once("\n\n").unwrap_or((&request, ""));
        let mut lines = head.lines();
        let line = lines.next().unwrap();
        let (method, target) = line.split_once(' ').unwrap();
        let target = target.rsplit_once(' ').map_or(target, |(target, _)| target);
        let (path, parameters) = target.split_once('?').unwrap_or((target, ""));
        let path =
            if context.normalize || !path.contains(' ') { path.to_owned() } else { path.replace(' ', "%20") };
        let time = context.timestamp.replace(['-', ':'], "");
        let payload = sha256(body.as_bytes());
        let mut fields: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        fields.push(("x-amz-date".to_owned(), time.clone()));
        if context.sign_body {
            fields.push(("x-amz-content-sha256".to_owned(), payload.clone()));
        }
        if let Some(token) = context.credentials.token.as_ref().filter(|_| !context.omit_session_token) {
            fields.push(("x-amz-security-token".to_owned(), token.to_string()));
        }
        fields.sort_by(|one, other| one.0.cmp(&other.0));
        let fields = merged(fields);
        let decoded =
            |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
        let parameters: Vec<(String, String)> = parameters
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect();
        let parameters: Vec<_> =
            parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let path = crate::access::endpoint::encode_path(&decoded(&path)).into_owned();
        let query = query(&parameters);
        let signed = Signed { method, path: &path, query: &query, fields: &fields, payload: &payload };
        assert_eq!(signed.canonical(), read("header-canonical-request.txt").trim_end_matches('\n'), "{name}");
        let scope = Scope { time: &time, region: &context.region, service: &context.service };
        let keys = Keys::new(&context.credentials.access_key_id, context.credentials.secret_access_key, None);
        let expected = read("header-signature.txt");
        let authorization = signed.authorization(&keys, &scope);
        assert!(
            authorization.ends_with(&format!("Signature={}", expected.trim())),
            "{name}: {authorization}"
        );
    }

    /// Fields of the same name as one, as a client that sends each once has them.
    fn merged(fields: Vec<(String, String)>) -> Vec<(String, String)> {
        let mut merged: Vec<(String, String)> = Vec::new();
        for (name, value) in fields {
            match merged.last_mut() {
                Some(last) if last.0 == name => last.1 = format!("{},{value}", last.1),
                _ => merged.push((name, value)),
            }
        }
        merged
    }

    #[test]
    fn times_are_in_the_basic_format() {
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_440_938_160);
        assert_eq!(timestamp(time), "20150830T123600Z");
    }
}
