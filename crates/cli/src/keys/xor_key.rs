//! The key of `haul xor`: the bytes of a file.
//!
//! Owns: reading it.
//! Does not own: what a valid key is ([`haul_seal::XorJob`]).

use std::path::Path;

use haul_io::reason;
use zeroize::Zeroizing;

use crate::report::exit::Problem;
use crate::report::text::quoted;
use crate::run::short_file::read_secret;

/// The longest key, in bytes.
const KEY_BYTES_MAX: u64 = 1 << 20;

/// Reads the key from the file at `path`.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Problem> {
    read_secret(path, KEY_BYTES_MAX)
        .map_err(|error| Problem::usage(format!("cannot open key file {}: {}", quoted(path), reason(&error))))
}
