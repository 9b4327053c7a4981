//! Sealing and opening bytes and trees in one call.

use std::io::Read;
use std::path::Path;

use haul_seal::{
    Cancel, Error, ErrorKind, Event, Filter, Identity, OpenError, OpenTree, Recipient, SealError, SealTree,
    StreamOptions, TreeError, VerifyTree, X25519Identity, open_bytes, seal_bytes, seal_stream,
};

const CHUNK: usize = 65_536;

fn identity(seed: u8) -> X25519Identity {
    X25519Identity::generate_with(&mut |out| out.fill(seed))
}

fn recipient(seed: u8) -> Recipient {
    identity(seed).to_recipient().into()
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

#[test]
fn bytes_of_every_length_come_back_and_the_age_crate_agrees() {
    let theirs: age::x25519::Identity = identity(2).to_secret_text().parse().unwrap();
    for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 4 * CHUNK, 9 * CHUNK + 5] {
        let plain = content(length);
        let sealed = seal_bytes(&plain, &[recipient(1), recipient(2)]).unwrap();
        for seed in [1, 2] {
            assert!(open_bytes(&sealed, &[identity(9).into(), identity(seed).into()]).unwrap() == plain);
        }
        let decryptor = age::Decryptor::new(sealed.as_slice()).unwrap();
        let mut by_them = Vec::new();
        let mut reader = decryptor.decrypt(std::iter::once(&theirs as &dyn age::Identity)).unwrap();
        reader.read_to_end(&mut by_them).unwrap();
        assert!(by_them == plain, "{length} bytes, by the age crate");
        let options = StreamOptions { armored: true, ..StreamOptions::new(Cancel::new().unwrap()) };
        let mut armored = Vec::new();
        seal_stream(plain.as_slice(), &mut armored, &[recipient(1)], &options).unwrap();
        // Some of the lines end otherwise, which only a reader from the start accepts.
        let mixed = String::from_utf8(armored.clone()).unwrap().replacen('\n', "\r\n", 2);
        for text in [armored, mixed.into_bytes()] {
            assert!(open_bytes(&text, &[identity(1).into()]).unwrap() == plain, "{length} bytes, armored");
        }
    }
}

#[test]
fn bytes_that_are_damaged_or_do_not_fit_are_refused() {
    let sealed = seal_bytes(&content(3 * CHUNK), &[recipient(1)]).unwrap();
    let ours: [Identity; 1] = [identity(1).into()];
    let wrong = open_bytes(&sealed, &[identity(2).into()]);
    assert!(matches!(wrong, Err(Error::Header(OpenError::NoMatch))));
    for cut in [sealed.len() - 1, sealed.len() - CHUNK - 16, 100, 30] {
        assert_eq!(open_bytes(&sealed[..cut], &ours).unwrap_err().kind(), ErrorKind::Damaged, "cut at {cut}");
    }
    for chunk in 0..3_u64 {
        let mut changed = sealed.clone();
        let place = changed.len() - (3 - chunk as usize) * (CHUNK + 16) + 9;
        changed[place] ^= 1;
        let error = open_bytes(&changed, &ours).unwrap_err();
        assert!(matches!(error, Error::Chunk { index, .. } if index == chunk), "{error}");
    }
    assert!(matches!(seal_bytes(b"x", &[]), Err(Error::Recipients(SealError::NoRecipient))));
}

/// A directory with `tree`, which holds three files.
fn directory() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("tree/deep/empty")).unwrap();
    for (name, bytes) in [("a", 10), ("deep/b", 3_000_000), ("deep/c", 0)] {
        std::fs::write(dir.path().join("tree").join(name), content(bytes)).unwrap();
    }
    dir
}

fn seal(dir: &Path) -> SealTree<'static> {
    SealTree::new([recipient(1)]).from(dir.join("tree")).to(dir.join("out"))
}

