//! SeaweedFS as an independent store: it checks signatures, digests and conditions.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use haul_fetch::{Client, Config, Request};
use haul_store::{Credentials, Endpoint, Keys, Settings};
use haul_testkit::peer;
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(60);
/// Another program may take a free port first.
const ATTEMPTS_MAX: usize = 3;
const IDENTITIES: &str = r#"{"identities":[{"name":"haul","credentials":
    [{"accessKey":"HAULKEY","secretKey":"haul-secret"}],"actions":["Admin","Read","Write","List","Tagging"]}]}"#;

/// A running SeaweedFS. Dropping it kills it, waits for its end, and removes its files.
pub(crate) struct Weed {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Weed {
    /// None, and the test is reported as skipped, where the program `weed` is missing.
    pub(crate) fn start() -> Option<Self> {
        let program = peer("weed")?;
        for _ in 0..ATTEMPTS_MAX {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join("s3.json"), IDENTITIES).unwrap();
            fs::create_dir(folder.path().join("data")).unwrap();
            let listeners: Vec<_> =
                (0..8).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()).collect();
            let ports: Vec<_> =
                listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
            drop(listeners);
            let names = [
                "master.port",
                "master.port.grpc",
                "volume.port",
                "volume.port.grpc",
                "filer.port",
                "filer.port.grpc",
            ];
            let names = names.into_iter().chain(["s3.port", "s3.port.grpc"]);
            let child = Command::new(&program)
                .args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-volume.max=20"])
                .args(["-master.volumeSizeLimitMB=64", "-s3.port.iceberg=0", "-s3.port.lance=0"])
                .args(names.zip(&ports).map(|(name, port)| format!("-{name}={port}")))
                .arg(format!("-dir={}", folder.path().join("data").display()))
                .arg(format!("-s3.config={}", folder.path().join("s3.json").display()))
                .current_dir(folder.path())
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut weed = Self { child, url: format!("http://127.0.0.1:{}", ports[6]), _folder: folder };
            if weed.is_ready() {
                return Some(weed);
            }
        }
        panic!("SeaweedFS doesn't start");
    }

    fn is_ready(&mut self) -> bool {
        let client = Client::new(Config { fail_on_status: false, ..Config::default() }).unwrap();
        let start = Instant::now();
        while start.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            if client.fetch(Request::get(&self.url).unwrap()).is_ok_and(|response| response.status == 403) {
                return true;
            }
            // It offers nothing to wait for.
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    pub(crate) fn settings(&self, id: &str, secret: &str) -> Settings {
        let keys = Keys::new(id, secret.to_owned().into(), None);
        let endpoint = Endpoint::at(&self.url, "us-east-1").unwrap();
        Settings {
            retry_pause: Duration::from_millis(20),
            ..Settings::new(endpoint, Credentials::fixed(keys))
        }
    }
}

impl Drop for Weed {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
