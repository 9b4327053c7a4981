//! An age plugin for tests: the test program itself, started again by a script named `age-plugin-test`.
//!
//! It wraps file keys for a fixed X25519 key with the `age` crate, in stanzas of its own type, and logs its sessions.
//! The program age can use it too.
//!
//! Owns: the plugin's side of both state machines, its misbehaviour.
//! Does not own: the client's side; the two must not share code.
//!
//! Spec: C2SP age-plugin.md.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use age::{Identity as _, Recipient as _};
use age_core::format::{FileKey, Stanza};
use age_core::secrecy::ExposeSecret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

/// A directory of plugins, for `PATH`.
#[derive(Debug)]
pub struct PluginFolder {
    dir: PathBuf,
}

const SECRET: &str = "AGE-SECRET-KEY-1QURSWPC8QURSWPC8QURSWPC8QURSWPC8QURSWPC8QURSWPC8QURSKMP32K";
const STATE_MACHINE: &str = "HAUL_TEST_PLUGIN";
const BEHAVIOUR: &str = "HAUL_TEST_PLUGIN_BEHAVIOUR";
const LOG: &str = "HAUL_TEST_PLUGIN_LOG";

impl PluginFolder {
    /// A recipient of the plugin.
    pub const RECIPIENT: &str = "age1test1wdhk6etzdaj8j58wj93";
    /// Its identity.
    pub const IDENTITY: &str = "AGE-PLUGIN-TEST-1D45KUEG4U0PPA";

