//! A Redis server, with an append-only file, that tests kill, stop and start again; and a way to it that can be cut.
//!
//! Owns: its folder, its port, its end.
//! Does not own: what is stored in it.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::program::island::Island;
use crate::program::peer::peer;
use crate::servers::tls::Tls;

const PATIENCE: Duration = Duration::from_secs(30);
/// Another program may take a free port first.
const ATTEMPTS_MAX: usize = 3;

/// A running Redis on the loopback interface, or in a network of its own. Dropping it kills it, waits for its end, and
/// removes its files.
#[derive(Debug)]
pub struct Redis {
    program: PathBuf,
    island: Option<Arc<Island>>,
    child: Child,
    address: SocketAddr,
    tls_address: Option<SocketAddr>,
    options: Vec<String>,
    folder: TempDir,
}

impl Redis {
    /// Starts one that logs every change before it answers. Where the program `redis-server` is missing, returns none
    /// and reports the test as skipped.
    #[track_caller]
    pub fn start() -> Option<Self> {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// As [`Redis::start`], with these options.
    ///
    /// # Panics
    ///
    /// When it is installed but doesn't start.
    #[track_caller]
    pub fn start_with(options: &[&str]) -> Option<Self> {
        Self::start_of(options, None, None)
    }

    /// As [`Redis::start`], in `island`. Its address is that over the first link.
    ///
    /// # Panics
    ///
    /// When it is installed but doesn't start.
    #[track_caller]
    pub fn start_in(island: &Arc<Island>) -> Option<Self> {
        Self::start_of(&["--appendonly", "yes", "--appendfsync", "always"], None, Some(island))
    }

    /// As [`Redis::start_with`], and speaks TLS on another port, with the certificate of `tls`.
    ///
    /// # Panics
    ///
    /// When it is installed but doesn't start.
    #[track_caller]
    pub fn start_tls(tls: &Tls, options: &[&str]) -> Option<Self> {
        Self::start_of(options, Some(tls), None)
    }

    #[track_caller]
    fn start_of(options: &[&str], tls: Option<&Tls>, island: Option<&Arc<Island>>) -> Option<Self> {
        let program = peer("redis-server")?;
        for _ in 0..ATTEMPTS_MAX {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let mut address = free_address();
            island.iter().for_each(|island| address.set_ip(island.address(0).into()));
            let mut options: Vec<String> = options.iter().map(|option| (*option).to_owned()).collect();
            let tls_address = tls.map(|tls| {
                let address = free_address();
                options.extend(tls_options(tls, address, &folder));
                address
            });
            let program = program.clone();
            let child = spawn(&program, island.map(AsRef::as_ref), address, &options, &folder);
            let island = island.cloned();
            let mut redis = Self { program, island, child, address, tls_address, options, folder };
            if redis.is_ready() {
                return Some(redis);
            }
        }
        panic!("Redis doesn't start");
    }

    /// Where it speaks TLS, if it does.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.tls_address
    }

    /// The URL, without the name of a run.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, with what it has logged.
    ///
    /// # Panics
    ///
    /// When it doesn't start.
    pub fn restart(&mut self) {
        self.kill();
        let island = self.island.as_deref();
        self.child = spawn(&self.program, island, self.address, &self.options, &self.folder);
        assert!(self.is_ready(), "Redis doesn't start again");
    }

    /// The answer to a command without spaces in its words.
    ///
    /// # Errors
    /// If it can't be reached.
    pub fn ask(&self, command: &str) -> std::io::Result<String> {
        ask(self.address, command)
    }

    /// A number in the answer to `INFO memory`.
    ///
    /// # Panics
    ///
    /// If it can't be reached.
    pub fn memory(&self, name: &str) -> u64 {
        let info = self.ask("INFO memory").expect("a server that runs");
        let found =
            info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')?.trim().parse().ok());
        found.expect("a member of the answer")
    }

