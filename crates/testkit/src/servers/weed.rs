//! SeaweedFS as an independent object store: it checks signatures, digests and conditions.
//!
//! Owns: its ports, its start and its end, the key that it accepts; removing buckets.
//! Does not own: making buckets, which it does when an object is written.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::peer::peer;

const PATIENCE: Duration = Duration::from_secs(60);
/// Another program may take a free port first.
const ATTEMPTS_MAX: usize = 3;
const PORTS: [&str; 8] = [
    "s3.port",
    "s3.port.grpc",
    "master.port",
    "master.port.grpc",
    "volume.port",
    "volume.port.grpc",
    "filer.port",
    "filer.port.grpc",
];

/// A running SeaweedFS on the loopback interface. Dropping it kills it, waits for its end, and removes its files.
#[derive(Debug)]
pub struct Weed {
    child: Child,
    program: PathBuf,
    /// In the order of [`PORTS`].
    addresses: [SocketAddr; PORTS.len()],
    _folder: TempDir,
}

impl Weed {
    /// The ID of the access key that it accepts.
    pub const KEY: &str = "HAULKEY";
    /// The secret of that key.
    pub const SECRET: &str = "haul-secret";

    /// Starts it, which takes seconds. Where the program `weed` is missing, returns none and reports the test as
    /// skipped.
    ///
    /// # Panics
    ///
    /// When it is installed but doesn't start.
    #[track_caller]
    pub fn start() -> Option<Self> {
        Self::start_with(&["-volume.max=20", "-master.volumeSizeLimitMB=64"], &std::env::temp_dir())
    }

    /// As [`Weed::start`], for as many objects as there is room for in `dir`.
    ///
    /// # Panics
    ///
    /// When it is installed but doesn't start.
    #[track_caller]
    pub fn start_in(dir: &Path) -> Option<Self> {
        Self::start_with(&["-volume.max=0", "-master.volumeSizeLimitMB=128"], dir)
    }

    fn start_with(limits: &[&str], dir: &Path) -> Option<Self> {
        let program = peer("weed")?;
        for _ in 0..ATTEMPTS_MAX {
            let folder = tempfile::tempdir_in(dir).expect("a temporary folder");
            let (config, data) = (folder.path().join("s3.json"), folder.path().join("data"));
            fs::write(&config, identities()).expect("our own folder");
            fs::create_dir(&data).expect("our own folder");
            let listener = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let listeners = PORTS.map(listener);
            let addresses =
                listeners.map(|listener| listener.local_addr().expect("a bound socket has an address"));
            let child = Command::new(&program)
                .args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3"])
                .args(["-s3.port.iceberg=0", "-s3.port.lance=0"])
                .args(limits)
                .args(
                    PORTS.iter().zip(addresses).map(|(name, address)| format!("-{name}={}", address.port())),
                )
                .arg(format!("-dir={}", data.display()))
                .arg(format!("-s3.config={}", config.display()))
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("SeaweedFS can be started");
            let mut weed = Self { child, program: program.clone(), addresses, _folder: folder };
            if weed.is_ready() {
                return Some(weed);
            }
        }
        panic!("SeaweedFS doesn't start");
    }

    /// The endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.addresses[0])
    }

    /// Removes a bucket with all its objects.
    ///
    /// # Errors
    /// What SeaweedFS says.
    pub fn remove_bucket(&self, name: &str) -> Result<(), String> {
        self.shell(&format!("s3.bucket.delete -name {name}\n")).map(drop)
    }

    /// The length of all objects in a bucket.
    ///
    /// # Errors
    /// What SeaweedFS says instead.
    pub fn bucket_bytes(&self, name: &str) -> Result<u64, String> {
        let output = self.shell(&format!("fs.du /buckets/{name}\n"))?;
        let total = output.lines().find(|line| line.ends_with(&format!("/buckets/{name}")));
        let bytes = total.and_then(|line| line.split("logical size:").nth(1)?.split_whitespace().next());
        bytes.and_then(|bytes| bytes.parse().ok()).ok_or(output)
    }

    /// What its shell answers to `script`.
    fn shell(&self, script: &str) -> Result<String, String> {
        let address = |port, grpc: usize| format!("{}.{}", self.addresses[port], self.addresses[grpc].port());
        let mut child = Command::new(&self.program)
            .args(["shell", &format!("-master={}", address(2, 3)), &format!("-filer={}", address(6, 7))])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("weed shell: {error}"))?;
        let written = child.stdin.take().map(|mut stdin| stdin.write_all(script.as_bytes()));
        let output = child.wait_with_output().map_err(|error| format!("weed shell: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let is_done = output.status.success() && matches!(written, Some(Ok(()))) && !text.contains("error:");
        if is_done { Ok(text) } else { Err(format!("weed shell: {text}")) }
    }

    fn is_ready(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            // It refuses what isn't signed as soon as it has read its keys.
            if ask(self.addresses[0]).is_ok_and(|answer| answer.contains(" 403 ")) {
                return true;
            }
            // It offers nothing to wait for.
            thread::sleep(Duration::from_millis(50));
        }
        false
    }
}

impl Drop for Weed {
    fn drop(&mut self) {
        // Fails where it has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn identities() -> String {
    let (key, secret) = (Weed::KEY, Weed::SECRET);
    format!(
        r#"{{"identities":[{{"name":"haul","credentials":[{{"accessKey":"{key}","secretKey":"{secret}"}}],
            "actions":["Admin","Read","Write","List","Tagging"]}}]}}"#
    )
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
