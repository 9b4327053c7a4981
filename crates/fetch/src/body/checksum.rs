//! Checksums, as texts and header fields have them.
//!
//! Owns: the algorithms, parsing and printing checksums.
//! Does not own: hashing ([`crate::body::digest`]), checksum files (the program reads them).
//!
//! Source: RFC 9530 (Content-Digest, Repr-Digest; its appendix B for Digest of RFC 3230).

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;

/// A hash algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// BLAKE3, with 32 bytes of output.
    Blake3,
}

/// A checksum that a body must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    algorithm: Algorithm,
    /// Invariant: as long as the algorithm's output.
    value: Vec<u8>,
}

/// A text that isn't a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadChecksum;

impl fmt::Display for BadChecksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a checksum is sha256:, sha512: or blake3: and hexadecimal digits")
    }
}

impl std::error::Error for BadChecksum {}

impl Algorithm {
    fn value_bytes(self) -> usize {
        match self {
            Self::Sha256 | Self::Blake3 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
            Self::Blake3 => "blake3",
        })
    }
}

impl Checksum {
    /// A checksum from its value in hexadecimal digits.
    ///
    /// # Errors
    /// If the number of digits isn't that of the algorithm.
    pub fn from_hex(algorithm: Algorithm, hex: &str) -> Result<Self, BadChecksum> {
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?);
        let value: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(pair).collect();
        Self::new(algorithm, value.ok_or(BadChecksum)?).ok_or(BadChecksum)
    }

    fn new(algorithm: Algorithm, value: Vec<u8>) -> Option<Self> {
        (value.len() == algorithm.value_bytes()).then_some(Self { algorithm, value })
    }

    /// The checksum with a computed value.
    pub(crate) fn computed(algorithm: Algorithm, value: Vec<u8>) -> Self {
        Self { algorithm, value }
    }

    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The checksum that the header field `name` announces: of the whole representation (`Repr-Digest`, `Digest`) or of
    /// this content (`Content-Digest`). Fields that can't be parsed and unknown algorithms are ignored.
    pub(crate) fn of_field(headers: &HeaderMap, name: &str) -> Option<Self> {
        let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        let mut members = values.flat_map(|value| value.split(',')).filter_map(|member| {
            let (key, value) = member.trim().split_once('=')?;
            let algorithm = match () {
                () if key.eq_ignore_ascii_case("sha-256") => Algorithm::Sha256,
                () if key.eq_ignore_ascii_case("sha-512") => Algorithm::Sha512,
                () => return None,
            };
            // RFC 8941 encloses byte sequences in colons; the older Digest doesn't.
            let value = match name {
                "digest" => value,
                _ => value.strip_prefix(':')?.split_once(':')?.0,
            };
            Self::new(algorithm, BASE64_STANDARD.decode(value).ok()?)
        });
        members.next()
    }
}

impl std::str::FromStr for Checksum {
    type Err = BadChecksum;

    /// `sha256:HEX`, `sha512:HEX` or `blake3:HEX`.
    fn from_str(text: &str) -> Result<Self, BadChecksum> {
        let (name, hex) = text.split_once(':').ok_or(BadChecksum)?;
        let algorithms = [Algorithm::Sha256, Algorithm::Sha512, Algorithm::Blake3];
        let known = algorithms.into_iter().find(|algorithm| algorithm.to_string() == name);
        Self::from_hex(known.ok_or(BadChecksum)?, hex)
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.algorithm)?;
        self.value.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256_ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn malformed_checksums_are_refused() {
        let digits = "0".repeat(64);
        for text in ["", "sha256", "sha256:", "md5:00", "sha256:0", &digits] {
            assert_eq!(text.parse::<Checksum>(), Err(BadChecksum), "{text}");
        }
        assert!(format!("sha256:{digits}").parse::<Checksum>().is_ok());
        assert!(format!("sha256:{}", &digits[1..]).parse::<Checksum>().is_err());
        assert!(format!("sha256:{}g", &digits[1..]).parse::<Checksum>().is_err());
        assert!(format!("sha512:{digits}").parse::<Checksum>().is_err());
        assert!(format!("sha256:{}é", &digits[2..]).parse::<Checksum>().is_err());
    }

    #[test]
    fn fields_of_responses_are_read() {
        let base64 = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
        for (name, value, understood) in [
            ("repr-digest", format!("sha-256=:{base64}:"), true),
            ("repr-digest", format!("md5=:AA==:, sha-256=:{base64}:;x"), true),
            ("content-digest", format!("sha-256=:{base64}:"), true),
            ("digest", format!("SHA-256={base64}"), true),
            ("digest", format!("sha-256=:{base64}:"), false),
            ("repr-digest", format!("sha-256={base64}"), false),
            ("repr-digest", "sha-256=:AAAA:".to_owned(), false),
            ("repr-digest", "unixsum=:AAAA:".to_owned(), false),
        ] {
            let name: http::HeaderName = name.parse().unwrap();
            let headers = HeaderMap::from_iter([(name.clone(), value.parse().unwrap())]);
            let found = Checksum::of_field(&headers, name.as_str()).map(|checksum| checksum.to_string());
            assert_eq!(found.as_deref(), understood.then_some(SHA256_ABC), "{name}: {value}");
        }
    }
}