    fn is_ready(&mut self) -> bool {
        let start = Instant::now();
        while start.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            // With a password, it refuses; while it loads, too, but in other words.
            if self.ask("PING").is_ok_and(|answer| answer.contains("PONG") || answer.contains("NOAUTH")) {
                return true;
            }
            // It offers nothing to wait for.
            thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An address that nothing listens on, at the moment.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("a bound socket has an address")
}

fn tls_options(tls: &Tls, address: SocketAddr, folder: &TempDir) -> Vec<String> {
    let (certificate, key) = tls.server_pem();
    let mut options = vec!["--tls-port".to_owned(), address.port().to_string()];
    options.extend(["--tls-auth-clients", "no"].map(str::to_owned));
    let files = [
        ("--tls-cert-file", "cert.pem", certificate),
        ("--tls-key-file", "key.pem", key),
        ("--tls-ca-cert-file", "ca.pem", tls.ca_pem()),
    ];
    for (option, name, content) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a file in a temporary folder");
        options.extend([option.to_owned(), path.to_string_lossy().into_owned()]);
    }
    options
}

fn spawn(
    program: &PathBuf,
    island: Option<&Island>,
    address: SocketAddr,
    options: &[String],
    folder: &TempDir,
) -> Child {
    // On an island, all links lead to it.
    let (mut command, bind) = match island {
        None => (Command::new(program), "127.0.0.1"),
        Some(island) => (island.command(program), "0.0.0.0"),
    };
    let protection = if island.is_none() { "yes" } else { "no" };
    command
        .args(["--bind", bind, "--protected-mode", protection, "--save", "", "--daemonize", "no"])
        .arg("--port")
        .arg(address.port().to_string())
        .arg("--dir")
        .arg(folder.path())
        .args(options)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("Redis can be started")
}

fn ask(address: SocketAddr, command: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "{command}\r\nQUIT\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A way to a server on the loopback interface that can be cut, and stopped without a sign.
#[derive(Debug)]
pub struct Link {
    address: SocketAddr,
    state: Arc<LinkState>,
}

#[derive(Debug, Default)]
struct LinkState {
    mode: Mutex<Mode>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Mode {
    is_stopped: bool,
    is_cut: bool,
    open: Vec<TcpStream>,
}

impl Link {
    /// A way to `target`.
    ///
    /// # Panics
    ///
    /// If the system refuses a port.
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let state = Arc::new(LinkState::default());
        let of_thread = state.clone();
        // It ends with the process, as the listener has nothing to wake it.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                of_thread.accept(client, target);
            }
        });
        Self { address, state }
    }

    /// Where it begins.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards nothing, in either direction, and accepts connections: as a network that loses all packets.
    pub fn stop(&self) {
        self.state.change(|mode| mode.is_stopped = true);
    }

    /// Closes all connections, and every new one.
    pub fn cut(&self) {
        self.state.change(|mode| {
            mode.is_cut = true;
            for stream in mode.open.drain(..) {
                let _ = stream.shutdown(Shutdown::Both);
            }
        });
    }

    /// Forwards again.
    pub fn heal(&self) {
        self.state.change(|mode| (mode.is_stopped, mode.is_cut) = (false, false));
    }
}

impl LinkState {
    fn lock(&self) -> MutexGuard<'_, Mode> {
        self.mode.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Mode)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn accept(self: &Arc<Self>, client: TcpStream, target: SocketAddr) {
        let mut mode = self.lock();
        let Some(server) = (!mode.is_cut).then(|| TcpStream::connect(target).ok()).flatten() else { return };
        for (from, to) in [(&client, &server), (&server, &client)] {
            let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
            let state = self.clone();
            thread::spawn(move || state.forward(from, to));
        }
        mode.open.extend([client, server]);
    }

    fn forward(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let waited = self.changed.wait_while(self.lock(), |mode| mode.is_stopped && !mode.is_cut);
            drop(waited.unwrap_or_else(PoisonError::into_inner));
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }
}
