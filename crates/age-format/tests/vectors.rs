//! The test vectors that the published `age` crate carries (C2SP CCTV), where that crate's sources are at hand.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use haul_age_format::{
    Header, Identity, NONCE_BYTES, OpenError, Parsed, Passphrase, PayloadKey, SEALED_CHUNK_BYTES, TAG_BYTES,
};

/// What opening a vector came to, in the vectors' own words.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    To(&'static str),
    /// With the hash of everything a streaming reader may release.
    Payload(&'static str, String),
}

#[test]
#[allow(clippy::print_stderr, reason = "a skipped test says so")]
fn every_binary_vector_comes_to_what_it_says() {
    let Some(folder) = vectors_folder() else {
        eprintln!("SKIPPED: the sources of the age crate are not at hand");
        return;
    };
    let (mut checked, mut armored) = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let vector = Vector::read(&path);
        if vector.value("armored").is_some() {
            armored += 1;
            continue;
        }
        assert_eq!(vector.open(), vector.expected(), "{}", path.display());
        checked += 1;
    }
    assert_eq!((checked, armored), (92, 31), "the vectors are all there");
}

struct Vector {
    fields: Vec<(String, String)>,
    file: Vec<u8>,
}

impl Vector {
    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let end = bytes.windows(2).position(|pair| pair == b"\n\n").expect("a blank line ends the fields");
        let text = std::str::from_utf8(&bytes[..end]).unwrap();
        let field = |line: &str| line.split_once(": ").map(|(key, value)| (key.to_owned(), value.to_owned()));
        let fields: Vec<_> = text.lines().map(|line| field(line).expect("key: value")).collect();
        let mut vector = Self { fields, file: bytes[end + 2..].to_vec() };
        if vector.value("compressed") == Some("zlib") {
            let mut plain = Vec::new();
            flate2::read::ZlibDecoder::new(vector.file.as_slice()).read_to_end(&mut plain).unwrap();
            vector.file = plain;
        }
        vector
    }

    fn values(&self, key: &'static str) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |field| field.0 == key).map(|field| field.1.as_str())
    }

    fn value(&self, key: &'static str) -> Option<&str> {
        self.values(key).next()
    }

    fn expected(&self) -> Came {
        let payload = || self.value("payload").expect("the hash of the payload").to_owned();
        match self.value("expect").unwrap() {
            "success" => Came::Payload("success", payload()),
            "payload failure" => Came::Payload("payload failure", payload()),
            "header failure" => Came::To("header failure"),
            "HMAC failure" => Came::To("HMAC failure"),
            "no match" => Came::To("no match"),
            other => panic!("an unknown expectation: {other}"),
        }
    }

    fn identities(&self) -> Vec<Identity> {
        let keys = self.values("identity").map(|text| text.parse().expect("an identity"));
        let passphrases = self.values("passphrase");
        let passphrases =
            passphrases.map(|text| Identity::Passphrase(Passphrase::new(text.to_owned().into())));
        keys.chain(passphrases).collect()
    }

    fn open(&self) -> Came {
        let (header, len) = match Header::parse(&self.file) {
            Ok(Parsed::Complete { header, len }) => (header, len),
            Ok(Parsed::NeedMore) | Err(_) => return Came::To("header failure"),
        };
        // The nonce belongs to the payload, but without one there is no key to authenticate anything with.
        let nonce = self.file.get(len..len + NONCE_BYTES);
        let nonce_array = nonce.map_or([0; NONCE_BYTES], |nonce| nonce.try_into().unwrap());
        let key = match haul_age_format::open_header(&header, &nonce_array, &self.identities()) {
            Ok(key) => key,
            Err(OpenError::NoMatch) => return Came::To("no match"),
            Err(OpenError::HeaderMac) => return Came::To("HMAC failure"),
            Err(_) => return Came::To("header failure"),
        };
        if nonce.is_none() {
            return Came::To("header failure");
        }
        let mut released = Vec::new();
        let whole = open_as_a_stream(&key, &self.file[len + NONCE_BYTES..], &mut released);
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &released);
        let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Came::Payload(if whole { "success" } else { "payload failure" }, hash)
    }
}

/// Opens as one does who doesn't know the length ahead; whether the payload was whole.
fn open_as_a_stream(key: &PayloadKey, mut payload: &[u8], released: &mut Vec<u8>) -> bool {
    for index in 0.. {
        let (chunk, rest) = payload.split_at(payload.len().min(SEALED_CHUNK_BYTES));
        let Some(plain_bytes) = chunk.len().checked_sub(TAG_BYTES) else { return false };
        if plain_bytes == 0 && index > 0 {
            return false;
        }
        let mut plain = vec![0; plain_bytes];
        let full = chunk.len() == SEALED_CHUNK_BYTES;
        if full && key.open_chunk(index, false, chunk, &mut plain).is_ok() {
            released.extend_from_slice(&plain);
        } else if key.open_chunk(index, true, chunk, &mut plain).is_ok() {
            released.extend_from_slice(&plain);
            return rest.is_empty();
        } else {
            return false;
        }
        payload = rest;
    }
    unreachable!("a payload ends")
}

/// The vectors in the sources that Cargo unpacked for this very build.
fn vectors_folder() -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let mut command = Command::new(std::env::var_os("CARGO")?);
    command.args(["metadata", "--format-version", "1", "--offline", "--manifest-path"]).arg(manifest);
    let metadata: serde_json::Value = serde_json::from_slice(&command.output().ok()?.stdout).ok()?;
    let packages = metadata["packages"].as_array()?;
    let age = packages.iter().find(|package| package["name"] == "age")?;
    let sources = Path::new(age["manifest_path"].as_str()?).parent()?;
    Some(sources.join("tests/testdata/testkit")).filter(|folder| folder.is_dir())
}
