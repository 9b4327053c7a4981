//! Any bytes as changes to a payload: see `properties::stream`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| haul_fuzz::properties::stream(input));
