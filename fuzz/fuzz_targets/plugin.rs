//! Any bytes as what a plugin says: see `properties::plugin`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| haul_fuzz::properties::plugin(input));
