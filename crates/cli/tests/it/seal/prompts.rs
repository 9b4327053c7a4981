//! Questions on a terminal: the terminal echoes again however a question ends, and secrets don't stay in memory.

use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};

use haul_testkit::{PluginFolder, is_root, peer, skip};
use rustix::process::{Pid, Signal, kill_process};

use crate::workdir::Workdir;

/// `haul` on a terminal of its own, which a shell examines after the end.
struct Session {
    /// The program that makes the terminal.
    script: Child,
    shown: Vec<u8>,
    pid_file: std::path::PathBuf,
}

impl Session {
    /// `None` if the program `script` isn't installed.
    fn start(workdir: &Workdir, search_path: &str, command: &str) -> Option<Self> {
        let script = peer("script")?;
        let line = format!(
            "(exec sh -c 'echo $$ >pid; exec \"$haul\" {command}') & wait $!; echo \"status $?\"; stty -a </dev/tty"
        );
        let mut shell = Command::new(script);
        shell.args(["-qfec", &line, "/dev/null"]).current_dir(workdir.dir());
        shell.env("haul", env!("CARGO_BIN_EXE_haul")).env("PATH", search_path).env("SHELL", "/bin/sh");
        shell.env_remove("HAUL_PASSPHRASE_FILE");
        let script = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        Some(Self { script, shown: Vec::new(), pid_file: workdir.path("pid") })
    }

    /// Reads until the terminal shows `text` for the first time after what was read before.
    fn wait_for(&mut self, text: &str) {
        let from = self.shown.len();
        let output = self.script.stdout.as_mut().unwrap();
        let mut byte = [0];
        while !String::from_utf8_lossy(&self.shown[from..]).contains(text) {
            let count = output.read(&mut byte).unwrap();
            assert_eq!(count, 1, "ended before {text:?}: {}", String::from_utf8_lossy(&self.shown));
            self.shown.push(byte[0]);
        }
    }

