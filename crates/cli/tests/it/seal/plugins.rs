//! Plugins: with worker processes, with PINs on a terminal, and the same plugin with age.

use std::ops::Deref;
use std::path::Path;
use std::process::{Command, Output};

use haul_testkit::{Answer, Haul, PluginFolder, Run, Server, Tree, assert_same, check_golden, peer};

use crate::workdir::{Workdir, golden};

struct PluginWorkdir {
    workdir: Workdir,
    folder: PluginFolder,
    search_path: String,
}

impl Deref for PluginWorkdir {
    type Target = Workdir;

    fn deref(&self) -> &Workdir {
        &self.workdir
    }
}

impl PluginWorkdir {
    fn new(behaviour: &str) -> Self {
        let mut workdir = Workdir::new();
        let folder = PluginFolder::new(&workdir.path("bin"));
        folder.install(behaviour);
        let search_path = format!("{}:/usr/bin:/bin", folder.path().display());
        workdir.haul = Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir()).env("PATH", &search_path);
        workdir.write("key.txt", format!("# a plugin's\n{}\n", PluginFolder::IDENTITY));
        workdir.write("letter", "Dear Ada");
        Self { workdir, folder, search_path }
    }

    fn seal(&self, args: &[&str]) -> Run {
        self.run(&[&["seal", "-r", PluginFolder::RECIPIENT], args].concat())
    }

    /// Runs another program, for example one that gives `haul` a terminal.
    fn other(&self, program: &Path, args: &[&str]) -> Output {
        let mut command = Command::new(program);
        command.args(args).env("PATH", &self.search_path).env("haul", env!("CARGO_BIN_EXE_haul"));
        command.current_dir(self.dir()).output().unwrap()
    }
}

#[test]
fn trees_go_through_one_session_on_every_engine_of_processes() {
    let workdir = PluginWorkdir::new("");
    Tree::seeded(5).files(40).depth(1).write(&workdir.path("tree")).unwrap();
    std::fs::write(workdir.path("tree/large"), haul_testkit::seeded_bytes(1, 9_000_000)).unwrap();
    for (engine, extra) in [("processes=2", "-a"), ("hybrid=2x2", "--force"), ("auto", "--force")] {
        workdir.seal(&["-e", engine, extra, "-o", "sealed", "tree"]).expect_status(0);
        workdir.run(&["verify", "-e", engine, "-i", "key.txt", "sealed"]).expect_status(0);
        workdir.run(&["open", "-e", engine, "-i", "key.txt", "-o", "opened", "sealed"]).expect_status(0);
        assert_same(&workdir.path("tree"), &workdir.path("opened"));
        std::fs::remove_dir_all(workdir.path("sealed")).unwrap();
        std::fs::remove_dir_all(workdir.path("opened")).unwrap();
    }
    assert_eq!(workdir.folder.sessions(), ["recipient-v1 41", "identity-v1 41", "identity-v1 41"].repeat(3));
    // In place, by worker processes that remove each source.
    workdir.seal(&["-e", "processes=2", "--replace", "tree"]).expect_status(0);
    assert!(!workdir.path("tree/large").exists());
    workdir.run(&["open", "-e", "processes=2", "-i", "key.txt", "--replace", "tree"]).expect_status(0);
    assert_eq!(std::fs::metadata(workdir.path("tree/large")).unwrap().len(), 9_000_000);
}

#[test]
fn what_is_fetched_is_sealed_by_batches_of_keys() {
    let workdir = PluginWorkdir::new("");
    let server = Server::start(|request| Answer::ok(request.path()));
    let paths: Vec<_> = (0..100).map(|index| format!("/{index}")).collect();
    workdir.write("urls", paths.iter().map(|path| server.url(path) + "\n").collect::<String>());
    for engine in ["serial", "threads=4", "uring=2x4"] {
        let get = ["get", "-e", engine, "-r", PluginFolder::RECIPIENT, "-i", "urls", "-d", "vault"];
        workdir.run(&get).expect_status(0);
        workdir.run(&["open", "-i", "key.txt", "-o", "plain", "vault"]).expect_status(0);
        for path in &paths {
            assert_eq!(workdir.read(format!("plain{path}")), path.as_bytes(), "{engine}");
        }
        for dir in ["vault", "plain"] {
            std::fs::remove_dir_all(workdir.path(dir)).unwrap();
        }
    }
    let batches = [1, 2, 4, 8, 16, 32, 64].map(|keys| format!("recipient-v1 {keys}"));
    let sessions = batches.into_iter().chain(["identity-v1 100".to_owned()]);
    assert_eq!(
        workdir.folder.sessions(),
        [sessions.clone(), sessions.clone(), sessions].into_iter().flatten().collect::<Vec<_>>()
    );
}

