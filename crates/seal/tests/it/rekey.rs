//! Rekeying: the new file opens for the new recipients only, and at every failure the name leads to the old or to the
//! new file.

use std::io::{self, Read};

use haul_io::Durability;
use haul_io::sim::{Files, Sim};
use haul_seal::{
    Error, ErrorKind, FileOptions, Identity, OpenError, OpenJob, Outcome, Passphrase, Recipient, RekeyJob,
    SealError, SealJob, StreamOptions, Task, X25519Identity, rekey_stream,
};
use haul_testkit::without_engine;

const CHUNK: usize = 65_536;
/// A small file, one that is copied, and one of several steps of copying in the simulation.
const SIZES: [usize; 4] = [0, 100_000, 1_200_000, 4_300_000];

fn identity(seed: u8) -> X25519Identity {
    X25519Identity::generate_with(&mut |out| out.fill(seed))
}

fn recipients(seeds: &[u8]) -> Vec<Recipient> {
    seeds.iter().map(|seed| Recipient::X25519(identity(*seed).to_recipient())).collect()
}

fn identities(seed: u8) -> Vec<Identity> {
    vec![Identity::X25519(identity(seed))]
}

fn options() -> FileOptions {
    FileOptions { durability: Durability::Synced, ..FileOptions::default() }
}

/// The job that replaces the recipient 1 by the recipients `new`.
fn job(new: &[u8]) -> RekeyJob {
    RekeyJob::new(identities(1), recipients(new), options()).unwrap()
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect()
}

/// A file that is sealed to the recipient 1.
fn sealed(bytes: usize, armored: bool) -> Vec<u8> {
    let mut files = Files::default();
    files.put("plain", &content(bytes));
    let sim = Sim::with_files(7, files);
    let seal = SealJob::new(recipients(&[1]), options()).unwrap().armored(armored);
    sim.run(without_engine(&sim, &seal, &Task::file("plain", "sealed"))).unwrap().unwrap();
    let files = sim.files();
    files.get("sealed").unwrap().to_vec()
}

fn machine(seed: u64, file: &[u8]) -> Sim {
    let mut files = Files::default();
    files.put("d/x.age", file);
    Sim::with_files(seed, files)
}

fn task() -> Task {
    Task::file("d/x.age", "d/x.age")
}

/// What the identity `seed` opens.
fn opened(file: &[u8], seed: u8) -> Option<Vec<u8>> {
    let sim = machine(0, file);
    let open = OpenJob::new(identities(seed), options());
    sim.run(without_engine(&sim, &open, &Task::file("d/x.age", "plain"))).unwrap().ok()?;
    let files = sim.files();
    files.get("plain").map(<[u8]>::to_vec)
}

/// Whether `file` is a complete result for the recipient 2.
fn is_rekeyed(file: &[u8], bytes: usize) -> bool {
    opened(file, 2).is_some_and(|plain| plain == content(bytes))
}

#[test]
fn only_the_new_identities_open_it_and_the_payload_is_the_same() {
    for bytes in SIZES {
        for (armored, new) in [(false, &[2][..]), (false, &[2, 3]), (false, &[3, 4, 5, 2]), (true, &[2, 3])] {
            for refuse_clones in [false, true] {
                let old = sealed(bytes, armored);
                let sim = machine(bytes as u64, &old);
                sim.files().refuse_clones = refuse_clones;
                let done = sim.run(without_engine(&sim, &job(new), &task())).unwrap().unwrap();
                let files = sim.files();
                let file = files.get("d/x.age").unwrap();
                let Outcome::File { plain_bytes, sealed_bytes, .. } = done else { panic!("{done:?}") };
                assert_eq!((plain_bytes, sealed_bytes), (bytes as u64, file.len() as u64));
                for seed in new {
                    assert!(opened(file, *seed) == Some(content(bytes)), "{bytes} bytes, {new:?}");
                }
                assert_eq!(opened(file, 1), None, "{bytes} bytes, {new:?}");
                assert!(
                    armored || file.ends_with(&old[old.len() - bytes.div_ceil(CHUNK).max(1) * 16 - bytes..])
                );
                assert_eq!(armored, file.starts_with(b"-----BEGIN AGE"));
                assert_eq!(files.names().len(), 2, "nothing else is left");
                drop(files);
                // Back to the first recipient, and a header that becomes shorter.
                let back = RekeyJob::new(identities(new[0]), recipients(&[1]), options()).unwrap();
                sim.run(without_engine(&sim, &back, &task())).unwrap().unwrap();
                let files = sim.files();
                let file = files.get("d/x.age").unwrap();
                assert!(file.len() == old.len() && opened(file, 1) == Some(content(bytes)));
            }
        }
    }
}

