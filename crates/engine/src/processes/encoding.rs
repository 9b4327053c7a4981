//! Values as bytes, for pipes and shared memory.
//!
//! Owns: the encoding (postcard).
//! Does not own: what is encoded (see [`crate::processes::order`], [`crate::processes::intent`]).

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Encodes a value that holds secrets; leaves no copies of them behind.
///
/// # Panics
/// As [`to_bytes`].
pub(crate) fn to_secret_bytes(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    let length = postcard::experimental::serialized_size(value).expect("specifications can be encoded");
    let mut bytes = Zeroizing::new(vec![0; length]);
    let written = postcard::to_slice(value, &mut bytes).map(|written| written.len());
    assert_eq!(written, Ok(length), "a value is encoded in one way");
    bytes
}

/// Encodes a value.
///
/// # Panics
/// If postcard cannot encode it: a sequence or map of unknown length, which tasks and outcomes don't contain.
pub(crate) fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("tasks, tokens and outcomes can be encoded")
}

/// Decodes a value; `None` if the bytes are no encoding of a `T`.
pub(crate) fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}
