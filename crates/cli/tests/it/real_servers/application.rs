//! httpbin under gunicorn: a third-party application with dynamic responses.
//!
//! Owns: its start, its checks.
//! Does not own: its process ([`crate::real_servers::daemon`]).

use std::fs;
use std::process::{Command, Stdio};

use haul_testkit::{Haul, skip};
use serde_json::Value;

use crate::real_servers::daemon::{Daemon, Setting};
use crate::real_servers::site::get;

/// The distribution's Python, the only one that finds the distribution's packages.
const PYTHON: &str = "/usr/bin/python3";

/// A running httpbin.
struct Application {
    daemon: Daemon,
    haul: Haul,
}

impl Application {
    /// Starts it. `None`, and a SKIPPED message, if it isn't installed.
    fn start() -> Option<Self> {
        let import = ["-c", "import gunicorn, httpbin"];
        let found = Command::new(PYTHON).args(import).stderr(Stdio::null()).status();
        if !found.is_ok_and(|status| status.success()) {
            skip("httpbin or gunicorn is not installed");
            return None;
        }
        let daemon = Daemon::listening(Setting::new(), |setting| {
            let mut command = Command::new(PYTHON);
            command.args([
                "-m",
                "gunicorn",
                "-k",
                "gthread",
                "--threads",
                "8",
                "--graceful-timeout",
                "0",
                "-b",
            ]);
            command.arg(setting.plain.to_string()).arg("--worker-tmp-dir").arg(setting.folder());
            command.arg("httpbin:app").current_dir(setting.folder()).env("HOME", setting.folder());
            command
        });
        Some(Self { daemon, haul: Haul::new(env!("CARGO_BIN_EXE_haul")) })
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.daemon.setting.plain)
    }

    /// The body of a GET with these arguments.
    #[track_caller]
    fn body(&self, path: &str, args: &[&str]) -> Vec<u8> {
        let url = self.url(path);
        self.haul.run([&["get", "-o", "-"], args, &[&url]].concat()).expect_status(0).stdout
    }

    /// The same body, parsed as JSON.
    #[track_caller]
    fn json(&self, path: &str, args: &[&str]) -> Value {
        serde_json::from_slice(&self.body(path, args)).unwrap()
    }

    /// The record of a GET whose run ends with `status`.
    #[track_caller]
    fn record(&self, path: &str, args: &[&str], status: i32) -> Value {
        let (mut records, _) = get(&self.haul, &[args, &[&self.url(path)]].concat(), status);
        records.remove(0)
    }
}

#[test]
fn httpbin() {
    let Some(application) = Application::start() else { return };
    codings(&application);
    bodies(&application);
    requests(&application);
    redirects_and_cookies(&application);
    credentials(&application);
    failures(&application);
    unusable_validators(&application);
    many_at_once(&application);
}

fn codings(application: &Application) {
    for (path, member) in [("/gzip", "gzipped"), ("/deflate", "deflated"), ("/brotli", "brotli")] {
        assert_eq!(application.json(path, &["--compressed"])[member], true, "{path}");
    }
}

fn bodies(application: &Application) {
    let lines = application.body("/stream/20", &[]);
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 20);
    assert_eq!(application.body("/drip?numbytes=7&duration=0.1&delay=0", &[]), b"*******");
    let alphabet: Vec<u8> = (b'a'..=b'z').cycle().take(1024).collect();
    assert_eq!(application.body("/range/1024", &[]), alphabet);
    assert_eq!(application.body("/range/1024", &["-H", "Range: bytes=1000-"]), alphabet[1000..]);
    let random = application.body("/bytes/70000?seed=3", &[]);
    assert_eq!(random.len(), 70_000);
    assert!(application.body("/stream-bytes/70000?seed=3&chunk_size=999", &[]) == random, "chunked or not");
}