#[test]
fn the_age_crate_opens_the_result() {
    for armored in [false, true] {
        let sim = machine(1, &sealed(1_200_000, armored));
        sim.run(without_engine(&sim, &job(&[3, 2]), &task())).unwrap().unwrap();
        let files = sim.files();
        let file = files.get("d/x.age").unwrap();
        for (seed, opens) in [(2, true), (3, true), (1, false)] {
            let theirs: age::x25519::Identity = identity(seed).to_secret_text().parse().unwrap();
            let decryptor = age::Decryptor::new(age::armor::ArmoredReader::new(file)).unwrap();
            let reader = decryptor.decrypt(std::iter::once(&theirs as &dyn age::Identity));
            let mut plain = Vec::new();
            let opened = reader.is_ok_and(|mut reader| reader.read_to_end(&mut plain).is_ok());
            assert_eq!((opened, plain == content(1_200_000)), (opens, opens), "identity {seed}");
        }
    }
}

#[test]
fn whichever_operation_fails_the_file_is_the_old_or_the_new_one() {
    for (bytes, armored) in [(100_000, false), (1_200_000, false), (100_000, true)] {
        let old = sealed(bytes, armored);
        let sim = machine(1, &old);
        sim.run(without_engine(&sim, &job(&[2, 3]), &task())).unwrap().unwrap();
        for number in 0..sim.submitted() {
            let sim = machine(1, &old);
            sim.fail_operation(number, io::ErrorKind::StorageFull);
            let result = sim.run(without_engine(&sim, &job(&[2, 3]), &task())).unwrap();
            let files = sim.files();
            let file = files.get("d/x.age").expect("one of the two");
            assert!(file == old || is_rekeyed(file, bytes), "operation {number}");
            assert!(result.is_err() || file != old, "operation {number}: success without a result");
            assert_eq!(files.names().len(), 2, "operation {number}: a temporary is left");
        }
    }
}

#[test]
fn after_a_power_cut_the_file_is_the_old_or_the_new_one() {
    for (bytes, armored, seeds) in [(100_000, false, 10), (1_200_000, false, 3), (100_000, true, 3)] {
        let old = sealed(bytes, armored);
        let sim = machine(1, &old);
        sim.run(without_engine(&sim, &job(&[2, 3]), &task())).unwrap().unwrap();
        for number in 0..=sim.submitted() {
            for seed in 0..seeds {
                let sim = machine(seed, &old);
                sim.cut_power_at(number);
                let reported = sim.run(without_engine(&sim, &job(&[2, 3]), &task())).is_some();
                let left = sim.after_power_cut();
                let file = left.get("d/x.age").unwrap_or_else(|| panic!("cut at {number}: neither"));
                let case = format!("{bytes} bytes, cut at {number}, seed {seed}");
                assert!(file == old || is_rekeyed(file, bytes), "{case}: damaged");
                assert!(!reported || file != old, "{case}: reported done and lost");
            }
        }
    }
}

