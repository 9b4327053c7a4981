//! Sealing and opening real files with every engine.

use std::collections::BTreeMap;
use std::io::Read;
use std::num::NonZeroUsize;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use haul_engine::{Config, Engine, Event, Failure, Job, Report, run};
use haul_io::{Cancel, Existing};
use haul_seal::{
    Direction, Error, ErrorKind, FileOptions, Identity, OpenJob, Outcome, Placement, Recipient, SealJob,
    Task, Walk, X25519Identity,
};

fn identity(seed: u8) -> X25519Identity {
    X25519Identity::generate_with(&mut |out| out.fill(seed))
}

fn seal_job(options: FileOptions) -> SealJob {
    SealJob::new(vec![Recipient::X25519(identity(1).to_recipient())], options).unwrap()
}

fn open_job(options: FileOptions) -> OpenJob {
    OpenJob::new(vec![Identity::X25519(identity(2)), Identity::X25519(identity(1))], options)
}

fn engines() -> [Engine; 3] {
    [Engine::Serial, Engine::Threads(NonZeroUsize::new(3).unwrap()), "uring=2x8".parse().unwrap()]
}

/// Runs `job` and returns the report and the result of each task by its source.
fn run_all<J>(
    job: &J,
    tasks: impl Iterator<Item = Task> + Send,
    engine: Engine,
) -> (Report, BTreeMap<PathBuf, Result<Outcome, Error>>)
where
    J: Job<Task = Task, Output = Outcome, Error = Error>,
{
    let config = Config::new(engine, Cancel::new().unwrap());
    let mut ends = BTreeMap::new();
    let report = run(job, tasks, &config, |event| {
        if let Event::Settled(settled) = event {
            let end = match &settled.outcome {
                Ok(done) => Ok(done.clone()),
                Err(Failure::Job(error)) => Err(copy_of(error)),
                Err(other) => panic!("{other:?}"),
            };
            ends.insert(settled.task.source().to_owned(), end);
        }
    });
    (report, ends)
}

/// Copies the parts of an error that tests look at; errors hold system errors and can't be cloned.
fn copy_of(error: &Error) -> Error {
    match error {
        Error::Io { step, source } => Error::Io { step: *step, source: source.kind().into() },
        Error::Walk(source) => Error::Walk(source.clone()),
        Error::NotRegular => Error::NotRegular,
        Error::SourceChanged => Error::SourceChanged,
        Error::Exists => Error::Exists,
        Error::NoTargetName => Error::NoTargetName,
        Error::Header(source) => Error::Header(*source),
        Error::WrongLength => Error::WrongLength,
        Error::Chunk { index, plain, file } => {
            Error::Chunk { index: *index, plain: plain.clone(), file: file.clone() }
        }
        Error::CutShort => Error::CutShort,
        other => panic!("not expected here: {other:?}"),
    }
}

