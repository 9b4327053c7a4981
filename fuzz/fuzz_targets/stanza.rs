//! Any bytes as a stanza: see `properties::stanza`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| haul_fuzz::properties::stanza(input));