#[test]
fn a_file_that_changes_is_not_replaced() {
    for (bytes, armored) in [(100_000, false), (1_200_000, false), (100_000, true)] {
        let (old, other) = (sealed(bytes, armored), sealed(bytes + 1, armored));
        let sim = machine(1, &old);
        sim.run(without_engine(&sim, &job(&[2, 3]), &task())).unwrap().unwrap();
        let (mut refused, mut mixed) = (0, 0);
        for number in 0..sim.submitted() {
            for in_place in [false, true] {
                let (sim, now) = (machine(1, &old), other.clone());
                sim.change_files_at(number, move |files| {
                    if in_place { files.rewrite("d/x.age", &now) } else { files.put("d/x.age", &now) }
                });
                let result = sim.run(without_engine(&sim, &job(&[2, 3]), &task())).unwrap();
                let files = sim.files();
                let file = files.get("d/x.age").unwrap();
                let is_whole = file == other || is_rekeyed(file, bytes) || is_rekeyed(file, bytes + 1);
                mixed += u32::from(!is_whole);
                match result {
                    Ok(_) => {}
                    Err(error) => {
                        assert!(file == other, "change at {number}: {error}");
                        refused += 1;
                    }
                }
            }
        }
        assert!(refused > 4, "{bytes} bytes, armored {armored}: {refused} refused");
        assert_eq!(mixed, 0, "{bytes} bytes, armored {armored}");
    }
}

/// Rekeys `file`, which must fail and stay as it is.
#[track_caller]
fn refused(file: &[u8], job: &RekeyJob) -> Error {
    let sim = machine(1, file);
    let error = sim.run(without_engine(&sim, job, &task())).unwrap().unwrap_err();
    let files = sim.files();
    assert!(files.get("d/x.age") == Some(file), "{error}");
    assert_eq!(files.names().len(), 2, "{error}");
    error
}

#[test]
fn what_does_not_open_or_is_damaged_stays_as_it_is() {
    for bytes in [100_000, 1_200_000] {
        for armored in [false, true] {
            let old = sealed(bytes, armored);
            let wrong = RekeyJob::new(identities(9), recipients(&[2]), options()).unwrap();
            assert!(matches!(refused(&old, &wrong), Error::Header(OpenError::NoMatch)));
            assert_eq!(refused(&old[..old.len() - 1 - CHUNK], &job(&[2])).kind(), ErrorKind::Damaged);
            assert_eq!(refused(&old[..90], &job(&[2])).kind(), ErrorKind::Damaged);
        }
        let old = sealed(bytes, false);
        let mac = old.windows(5).position(|window| window == b"\n--- ").unwrap() + 9;
        let mut changed = old.clone();
        changed[mac] = if changed[mac] == b'A' { b'B' } else { b'A' };
        assert!(matches!(refused(&changed, &job(&[2])), Error::Header(OpenError::HeaderMac)));
        // Cut after a whole chunk, and the last chunk damaged.
        let payload = old.len() - bytes - bytes.div_ceil(CHUNK) * 16;
        assert!(matches!(refused(&old[..payload + CHUNK + 16], &job(&[2])), Error::CutShort));
        let mut changed = old.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(matches!(refused(&changed, &job(&[2])), Error::Chunk { .. }));
        // The nonce, which no MAC covers.
        let mut changed = old.clone();
        changed[payload - 1] ^= 1;
        assert!(matches!(refused(&changed, &job(&[2])), Error::Chunk { .. }));
    }
    assert_eq!(refused(b"no age file", &job(&[2])).kind(), ErrorKind::Other);
}

#[test]
fn recipients_that_do_not_combine_or_make_too_long_a_header_are_refused() {
    let passphrase = || Recipient::Passphrase(Passphrase::with_work_factor("p".to_owned().into(), 2));
    let both = vec![passphrase(), recipients(&[2]).remove(0)];
    let refusal = RekeyJob::new(identities(1), both, options()).err();
    assert_eq!(refusal, Some(SealError::PassphraseNotAlone));
    assert_eq!(RekeyJob::new(identities(1), Vec::new(), options()).err(), Some(SealError::NoRecipient));
    let many = vec![recipients(&[2]).remove(0); 12_000];
    let many = RekeyJob::new(identities(1), many, options()).unwrap();
    let error = refused(&sealed(100, false), &many);
    assert!(matches!(error, Error::Recipients(SealError::HeaderTooLong)), "{error}");
}

