//! SeaweedFS as an independent object store: it checks signatures, digests and conditions.
//!
//! Owns: its ports, its start and its end, the key that it accepts.
//! Does not own: buckets, which it makes when an object is written.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
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
    address: SocketAddr,
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
        let program = peer("weed")?;
        for _ in 0..ATTEMPTS_MAX {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let (config, data) = (folder.path().join("s3.json"), folder.path().join("data"));
            fs::write(&config, identities()).expect("our own folder");
            fs::create_dir(&data).expect("our own folder");
            let listener = |_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
            let listeners = PORTS.map(listener);
            let addresses =
                listeners.map(|listener| listener.local_addr().expect("a bound socket has an address"));
            let child = Command::new(&program)
                .args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-volume.max=20"])
                .args(["-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", "-s3.port.lance=0"])
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
            let mut weed = Self { child, address: addresses[0], _folder: folder };
            if weed.is_ready() {
                return Some(weed);
            }
        }
        panic!("SeaweedFS doesn't start");
    }

    /// The endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn is_ready(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            // It refuses what isn't signed as soon as it has read its keys.
            if ask(self.address).is_ok_and(|answer| answer.contains(" 403 ")) {
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
