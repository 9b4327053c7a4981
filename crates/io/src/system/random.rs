//! Randomness fit for keys.
//!
//! Owns: `getrandom` until the buffer is full.
//! Does not own: what it is used for.
//!
//! Source: getrandom(2).

/// Fills `out` with the system's randomness.
pub(crate) fn fill_random(out: &mut [u8]) {
    let mut filled = 0;
    while filled < out.len() {
        let flags = rustix::rand::GetRandomFlags::empty();
        match rustix::rand::getrandom(&mut out[filled..], flags) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => panic!("the system provides no randomness: {error}"),
        }
    }
}