fn content(bytes: usize, seed: u32) -> Vec<u8> {
    let pattern: Vec<_> =
        (0..9_973).map(|index: u32| (index.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let mut content = pattern[seed as usize..].repeat(bytes / 9_000 + 1);
    content.truncate(bytes);
    content
}

/// Sizes around each boundary: chunk, piece, small file, segment.
const SIZES: [usize; 14] = [
    0, 1, 65_535, 65_536, 65_537, 262_144, 262_145, 1_048_575, 1_048_576, 1_048_577, 4_194_304, 4_194_305,
    9_000_000, 12_582_912,
];

fn tree(root: &Path) {
    for (index, bytes) in SIZES.iter().enumerate() {
        let dir = root.join(format!("d{}", index % 3)).join("deep");
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(format!("{bytes}.bin")), content(*bytes, index as u32)).unwrap();
    }
}

fn placement(direction: Direction, output: &Path) -> Placement {
    Placement { direction, suffix: ".age".into(), output: Some(output.to_owned()) }
}

fn walk(from: &Path, direction: Direction, to: &Path) -> Walk {
    Walk::new(vec![from.to_owned()], placement(direction, to)).unwrap()
}

fn files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                found.insert(path.strip_prefix(root).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

#[test]
fn a_tree_comes_back_byte_for_byte_on_every_engine() {
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    tree(&plain);
    for engine in engines() {
        let (sealed, opened) =
            (dir.path().join(format!("s-{engine}")), dir.path().join(format!("o-{engine}")));
        let (report, _) =
            run_all(&seal_job(FileOptions::default()), walk(&plain, Direction::Seal, &sealed), engine);
        assert_eq!((report.succeeded, report.failed), (SIZES.len() as u64, 0), "{engine}");
        assert_eq!(report.bytes, SIZES.iter().sum::<usize>() as u64);
        let names: Vec<_> = files(&plain).into_keys().map(|name| format!("{}.age", name.display())).collect();
        let sealed_names: Vec<_> =
            files(&sealed).into_keys().map(|name| name.display().to_string()).collect();
        assert_eq!(sealed_names, names, "{engine}");
        let (report, _) =
            run_all(&open_job(FileOptions::default()), walk(&sealed, Direction::Open, &opened), engine);
        assert_eq!((report.succeeded, report.failed), (SIZES.len() as u64, 0), "{engine}");
        assert!(files(&opened) == files(&plain), "{engine}: the bytes differ");
    }
}

#[test]
fn the_age_crate_opens_small_and_split_files() {
    let dir = tempfile::tempdir().unwrap();
    let plain = dir.path().join("plain");
    tree(&plain);
    let sealed = dir.path().join("sealed");
    run_all(&seal_job(FileOptions::default()), walk(&plain, Direction::Seal, &sealed), engines()[1]);
    let identity = age::x25519::Identity::from_str(&identity(1).to_secret_text()).unwrap();
    for (name, bytes) in files(&plain) {
        let file = std::fs::read(sealed.join(format!("{}.age", name.display()))).unwrap();
        let decryptor = age::Decryptor::new(file.as_slice()).unwrap();
        let mut opened = Vec::new();
        let identity: &dyn age::Identity = &identity;
        decryptor.decrypt(std::iter::once(identity)).unwrap().read_to_end(&mut opened).unwrap();
        assert!(opened == bytes, "{}", name.display());
    }
}

#[test]
fn mode_and_time_are_kept_or_not() {
    let dir = tempfile::tempdir().unwrap();
    for (bytes, preserve) in [(10, true), (10, false), (2_000_000, true), (2_000_000, false)] {
        let source = dir.path().join(format!("f{bytes}{preserve}"));
        let target = dir.path().join(format!("t{bytes}{preserve}"));
        std::fs::write(&source, content(bytes, 0)).unwrap();
        std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o640)).unwrap();
        let file = std::fs::File::options().write(true).open(&source).unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_234_567_890);
        file.set_modified(long_ago).unwrap();
        let options = FileOptions { preserve, mode: 0o604, ..FileOptions::default() };
        run_all(&seal_job(options), std::iter::once(Task::file(source, &target)), Engine::Serial);
        let result = target.metadata().unwrap();
        assert_eq!(result.mode() & 0o777, if preserve { 0o640 } else { 0o604 });
        assert_eq!(result.mtime() == 1_234_567_890, preserve);
    }
}

#[test]
fn an_existing_result_is_refused_or_replaced() {
    let dir = tempfile::tempdir().unwrap();
    for bytes in [10, 2_000_000] {
        let (source, target) = (dir.path().join("source"), dir.path().join("target"));
        std::fs::write(&source, content(bytes, 0)).unwrap();
        std::fs::write(&target, "precious").unwrap();
        let tasks = || std::iter::once(Task::file(&source, &target));
        let (_, ends) = run_all(&seal_job(FileOptions::default()), tasks(), Engine::Serial);
        assert!(matches!(ends[&source], Err(Error::Exists)), "{ends:?}");
        assert_eq!(std::fs::read(&target).unwrap(), b"precious");
        let replacing = FileOptions { existing: Existing::Replace, ..FileOptions::default() };
        let (report, _) = run_all(&seal_job(replacing), tasks(), Engine::Serial);
        assert_eq!(report.succeeded, 1);
        assert!(std::fs::read(&target).unwrap().starts_with(b"age-encryption.org/v1\n"));
        assert_eq!(files(dir.path()).len(), 2, "no temporary is left");
    }
}

