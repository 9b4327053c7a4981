//! Any bytes as a header: see `properties::header`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| haul_fuzz::properties::header(input));
