//! Any bytes as a Content-Disposition: see `fetch::disposition`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| haul_fuzz::fetch::disposition(input));
