//! The body of a request, with its checksum.
//!
//! Owns: CRC64NVME as S3 writes it; sharing the bytes with repeated requests.
//! Does not own: sending.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crc_fast::{CrcAlgorithm, Digest, checksum_combine};
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
        to_text(self.0.finalize())
    }
}

/// The CRC64NVME of a whole, from those of its parts in order and their lengths in bytes. None if one is malformed.
pub(crate) fn combined<'a>(parts: impl Iterator<Item = (Option<&'a str>, u64)>) -> Option<String> {
    let mut whole = Digest::new(CrcAlgorithm::Crc64Nvme).finalize();
    for (crc, bytes) in parts {
        let crc = BASE64_STANDARD.decode(crc?).ok()?;
        let crc = u64::from_be_bytes(crc.try_into().ok()?);
        whole = checksum_combine(CrcAlgorithm::Crc64Nvme, whole, crc, bytes);
    }
    Some(to_text(whole))
}

fn to_text(crc: u64) -> String {
    BASE64_STANDARD.encode(crc.to_be_bytes())
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

    #[test]
    fn the_checksum_of_a_whole_follows_from_those_of_its_parts() {
        let bytes: Vec<u8> = (0..200_000_u32).map(|index| ((index * 7) >> 3) as u8).collect();
        let crc = |bytes: &[u8]| Content::new(bytes.to_vec(), false).crc;
        for cuts in [vec![], vec![1], vec![65_536, 131_072], vec![0, 199_999, 200_000]] {
            let bounds: Vec<_> = [0].into_iter().chain(cuts).chain([bytes.len()]).collect();
            let parts: Vec<_> = bounds.windows(2).map(|bound| &bytes[bound[0]..bound[1]]).collect();
            let crcs: Vec<_> = parts.iter().map(|part| crc(part)).collect();
            let of_parts = crcs.iter().zip(&parts).map(|(crc, part)| (Some(crc.as_str()), part.len() as u64));
            assert_eq!(combined(of_parts), Some(crc(&bytes)), "{bounds:?}");
        }
        assert_eq!(combined([(Some("AAAA"), 3)].into_iter()), None);
        assert_eq!(combined([(None, 3)].into_iter()), None);
    }
}