#[test]
fn bad_inputs_fail_by_themselves_and_leave_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let sealed = dir.path().join("sealed");
    let plain = dir.path().join("plain");
    std::fs::create_dir(&plain).unwrap();
    for name in ["good", "flipped", "header", "cut", "cut-at-chunk", "longer", "nonce", "not-age", "empty"] {
        std::fs::write(plain.join(name), content(5_000_000, 3)).unwrap();
    }
    run_all(&seal_job(FileOptions::default()), walk(&plain, Direction::Seal, &sealed), Engine::Serial);
    let damage = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let path = sealed.join(format!("{name}.age"));
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(path, bytes).unwrap();
    };
    let payload = std::fs::metadata(sealed.join("good.age")).unwrap().len() as usize - 5_000_000 - 77 * 16;
    damage("flipped", &|bytes| bytes[4_500_000] ^= 1);
    // A flipped bit in the MAC damages the header; elsewhere it could turn the stanza into one for another recipient.
    damage("header", &|bytes| bytes[payload - 16 - 10] ^= 1);
    damage("cut", &|bytes| bytes.truncate(3_000_000));
    damage("cut-at-chunk", &|bytes| bytes.truncate(payload + 70 * 65_552));
    damage("longer", &|bytes| bytes.push(0));
    damage("nonce", &|bytes| bytes.truncate(payload - 5));
    damage("not-age", &|bytes| bytes[0] = b'A');
    damage("empty", &|bytes| bytes.clear());
    std::os::unix::fs::symlink("good.age", sealed.join("link.age")).unwrap();
    for engine in engines() {
        let opened = dir.path().join(format!("o-{engine}"));
        let tasks = walk(&sealed, Direction::Open, &opened).chain([
            Task::file(sealed.join("missing.age"), opened.join("missing")),
            Task::file(&sealed, opened.join("directory")),
        ]);
        let (report, ends) = run_all(&open_job(FileOptions::default()), tasks, engine);
        assert_eq!((report.succeeded, report.failed), (2, 10), "{engine}");
        let kind = |name: &str| ends[&sealed.join(format!("{name}.age"))].as_ref().unwrap_err().kind();
        for name in ["flipped", "header", "cut", "cut-at-chunk", "longer", "nonce", "empty"] {
            assert_eq!(kind(name), ErrorKind::Damaged, "{name}");
        }
        assert!(matches!(ends[&sealed.join("flipped.age")], Err(Error::Chunk { index: 68, .. })));
        assert_eq!((kind("not-age"), kind("missing")), (ErrorKind::Other, ErrorKind::Other));
        assert!(matches!(ends[&sealed], Err(Error::NotRegular)));
        assert!(matches!(ends[&sealed.join("link.age")], Ok(Outcome::Skipped(_))));
        assert_eq!(files(&opened).into_keys().collect::<Vec<_>>(), [PathBuf::from("good")], "{engine}");
    }
    let stranger = OpenJob::new(vec![Identity::X25519(identity(9))], FileOptions::default());
    let task = Task::file(sealed.join("good.age"), dir.path().join("never"));
    let (_, ends) = run_all(&stranger, std::iter::once(task), Engine::Serial);
    assert_eq!(ends.into_values().next().unwrap().unwrap_err().kind(), ErrorKind::NoMatch);
    assert!(!dir.path().join("never").exists());
}

/// Where renaming isn't atomic, a result is gone while another one takes its place.
#[test]
fn a_result_that_is_gone_for_a_moment_is_no_failure() {
    let dir = tempfile::tempdir().unwrap();
    for number in 0..20 {
        std::fs::write(dir.path().join(format!("{number}")), "x").unwrap();
        std::fs::write(dir.path().join(format!("old{number}.age")), "age-encryption.org/v1\n").unwrap();
    }
    let placement = Placement { direction: Direction::Seal, suffix: ".age".into(), output: None };
    let mut walk = Walk::new(vec![dir.path().to_owned()], placement).unwrap();
    let tally = walk.tally();
    let first = walk.next().unwrap();
    // Its names have been read by now.
    (0..20).for_each(|number| std::fs::remove_file(dir.path().join(format!("old{number}.age"))).unwrap());
    let tasks: Vec<_> = std::iter::once(first).chain(walk).collect();
    assert!(tasks.iter().all(|task| matches!(task, Task::File { .. })), "{tasks:?}");
    assert_eq!((tasks.len(), tally.left_out()), (20, 20));
}

#[test]
fn names_are_mirrored_stripped_and_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("t");
    std::fs::create_dir_all(root.join("sub")).unwrap();
    for name in ["a", "b.age", "sub/c", ".haul-0123456789abcdef.tmp"] {
        std::fs::write(root.join(name), "age-encryption.org/v1\n").unwrap();
    }
    let targets = |inputs: Vec<PathBuf>, direction, output: Option<PathBuf>| -> Vec<String> {
        let walk = Walk::new(inputs, Placement { direction, suffix: ".age".into(), output }).unwrap();
        let mut names: Vec<_> = walk
            .map(|task| match task {
                Task::File { target, .. } => target.strip_prefix(dir.path()).unwrap().display().to_string(),
                other => format!("{other:?}"),
            })
            .collect();
        names.sort();
        names
    };
    let out = dir.path().join("out");
    assert_eq!(targets(vec![root.clone()], Direction::Seal, None), ["t/a.age", "t/sub/c.age"]);
    assert_eq!(
        targets(vec![root.clone()], Direction::Seal, Some(out.clone())),
        ["out/a.age", "out/sub/c.age"]
    );
    assert_eq!(targets(vec![root.clone()], Direction::Open, Some(out.clone())), ["out/b"]);
    assert_eq!(targets(vec![root.join("a")], Direction::Seal, Some(out.clone())), ["out"]);
    assert_eq!(targets(vec![root.join("b.age")], Direction::Open, None), ["t/b"]);
    let several = vec![root.clone(), root.join("a")];
    assert_eq!(targets(several, Direction::Seal, Some(out)), ["out/a.age", "out/t/a.age", "out/t/sub/c.age"]);
    let inside = root.join("sub");
    assert_eq!(
        targets(vec![root.clone()], Direction::Seal, Some(inside)),
        ["t/sub/a.age"],
        "the output is left out"
    );
    assert!(targets(vec![root.join("a")], Direction::Open, None)[0].starts_with("Bad"));
}
