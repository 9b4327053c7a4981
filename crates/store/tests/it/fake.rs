//! A store in memory that answers as S3 does, with faults that a test scripts.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use haul_store::{Bucket, Credentials, Endpoint, Keys, Object, Settings, Store};
use haul_testkit::{Answer, End, Request, Server};

/// What happens to a request instead of, or after, what it asks for.
#[expect(clippy::large_enum_variant, reason = "one at a time")]
pub(crate) enum Fault {
    /// This answer; the request has no effect.
    Instead(Answer),
    /// The request takes effect, and the connection is cut before its answer.
    LostAnswer,
}

type Script = dyn Fn(&Request, usize) -> Option<Fault> + Send + Sync;

#[derive(Default)]
pub(crate) struct State {
    pub(crate) objects: BTreeMap<String, Entry>,
    pub(crate) uploads: BTreeMap<String, Upload>,
    pub(crate) ignores_conditions: bool,
    pub(crate) page: usize,
    versions: usize,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) bytes: Vec<u8>,
    pub(crate) etag: String,
    token: Option<String>,
}

#[derive(Clone, Default)]
pub(crate) struct Upload {
    pub(crate) key: String,
    token: Option<String>,
    pub(crate) parts: BTreeMap<u32, (Vec<u8>, String)>,
}

