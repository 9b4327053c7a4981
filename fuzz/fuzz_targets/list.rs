//! Any bytes as a list of URLs: see `cli::list_lines`.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| haul_fuzz::cli::list_lines(input));