fn requests(application: &Application) {
    let echo = application.json("/anything/%7E/%C3%BC?a=1&a=2&b=%20", &[]);
    assert_eq!(echo["args"], serde_json::json!({"a": ["1", "2"], "b": " "}));
    assert!(echo["url"].as_str().unwrap().contains("/anything/~/ü?"), "{echo}");
    let posted = application.json("/post", &["--data", "a=b&c=d"]);
    assert_eq!((&posted["form"]["a"], &posted["form"]["c"]), (&"b".into(), &"d".into()));
    let body = "x".repeat(300_000);
    fs::write(application.haul.home().join("body"), &body).unwrap();
    let put = application.json("/put", &["-X", "PUT", "--data", "@body", "-H", "Content-Type: text/plain"]);
    assert!(put["data"] == body.as_str());
    let put =
        ["-X", "PUT", "--data", "small", "-H", "Content-Type: text/plain", "-H", "Expect: 100-continue"];
    assert_eq!(application.json("/put", &put)["data"], "small");
    assert_eq!(application.json("/delete", &["-X", "DELETE"])["data"], "");
    assert_eq!(application.json("/user-agent", &["-A", "somebody/1"])["user-agent"], "somebody/1");
}

fn redirects_and_cookies(application: &Application) {
    for path in ["/redirect/5", "/absolute-redirect/5", "/relative-redirect/5"] {
        assert_eq!(application.json(path, &[])["url"], application.url("/get"));
        let record = application.record(path, &["--max-redirects", "4", "-o", "too-far"], 1);
        assert!(record["error"].as_str().unwrap().contains("redirect"), "{record}");
    }
    let post = ["-X", "POST", "--data", "a=b"];
    let after = |status: u16| format!("/redirect-to?url=/anything&status_code={status}");
    for (status, method) in [(302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")] {
        assert_eq!(application.json(&after(status), &post)["method"], method, "{status}");
    }
    let jar = ["--cookie-jar", "jar"];
    assert_eq!(application.json("/cookies/set?k=v&l=w", &jar)["cookies"]["l"], "w");
    application.body("/cookies/delete?l", &jar);
    let cookies = &application.json("/cookies", &jar)["cookies"];
    assert_eq!((&cookies["k"], &cookies["l"]), (&"v".into(), &Value::Null));
}

fn credentials(application: &Application) {
    let user = ["-u", "ada:s p:c"];
    assert_eq!(application.json("/basic-auth/ada/s%20p:c", &user)["user"], "ada");
    assert_eq!(application.record("/basic-auth/ada/other", &user, 1)["status"], 401);
    fs::write(application.haul.home().join("token"), "t0ken").unwrap();
    assert_eq!(application.json("/bearer", &["--bearer-file", "token"])["token"], "t0ken");
}

fn failures(application: &Application) {
    let record = application.record("/status/503", &["--retries", "1"], 1);
    assert_eq!((&record["status"], &record["attempts"]), (&503.into(), &2.into()));
    let record = application.record("/status/404", &[], 1);
    assert_eq!((&record["status"], &record["attempts"]), (&404.into(), &1.into()));
    assert_eq!(application.body("/status/418", &["--no-fail-on-status"]).last(), Some(&b'\n'));
    let record = application.record("/status/204", &["-o", "nothing"], 1);
    assert_eq!((&record["status"], &record["attempts"]), (&204.into(), &1.into()));
    assert_eq!(application.body("/status/204", &[]), b"");
    assert!(!application.haul.home().join("nothing").exists());
    let record = application.record("/delay/9", &["--max-time", "0.2"], 1);
    assert!(record["error"].as_str().unwrap().contains("time"), "{record}");
    assert!(!application.haul.home().join("9").exists());
}

/// Its entity tags lack quotes and its dates are the current time, so neither is a usable validator.
fn unusable_validators(application: &Application) {
    for path in ["/etag/abc", "/cache"] {
        for _ in 0..2 {
            assert_eq!(application.record(path, &["--sync", "-d", "synced"], 0)["status"], 200, "{path}");
        }
    }
}

fn many_at_once(application: &Application) {
    let line = |number| application.url(&format!("/bytes/{number}?seed=1"));
    let lines: Vec<_> = (0..60).map(line).collect();
    fs::write(application.haul.home().join("list"), lines.join("\n")).unwrap();
    for engine in ["threads=4", "uring=1x16"] {
        let dir = format!("many-{engine}");
        get(&application.haul, &["-e", engine, "-i", "list", "-d", &dir], 0);
        assert_eq!(fs::read_dir(application.haul.home().join(&dir)).unwrap().count(), 60);
    }
}