pub(crate) struct Fake {
    pub(crate) server: Server,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self::scripted(|_, _| None)
    }

    /// `script` gets each request and how many of the same method and target there were before.
    pub(crate) fn scripted(
        script: impl Fn(&Request, usize) -> Option<Fault> + Send + Sync + 'static,
    ) -> Self {
        let state = Arc::new(Mutex::new(State { page: 1000, ..State::default() }));
        let (shared, script): (_, Box<Script>) = (state.clone(), Box::new(script));
        let seen: Mutex<BTreeMap<String, usize>> = Mutex::default();
        let server = Server::start(move |request| {
            let count = {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                let count = seen.entry(format!("{} {}", request.method, request.target)).or_default();
                *count += 1;
                *count - 1
            };
            let fault = script(request, count);
            if let Some(Fault::Instead(answer)) = fault {
                return answer;
            }
            let answer = shared.lock().unwrap_or_else(PoisonError::into_inner).answer(request);
            if fault.is_some() { Answer::nothing(End::Reset) } else { answer }
        });
        Self { server, state }
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn settings(&self) -> Settings {
        let endpoint = Endpoint::at(&self.server.url(""), "us-east-1").unwrap();
        let keys = Keys::new("AKID", "secret".to_owned().into(), None);
        settings(endpoint, Credentials::fixed(keys))
    }

    pub(crate) fn store(&self) -> Store {
        store(self.settings())
    }

    pub(crate) fn count(&self, method: &str, part: &str) -> usize {
        let requests = self.server.requests();
        requests.iter().filter(|request| request.method == method && request.target.contains(part)).count()
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

/// An error as S3 writes it.
pub(crate) fn refusal(status: u16, code: &str) -> Answer {
    let text = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>words</Message></Error>");
    Answer::new(status).header("Content-Type", "application/xml").body(text)
}

impl State {
    pub(crate) fn put(&mut self, key: &str, bytes: &[u8], token: Option<String>) -> String {
        self.versions += 1;
        let etag = format!("\"v{}\"", self.versions);
        self.objects.insert(key.to_owned(), Entry { bytes: bytes.to_vec(), etag: etag.clone(), token });
        etag
    }

    fn answer(&mut self, request: &Request) -> Answer {
        let path = request.path();
        let path = path.split('?').next().unwrap_or_default();
        let path = path.strip_prefix("/bucket").unwrap_or_default();
        let key = decode(path.strip_prefix('/').unwrap_or_default());
        let query: BTreeMap<String, String> = request
            .target
            .split_once('?')
            .map_or("", |(_, query)| query)
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (decode(name), decode(value)))
            .collect();
        let get = |name: &str| query.get(name).cloned();
        match (request.method.as_str(), get("uploadId")) {
            ("PUT", None) => self.put_object(request, &key),
            ("PUT", Some(id)) => self.put_part(request, &id, get("partNumber").unwrap().parse().unwrap()),
            ("POST", None) => self.create(request, &key),
            ("POST", Some(id)) => self.complete(request, &id),
            ("DELETE", Some(id)) => match self.uploads.remove(&id) {
                Some(_) => Answer::new(204),
                None => refusal(404, "NoSuchUpload"),
            },
            ("DELETE", None) => {
                self.objects.remove(&key);
                Answer::new(204)
            }
            ("GET", Some(id)) => self.list_parts(&id, get("part-number-marker").unwrap().parse().unwrap()),
            ("GET", None) if key.is_empty() && query.contains_key("uploads") => {
                self.list_uploads(&get("prefix").unwrap_or_default(), get("upload-id-marker"))
            }
            ("GET", None) if key.is_empty() => {
                self.list(&get("prefix").unwrap_or_default(), get("continuation-token"))
            }
            ("GET" | "HEAD", None) => self.get(request, &key),
            _ => refusal(501, "NotImplemented"),
        }
    }

    fn condition_fails(&self, request: &Request, key: &str) -> bool {
        request.header("if-none-match") == Some("*")
            && self.objects.contains_key(key)
            && !self.ignores_conditions
    }

    fn put_object(&mut self, request: &Request, key: &str) -> Answer {
        if self.condition_fails(request, key) {
            return refusal(412, "PreconditionFailed");
        }
        let etag = self.put(key, &request.body, token(request));
        let crc = request.header("x-amz-checksum-crc64nvme").unwrap();
        Answer::new(200).header("ETag", &etag).header("x-amz-checksum-crc64nvme", crc)
    }

    fn put_part(&mut self, request: &Request, id: &str, number: u32) -> Answer {
        let crc = request.header("x-amz-checksum-crc64nvme").unwrap().to_owned();
        let Some(upload) = self.uploads.get_mut(id) else { return refusal(404, "NoSuchUpload") };
        upload.parts.insert(number, (request.body.clone(), crc.clone()));
        Answer::new(200).header("ETag", &format!("\"{crc}\"")).header("x-amz-checksum-crc64nvme", &crc)
    }

    fn create(&mut self, request: &Request, key: &str) -> Answer {
        self.versions += 1;
        let id = format!("id+/{}", self.versions);
        self.uploads
            .insert(id.clone(), Upload { key: key.to_owned(), token: token(request), ..Upload::default() });
        Answer::ok(format!(
            "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        ))
    }

    fn complete(&mut self, request: &Request, id: &str) -> Answer {
        let Some(upload) = self.uploads.get(id).cloned() else { return refusal(404, "NoSuchUpload") };
        if self.condition_fails(request, &upload.key) {
            return refusal(412, "PreconditionFailed");
        }
        let text = String::from_utf8(request.body.clone()).unwrap();
        let mut bytes = Vec::new();
        for part in text.split("<Part>").skip(1) {
            let number: u32 = between(part, "<PartNumber>", "</PartNumber>").parse().unwrap();
            let Some((content, crc)) = upload.parts.get(&number) else { return refusal(400, "InvalidPart") };
            if between(part, "<ChecksumCRC64NVME>", "</ChecksumCRC64NVME>") != crc {
                return refusal(400, "InvalidPart");
            }
            bytes.extend_from_slice(content);
        }
        self.uploads.remove(id);
        let etag = self.put(&upload.key, &bytes, upload.token);
        let crc = request.header("x-amz-checksum-crc64nvme").unwrap();
        Answer::ok(format!(
            "<CompleteMultipartUploadResult><ETag>{etag}</ETag><ChecksumCRC64NVME>{crc}</ChecksumCRC64NVME>\
             </CompleteMultipartUploadResult>"
        ))
    }

    fn get(&self, request: &Request, key: &str) -> Answer {
        let Some(entry) = self.objects.get(key) else { return refusal(404, "NoSuchKey") };
        let differs = request.header("if-match").is_some_and(|etag| etag != entry.etag);
        if differs && !self.ignores_conditions {
            return refusal(412, "PreconditionFailed");
        }
        let total = entry.bytes.len();
        let answer =
            match request.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) {
                Some((first, last)) => {
                    let (first, last): (usize, usize) = (first.parse().unwrap(), last.parse().unwrap());
                    let last = last.min(total - 1);
                    let range = format!("bytes {first}-{last}/{total}");
                    Answer::new(206).header("Content-Range", &range).body(&entry.bytes[first..=last])
                }
                None => Answer::ok(entry.bytes.clone()),
            };
        let answer = match &entry.token {
            Some(token) => answer.header("x-amz-meta-haul-upload", token),
            None => answer,
        };
        answer.header("ETag", &entry.etag)
    }

    fn list_parts(&self, id: &str, after: u32) -> Answer {
        let Some(upload) = self.uploads.get(id) else { return refusal(404, "NoSuchUpload") };
        let mut text = String::from("<ListPartsResult>");
        let mut parts = upload.parts.range(after + 1..);
        for (number, (bytes, crc)) in parts.by_ref().take(self.page) {
            text.push_str(&format!(
                "<Part><PartNumber>{number}</PartNumber><Size>{}</Size><ETag>&quot;{crc}&quot;</ETag>\
                 <ChecksumCRC64NVME>{crc}</ChecksumCRC64NVME></Part><NextPartNumberMarker>{number}\
                 </NextPartNumberMarker>",
                bytes.len()
            ));
        }
        // The last marker counts; the elements before it are those of earlier parts.
        if let Some(at) = text.rfind("<NextPartNumberMarker>") {
            let last = text[at..].to_owned();
            text = text[..at]
                .split("<NextPartNumberMarker>")
                .map(|piece| piece.split_once("</NextPartNumberMarker>").map_or(piece, |(_, rest)| rest))
                .collect::<String>()
                + &last;
        }
        text.push_str(&format!("<IsTruncated>{}</IsTruncated></ListPartsResult>", parts.next().is_some()));
        Answer::ok(text)
    }

    fn list_uploads(&self, prefix: &str, after: Option<String>) -> Answer {
        let mut uploads: Vec<_> =
            self.uploads.iter().filter(|(_, upload)| upload.key.starts_with(prefix)).collect();
        uploads.sort_by_key(|(id, upload)| (upload.key.clone(), (*id).clone()));
        let from = after.map_or(0, |after| uploads.iter().filter(|(id, _)| **id <= after).count());
        let page: Vec<_> = uploads.iter().skip(from).take(self.page).collect();
        let mut text = String::from("<ListMultipartUploadsResult>");
        for (id, upload) in &page {
            text.push_str(&format!("<Upload><Key>{}</Key><UploadId>{id}</UploadId></Upload>", upload.key));
        }
        if from + page.len() < uploads.len() {
            let (id, upload) = page.last().unwrap();
            text.push_str(&format!(
                "<IsTruncated>true</IsTruncated><NextKeyMarker>{}</NextKeyMarker>\
                 <NextUploadIdMarker>{id}</NextUploadIdMarker>",
                upload.key
            ));
        }
        text.push_str("</ListMultipartUploadsResult>");
        Answer::ok(text)
    }

    fn list(&self, prefix: &str, token: Option<String>) -> Answer {
        let token = token.unwrap_or_default();
        let mut found = self.objects.iter().filter(|(key, _)| key.starts_with(prefix) && **key > token);
        let mut text = String::from("<ListBucketResult><EncodingType>url</EncodingType>");
        let mut last = String::new();
        for (key, entry) in found.by_ref().take(self.page) {
            last.clone_from(key);
            let key = key.replace('%', "%25").replace('+', "%2B").replace(' ', "+").replace('\n', "%0A");
            let key = key.replace('<', "%3C");
            let (etag, size) = (&entry.etag, entry.bytes.len());
            text.push_str(&format!(
                "<Contents><Key>{key}</Key><Size>{size}</Size><ETag>{etag}</ETag></Contents>"
            ));
        }
        if found.next().is_some() {
            text.push_str(&format!(
                "<IsTruncated>true</IsTruncated><NextContinuationToken>{last}</NextContinuationToken>"
            ));
        }
        Answer::ok(text + "</ListBucketResult>")
    }
}

fn token(request: &Request) -> Option<String> {
    request.header("x-amz-meta-haul-upload").map(str::to_owned)
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    text.split_once(from).unwrap().1.split_once(to).unwrap().0
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned()
}
