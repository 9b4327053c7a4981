//! Values as bytes, for pipes and shared memory.
//!
//! Owns: the encoding (postcard).
//! Does not own: what is encoded (see [`crate::processes::order`], [`crate::processes::intent`]).

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// As [`to_bytes`], leaving no copies behind: for secrets.
pub(crate) fn to_secret_bytes(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    let length = postcard::experimental::serialized_size(value).expect("as below");
    let mut bytes = Zeroizing::new(vec![0; length]);
    let written = postcard::to_slice(value, &mut bytes).map(|written| written.len());
    assert_eq!(written, Ok(length), "a value has one form");
    bytes
}

/// # Panics
/// If the value has no such form: maps without a length, and the like, which tasks and outcomes don't hold.
pub(crate) fn to_bytes(value: &impl Serialize) -> Vec<u8> {
    postcard::to_stdvec(value).expect("tasks, tokens and outcomes can be written")
}

pub(crate) fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Option<T> {
    postcard::from_bytes(bytes).ok()
}
