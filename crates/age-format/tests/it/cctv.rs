//! The test vectors of C2SP CCTV: parsing them, and opening their files in pieces of any size.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use haul_age_format::{
    ArmorDecoder, Header, Identity, NONCE_BYTES, OpenError, Parsed, Passphrase, StreamOpener,
};

/// The result of opening a vector, in the vectors' own words.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Failure(&'static str),
    /// The result, and the hash of all plaintext that a streaming reader may release.
    Payload(&'static str, String),
}

pub(crate) struct Vector {
    pub(crate) name: String,
    fields: Vec<(String, String)>,
    pub(crate) file: Vec<u8>,
}

impl Vector {
    pub(crate) fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let end = bytes.windows(2).position(|pair| pair == b"\n\n").expect("a blank line ends the fields");
        let text = std::str::from_utf8(&bytes[..end]).unwrap();
        let field = |line: &str| line.split_once(": ").map(|(key, value)| (key.to_owned(), value.to_owned()));
        let fields: Vec<_> = text.lines().map(|line| field(line).expect("key: value")).collect();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut vector = Self { name, fields, file: bytes[end + 2..].to_vec() };
        if vector.value("compressed") == Some("zlib") {
            let mut plain = Vec::new();
            flate2::read::ZlibDecoder::new(vector.file.as_slice()).read_to_end(&mut plain).unwrap();
            vector.file = plain;
        }
        vector
    }

    /// Every vector in `folder`, by name.
    pub(crate) fn all_in(folder: &Path) -> Vec<Self> {
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_none());
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn values(&self, key: &'static str) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |field| field.0 == key).map(|field| field.1.as_str())
    }

    fn value(&self, key: &'static str) -> Option<&str> {
        self.values(key).next()
    }

    pub(crate) fn is_armored(&self) -> bool {
        self.value("armored").is_some()
    }

    /// Whether the vector opens, and quickly.
    pub(crate) fn is_cheap_success(&self) -> bool {
        self.value("expect") == Some("success")
            && self.value("passphrase").is_none()
            && self.file.len() < 10_000
    }

    pub(crate) fn expected(&self) -> Outcome {
        let payload = || self.value("payload").expect("the hash of the payload").to_owned();
        match self.value("expect").unwrap() {
            "success" => Outcome::Payload("success", payload()),
            "payload failure" => Outcome::Payload("payload failure", payload()),
            "header failure" => Outcome::Failure("header failure"),
            "armor failure" => Outcome::Failure("armor failure"),
            "HMAC failure" => Outcome::Failure("HMAC failure"),
            "no match" => Outcome::Failure("no match"),
            other => panic!("an unknown expectation: {other}"),
        }
    }

    pub(crate) fn identities(&self) -> Vec<Identity> {
        let keys = self.values("identity").map(|text| text.parse().expect("an identity"));
        let passphrases = self.values("passphrase");
        let passphrases =
            passphrases.map(|text| Identity::Passphrase(Passphrase::new(text.to_owned().into())));
        keys.chain(passphrases).collect()
    }

    /// Opens `file`, which may differ from the vector's own, with the vector's identities in pieces of at most
    /// `piece_bytes`.
    pub(crate) fn open(&self, file: &[u8], piece_bytes: usize) -> Outcome {
        let Some(binary) = self.without_armor(file, piece_bytes) else {
            return Outcome::Failure("armor failure");
        };
        let (header, len) = match Header::parse(&binary) {
            Ok(Parsed::Complete { header, len }) => (header, len),
            Ok(Parsed::NeedMore) | Err(_) => return Outcome::Failure("header failure"),
        };
        // The nonce belongs to the payload, but without it there is no key to authenticate anything.
        let nonce = binary.get(len..len + NONCE_BYTES);
        let nonce_array = nonce.map_or([0; NONCE_BYTES], |nonce| nonce.try_into().unwrap());
        let key = match haul_age_format::open_header(&header, &nonce_array, &self.identities()) {
            Ok(key) => key,
            Err(OpenError::NoMatch | OpenError::WrongPassphrase) => return Outcome::Failure("no match"),
            Err(OpenError::HeaderMac) => return Outcome::Failure("HMAC failure"),
            Err(_) => return Outcome::Failure("header failure"),
        };
        if nonce.is_none() {
            return Outcome::Failure("header failure");
        }
        let (mut opener, mut released) = (StreamOpener::new(key), Vec::new());
        let payload = &binary[len + NONCE_BYTES..];
        let pushed = payload.chunks(piece_bytes).try_for_each(|piece| opener.push(piece, &mut released));
        let result = pushed.and_then(|()| opener.finish(&mut released));
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &released);
        let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Outcome::Payload(if result.is_ok() { "success" } else { "payload failure" }, hash)
    }

    fn without_armor(&self, file: &[u8], piece_bytes: usize) -> Option<Vec<u8>> {
        if !self.is_armored() {
            return Some(file.to_vec());
        }
        let (mut decoder, mut binary) = (ArmorDecoder::default(), Vec::new());
        let pushed = file.chunks(piece_bytes).try_for_each(|piece| decoder.push(piece, &mut binary));
        pushed.and_then(|()| decoder.finish(&mut binary)).ok().map(|()| binary)
    }
}

/// The vectors in the sources of the `age` crate that Cargo unpacked for this build.
pub(crate) fn folder_of_the_age_crate() -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let mut command = Command::new(std::env::var_os("CARGO")?);
    command.args(["metadata", "--format-version", "1", "--offline", "--manifest-path"]).arg(manifest);
    let metadata: serde_json::Value = serde_json::from_slice(&command.output().ok()?.stdout).ok()?;
    let packages = metadata["packages"].as_array()?;
    let age = packages.iter().find(|package| package["name"] == "age")?;
    let sources = Path::new(age["manifest_path"].as_str()?).parent()?;
    Some(sources.join("tests/testdata/testkit")).filter(|folder| folder.is_dir())
}
