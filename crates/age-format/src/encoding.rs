//! The two encodings of the format, strict.
//!
//! Owns: canonical base64 without and with padding, Bech32 keys.
//! Does not own: what is encoded.
//!
//! Spec: C2SP age.md, "Conventions"; BIP 173.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use zeroize::Zeroizing;

use crate::KeyTextError;

/// Padding and non-zero trailing bits are refused: one text for each value.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false),
);

/// Armor's base64: padded, and as canonical.
pub(crate) const BASE64_PADDED: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
        .with_decode_allow_trailing_bits(false),
);

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

pub(crate) fn from_base64(text: &[u8]) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// The value of exactly `N` bytes that `text` encodes.
pub(crate) fn array_from_base64<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    from_base64(text)?.try_into().ok()
}

/// A Bech32 text in lower case.
pub(crate) fn to_bech32(prefix: &str, bytes: &[u8]) -> String {
    let prefix = Hrp::parse(prefix).expect("prefixes are constants of this crate");
    bech32::encode::<Bech32>(prefix, bytes).expect("keys are shorter than the code allows")
}

/// The 32 bytes of a Bech32 text whose prefix, in lower case, is `prefix`.
pub(crate) fn key_from_bech32(prefix: &str, text: &str) -> Result<Zeroizing<[u8; 32]>, KeyTextError> {
    let checked = CheckedHrpstring::new::<Bech32>(text).map_err(|_| KeyTextError::NotBech32)?;
    if checked.hrp().to_lowercase() != prefix {
        return Err(KeyTextError::WrongPrefix);
    }
    let mut bytes = checked.byte_iter();
    let mut key = Zeroizing::new([0; 32]);
    for place in key.iter_mut() {
        *place = bytes.next().ok_or(KeyTextError::WrongLength)?;
    }
    if bytes.next().is_some() { Err(KeyTextError::WrongLength) } else { Ok(key) }
}