#[test]
fn plugins_open_the_lists_of_hidden_names() {
    let workdir = PluginWorkdir::new("");
    let server = Server::start(|request| Answer::ok(request.path()));
    let get = ["get", "--name", "hidden", "-r", PluginFolder::RECIPIENT, "-d", "vault"];
    workdir.run(&[&get[..], &[&server.url("/a"), &server.url("/b")]].concat()).expect_status(0);
    workdir.run(&["open", "-i", "key.txt", "-o", "plain", "vault"]).expect_status(0);
    let names = workdir.names().into_iter().filter(|name| name.starts_with("plain/"));
    let names: Vec<_> = names.collect();
    assert!(names.len() == 2 && names[0].ends_with("/a") && names[1].ends_with("/b"), "{names:?}");
    // A plugin that fails isn't taken for a list of somebody else.
    workdir.folder.install_script("age-plugin-test", "#!/bin/sh\nexit 3\n");
    let run = workdir.run(&["open", "-i", "key.txt", "-o", "again", "vault"]).expect_status(2);
    assert!(run.stderr_text().contains("cannot read a list of names"), "{}", run.stderr_text());
    assert!(!workdir.path("again").exists());
}

#[test]
fn an_identity_is_sealed_to_on_every_engine_and_in_streams() {
    let workdir = PluginWorkdir::new("");
    Tree::seeded(5).files(10).depth(1).write(&workdir.path("tree")).unwrap();
    for engine in ["processes=2", "hybrid=2x2", "auto"] {
        workdir.run(&["seal", "-e", engine, "-i", "key.txt", "-o", "sealed", "tree"]).expect_status(0);
        workdir.run(&["open", "-e", engine, "-i", "key.txt", "-o", "opened", "sealed"]).expect_status(0);
        assert_same(&workdir.path("tree"), &workdir.path("opened"));
        std::fs::remove_dir_all(workdir.path("sealed")).unwrap();
        std::fs::remove_dir_all(workdir.path("opened")).unwrap();
    }
    assert_eq!(workdir.folder.sessions(), ["recipient-v1 10", "identity-v1 10"].repeat(3));
    workdir.run(&["seal", "-i", "key.txt", "-o", "-", "letter"]).expect_status(0);
    let stream = "haul seal -a -i key.txt - < letter | haul open -i key.txt -";
    let stream = format!("haul() {{ \"$haul\" \"$@\"; }}; {stream}");
    assert_eq!(workdir.other(Path::new("bash"), &["-c", &stream]).stdout, b"Dear Ada");
    check_golden(
        golden("seal-secret-recipient"),
        &workdir.run(&["seal", "-r", PluginFolder::IDENTITY, "letter"]),
    );
}

#[test]
fn the_age_program_seals_to_the_same_identity() {
    let Some(age) = peer("age") else { return };
    let workdir = PluginWorkdir::new("");
    workdir.run(&["seal", "-i", "key.txt", "-o", "ours.age", "letter"]).expect_status(0);
    let opened = workdir.other(&age, &["-d", "-i", "key.txt", "ours.age"]);
    assert_eq!(opened.stdout, b"Dear Ada", "{}", String::from_utf8_lossy(&opened.stderr));
    let sealed = workdir.other(&age, &["-e", "-i", "key.txt", "-o", "theirs.age", "letter"]);
    assert!(sealed.status.success(), "{}", String::from_utf8_lossy(&sealed.stderr));
    workdir.run(&["open", "-i", "key.txt", "-o", "copy", "theirs.age"]).expect_status(0);
    assert_eq!(std::fs::read(workdir.path("copy")).unwrap(), b"Dear Ada");
}

#[test]
fn the_age_program_uses_the_same_plugin() {
    let Some(age) = peer("age") else { return };
    let workdir = PluginWorkdir::new("");
    workdir.seal(&["-o", "ours.age", "letter"]).expect_status(0);
    let opened = workdir.other(&age, &["-d", "-i", "key.txt", "ours.age"]);
    assert_eq!(opened.stdout, b"Dear Ada", "{}", String::from_utf8_lossy(&opened.stderr));
    let sealed = workdir.other(&age, &["-r", PluginFolder::RECIPIENT, "-o", "theirs.age", "letter"]);
    assert!(sealed.status.success(), "{}", String::from_utf8_lossy(&sealed.stderr));
    workdir.run(&["open", "-i", "key.txt", "-o", "copy", "theirs.age"]).expect_status(0);
    assert_eq!(std::fs::read(workdir.path("copy")).unwrap(), b"Dear Ada");
}

