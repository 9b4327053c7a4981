//! A store in memory that answers as S3 does, with faults that a test scripts.
//!
//! Owns: the objects and uploads of one bucket, which is called `bucket`; their conditions and pages.
//! Does not own: signatures and checksums, which it believes (see [`super::weed`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::answer::{Answer, End};
use super::gate::Gate;
use super::request::Request;
use super::server::Server;

/// What happens to a request instead of, or after, what it asks for.
#[expect(clippy::large_enum_variant, reason = "one at a time")]
pub enum StoreFault {
    /// This answer; the request has no effect.
    Instead(Answer),
    /// The request takes effect, and the connection is cut before its answer.
    LostAnswer,
    /// The request takes effect, and its answer waits for the gate.
    Held(Gate),
}

/// The shortest part, unless it is the last.
const PART_BYTES_MIN: usize = 5 << 20;
/// The program under test writes no other.
const WELL_FORMED: &str = "a well-formed request";

type Script = dyn Fn(&Request, usize) -> Option<StoreFault> + Send + Sync;

/// What the store has.
#[derive(Default)]
pub struct StoreState {
    /// By key.
    pub objects: BTreeMap<String, StoredObject>,
    /// Uploads in parts, by ID.
    pub uploads: BTreeMap<String, StoredUpload>,
    /// Whether it behaves as if requests had no conditions.
    pub ignores_conditions: bool,
    /// Entries of a page of any listing; 1000 at the start.
    pub page: usize,
    versions: usize,
}

/// An object.
#[derive(Clone)]
pub struct StoredObject {
    /// Its content.
    pub bytes: Vec<u8>,
    /// Its version, with quotation marks.
    pub etag: String,
    /// Fields of its metadata.
    pub metadata: Vec<(String, String)>,
}

/// An upload in parts.
#[derive(Clone, Default)]
pub struct StoredUpload {
    /// The key of the object to be.
    pub key: String,
    metadata: Vec<(String, String)>,
    /// Bytes and CRC64NVME of the parts, by number.
    pub parts: BTreeMap<u32, (Vec<u8>, String)>,
}

/// A server with the store. Dropping it ends the server.
pub struct FakeStore {
    /// The server.
    pub server: Server,
    state: Arc<Mutex<StoreState>>,
}

impl Default for FakeStore {
    fn default() -> Self {
        Self::scripted(|_, _| None)
    }
}

impl FakeStore {
    /// Starts one with faults: `script` gets each request and how many of the same method and target there were before.
    pub fn scripted(script: impl Fn(&Request, usize) -> Option<StoreFault> + Send + Sync + 'static) -> Self {
        let state = Arc::new(Mutex::new(StoreState { page: 1000, ..StoreState::default() }));
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
            if let Some(StoreFault::Instead(answer)) = fault {
                return answer;
            }
            let answer = shared.lock().unwrap_or_else(PoisonError::into_inner).answer(request);
            match fault {
                Some(StoreFault::Held(gate)) => answer.gate_at_start(&gate),
                Some(_) => Answer::nothing(End::Reset),
                None => answer,
            }
        });
        Self { server, state }
    }

    /// What it has now. Requests wait while this is held.
    pub fn state(&self) -> MutexGuard<'_, StoreState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many requests by `method` have `part` in their targets.
    pub fn count(&self, method: &str, part: &str) -> usize {
        let requests = self.server.requests();
        requests.iter().filter(|request| request.method == method && request.target.contains(part)).count()
    }
}

/// An error as S3 writes it.
pub fn store_refusal(status: u16, code: &str) -> Answer {
    let text = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>words</Message></Error>");
    Answer::new(status).header("Content-Type", "application/xml").body(text)
}

impl StoreState {
    /// Stores an object. Returns its version.
    pub fn put(&mut self, key: &str, bytes: &[u8]) -> String {
        self.put_with(key, bytes, Vec::new())
    }

