//! Any bytes as a chunked body: see `http1::chunked`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| haul_fuzz::http1::chunked(input));