    /// Creates `dir`, without any plugin.
    ///
    /// # Panics
    ///
    /// When it can't be created.
    pub fn new(dir: &Path) -> Self {
        fs::create_dir_all(dir).expect("a folder can be made");
        Self { dir: dir.to_owned() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.dir
    }

    /// Installs the plugin. The calling test program must have an ignored test `the_plugin` that calls
    /// [`PluginFolder::serve`]. `behaviour` is empty or contains some of these words:
    ///
    /// - `pin`: asks for the PIN 123456
    /// - `message`: sends a message to the user
    /// - `postquantum`: sends the label `postquantum`
    /// - `refuses`: answers with an error
    /// - `hasty`: doesn't wait for replies
    ///
    /// # Panics
    ///
    /// When it can't be written.
    pub fn install(&self, behaviour: &str) {
        let program = env::current_exe().expect("a test program knows where it is");
        let script = format!(
            "#!/bin/sh\nexec 3<&0 4>&1 </dev/null >/dev/null\n{STATE_MACHINE}=\"$1\" {BEHAVIOUR}='{behaviour}' {LOG}='{}' \
             exec '{}' --exact --ignored --nocapture the_plugin\n",
            self.log().display(),
            program.display(),
        );
        self.install_script("age-plugin-test", &script);
    }

    /// Installs another program.
    ///
    /// # Panics
    ///
    /// When it can't be written.
    pub fn install_script(&self, name: &str, script: &str) {
        let path = self.dir.join(name);
        fs::write(&path, script).expect("a script can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("our own file");
    }

    /// The plugin's sessions so far, each as the state machine's name and the number of files.
    ///
    /// # Panics
    ///
    /// When the log can't be read.
    pub fn sessions(&self) -> Vec<String> {
        if !self.log().exists() {
            return Vec::new();
        }
        fs::read_to_string(self.log()).expect("a log").lines().map(str::to_owned).collect()
    }

    fn log(&self) -> PathBuf {
        self.dir.join("sessions.log")
    }

    /// Acts as the plugin if this process was started as one; returns at once otherwise.
    ///
    /// # Panics
    ///
    /// When the client violates the protocol.
    pub fn serve() {
        let Ok(state_machine) = env::var(STATE_MACHINE) else { return };
        let behaviour = env::var(BEHAVIOUR).expect("set by the script");
        let mut client = Client {
            input: BufReader::new(File::open("/dev/fd/3").expect("the client's pipe")),
            output: File::options().write(true).open("/dev/fd/4").expect("the client's pipe"),
            hasty: behaviour.contains("hasty"),
        };
        let first: Vec<Said> =
            std::iter::from_fn(|| Some(client.read()).filter(|said| said.words != ["done"])).collect();
        let secret: age::x25519::Identity = SECRET.parse().expect("a constant");
        let answers = match state_machine.as_str() {
            "--age-plugin=recipient-v1" => wrapped(&first, &secret, &behaviour),
            "--age-plugin=identity-v1" => unwrapped(&first, &secret),
            other => panic!("an unknown state machine {other}"),
        };
        let name = state_machine.trim_start_matches("--age-plugin=");
        let log = env::var(LOG).expect("set by the script");
        let mut log = File::options().append(true).create(true).open(log).expect("the log");
        writeln!(log, "{name} {}", answers.file_count).expect("the log");
        client.tell(answers, &behaviour);
    }
}

struct Said {
    words: Vec<String>,
    body: Vec<u8>,
}

struct Answers {
    file_count: usize,
    said: Vec<Said>,
}

struct Client {
    input: BufReader<File>,
    output: File,
    hasty: bool,
}

impl Client {
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.input.read_line(&mut line).expect("the client's pipe");
        line.strip_suffix('\n').expect("the client says whole lines").to_owned()
    }

    fn read(&mut self) -> Said {
        let line = self.line();
        let words = line.strip_prefix("-> ").unwrap_or_else(|| panic!("no stanza: {line:?}"));
        let words = words.split(' ').map(str::to_owned).collect();
        let mut text = String::new();
        loop {
            let line = self.line();
            text += &line;
            assert!(line.len() <= 64, "a body's line is too long");
            if line.len() < 64 {
                let body = STANDARD_NO_PAD.decode(&text).expect("bodies are base64");
                return Said { words, body };
            }
        }
    }

    fn say(&mut self, words: &str, body: &[u8]) {
        let text = STANDARD_NO_PAD.encode(body);
        let mut lines: Vec<&str> =
            text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
        if lines.last().is_none_or(|line| line.len() == 64) {
            lines.push("");
        }
        let stanza = format!("-> {words}\n{}\n", lines.join("\n"));
        self.output.write_all(stanza.as_bytes()).expect("the client listens");
    }

    /// Sends a stanza and reads the reply.
    fn ask(&mut self, words: &str, body: &[u8]) -> Said {
        self.say(words, body);
        if self.hasty {
            return Said { words: vec!["ok".to_owned()], body: Vec::new() };
        }
        self.read()
    }

    fn tell(&mut self, answers: Answers, behaviour: &str) {
        // A command that every client must answer as unsupported.
        assert_eq!(
            self.ask("grease-4711 x", b"grease").words[0],
            if self.hasty { "ok" } else { "unsupported" }
        );
        if behaviour.contains("message") {
            assert_eq!(self.ask("msg", b"touch \x1b[31mit").words, ["ok"]);
        }
        let pin = |client: &mut Self| client.ask("request-secret", b"PIN");
        if behaviour.contains("refuses") || behaviour.contains("pin") && pin(self).body != b"123456" {
            self.ask("error internal", b"no access\nto the card");
        } else {
            for said in answers.said {
                assert_eq!(self.ask(&said.words.join(" "), &said.body).words, ["ok"]);
            }
        }
        self.say("done", b"");
    }
}

fn wrapped(first: &[Said], secret: &age::x25519::Identity, behaviour: &str) -> Answers {
    let named = |name: &'static str| first.iter().filter(move |said| said.words[0] == name);
    let named_by = |name, key: &str| named(name).inspect(|said| assert_eq!(said.words[1], key)).count();
    let recipient_count =
        named_by("add-recipient", PluginFolder::RECIPIENT) + named_by("add-identity", PluginFolder::IDENTITY);
    let (mut file_count, mut said) = (0, Vec::new());
    if behaviour.contains("postquantum") && named("extension-labels").count() == 1 {
        said.push(Said { words: vec!["labels".to_owned(), "postquantum".to_owned()], body: Vec::new() });
    }
    for wrapped in named("wrap-file-key") {
        let file_key = FileKey::new(Box::new(wrapped.body.as_slice().try_into().expect("16 bytes")));
        for _ in 0..recipient_count {
            let (stanzas, _) = secret.to_public().wrap_file_key(&file_key).expect("a good key");
            let words = ["recipient-stanza", &file_count.to_string(), "test-x25519", &stanzas[0].args[0]];
            said.push(Said { words: words.map(str::to_owned).to_vec(), body: stanzas[0].body.clone() });
        }
        file_count += 1;
    }
    Answers { file_count, said }
}

fn unwrapped(first: &[Said], secret: &age::x25519::Identity) -> Answers {
    let mut files: BTreeMap<u64, Option<Said>> = BTreeMap::new();
    for said in first {
        match said.words.as_slice() {
            [command, identity] if command == "add-identity" => assert_eq!(identity, PluginFolder::IDENTITY),
            [command, file, tag, args @ ..] if command == "recipient-stanza" => {
                let key = files.entry(file.parse().expect("a number")).or_default();
                if tag == "test-x25519" {
                    let stanza =
                        Stanza { tag: "X25519".to_owned(), args: args.to_vec(), body: said.body.clone() };
                    let opened = secret.unwrap_stanza(&stanza).and_then(Result::ok);
                    *key = opened.map(|file_key| Said {
                        words: vec!["file-key".to_owned(), file.clone()],
                        body: file_key.expose_secret().to_vec(),
                    });
                }
            }
            other => panic!("unexpected: {other:?}"),
        }
    }
    Answers { file_count: files.len(), said: files.into_values().flatten().collect() }
}
