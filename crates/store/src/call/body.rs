//! The body of a request, with its checksum.
//!
//! Owns: CRC64NVME as S3 writes it; sharing the bytes with repeated requests.
//! Does not own: sending.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crc_fast::{CrcAlgorithm, Digest};
use haul_fetch::RequestBody;

use crate::call::signature::sha256;

/// Bytes to be sent; clones share them.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    pub(crate) body: RequestBody,
    pub(crate) bytes: u64,
    /// The CRC64NVME in base 64.
    pub(crate) crc: String,
    /// The SHA-256 in hexadecimal digits, where the signature is to cover the bytes.
    pub(crate) sha256: Option<String>,
}

impl Content {
    /// `signs` is for connections without TLS: the signature then covers the bytes.
    pub(crate) fn new(bytes: Vec<u8>, signs: bool) -> Self {
        let mut crc = Crc::default();
        crc.update(&bytes);
        let sha256 = signs.then(|| sha256(&bytes));
        Self { bytes: bytes.len() as u64, crc: crc.text(), sha256, body: RequestBody::bytes(bytes) }
    }
}

/// A CRC64NVME in the making.
pub(crate) struct Crc(Digest);

impl Default for Crc {
    fn default() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc64Nvme))
    }
}

impl Crc {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// In base 64, the most significant byte first.
    pub(crate) fn text(&self) -> String {
        BASE64_STANDARD.encode(self.0.finalize().to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_catalogue() {
        let mut crc = Crc::default();
        crc.update(b"12345");
        crc.update(b"6789");
        // The check value of CRC-64/NVME.
        assert_eq!(crc.text(), BASE64_STANDARD.encode(0xae8b_1486_0a79_9888_u64.to_be_bytes()));
        assert_eq!(Content::new(b"123456789".to_vec(), false).crc, crc.text());
    }
}
