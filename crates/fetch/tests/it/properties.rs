//! Properties of any input, for random inputs here and in `fuzz/`.

/// What holds for every input.
type Property = fn(&[u8]);
#[allow(unreachable_pub, reason = "the fuzz targets include the file as a public module")]
mod checks;
mod random;

/// The inputs that the fuzzers kept: each reached code that others didn't.
#[test]
fn the_kept_corpus_has_the_properties() {
    let targets: [(&str, Property); 3] = [
        ("disposition", checks::disposition),
        ("set_cookie", checks::set_cookie),
        ("cookie_file", checks::cookie_file),
    ];
    let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (target, check) in targets {
        let files = std::fs::read_dir(corpus.join(target)).unwrap();
        let count = files.map(|file| check(&std::fs::read(file.unwrap().path()).unwrap())).count();
        assert!(count > 0, "{target}");
    }
}
