//! Any bytes as Set-Cookie fields: see `fetch::set_cookie`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| haul_fuzz::fetch::set_cookie(input));