#[test]
fn a_tree_is_sealed_verified_and_opened() {
    let dir = directory();
    let path = |name: &str| dir.path().join(name);
    let mut ended = Vec::new();
    let report = seal(dir.path()).threads(2).on_event(|event| {
        if let Event::Settled(settled) = event {
            ended.push(settled.task.source().to_owned());
        }
    });
    assert_eq!(report.run().unwrap().succeeded, 3);
    ended.sort();
    assert_eq!(ended, ["tree/a", "tree/deep/b", "tree/deep/c"].map(path));
    let verified = VerifyTree::new([identity(1).into()]).from(path("out")).threads(0).run().unwrap();
    assert_eq!((verified.succeeded, verified.bytes), (3, 3_000_010));
    let open = || OpenTree::new([identity(2).into(), identity(1).into()]).from(path("out"));
    open().to(path("back")).run().unwrap();
    assert!(std::fs::read(path("back/deep/b")).unwrap() == content(3_000_000));
    assert!(path("back/deep/empty").is_dir());
    let few = Filter::new(&["a.age".to_owned()], &[]).unwrap();
    assert_eq!(open().filter(few).to(path("few")).run().unwrap().succeeded, 1);
    assert!(!path("few/deep/b").exists());
    SealTree::new([recipient(1)]).from(path("tree/a")).suffix(".sealed").armored(true).run().unwrap();
    assert!(
        std::fs::read(path("tree/a.sealed")).unwrap().starts_with(b"-----BEGIN AGE"),
        "beside its source"
    );
}

#[test]
fn what_was_not_done_is_an_error() {
    let dir = directory();
    let path = |name: &str| dir.path().join(name);
    seal(dir.path()).run().unwrap();
    let before = std::fs::read(path("out/a.age")).unwrap();
    match seal(dir.path()).run() {
        Err(TreeError::Failed { report, first }) => {
            assert_eq!((report.failed, report.succeeded, first.kind), (3, 0, ErrorKind::Other));
            assert!(first.reason.contains("exists already"), "{}", first.reason);
        }
        other => panic!("{other:?}"),
    }
    assert!(std::fs::read(path("out/a.age")).unwrap() == before, "an existing result stays");
    match VerifyTree::new([identity(2).into()]).from(path("out")).run() {
        Err(error @ TreeError::Failed { .. }) => {
            let text = error.to_string();
            assert!(
                text.starts_with("3 files failed, the first of them ") && text.ends_with("recipients"),
                "{text}"
            );
        }
        other => panic!("{other:?}"),
    }
    assert!(matches!(
        VerifyTree::new([identity(1).into()]).from(path("tree")).run(),
        Err(TreeError::NoFiles)
    ));
    assert!(matches!(SealTree::new([recipient(1)]).run(), Err(TreeError::NoFiles)));
    let nobody = SealTree::new([]).from(path("tree")).run();
    assert!(matches!(nobody, Err(TreeError::Recipients(SealError::NoRecipient))));
    let unnamed = seal(dir.path()).suffix("a/b").run();
    assert!(matches!(unnamed, Err(TreeError::Names(_))));
}

#[test]
fn a_run_is_cancelled_and_a_panic_of_the_caller_cancels_nothing_else() {
    let dir = directory();
    let cancel = Cancel::new().unwrap();
    let ends = seal(dir.path()).threads(1).cancel(&cancel).on_event(|event| {
        if matches!(event, Event::Started { .. }) {
            panic!("the caller's");
        }
    });
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ends.run())).unwrap_err();
    assert!(!cancel.is_triggered());
    cancel.trigger();
    assert!(matches!(seal(dir.path()).cancel(&cancel).run(), Err(TreeError::Cancelled(_))));
}

#[cfg(not(feature = "plugins"))]
#[test]
fn a_build_without_plugins_says_so() {
    let options = StreamOptions { plugins: Some(nobodys_plugins()), ..StreamOptions::default() };
    let recipient = haul_testkit::PluginFolder::RECIPIENT.parse().unwrap();
    let error = seal_stream(&b"x"[..], Vec::new(), &[recipient], &options).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Plugin(_)) && text.contains("the feature `plugins`"), "{text}");
}

#[cfg(not(feature = "plugins"))]
fn nobodys_plugins() -> std::sync::Arc<haul_seal::Plugins> {
    struct Silent;
    impl haul_seal::PluginUi for Silent {
        fn answer(&self, _: &str, _: &haul_seal::Question, _: &Cancel) -> Option<zeroize::Zeroizing<String>> {
            None
        }
    }
    std::sync::Arc::new(haul_seal::Plugins::new("".into(), Silent, haul_seal::PluginLimits::default()))
}
