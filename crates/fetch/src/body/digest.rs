//! Hashing bytes, and comparing the result.
//!
//! Owns: the state of a hash, the comparison with its expected value.
//! Does not own: parsing checksums ([`crate::body::checksum`]), which bytes are hashed ([`crate::body::expectation`]).

use aws_lc_rs::digest::{Context, SHA256, SHA512};

use crate::{Algorithm, Checksum, Error};

/// A hash being computed.
pub(crate) enum Hasher {
    Sha(Algorithm, Context),
    Blake3(Box<blake3::Hasher>),
}

impl Hasher {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha(algorithm, Context::new(&SHA256)),
            Algorithm::Sha512 => Self::Sha(algorithm, Context::new(&SHA512)),
            Algorithm::Blake3 => Self::Blake3(Box::default()),
        }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha(_, context) => context.update(bytes),
            Self::Blake3(hasher) => {
                hasher.update(bytes);
            }
        }
    }

    pub(crate) fn finish(self) -> Checksum {
        match self {
            Self::Sha(algorithm, context) => {
                Checksum::computed(algorithm, context.finish().as_ref().to_vec())
            }
            Self::Blake3(hasher) => {
                Checksum::computed(Algorithm::Blake3, hasher.finalize().as_bytes().to_vec())
            }
        }
    }
}

/// A hash being computed, and its expected value.
pub(crate) struct Check {
    hasher: Hasher,
    expected: Checksum,
}

impl Check {
    pub(crate) fn new(expected: Checksum) -> Self {
        Self { hasher: Hasher::new(expected.algorithm()), expected }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    pub(crate) fn finish(self) -> Result<(), Error> {
        let found = self.hasher.finish();
        if found == self.expected { Ok(()) } else { Err(Error::Checksum { expected: self.expected, found }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256_ABC: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    const BLAKE3_ABC: &str = "blake3:6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85";
    const SHA512_ABC: &str = "sha512:ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
                              2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f";

    #[test]
    fn known_vectors_in_any_pieces() {
        for text in [SHA256_ABC, SHA512_ABC, BLAKE3_ABC] {
            let checksum: Checksum = text.parse().unwrap();
            assert_eq!(checksum.to_string(), text);
            let upper = text.split_once(':').map(|(name, hex)| format!("{name}:{}", hex.to_uppercase()));
            assert_eq!(upper.unwrap().parse(), Ok(checksum.clone()), "hexadecimal digits have no case");
            for pieces in [vec!["abc"], vec!["a", "", "bc"]] {
                let mut check = Check::new(checksum.clone());
                pieces.iter().for_each(|piece| check.update(piece.as_bytes()));
                check.finish().unwrap();
            }
            let mut check = Check::new(checksum);
            check.update(b"abd");
            assert!(matches!(check.finish(), Err(Error::Checksum { .. })));
        }
    }
}
