//! Verifying and armored files with every engine of one process.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use haul_engine::{Config, Engine, Event, Failure, Job, run};
use haul_io::Cancel;
use haul_seal::{
    Error, ErrorKind, FileOptions, Identity, OpenJob, Outcome, Recipient, Remarks, SealJob, Task, VerifyJob,
    X25519Identity, inspect_file,
};

/// Sizes around each boundary: chunk, small file, piece of text, segment.
const SIZES: [usize; 9] = [0, 1, 65_536, 65_537, 190_000, 1_048_577, 4_194_304, 4_194_305, 9_000_000];

fn identity(seed: u8) -> X25519Identity {
    X25519Identity::generate_with(&mut |out| out.fill(seed))
}

fn identities() -> Vec<Identity> {
    vec![Identity::X25519(identity(1))]
}

fn seal_job(armored: bool) -> SealJob {
    let recipients = vec![Recipient::X25519(identity(1).to_recipient())];
    SealJob::new(recipients, FileOptions::default()).unwrap().armored(armored)
}

fn engines() -> [Engine; 3] {
    [Engine::Serial, Engine::Threads(NonZeroUsize::new(3).unwrap()), "uring=2x8".parse().unwrap()]
}

fn ends<J>(job: &J, tasks: Vec<Task>, engine: Engine) -> BTreeMap<PathBuf, Result<Outcome, String>>
where
    J: Job<Task = Task, Output = Outcome, Error = Error>,
{
    let config = Config::new(engine, Cancel::new().unwrap());
    let mut ends = BTreeMap::new();
    run(job, tasks.into_iter(), &config, |event| {
        if let Event::Settled(settled) = event {
            let end = match &settled.outcome {
                Ok(done) => Ok(done.clone()),
                Err(Failure::Job(error)) => {
                    assert_eq!(error.kind(), ErrorKind::Damaged, "{error}");
                    Err(error.to_string())
                }
                Err(other) => panic!("{other:?}"),
            };
            ends.insert(settled.task.source().to_owned(), end);
        }
    });
    ends
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

/// Creates plain files of all `SIZES` in `dir` and seals them.
fn files(dir: &Path, armored: bool, engine: Engine) -> Vec<(PathBuf, PathBuf)> {
    let names = SIZES.map(|bytes| (dir.join(bytes.to_string()), dir.join(format!("{bytes}.age"))));
    for (bytes, (plain, _)) in SIZES.into_iter().zip(&names) {
        std::fs::write(plain, content(bytes)).unwrap();
    }
    let tasks = names.iter().map(|(plain, sealed)| Task::file(plain, sealed)).collect();
    let ended = ends(&seal_job(armored), tasks, engine);
    for (plain, sealed) in &names {
        let lengths = [plain, sealed].map(|path| path.metadata().unwrap().len());
        assert_eq!(ended[plain], Ok(done(lengths)));
    }
    names.to_vec()
}

#[test]
fn armored_files_are_text_and_come_back_on_every_engine() {
    for engine in engines() {
        let dir = tempfile::tempdir().unwrap();
        let names = files(dir.path(), true, engine);
        let copy = |sealed: &Path| sealed.with_extension("copy");
        let tasks = names.iter().map(|(_, sealed)| Task::file(sealed, copy(sealed))).collect();
        ends(&OpenJob::new(identities(), FileOptions::default()), tasks, engine);
        for (plain, sealed) in &names {
            let text = std::fs::read_to_string(sealed).unwrap();
            assert!(text.starts_with("-----BEGIN AGE") && text.ends_with("FILE-----\n"));
            assert!(
                std::fs::read(copy(sealed)).unwrap() == std::fs::read(plain).unwrap(),
                "{engine} {plain:?}"
            );
            let facts = inspect_file(sealed).unwrap();
            assert_eq!((facts.armored, facts.plain_bytes), (true, plain.metadata().unwrap().len()));
            assert_eq!(facts.file_bytes, text.len() as u64);
        }
        assert_eq!(dir.path().read_dir().unwrap().count(), 3 * SIZES.len(), "no temporary is left");
    }
}

#[test]
fn intact_files_verify_on_every_engine_and_nothing_is_written() {
    for (engine, armored) in engines().into_iter().flat_map(|engine| [(engine, false), (engine, true)]) {
        let dir = tempfile::tempdir().unwrap();
        let names = files(dir.path(), armored, engine);
        let tasks = names.iter().map(|(_, sealed)| Task::check(sealed)).collect();
        let ended = ends(&VerifyJob::new(identities()), tasks, engine);
        for (plain, sealed) in &names {
            let lengths = [plain, sealed].map(|path| path.metadata().unwrap().len());
            assert_eq!(ended[sealed], Ok(done(lengths)));
        }
        assert_eq!(dir.path().read_dir().unwrap().count(), 2 * SIZES.len());
    }
}

/// Checks that opening and verifying fail with `message` after `change` to a sealed file of `bytes` bytes, and leave
/// nothing.
#[track_caller]
fn check_damaged(bytes: usize, armored: bool, change: impl Fn(&mut Vec<u8>), message: &str) {
    let dir = tempfile::tempdir().unwrap();
    let (plain, sealed, copy) =
        (dir.path().join("plain"), dir.path().join("sealed"), dir.path().join("copy"));
    std::fs::write(&plain, content(bytes)).unwrap();
    ends(&seal_job(armored), vec![Task::file(&plain, &sealed)], Engine::Serial);
    let mut damaged = std::fs::read(&sealed).unwrap();
    change(&mut damaged);
    std::fs::write(&sealed, damaged).unwrap();
    for engine in engines() {
        let verified = ends(&VerifyJob::new(identities()), vec![Task::check(&sealed)], engine);
        assert_eq!(verified[&sealed], Err(message.to_owned()), "{engine}");
        let open = OpenJob::new(identities(), FileOptions::default());
        let opened = ends(&open, vec![Task::file(&sealed, &copy)], engine);
        assert_eq!(opened[&sealed], Err(message.to_owned()), "{engine}");
        assert_eq!(dir.path().read_dir().unwrap().count(), 2, "{engine}");
    }
}

#[test]
fn the_damaged_chunk_and_its_place_are_named() {
    let header = 168;
    let at = |index: usize| header + 16 + index * 65_552;
    for bytes in [200_000, 5_000_000] {
        let message = |index: usize, plain: usize| {
            format!(
                "chunk {index} is damaged or was tampered with: {plain} bytes from {} of the plaintext, {} bytes from {} \
                 of the file",
                index * 65_536,
                plain + 16,
                at(index)
            )
        };
        check_damaged(bytes, false, |file| file[at(1)] ^= 1, &message(1, 65_536));
        let last = (bytes - 1) / 65_536;
        let in_last = |file: &mut Vec<u8>| *file.last_mut().unwrap() ^= 1;
        check_damaged(bytes, false, in_last, &message(last, bytes - last * 65_536));
        let cut = |file: &mut Vec<u8>| file.truncate(at(2));
        check_damaged(bytes, false, cut, "the end is missing: it was cut short");
        let no_chunk = |file: &mut Vec<u8>| file.truncate(at(2) + 16);
        check_damaged(bytes, false, no_chunk, "the file was cut short or lengthened");
    }
}

#[test]
fn damaged_armor_is_refused() {
    for bytes in [10, 3_000_000] {
        let cut = |file: &mut Vec<u8>| file.truncate(file.len() - "-----END AGE ENCRYPTED FILE-----\n".len());
        check_damaged(bytes, true, cut, "the armor was cut short");
        check_damaged(bytes, true, |file| file[100] = b'*', "the armor has a malformed line");
        check_damaged(bytes, true, |file| file.extend(b"more"), "unexpected data after the armor");
    }
    let message = "chunk 0 is damaged or was tampered with: 65536 bytes from 0 of the plaintext, 65552 bytes from 184 of the \
                   file";
    let change = |file: &mut Vec<u8>| file[1_000] = if file[1_000] == b'A' { b'B' } else { b'A' };
    check_damaged(3_000_000, true, change, message);
}

fn done([plain_bytes, sealed_bytes]: [u64; 2]) -> Outcome {
    Outcome::File { plain_bytes, sealed_bytes, remarks: Remarks::default() }
}
