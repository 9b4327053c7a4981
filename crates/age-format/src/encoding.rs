//! The format's encodings, decoded strictly.
//!
//! Owns: canonical base64, without and with padding; Bech32 for keys; byte order marks of text files.
//! Does not own: the meaning of what is encoded.
//!
//! Spec: C2SP age.md, "Conventions"; BIP 173.

use std::ops::RangeInclusive;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Checksum, Hrp};
use zeroize::Zeroizing;

use crate::keys::error::KeyTextError;

/// Refuses padding and non-zero trailing bits, so that each value has one text.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(false),
);

/// Padded base64, for armor and SSH; just as canonical.
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

/// The byte order mark in UTF-8.
pub(crate) const MARK: &[u8] = b"\xef\xbb\xbf";

/// `file` without the byte order mark at its start, if it has one.
pub(crate) fn without_mark(file: &[u8]) -> &[u8] {
    file.strip_prefix(MARK).unwrap_or(file)
}

/// Whether `file` begins with the byte order mark of UTF-16.
pub(crate) fn is_utf16(file: &[u8]) -> bool {
    file.starts_with(b"\xff\xfe") || file.starts_with(b"\xfe\xff")
}

/// Bech32 without its length limit, as age uses it: a post-quantum recipient has about 2 000 characters. The checksum
/// detects fewer errors in texts of that length.
enum LongBech32 {}

impl Checksum for LongBech32 {
    type MidstateRepr = <Bech32 as Checksum>::MidstateRepr;
    type CorrectionField = <Bech32 as Checksum>::CorrectionField;
    const ROOT_GENERATOR: Self::CorrectionField = Bech32::ROOT_GENERATOR;
    const ROOT_EXPONENTS: RangeInclusive<usize> = Bech32::ROOT_EXPONENTS;
    const CODE_LENGTH: usize = 4096;
    const CHECKSUM_LENGTH: usize = Bech32::CHECKSUM_LENGTH;
    const GENERATOR_SH: [Self::MidstateRepr; 5] = Bech32::GENERATOR_SH;
    const TARGET_RESIDUE: Self::MidstateRepr = Bech32::TARGET_RESIDUE;
}

/// Encodes `bytes` as Bech32 in lower case.
pub(crate) fn to_bech32(prefix: &str, bytes: &[u8]) -> String {
    let prefix = Hrp::parse(prefix).expect("prefixes are constants of this crate");
    // Room for all of it, so that growing leaves no copy of a secret behind.
    let mut text =
        String::with_capacity(prefix.len() + 1 + bytes.len().div_ceil(5) * 8 + LongBech32::CHECKSUM_LENGTH);
    bech32::encode_lower_to_fmt::<LongBech32, _>(&mut text, prefix, bytes)
        .expect("keys are shorter than the code allows");
    text
}

/// The prefix of a Bech32 text, in lower case.
pub(crate) fn bech32_prefix(text: &str) -> Result<String, KeyTextError> {
    let checked = CheckedHrpstring::new::<LongBech32>(text).map_err(|_| KeyTextError::NotBech32)?;
    Ok(checked.hrp().to_lowercase())
}

/// The `N` bytes of a Bech32 text whose prefix, in lower case, is `prefix`.
pub(crate) fn key_from_bech32<const N: usize>(
    prefix: &str,
    text: &str,
) -> Result<Zeroizing<[u8; N]>, KeyTextError> {
    let checked = CheckedHrpstring::new::<LongBech32>(text).map_err(|_| KeyTextError::NotBech32)?;
    if checked.hrp().to_lowercase() != prefix {
        return Err(KeyTextError::WrongPrefix);
    }
    let mut bytes = checked.byte_iter();
    let mut key = Zeroizing::new([0; N]);
    for byte in key.iter_mut() {
        *byte = bytes.next().ok_or(KeyTextError::WrongLength)?;
    }
    if bytes.next().is_some() { Err(KeyTextError::WrongLength) } else { Ok(key) }
}