    fn put_with(&mut self, key: &str, bytes: &[u8], metadata: Vec<(String, String)>) -> String {
        self.versions += 1;
        let etag = format!("\"v{}\"", self.versions);
        self.objects
            .insert(key.to_owned(), StoredObject { bytes: bytes.to_vec(), etag: etag.clone(), metadata });
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
            ("PUT", Some(id)) => {
                self.put_part(request, &id, get("partNumber").expect(WELL_FORMED).parse().expect(WELL_FORMED))
            }
            ("POST", None) => self.create(request, &key),
            ("POST", Some(id)) => self.complete(request, &id),
            ("DELETE", Some(id)) => match self.uploads.remove(&id) {
                Some(_) => Answer::new(204),
                None => store_refusal(404, "NoSuchUpload"),
            },
            ("DELETE", None) => {
                self.objects.remove(&key);
                Answer::new(204)
            }
            ("GET", Some(id)) => self
                .list_parts(&id, get("part-number-marker").expect(WELL_FORMED).parse().expect(WELL_FORMED)),
            ("GET", None) if key.is_empty() && query.contains_key("uploads") => {
                let after = get("key-marker").zip(get("upload-id-marker"));
                self.list_uploads(&get("prefix").unwrap_or_default(), after.as_ref())
            }
            ("GET", None) if key.is_empty() => {
                self.list(&get("prefix").unwrap_or_default(), get("continuation-token"))
            }
            ("GET" | "HEAD", None) => self.get(request, &key),
            _ => store_refusal(501, "NotImplemented"),
        }
    }

    /// The refusal of a request that writes `key`, if its condition fails.
    fn failed_condition(&self, request: &Request, key: &str) -> Option<Answer> {
        if self.ignores_conditions {
            return None;
        }
        let present = self.objects.get(key).map(|entry| entry.etag.as_str());
        let must_be_absent = request.header("if-none-match") == Some("*");
        match (request.header("if-match"), present) {
            (Some(_), None) => Some(store_refusal(404, "NoSuchKey")),
            (Some(etag), Some(present)) if etag != present => Some(store_refusal(412, "PreconditionFailed")),
            (None, Some(_)) if must_be_absent => Some(store_refusal(412, "PreconditionFailed")),
            _ => None,
        }
    }

    fn put_object(&mut self, request: &Request, key: &str) -> Answer {
        if let Some(refusal) = self.failed_condition(request, key) {
            return refusal;
        }
        let etag = self.put_with(key, &request.body, metadata(request));
        let crc = request.header("x-amz-checksum-crc64nvme").expect(WELL_FORMED);
        Answer::new(200).header("ETag", &etag).header("x-amz-checksum-crc64nvme", crc)
    }

    fn put_part(&mut self, request: &Request, id: &str, number: u32) -> Answer {
        let crc = request.header("x-amz-checksum-crc64nvme").expect(WELL_FORMED).to_owned();
        let Some(upload) = self.uploads.get_mut(id) else { return store_refusal(404, "NoSuchUpload") };
        upload.parts.insert(number, (request.body.clone(), crc.clone()));
        Answer::new(200).header("ETag", &format!("\"{crc}\"")).header("x-amz-checksum-crc64nvme", &crc)
    }

    fn create(&mut self, request: &Request, key: &str) -> Answer {
        self.versions += 1;
        let id = format!("id+/{}", self.versions);
        self.uploads.insert(
            id.clone(),
            StoredUpload { key: key.to_owned(), metadata: metadata(request), ..StoredUpload::default() },
        );
        Answer::ok(format!(
            "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        ))
    }

    fn complete(&mut self, request: &Request, id: &str) -> Answer {
        let Some(upload) = self.uploads.get(id).cloned() else { return store_refusal(404, "NoSuchUpload") };
        if let Some(refusal) = self.failed_condition(request, &upload.key) {
            return refusal;
        }
        let text = String::from_utf8(request.body.clone()).expect(WELL_FORMED);
        let (mut bytes, mut last_bytes) = (Vec::new(), None);
        for part in text.split("<Part>").skip(1) {
            let number: u32 = between(part, "<PartNumber>", "</PartNumber>").parse().expect(WELL_FORMED);
            let Some((content, crc)) = upload.parts.get(&number) else {
                return store_refusal(400, "InvalidPart");
            };
            if between(part, "<ChecksumCRC64NVME>", "</ChecksumCRC64NVME>") != crc {
                return store_refusal(400, "InvalidPart");
            }
            if last_bytes.replace(content.len()).is_some_and(|bytes| bytes < PART_BYTES_MIN) {
                return store_refusal(400, "EntityTooSmall");
            }
            bytes.extend_from_slice(content);
        }
        self.uploads.remove(id);
        let etag = self.put_with(&upload.key, &bytes, upload.metadata);
        let crc = request.header("x-amz-checksum-crc64nvme").expect(WELL_FORMED);
        Answer::ok(format!(
            "<CompleteMultipartUploadResult><ETag>{etag}</ETag><ChecksumCRC64NVME>{crc}</ChecksumCRC64NVME>\
             </CompleteMultipartUploadResult>"
        ))
    }

    fn get(&self, request: &Request, key: &str) -> Answer {
        let Some(entry) = self.objects.get(key) else { return store_refusal(404, "NoSuchKey") };
        let differs = request.header("if-match").is_some_and(|etag| etag != entry.etag);
        if differs && !self.ignores_conditions {
            return store_refusal(412, "PreconditionFailed");
        }
        let total = entry.bytes.len();
        let answer =
            match request.header("range").and_then(|range| range.strip_prefix("bytes=")?.split_once('-')) {
                Some((first, last)) => {
                    let (first, last): (usize, usize) =
                        (first.parse().expect(WELL_FORMED), last.parse().expect(WELL_FORMED));
                    let last = last.min(total - 1);
                    let range = format!("bytes {first}-{last}/{total}");
                    Answer::new(206).header("Content-Range", &range).body(&entry.bytes[first..=last])
                }
                None => Answer::ok(entry.bytes.clone()),
            };
        let add = |answer: Answer, (name, value): &(String, String)| answer.header(name, value);
        let answer = entry.metadata.iter().fold(answer, add);
        answer.header("ETag", &entry.etag)
    }

    fn list_parts(&self, id: &str, after: u32) -> Answer {
        let Some(upload) = self.uploads.get(id) else { return store_refusal(404, "NoSuchUpload") };
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

    /// Uploads are in the order of their keys, then of their IDs; `after` is the last one of the page before.
    fn list_uploads(&self, prefix: &str, after: Option<&(String, String)>) -> Answer {
        let mut uploads: Vec<_> = self
            .uploads
            .iter()
            .map(|(id, upload)| (&upload.key, id))
            .filter(|&(key, id)| {
                key.starts_with(prefix) && after.is_none_or(|after| (key, id) > (&after.0, &after.1))
            })
            .collect();
        uploads.sort_unstable();
        let page = &uploads[..uploads.len().min(self.page)];
        let mut text = String::from("<ListMultipartUploadsResult>");
        for (key, id) in page {
            text.push_str(&format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>"));
        }
        if page.len() < uploads.len() {
            let (key, id) = page.last().expect(WELL_FORMED);
            text.push_str(&format!(
                "<IsTruncated>true</IsTruncated><NextKeyMarker>{key}</NextKeyMarker>\
                 <NextUploadIdMarker>{id}</NextUploadIdMarker>"
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

fn metadata(request: &Request) -> Vec<(String, String)> {
    let lower = request.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone()));
    lower.filter(|(name, _)| name.starts_with("x-amz-meta-") || name == "cache-control").collect()
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    text.split_once(from).expect(WELL_FORMED).1.split_once(to).expect(WELL_FORMED).0
}

/// Undoes percent-encoding.
fn decode(text: &str) -> String {
    let mut pieces = text.split('%');
    let mut bytes = pieces.next().unwrap_or_default().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).expect(WELL_FORMED));
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    String::from_utf8(bytes).expect(WELL_FORMED)
}
