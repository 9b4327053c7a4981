//! An nginx on loopback, with and without TLS, that serves the files of a benchmark.
//!
//! Owns: its files, its certificate, its lists of URLs, its end.
//! Does not own: who fetches from it ([`mod@super::get`]).

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::sources;
use crate::steps::succeed;

/// A running server. Dropping it ends it.
pub(super) struct Server {
    nginx: Child,
    root: PathBuf,
    port: u16,
}

impl Server {
    /// Serves `count` small files, and a large one of `large_mib` MiB, from `root`.
    pub(super) fn start(root: &Path, count: usize, large_mib: usize) -> Result<Self, String> {
        let content = root.join("content");
        sources::files(&content, count, |index| format!("f{index}"))?;
        fs::create_dir_all(&content).map_err(|e| format!("{}: {e}", content.display()))?;
        sources::file(&content.join("large"), large_mib << 20)?;
        let [certificate, key] = ["certificate.pem", "key.pem"].map(|name| root.join(name));
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        openssl.args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]);
        openssl.args(["-addext", "basicConstraints=critical,CA:FALSE", "-out"]).arg(&certificate);
        succeed(openssl.arg("-keyout").arg(&key).stderr(Stdio::null()))?;
        let (port, tls_port) = (free_port()?, free_port()?);
        for (scheme, port) in [("http", port), ("https", tls_port)] {
            let url = |index| format!("{scheme}://localhost:{port}/f{index}");
            let haul: String = (0..count).map(|index| url(index) + "\n").collect();
            let curl: String =
                (0..count).map(|index| format!("url={}\noutput=f{index}\n", url(index))).collect();
            write(&root.join(format!("{scheme}.urls")), &haul)?;
            write(&root.join(format!("{scheme}.curl")), &curl)?;
        }
        let configuration = root.join("nginx.conf");
        write(&configuration, &nginx(root, port, tls_port))?;
        let nginx = Command::new("nginx").arg("-c").arg(&configuration).spawn();
        let nginx = nginx.map_err(|e| format!("cannot run nginx: {e}"))?;
        let server = Self { nginx, root: root.to_owned(), port };
        server.wait()?;
        Ok(server)
    }

    /// The folder of the files: the small ones, `f0` and on, and `large`.
    pub(super) fn content(&self) -> PathBuf {
        self.root.join("content")
    }

    /// The URL of the large file.
    pub(super) fn large(&self) -> String {
        format!("http://localhost:{}/large", self.port)
    }

    /// The list of the small files over `scheme`, for the program `reader`.
    pub(super) fn list(&self, scheme: &str, reader: &str) -> PathBuf {
        self.root.join(format!("{scheme}.{reader}"))
    }

    pub(super) fn certificate(&self) -> PathBuf {
        self.root.join("certificate.pem")
    }

    fn wait(&self) -> Result<(), String> {
        let started = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            if started.elapsed() > Duration::from_secs(10) {
                return Err("nginx doesn't listen".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let stop =
            Command::new("nginx").arg("-c").arg(self.root.join("nginx.conf")).args(["-s", "quit"]).output();
        if !stop.is_ok_and(|output| output.status.success()) {
            let _ = self.nginx.kill();
        }
        let _ = self.nginx.wait();
    }
}

fn nginx(root: &Path, port: u16, tls_port: u16) -> String {
    let root = root.display();
    format!(
        "daemon off; worker_processes 2; error_log /dev/null; pid {root}/pid;
         events {{ worker_connections 4096; }}
         http {{
             access_log off; sendfile on; keepalive_requests 1000000; root {root}/content;
             server {{ listen 127.0.0.1:{port} backlog=4096; }}
             server {{
                 listen 127.0.0.1:{tls_port} ssl backlog=4096;
                 ssl_certificate {root}/certificate.pem; ssl_certificate_key {root}/key.pem;
             }}
         }}\n"
    )
}

fn free_port() -> Result<u16, String> {
    let bound = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    Ok(bound.map_err(|e| format!("no port: {e}"))?.port())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
}
