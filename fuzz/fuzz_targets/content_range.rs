//! Any bytes as a Content-Range: see `http1::range`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| haul_fuzz::http1::range(input));