#[test]
fn a_plugin_asks_for_its_pin_on_the_terminal() {
    let Some(script) = peer("script") else { return };
    let workdir = PluginWorkdir::new("pin message");
    let with_terminal = |answer: &str, command: &str| {
        let line = format!("printf '{answer}' | {} -qec \"$haul {command}\" /dev/null", script.display());
        workdir.other(Path::new("bash"), &["-c", &line])
    };
    let seal = format!("seal -r {} -o sealed.age letter", PluginFolder::RECIPIENT);
    let run = with_terminal("123456\\n", &seal);
    let output = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.status.success(), "{output}");
    assert!(output.contains("haul: age-plugin-test says: \"touch \\u{1b}[31mit\"\r\n"), "{output}");
    assert!(output.contains("haul: age-plugin-test asks: \"PIN\": "), "{output}");
    let run = with_terminal("123456\\n", "open -i key.txt -o - sealed.age");
    assert!(String::from_utf8_lossy(&run.stdout).contains("Dear Ada"));
    let run = with_terminal("654321\\n", "open -i key.txt -o copy sealed.age");
    assert_eq!(run.status.code(), Some(1));
    assert!(!workdir.path("copy").exists());
}

#[test]
fn an_interrupted_run_takes_its_plugin_along() {
    let workdir = PluginWorkdir::new("");
    workdir
        .folder
        .install_script("age-plugin-test", "#!/bin/sh\necho $$ > \"${0%/*}/pid\"\ncat >/dev/null\n");
    let running = workdir.haul.spawn(["seal", "-r", PluginFolder::RECIPIENT, "letter"]);
    let pid =
        || std::fs::read_to_string(workdir.folder.path().join("pid")).unwrap_or_default().trim().to_owned();
    while pid().is_empty() {
        std::thread::yield_now();
    }
    running.interrupt();
    running.finish().expect_status(130);
    assert!(!Path::new("/proc").join(pid()).exists());
    assert!(!workdir.path("letter.age").exists());
}

#[test]
fn failing_plugins_are_reported() {
    let workdir = PluginWorkdir::new("refuses");
    check_golden(golden("seal-plugin-refuses"), &workdir.seal(&["letter"]));
    workdir.folder.install_script("age-plugin-test", "#!/bin/sh\necho 'no card' >&2\nexit 3\n");
    check_golden(golden("seal-plugin-ends"), &workdir.seal(&["letter"]));
    check_golden(
        golden("seal-plugin-missing"),
        &workdir.run(&["seal", "-r", "age1nobody10qz9jzay", "letter"]),
    );
    std::fs::write(workdir.path("nobody.txt"), "AGE-PLUGIN-NOBODY-10QN4D3C6\n").unwrap();
    check_golden(golden("open-plugin-missing"), &workdir.run(&["open", "-i", "nobody.txt", "letter.age"]));
    check_golden(golden("keygen-y-plugin"), &workdir.run(&["keygen", "-y", "key.txt"]));
    assert!(!workdir.path("letter.age").exists());
}

#[test]
fn a_missing_plugin_is_reported_for_files_that_need_it() {
    let workdir = PluginWorkdir::new("");
    let recipient = workdir.run(&["keygen", "-o", "own.txt"]).expect_status(0).stdout_text();
    std::fs::write(workdir.path("nobody.txt"), "AGE-PLUGIN-NOBODY-10QN4D3C6\n").unwrap();
    workdir.run(&["seal", "-r", recipient.trim(), "-o", "own.age", "letter"]).expect_status(0);
    workdir.seal(&["-o", "other.age", "letter"]).expect_status(0);
    let identities = ["open", "-i", "nobody.txt", "-i", "own.txt", "-o"];
    workdir.run(&[&identities[..], &["own", "own.age"]].concat()).expect_status(0);
    check_golden(
        golden("open-plugin-needed"),
        &workdir.run(&[&identities[..], &["other", "other.age"]].concat()),
    );
}

#[test]
fn plugins_open_and_make_the_headers_of_rekeyed_files() {
    let workdir = PluginWorkdir::new("");
    let own = workdir.run(&["keygen", "-o", "own.txt"]).expect_status(0).stdout_text().trim().to_owned();
    Tree::seeded(6).files(10).depth(1).write(&workdir.path("tree")).unwrap();
    std::fs::write(workdir.path("tree/large"), haul_testkit::seeded_bytes(1, 3_000_000)).unwrap();
    workdir.seal(&["-o", "sealed", "tree"]).expect_status(0);
    let rekey = |old: &str, new: &str, engine: &str| {
        workdir.run(&["rekey", "-e", engine, "-i", old, "-r", new, "sealed"]).expect_status(0);
    };
    rekey("key.txt", &own, "threads=2");
    workdir.run(&["verify", "-i", "own.txt", "sealed"]).expect_status(0);
    rekey("own.txt", PluginFolder::RECIPIENT, "processes=2");
    assert_eq!(workdir.run(&["verify", "-i", "own.txt", "sealed"]).status, 3);
    rekey("key.txt", PluginFolder::RECIPIENT, "serial");
    workdir.run(&["open", "-i", "key.txt", "-o", "opened", "sealed"]).expect_status(0);
    assert_same(&workdir.path("tree"), &workdir.path("opened"));
    let sessions = ["recipient-v1 11", "identity-v1 11", "recipient-v1 11", "identity-v1 11"];
    assert_eq!(workdir.folder.sessions(), [&sessions[..], &["recipient-v1 11", "identity-v1 11"]].concat());
}
