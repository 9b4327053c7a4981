//! Properties of any input, for random inputs here and in `fuzz/`.

#[allow(unreachable_pub, reason = "the fuzz targets include the file as a public module")]
mod checks;
mod random;
