//! Any bytes as armor: see `properties::armor`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| haul_fuzz::properties::armor(input));
