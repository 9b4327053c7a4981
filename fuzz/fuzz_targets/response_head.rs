//! Any bytes as a response's head: see `http1::response_head`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| haul_fuzz::http1::response_head(input));
