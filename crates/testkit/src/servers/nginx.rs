//! nginx as an independent server, for throughput and for checking HTTP against another implementation.
//!
//! Owns: its configuration, its port, its start and its end.
//! Does not own: the files that it serves.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::gate::PATIENCE;
use crate::program::peer::{is_root, peer};

/// Another program may take a free port before nginx does; that hardly happens this many times in a row.
const ATTEMPTS_MAX: usize = 10;

/// The path whose answer distinguishes this nginx from another program on the port.
const READY_PATH: &str = "/haul-testkit-ready";

/// A running nginx, in one process, on the loopback interface. Dropping it kills it and waits for its end.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    address: SocketAddr,
    /// Its prefix: configuration, logs, temporary files.
    _prefix: TempDir,
}

impl Nginx {
    /// Serves the files below `root`. Without an installed nginx, returns none and reports the test as skipped.
    ///
    /// # Panics
    ///
    /// When nginx is installed but doesn't start.
    #[track_caller]
    pub fn start(root: &Path) -> Option<Self> {
        let program = peer("nginx")?;
        let prefix = tempfile::tempdir().expect("a temporary folder");
        let root = root.canonicalize().expect("the folder to serve exists");
        for _ in 0..ATTEMPTS_MAX {
            let address = free_address().expect("a free port");
            let config = prefix.path().join("nginx.conf");
            fs::write(&config, configuration(prefix.path(), &root, address)).expect("our own folder");
            let mut child = Command::new(&program)
                .arg("-p")
                .arg(prefix.path())
                .arg("-e")
                .arg(prefix.path().join("error.log"))
                .arg("-c")
                .arg(&config)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("nginx can be started");
            if is_ready(&mut child, address, &token(prefix.path())) {
                return Some(Self { child, address, _prefix: prefix });
            }
            stop(&mut child);
        }
        let log = fs::read_to_string(prefix.path().join("error.log")).unwrap_or_default();
        panic!("nginx doesn't start:\n{log}");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An absolute URL here; `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        stop(&mut self.child);
    }
}

fn configuration(prefix: &Path, root: &Path, address: SocketAddr) -> String {
    let (at, root, token) = (prefix.display(), root.display(), token(prefix));
    // Started by the superuser, it would otherwise switch to a user without access to temporary folders.
    let user = if is_root() { "user root;" } else { "" };
    let folders: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("    {name}_temp_path \"{at}/{name}\";\n"))
        .collect();
    format!(
        "daemon off;
master_process off;
{user}
pid \"{at}/nginx.pid\";
error_log \"{at}/error.log\";
events {{ worker_connections 8192; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    default_type application/octet-stream;
{folders}
    server {{
        listen {address} backlog=4096;
        root \"{root}\";
        location = {READY_PATH} {{ return 200 \"{token}\"; }}
    }}
}}
"
    )
}

/// The answer that identifies this nginx: the name of its own folder.
fn token(prefix: &Path) -> String {
    prefix.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// False when nginx ended, or when another program answers at the address.
fn is_ready(child: &mut Child, address: SocketAddr, token: &str) -> bool {
    let start = Instant::now();
    while start.elapsed() < PATIENCE && matches!(child.try_wait(), Ok(None)) {
        match ask(address) {
            Ok(answer) => return answer.ends_with(token),
            Err(_) => thread::yield_now(),
        }
    }
    false
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET {READY_PATH} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn stop(child: &mut Child) {
    // Fails where it has already ended.
    let _ = child.kill();
    let _ = child.wait();
}
