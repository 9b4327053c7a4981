//! Whose key, whose file: identities of trees that nobody else may provide, keys that are never sealed to themselves,
//! results that never take the place of a source.

use std::fs;
use std::os::unix::fs::{chown, symlink};
use std::path::PathBuf;
use std::process::Command;

use haul_seal::{Passphrase, Recipient, StreamOptions, X25519Identity, protected_file, seal_stream};
use haul_testkit::{Haul, Run, is_root, seeded_bytes};

const ENGINES: [&str; 4] = ["serial", "threads=2", "processes=2", "uring"];

/// A folder with a tree `t`, an identity `key.txt` and the passphrase file `pass`.
struct Place {
    dir: tempfile::TempDir,
    recipient: String,
}

impl Place {
    fn new(files: &[&str]) -> Self {
        let mut place = Self { dir: tempfile::tempdir().unwrap(), recipient: String::new() };
        place.write("pass", "correct horse\n");
        files.iter().for_each(|name| place.write(name, &format!("content of {name}")));
        let run = place.run("keygen -o key.txt").expect_status(0);
        place.recipient = run.stdout_text().trim().to_owned();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> Option<String> {
        fs::read(self.path(name)).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Runs the words of `line`, in which `R` is the recipient.
    fn run(&self, line: &str) -> Run {
        let words = line.split_whitespace().map(|word| if word == "R" { &self.recipient } else { word });
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(self.dir.path());
        haul.env("HAUL_PASSPHRASE_FILE", self.path("pass")).run(words)
    }
}

#[test]
fn a_planted_identity_is_refused_for_sealing_and_reported_for_opening() {
    let place = Place::new(&["t/diary"]);
    let identity = place.path("t/haul-identity.age");
    let secret = place.read("key.txt").unwrap();
    place.run("seal -q -p -o real t").expect_status(0);
    place.run("seal -q -p -o letter.age t/diary").expect_status(0);
    let real = fs::read(place.path("real/haul-identity.age")).unwrap();
    let plants: [(&str, &dyn Fn()); 5] = [
        ("is not an age file", &|| fs::write(&identity, &secret).unwrap()),
        ("is a symbolic link", &|| symlink("../real/haul-identity.age", &identity).unwrap()),
        ("is a directory", &|| fs::create_dir(&identity).unwrap()),
        ("is not a regular file", &|| {
            assert!(Command::new("mkfifo").arg(&identity).status().unwrap().success());
        }),
        ("belongs to another user", &|| {
            fs::write(&identity, &real).unwrap();
            let _ = chown(&identity, Some(12_345), None);
        }),
    ];
    for (reason, plant) in plants {
        if reason.ends_with("user") && !is_root() {
            continue;
        }
        plant();
        let run = place.run("seal -p --replace t").expect_status(2);
        assert!(run.stderr_text().contains(reason), "{reason}: {}", run.stderr_text());
        assert!(place.path("t/diary").exists() && !place.path("t/diary.age").exists(), "{reason}");
        fs::copy(place.path("letter.age"), place.path("t/letter.age")).unwrap();
        let run = place.run("open -p -o opened t/letter.age").expect_status(0);
        assert!(run.stderr_text().contains(reason), "{reason}: {}", run.stderr_text());
        assert_eq!(place.read("opened").as_deref(), Some("content of t/diary"));
        fs::remove_file(place.path("opened")).unwrap();
        fs::remove_file(place.path("t/letter.age")).unwrap();
        let _ = fs::remove_file(&identity);
        let _ = fs::remove_dir(&identity);
    }
}

#[test]
fn what_a_passphrase_sealed_opens_whole_nested_and_in_part() {
    let place = Place::new(&["t/1", "t/s/2"]);
    place.run("seal -q -p --replace t/s").expect_status(0);
    place.run("seal -q -p --replace t").expect_status(0);
    for (input, output, file) in
        [("t", "whole", "whole/s/2"), ("t/s", "part", "part/2"), ("t/1.age", "one", "one")]
    {
        place.run(&format!("open -q -p -o {output} {input}")).expect_status(0);
        place.run(&format!("verify -q -p {input}")).expect_status(0);
        assert!(place.path(file).exists(), "{file}");
    }
    place.write("u/s/3", "3");
    place.run("seal -q -p --pq -o sealed u").expect_status(0);
    assert!(place.read("sealed/s/3.age").unwrap().contains("-> mlkem768x25519"));
    place.run("open -q -p -o three sealed/s/3.age").expect_status(0);
    assert_eq!(place.read("three").as_deref(), Some("3"));
    fs::rename(place.path("sealed/s"), place.path("moved")).unwrap();
    let run = place.run("open -p -o nothing moved").expect_status(3);
    assert!(run.stderr_text().contains("no usable haul-identity.age lies beside"), "{}", run.stderr_text());
    let run = place.run("seal --pq -r R t/1.age").expect_status(2);
    assert!(run.stderr_text().contains("--pq concerns"));
    // An existing identity isn't weaker than what was asked for.
    place.write("v/4", "4");
    place.run("seal -q -p v").expect_status(0);
    assert!(place.run("seal -p --pq v").expect_status(2).stderr_text().contains("is not post-quantum"));
}

#[test]
fn a_key_that_is_read_from_stdin_is_no_source() {
    for engine in ENGINES {
        for name in ["-", "/dev/stdin"] {
            let place = Place::new(&["t/data"]);
            fs::rename(place.path("key.txt"), place.path("t/key.txt")).unwrap();
            let mut haul = Command::new(env!("CARGO_BIN_EXE_haul"));
            haul.args(["seal", "-e", engine, "--replace", "-i", name, "t"]).current_dir(place.path("."));
            haul.stdin(fs::File::open(place.path("t/key.txt")).unwrap());
            let output = haul.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{engine} {name}: {said}");
            assert!(said.contains("t/key.txt\" was left alone: it holds a key"), "{engine} {name}: {said}");
            assert!(place.path("t/key.txt").exists() && !place.path("t/data").exists(), "{engine} {name}");
        }
    }
}

#[test]
fn keys_of_a_run_are_no_sources_and_no_results() {
    for engine in ENGINES {
        let place = Place::new(&["t/data"]);
        fs::rename(place.path("key.txt"), place.path("t/key.txt")).unwrap();
        fs::rename(place.path("pass"), place.path("t/pass")).unwrap();
        symlink("t/pass", place.path("pass")).unwrap();
        symlink("t/key.txt", place.path("link")).unwrap();
        fs::hard_link(place.path("t/key.txt"), place.path("t/other-name")).unwrap();
        let run = place.run(&format!("seal -e {engine} --replace -i link t")).expect_status(0);
        for name in ["t/key.txt", "t/other-name"] {
            assert!(place.path(name).exists(), "{engine} {name}");
            assert!(
                run.stderr_text().contains(&format!("{name}\" was left alone: it holds a key")),
                "{name}"
            );
        }
        assert!(!place.path("t/data").exists() && place.path("t/data.age").exists(), "{engine}");
        assert!(place.path("t/pass").exists(), "{engine}");
    }
    let place = Place::new(&["t/data", "a"]);
    fs::rename(place.path("pass"), place.path("t/pass")).unwrap();
    symlink("t/pass", place.path("pass")).unwrap();
    place.run("seal -q -p --replace t").expect_status(0);
    assert!(place.path("t/pass").exists());
    place.run("seal -i key.txt key.txt").expect_status(1);
    let run = place.run("seal --force -i key.txt -o key.txt a").expect_status(1);
    assert!(run.stderr_text().contains("would replace a key"), "{}", run.stderr_text());
    place.run("xor --key-file key.txt key.txt").expect_status(1);
    assert!(place.read("key.txt").unwrap().contains("AGE-SECRET-KEY-1"));
}

/// A tree `t` that a passphrase protects, with further files that it seals. Cheap to open.
fn protected_tree() -> Place {
    let place = Place::new(&["t/data"]);
    let (identity, other) = (X25519Identity::generate(), X25519Identity::generate());
    place.run(&format!("seal -q --replace -r {} t", identity.to_recipient())).expect_status(0);
    let passphrase = Passphrase::with_work_factor("correct horse".to_owned().into(), 2);
    let armored = |text: &str| {
        let mut random = |out: &mut [u8]| out.copy_from_slice(&seeded_bytes(out.len() as u64, out.len()));
        protected_file(text, &passphrase, &mut random).unwrap()
    };
    let binary = |text: &str| {
        let mut sealed = Vec::new();
        let recipients = [Recipient::Passphrase(passphrase.clone())];
        seal_stream(text.as_bytes(), &mut sealed, &recipients, &StreamOptions::default()).unwrap();
        sealed
    };
    let (identity, other) = (identity.to_secret_text(), other.to_secret_text());
    for (name, content) in [
        ("haul-identity", armored(&identity)),
        ("Haul-Identity", armored(&identity)),
        ("key", armored(&other)),
        ("old-identity", binary(&format!("# mine\n{}\n", *other))),
        ("letter", binary("content of letter")),
        ("text", armored("content of text")),
    ] {
        fs::write(place.path(&format!("t/{name}.age")), content).unwrap();
    }
    place
}

/// Whatever its name is, and also where it is opened in place.
#[test]
fn an_identity_of_a_tree_is_opened_only_by_its_own_name() {
    for engine in ENGINES {
        let place = protected_tree();
        for (options, dir) in [("-o opened", "opened"), ("--replace", "t")] {
            let run = place.run(&format!("open -p -e {engine} {options} t")).expect_status(0);
            for name in ["key", "old-identity"] {
                let said = format!("t/{name}.age\" was left alone: an identity that a passphrase protects");
                assert!(run.stderr_text().contains(&said), "{engine} {name}: {}", run.stderr_text());
            }
            for name in ["key", "old-identity", "Haul-Identity", "haul-identity"] {
                assert!(!place.path(&format!("{dir}/{name}")).exists(), "{engine} {dir} {name}");
                assert!(place.path(&format!("t/{name}.age")).exists(), "{engine} {dir} {name}");
            }
            for name in ["letter", "text"] {
                assert_eq!(
                    place.read(&format!("{dir}/{name}")),
                    Some(format!("content of {name}")),
                    "{engine}"
                );
            }
            assert_eq!(place.read(&format!("{dir}/data")).as_deref(), Some("content of t/data"), "{engine}");
        }
        for name in ["key", "old-identity"] {
            place.run(&format!("open -p -e {engine} --replace t/{name}.age")).expect_status(0);
            assert!(place.read(&format!("t/{name}")).unwrap().contains("AGE-SECRET-KEY-1"), "{engine}");
        }
    }
}

#[test]
fn a_result_takes_the_place_of_no_source_and_of_no_other_result() {
    for (engine, replace) in ENGINES.iter().flat_map(|engine| [(engine, ""), (engine, "--replace")]) {
        let place = Place::new(&["t/a", "t/a.age", "u/a", "out/x"]);
        let options = format!("-e {engine} --force {replace}");
        for (line, status) in [
            ("seal -r R t/a t/a.age", 2),
            ("seal -r R -o t/a t/a", 2),
            ("seal -r R -o out t/a u/a", 2),
            ("seal -r R t t/a", 2),
            ("seal -r R t u ./u", 2),
        ] {
            place.run(&format!("{line} {options}")).expect_status(status);
        }
        for name in ["t/a", "t/a.age", "u/a"] {
            assert_eq!(place.read(name), Some(format!("content of {name}")), "{options}");
        }
        // Opening `b.age.age` would replace the source `b.age`.
        place.write("w/b", "inner");
        place.run("seal -q --replace -r R w").expect_status(0);
        place.write("b", "outer");
        place.run("seal -q -r R -o once.age b").expect_status(0);
        place.run("seal -q -r R -o w/b.age.age once.age").expect_status(0);
        let run = place.run(&format!("open -i key.txt w {options}"));
        assert_eq!(place.read("w/b").as_deref(), Some("inner"), "{options}");
        if place.path("w/b.age.age").exists() {
            assert!(run.stderr_text().contains("would replace another source"), "{}", run.stderr_text());
        } else {
            // With --replace, the source may be gone before the walk meets the other one.
            assert!(!replace.is_empty() && place.path("w/b.age").exists(), "{options}");
        }
    }
}

#[test]
fn dots_and_long_names_are_refused_before_the_work() {
    for engine in ENGINES {
        let place = Place::new(&["letter"]);
        let long = "x".repeat(252);
        place.run("seal -q -r R letter").expect_status(0);
        for (name, opens) in [("s/..age", true), ("s/sub/...age", true), (&*format!("l/{long}"), false)] {
            place.write(name, "");
            fs::copy(place.path("letter.age"), place.path(name)).unwrap();
            let (top, _) = name.split_once('/').unwrap();
            let verb = if opens { "open -i key.txt" } else { "seal -r R" };
            let run = place.run(&format!("{verb} -e {engine} --force -o out {top}")).expect_status(1);
            let reason = if opens { "would have no name" } else { "is too long" };
            assert!(run.stderr_text().contains(reason), "{engine} {name}: {}", run.stderr_text());
            assert!(!place.path("out").is_file() && !place.path("out/sub").is_file(), "{engine} {name}");
        }
        place.run("verify -q -i key.txt s").expect_status(0);
    }
}