#[test]
fn a_passphrase_replaces_keys_and_is_replaced() {
    let secret = |text: &str| Passphrase::with_work_factor(text.to_owned().into(), 2);
    let sim = machine(1, &sealed(100_000, false));
    let steps = [
        (identities(1), vec![Recipient::Passphrase(secret("a"))]),
        (vec![Identity::Passphrase(secret("a"))], vec![Recipient::Passphrase(secret("b"))]),
        (vec![Identity::Passphrase(secret("b"))], recipients(&[2])),
    ];
    for (old, new) in steps {
        let step = RekeyJob::new(old, new, options()).unwrap();
        sim.run(without_engine(&sim, &step, &task())).unwrap().unwrap();
    }
    assert!(is_rekeyed(sim.files().get("d/x.age").unwrap(), 100_000));
    let wrong = RekeyJob::new(vec![Identity::Passphrase(secret("c"))], recipients(&[2]), options()).unwrap();
    let step = RekeyJob::new(identities(2), vec![Recipient::Passphrase(secret("a"))], options()).unwrap();
    sim.run(without_engine(&sim, &step, &task())).unwrap().unwrap();
    let error = sim.run(without_engine(&sim, &wrong, &task())).unwrap().unwrap_err();
    assert!(matches!(error, Error::Header(OpenError::WrongPassphrase)));
}

#[test]
fn a_full_disk_leaves_the_old_file() {
    for (bytes, armored) in [(100_000, false), (1_200_000, false), (100_000, true)] {
        let old = sealed(bytes, armored);
        let sim = machine(1, &old);
        sim.files().capacity_bytes = Some(old.len() as u64 + 50_000);
        let error = sim.run(without_engine(&sim, &job(&[2]), &task())).unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        assert!(sim.files().get("d/x.age") == Some(&old));
    }
}

#[test]
fn streams_get_new_recipients_and_keep_their_payload() {
    for bytes in SIZES {
        for (armored, workers) in [(false, 1), (false, 3), (true, 2)] {
            let old = sealed(bytes, armored);
            let options = StreamOptions { workers: workers.try_into().unwrap(), ..StreamOptions::default() };
            let mut new = Vec::new();
            let (ours, theirs) = (identities(1), recipients(&[3, 2]));
            let streamed = rekey_stream(&old[..], &mut new, &ours, &theirs, &options).unwrap();
            assert_eq!(streamed.plain_bytes, bytes as u64);
            assert_eq!(new.starts_with(b"-----BEGIN AGE"), armored);
            assert!(armored || streamed.sealed_bytes == new.len() as u64);
            let payload_bytes = bytes + bytes.div_ceil(CHUNK).max(1) * 16;
            assert!(armored || new.ends_with(&old[old.len() - payload_bytes..]), "{bytes} bytes");
            assert!(is_rekeyed(&new, bytes) && opened(&new, 1).is_none(), "{bytes} bytes, {armored}");
            // A former recipient has no key to the new header, and nothing is written without one.
            let mut nothing = Vec::new();
            let refused = rekey_stream(&new[..], &mut nothing, &ours, &theirs, &options).unwrap_err();
            assert!(matches!(refused, Error::Header(OpenError::NoMatch)) && nothing.is_empty(), "{refused}");
        }
    }
}

#[test]
fn a_damaged_or_short_stream_gets_no_new_recipients() {
    let (ours, theirs, options) = (identities(1), recipients(&[2]), StreamOptions::default());
    for bytes in [100_000, 1_200_000] {
        let old = sealed(bytes, false);
        for at in [300, old.len() / 2, old.len() - 1] {
            let (mut flipped, mut out) = (old.clone(), Vec::new());
            flipped[at] ^= 1;
            assert!(rekey_stream(&flipped[..], &mut out, &ours, &theirs, &options).is_err(), "byte {at}");
            assert_eq!(opened(&out, 2), None, "byte {at}");
            out.clear();
            assert!(rekey_stream(&old[..at], &mut out, &ours, &theirs, &options).is_err(), "{at} bytes");
            assert_eq!(opened(&out, 2), None, "{at} bytes");
        }
        let mut longer = old.clone();
        longer.push(0);
        assert!(rekey_stream(&longer[..], Vec::new(), &ours, &theirs, &options).is_err());
    }
}
