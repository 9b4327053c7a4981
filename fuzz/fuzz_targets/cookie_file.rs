//! Any bytes as a file of cookies: see `fetch::cookie_file`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| haul_fuzz::fetch::cookie_file(input));