    fn type_in(&mut self, text: &str) {
        self.script.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn pid(&self) -> Pid {
        let text = std::fs::read_to_string(&self.pid_file).unwrap();
        Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }

    /// Everything that the terminal showed until the shell ended.
    fn finish(mut self) -> String {
        let _ = self.script.stdout.as_mut().unwrap().read_to_end(&mut self.shown);
        drop(self.script.stdin.take());
        self.script.wait().unwrap();
        String::from_utf8_lossy(&self.shown).into_owned()
    }
}

#[track_caller]
fn check_echo(output: &str, status: &str) {
    assert!(output.contains(&format!("status {status}\r\n")), "{output}");
    assert!(output.contains(" echo "), "the terminal echoes again: {output}");
    assert!(!output.contains("horse"), "nothing that was typed is shown: {output}");
}

const PATH: &str = "/usr/bin:/bin";

#[test]
fn the_terminal_echoes_again_however_a_passphrase_ends() {
    for (signal, status) in [
        (Signal::INT, "130"),
        (Signal::TERM, "130"),
        // Ended by the signal itself: 128 and its number.
        (Signal::HUP, "129"),
        (Signal::QUIT, "131"),
    ] {
        let workdir = Workdir::new();
        workdir.write("letter", "Dear Ada");
        let Some(mut session) = Session::start(&workdir, PATH, "seal -p letter") else { return };
        session.wait_for("(empty to generate one): ");
        kill_process(session.pid(), signal).unwrap();
        check_echo(&session.finish(), status);
        assert!(!workdir.path("letter.age").exists());
    }
    let workdir = Workdir::new();
    workdir.write("letter", "Dear Ada");
    let Some(mut session) = Session::start(&workdir, PATH, "seal -p letter") else { return };
    session.wait_for("(empty to generate one): ");
    session.type_in("correct horse\n");
    session.wait_for("again: ");
    session.type_in("horse of another colour\n");
    let output = session.finish();
    check_echo(&output, "2");
    assert!(output.contains("the passphrases differ"), "{output}");
}

#[test]
fn the_terminal_echoes_again_however_a_plugins_question_ends() {
    for (signal, status) in [(Signal::INT, "130"), (Signal::TERM, "130"), (Signal::HUP, "129")] {
        let workdir = Workdir::new();
        let folder = PluginFolder::new(&workdir.path("bin"));
        folder.install("pin");
        workdir.write("letter", "Dear Ada");
        let search_path = format!("{}:{PATH}", folder.path().display());
        let command = format!("seal -r {} letter", PluginFolder::RECIPIENT);
        let Some(mut session) = Session::start(&workdir, &search_path, &command) else { return };
        session.wait_for("asks: \"PIN\": ");
        kill_process(session.pid(), signal).unwrap();
        check_echo(&session.finish(), status);
        assert!(!workdir.path("letter.age").exists());
    }
}

#[test]
fn an_empty_passphrase_is_replaced_by_a_generated_one() {
    let workdir = Workdir::new();
    workdir.write("letter", "Dear Ada");
    let Some(mut session) = Session::start(&workdir, PATH, "seal -q -p letter 2>errors") else { return };
    session.wait_for("(empty to generate one): ");
    session.type_in("\n");
    let output = session.finish();
    let (_, rest) = output.split_once("the generated passphrase is ").expect("it is shown on the terminal");
    let passphrase = rest.lines().next().unwrap().trim();
    assert_eq!(workdir.read("errors"), b"", "and nowhere else");
    workdir.write("pass", passphrase);
    let haul = haul_testkit::Haul::new(env!("CARGO_BIN_EXE_haul")).dir(workdir.dir());
    let haul = haul.env("HAUL_PASSPHRASE_FILE", workdir.path("pass"));
    haul.run(["open", "-p", "-o", "copy", "letter.age"]).expect_status(0);
    assert_eq!(workdir.read("copy"), b"Dear Ada");
}

#[test]
fn freed_copies_of_keys_are_wiped() {
    if !is_root() {
        return skip("only root reads the memory of a process that can't be dumped");
    }
    let workdir = Workdir::new();
    workdir.run(&["keygen", "-o", "key.txt"]).expect_status(0);
    workdir.write("letter", "Dear Ada");
    let file = String::from_utf8(workdir.read("key.txt")).unwrap();
    let (_, secret) = file.split_once("AGE-SECRET-KEY-1").unwrap();
    let secret = secret.trim().as_bytes()[8..40].to_vec();
    // The identity is read and only its recipient is needed; then the program waits for a passphrase.
    let Some(mut session) = Session::start(&workdir, PATH, "seal -i key.txt -p letter") else { return };
    session.wait_for("(empty to generate one): ");
    let memory = memory_of(session.pid());
    assert!(memory.windows(7).any(|window| window == b"key.txt"), "the memory was read");
    let copies = memory.windows(secret.len()).filter(|window| *window == secret).count();
    kill_process(session.pid(), Signal::TERM).unwrap();
    session.finish();
    assert_eq!(copies, 0);
}

/// The writable memory of a process.
fn memory_of(pid: Pid) -> Vec<u8> {
    use std::os::unix::fs::FileExt;
    let directory = format!("/proc/{}", pid.as_raw_nonzero());
    let memory = std::fs::File::open(format!("{directory}/mem")).unwrap();
    let mut all = Vec::new();
    for line in std::fs::read_to_string(format!("{directory}/maps")).unwrap().lines() {
        let mut words = line.split_whitespace();
        let (Some(range), Some(rights)) = (words.next(), words.next()) else { continue };
        let Some((start, end)) = range.split_once('-').filter(|_| rights.starts_with("rw")) else { continue };
        let [start, end] = [start, end].map(|text| u64::from_str_radix(text, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
        // Some areas, such as untouched stacks, can't be read.
        if memory.read_exact_at(&mut bytes, start).is_ok() {
            all.extend(bytes);
        }
    }
    all
}
