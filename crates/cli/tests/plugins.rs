//! Plugins through the real binary: worker processes, PINs on a terminal, and the program age with the same plugin.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use haul_testkit::{Haul, PluginFolder, Run, Tree, assert_same, check_golden, peer};

#[test]
#[ignore = "the plugin of the other tests"]
fn the_plugin() {
    PluginFolder::serve();
}

struct Place {
    dir: tempfile::TempDir,
    folder: PluginFolder,
    haul: Haul,
    search_path: String,
}

impl Place {
    fn new(behaviour: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = PluginFolder::new(&dir.path().join("bin"));
        folder.install(behaviour);
        let search_path = format!("{}:/usr/bin:/bin", folder.path().display());
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(dir.path()).env("PATH", &search_path);
        let place = Self { dir, folder, haul, search_path };
        std::fs::write(place.path("key.txt"), format!("# a plugin's\n{}\n", PluginFolder::IDENTITY)).unwrap();
        std::fs::write(place.path("letter"), "Dear Ada").unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Run {
        self.haul.run(args)
    }

    fn seal(&self, args: &[&str]) -> Run {
        self.run(&[&["seal", "-r", PluginFolder::RECIPIENT], args].concat())
    }

    /// Another program, or `haul` with a terminal.
    fn other(&self, program: &Path, args: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(args).env("PATH", &self.search_path).env("haul", env!("CARGO_BIN_EXE_haul"));
        command.current_dir(self.dir.path()).output().unwrap()
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.txt"))
}

#[test]
fn trees_go_through_one_session_on_every_engine_of_processes() {
    let place = Place::new("");
    Tree::seeded(5).files(40).depth(1).write(&place.path("tree")).unwrap();
    std::fs::write(place.path("tree/large"), haul_testkit::seeded_bytes(1, 9_000_000)).unwrap();
    for (engine, extra) in [("processes=2", "-a"), ("hybrid=2x2", "--force"), ("auto", "--force")] {
        place.seal(&["-e", engine, extra, "-o", "sealed", "tree"]).expect_status(0);
        place.run(&["verify", "-e", engine, "-i", "key.txt", "sealed"]).expect_status(0);
        place.run(&["open", "-e", engine, "-i", "key.txt", "-o", "opened", "sealed"]).expect_status(0);
        assert_same(&place.path("tree"), &place.path("opened"));
        std::fs::remove_dir_all(place.path("sealed")).unwrap();
        std::fs::remove_dir_all(place.path("opened")).unwrap();
    }
    assert_eq!(place.folder.sessions(), ["recipient-v1 41", "identity-v1 41", "identity-v1 41"].repeat(3));
    // In place, by processes that remove each source.
    place.seal(&["-e", "processes=2", "--replace", "tree"]).expect_status(0);
    assert!(!place.path("tree/large").exists());
    place.run(&["open", "-e", "processes=2", "-i", "key.txt", "--replace", "tree"]).expect_status(0);
    assert_eq!(std::fs::metadata(place.path("tree/large")).unwrap().len(), 9_000_000);
}

#[test]
fn an_identity_is_sealed_to_on_every_engine_and_in_streams() {
    let place = Place::new("");
    Tree::seeded(5).files(10).depth(1).write(&place.path("tree")).unwrap();
    for engine in ["processes=2", "hybrid=2x2", "auto"] {
        place.run(&["seal", "-e", engine, "-i", "key.txt", "-o", "sealed", "tree"]).expect_status(0);
        place.run(&["open", "-e", engine, "-i", "key.txt", "-o", "opened", "sealed"]).expect_status(0);
        assert_same(&place.path("tree"), &place.path("opened"));
        std::fs::remove_dir_all(place.path("sealed")).unwrap();
        std::fs::remove_dir_all(place.path("opened")).unwrap();
    }
    assert_eq!(place.folder.sessions(), ["recipient-v1 10", "identity-v1 10"].repeat(3));
    place.run(&["seal", "-i", "key.txt", "-o", "-", "letter"]).expect_status(0);
    let stream = "haul seal -a -i key.txt - < letter | haul open -i key.txt -";
    let stream = format!("haul() {{ \"$haul\" \"$@\"; }}; {stream}");
    assert_eq!(place.other(Path::new("bash"), &["-c", &stream]).stdout, b"Dear Ada");
    check_golden(
        golden("seal-secret-recipient"),
        &place.run(&["seal", "-r", PluginFolder::IDENTITY, "letter"]),
    );
}

#[test]
fn the_age_program_seals_to_the_same_identity() {
    let Some(age) = peer("age") else { return };
    let place = Place::new("");
    place.run(&["seal", "-i", "key.txt", "-o", "ours.age", "letter"]).expect_status(0);
    let opened = place.other(&age, &["-d", "-i", "key.txt", "ours.age"]);
    assert_eq!(opened.stdout, b"Dear Ada", "{}", String::from_utf8_lossy(&opened.stderr));
    let sealed = place.other(&age, &["-e", "-i", "key.txt", "-o", "theirs.age", "letter"]);
    assert!(sealed.status.success(), "{}", String::from_utf8_lossy(&sealed.stderr));
    place.run(&["open", "-i", "key.txt", "-o", "copy", "theirs.age"]).expect_status(0);
    assert_eq!(std::fs::read(place.path("copy")).unwrap(), b"Dear Ada");
}

#[test]
fn the_age_program_uses_the_same_plugin() {
    let Some(age) = peer("age") else { return };
    let place = Place::new("");
    place.seal(&["-o", "ours.age", "letter"]).expect_status(0);
    let opened = place.other(&age, &["-d", "-i", "key.txt", "ours.age"]);
    assert_eq!(opened.stdout, b"Dear Ada", "{}", String::from_utf8_lossy(&opened.stderr));
    let sealed = place.other(&age, &["-r", PluginFolder::RECIPIENT, "-o", "theirs.age", "letter"]);
    assert!(sealed.status.success(), "{}", String::from_utf8_lossy(&sealed.stderr));
    place.run(&["open", "-i", "key.txt", "-o", "copy", "theirs.age"]).expect_status(0);
    assert_eq!(std::fs::read(place.path("copy")).unwrap(), b"Dear Ada");
}

#[test]
fn a_plugin_asks_for_its_pin_on_the_terminal() {
    let Some(script) = peer("script") else { return };
    let place = Place::new("pin message");
    let with_terminal = |answer: &str, command: &str| {
        let line = format!("printf '{answer}' | {} -qec \"$haul {command}\" /dev/null", script.display());
        place.other(Path::new("bash"), &["-c", &line])
    };
    let seal = format!("seal -r {} -o sealed.age letter", PluginFolder::RECIPIENT);
    let run = with_terminal("123456\\n", &seal);
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{said}");
    assert!(said.contains("haul: age-plugin-test says: \"touch \\u{1b}[31mit\"\r\n"), "{said}");
    assert!(said.contains("haul: age-plugin-test asks: \"PIN\": "), "{said}");
    let run = with_terminal("123456\\n", "open -i key.txt -o - sealed.age");
    assert!(String::from_utf8_lossy(&run.stdout).contains("Dear Ada"));
    let run = with_terminal("654321\\n", "open -i key.txt -o copy sealed.age");
    assert_eq!(run.status.code(), Some(1));
    assert!(!place.path("copy").exists());
}

#[test]
fn an_interrupted_run_takes_its_plugin_along() {
    let place = Place::new("");
    place.folder.install_script("age-plugin-test", "#!/bin/sh\necho $$ > \"${0%/*}/pid\"\ncat >/dev/null\n");
    let running = place.haul.spawn(["seal", "-r", PluginFolder::RECIPIENT, "letter"]);
    let pid =
        || std::fs::read_to_string(place.folder.path().join("pid")).unwrap_or_default().trim().to_owned();
    while pid().is_empty() {
        std::thread::yield_now();
    }
    running.interrupt();
    running.finish().expect_status(130);
    assert!(!Path::new("/proc").join(pid()).exists());
    assert!(!place.path("letter.age").exists());
}

#[test]
fn what_is_said_of_plugins_that_fail() {
    let place = Place::new("refuses");
    check_golden(golden("seal-plugin-refuses"), &place.seal(&["letter"]));
    place.folder.install_script("age-plugin-test", "#!/bin/sh\necho 'no card' >&2\nexit 3\n");
    check_golden(golden("seal-plugin-ends"), &place.seal(&["letter"]));
    check_golden(golden("seal-plugin-missing"), &place.run(&["seal", "-r", "age1nobody10qz9jzay", "letter"]));
    std::fs::write(place.path("nobody.txt"), "AGE-PLUGIN-NOBODY-10QN4D3C6\n").unwrap();
    check_golden(golden("open-plugin-missing"), &place.run(&["open", "-i", "nobody.txt", "letter.age"]));
    check_golden(golden("keygen-y-plugin"), &place.run(&["keygen", "-y", "key.txt"]));
    assert!(!place.path("letter.age").exists());
}

#[test]
fn a_missing_plugin_is_told_of_where_it_is_needed() {
    let place = Place::new("");
    let recipient = place.run(&["keygen", "-o", "own.txt"]).expect_status(0).stdout_text();
    std::fs::write(place.path("nobody.txt"), "AGE-PLUGIN-NOBODY-10QN4D3C6\n").unwrap();
    place.run(&["seal", "-r", recipient.trim(), "-o", "own.age", "letter"]).expect_status(0);
    place.seal(&["-o", "other.age", "letter"]).expect_status(0);
    let identities = ["open", "-i", "nobody.txt", "-i", "own.txt", "-o"];
    place.run(&[&identities[..], &["own", "own.age"]].concat()).expect_status(0);
    check_golden(
        golden("open-plugin-needed"),
        &place.run(&[&identities[..], &["other", "other.age"]].concat()),
    );
}
