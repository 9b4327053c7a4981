//! A running file server: the files that it serves, and running `haul get` against it.
//!
//! Owns: the tree of files, the certificate, the folder that `haul` runs in.
//! Does not own: the server's configuration ([`crate::real_servers::sites`]).

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use haul_testkit::{Haul, Run, Tls, files_below, peer, seeded_bytes, skip};
use serde_json::{Value, json};

use crate::real_servers::daemon::{Daemon, Setting};

/// A file that holds the name of the server's folder. It distinguishes the server from another program on the port.
const TOKEN: &str = "token";

/// The length of [`LARGE`].
pub(crate) const LARGE_BYTES: usize = 1 << 20;
/// A long file.
pub(crate) const LARGE: &str = "large.bin";
/// A file that compresses well.
pub(crate) const TEXT: &str = "letter.txt";

/// A kind of server.
pub(crate) struct Kind {
    /// The program.
    pub(crate) program: &'static str,
    /// Modules that it needs; Debian packages some of them separately.
    pub(crate) modules: &'static [&'static str],
    /// Writes its configuration and returns its command.
    pub(crate) command: fn(&Path, &Setting) -> Command,
    /// Whether its 416 responses tell the length of the file. Without it, haul requests the last byte to prove
    /// completeness.
    pub(crate) counts_in_416: bool,
}

/// A running file server.
pub(crate) struct Site {
    daemon: Daemon,
    haul: Haul,
    pub(crate) counts_in_416: bool,
}

impl Site {
    /// Starts it. `None`, and a SKIPPED message, if the program isn't installed.
    #[track_caller]
    pub(crate) fn start(kind: &Kind) -> Option<Self> {
        let program = peer(kind.program)?;
        if !kind.modules.iter().all(|module| is_there(module)) {
            return None;
        }
        let setting = Setting::new();
        write_tree(&setting);
        let tls = Tls::good();
        let (certificate, key) = tls.server_pem();
        setting.write("certificate.pem", certificate);
        setting.write("key.pem", key);
        setting.write("ca.pem", tls.ca_pem());
        let daemon = Daemon::start(setting, |setting| (kind.command)(&program, setting), is_ready);
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul"));
        Some(Self { daemon, haul, counts_in_416: kind.counts_in_416 })
    }

    /// The root of the served files.
    pub(crate) fn root(&self) -> PathBuf {
        root(&self.daemon.setting)
    }

    /// The names of all served files, relative to the root.
    pub(crate) fn names(&self) -> Vec<String> {
        let files = files_below(&self.root()).unwrap();
        files.iter().map(|path| path.to_str().expect("our own names are UTF-8").to_owned()).collect()
    }

    /// The content of a served file.
    pub(crate) fn served(&self, name: &str) -> Vec<u8> {
        fs::read(self.root().join(name)).unwrap()
    }

    /// The URL of a file, without TLS.
    pub(crate) fn url(&self, name: &str) -> String {
        format!("http://{}/{}", self.daemon.setting.plain, escaped(name))
    }

    /// The URL of a file, with TLS.
    pub(crate) fn secure_url(&self, name: &str) -> String {
        format!("https://{}/{}", self.daemon.setting.secure, escaped(name))
    }

    /// The certificate authority to trust.
    pub(crate) fn ca(&self) -> String {
        self.daemon.setting.path("ca.pem").display().to_string()
    }

    /// A list for `-i` with the URLs of all files.
    pub(crate) fn list(&self, url: impl Fn(&str) -> String) -> String {
        let line = |name: &String| json!({"url": url(name), "out": name}).to_string();
        self.names().iter().map(line).collect::<Vec<_>>().join("\n")
    }

    /// The path of `name` in the folder that `haul` runs in.
    pub(crate) fn here(&self, name: &str) -> PathBuf {
        self.haul.home().join(name)
    }

    pub(crate) fn haul(&self) -> &Haul {
        &self.haul
    }

    /// Runs `haul get --json`. Returns the records of its tasks, and the run.
    #[track_caller]
    pub(crate) fn get(&self, args: &[&str], status: i32) -> (Vec<Value>, Run) {
        get(&self.haul, args, status)
    }
}

/// Whether a required file exists; if not, prints that the test is skipped.
pub(crate) fn is_there(path: &str) -> bool {
    let there = Path::new(path).exists();
    if !there {
        skip(&format!("no {path} here"));
    }
    there
}

/// Runs `haul get --json`. Returns the records of its tasks, and the run.
#[track_caller]
pub(crate) fn get(haul: &Haul, args: &[&str], status: i32) -> (Vec<Value>, Run) {
    let run = haul.run(["get", "--json"].iter().chain(args)).expect_status(status);
    let mut told: Vec<Value> =
        run.stdout_text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.pop().unwrap()["event"], "report");
    (told, run)
}

pub(crate) fn root(setting: &Setting) -> PathBuf {
    setting.path("served")
}

/// Files with edge-case lengths and names. All are years old, because servers send only weak validators for recent
/// files.
fn write_tree(setting: &Setting) {
    let root = root(setting);
    fs::create_dir_all(root.join("folder/with space")).unwrap();
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000);
    let write = |name: &str, bytes: &[u8]| {
        let mut file = File::create(root.join(name)).unwrap();
        file.write_all(bytes).unwrap();
        file.set_modified(long_ago).unwrap();
    };
    let lengths = [("empty.bin", 0), ("one.bin", 1), ("block.bin", 64 << 10), (LARGE, LARGE_BYTES)];
    for (seed, (name, bytes)) in (0..).zip(lengths) {
        write(name, &seeded_bytes(seed, bytes));
    }
    for name in
        ["a b.bin", "50% %41.bin", "über größe.bin", "a+b&c;d=e.bin", "what?#.bin", "folder/with space/x"]
    {
        write(name, name.as_bytes());
    }
    write("folder/index.html", b"<p>the index of a folder</p>");
    write(TEXT, "Dear Ada, \n".repeat(5_000).as_bytes());
    write(TOKEN, setting.folder().as_os_str().as_encoded_bytes());
}

fn is_ready(setting: &Setting) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(setting.plain)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET /{TOKEN} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", setting.plain)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        std::io::Result::Ok(answer)
    };
    ask().is_ok_and(|answer| answer.ends_with(setting.folder().as_os_str().as_encoded_bytes()))
}

/// `name` as the path of a URL, with everything but letters, digits and slashes escaped.
fn escaped(name: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    name.bytes().map(escape).collect()
}
