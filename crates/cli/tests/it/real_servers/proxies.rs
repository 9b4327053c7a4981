//! `haul get` through third-party proxies, to a server that records the requests that reach it.
//!
//! Owns: the proxies' configurations, their checks.
//! Does not own: their processes ([`crate::real_servers::daemon`]).

use std::fs;
use std::path::Path;
use std::process::Command;

use haul_testkit::{Answer, Haul, Request, Server, Tls, is_root, peer, skip};

use crate::real_servers::checks::ENGINES;
use crate::real_servers::daemon::{Daemon, Setting};
use crate::real_servers::site::{get, is_there};

/// Files that each engine fetches from each origin.
const ROUNDS: usize = 6;
/// The name and password for the proxies.
const LOGIN: &str = "ada:s3cret";
/// The same in the encoding of Proxy-Authorization.
const LOGIN_BASE64: &str = "YWRhOnMzY3JldA==";
/// The authentication helper of squid.
const SQUID_HELPER: &str = "/usr/lib/squid/basic_ncsa_auth";
/// The password file of squid, made by `openssl passwd -apr1 -salt haulhaul s3cret`.
const SQUID_LOGIN: &str = "ada:$apr1$haulhaul$7y2eCrhXIIpnYLHHWJR3v/";

/// Origins without and with TLS, and a folder to run in.
struct Origins {
    plain: Server,
    secure: Server,
    haul: Haul,
}

impl Origins {
    fn start() -> Self {
        let answer = |request: &Request| match request.path() {
            "/none" => Answer::new(404),
            path => Answer::ok(path.repeat(1_000)),
        };
        let secure = Server::builder().tls(Tls::good()).start(answer);
        let haul = Haul::new(env!("CARGO_BIN_EXE_haul"));
        fs::write(haul.home().join("ca.pem"), secure.ca_pem()).unwrap();
        Self { plain: Server::start(answer), secure, haul }
    }

    /// Fetches files of each origin through `proxy`, and checks that no proxy credentials reach the origins.
    #[track_caller]
    fn arrive_through(&self, proxy: &str) {
        for engine in ENGINES {
            let dir = format!("through-{engine}");
            let urls = (0..ROUNDS).flat_map(|i| [&self.plain, &self.secure].map(|origin| (origin, i)));
            let list: Vec<_> =
                urls.map(|(origin, i)| origin.url(&format!("/{}-{i}", origin.address().port()))).collect();
            fs::write(self.haul.home().join("list"), list.join("\n")).unwrap();
            get(
                &self.haul,
                &["-e", engine, "--cacert", "ca.pem", "--proxy", proxy, "-i", "list", "-d", &dir],
                0,
            );
            for url in &list {
                let name = url.rsplit('/').next().unwrap();
                let got = fs::read_to_string(self.haul.home().join(&dir).join(name)).unwrap();
                assert_eq!(got, format!("/{name}").repeat(1_000));
            }
            fs::remove_dir_all(self.haul.home().join(&dir)).unwrap();
        }
        let requests = [self.plain.requests(), self.secure.requests()].concat();
        assert_eq!(requests.len(), ENGINES.len() * 2 * ROUNDS);
        for request in requests {
            assert!(request.target.starts_with('/'), "{}", request.target);
            assert_eq!(request.header("proxy-authorization"), None);
            let head = String::from_utf8_lossy(&request.head);
            assert!(!head.contains("s3cret") && !head.contains(LOGIN_BASE64), "{head}");
        }
    }

    /// Checks that a request that the proxy refuses, for one of `reasons`, reaches no origin.
    #[track_caller]
    fn are_out_of_reach_without(&self, host: &str, scheme: &str, reasons: &[&str]) {
        let before = (self.plain.requests().len(), self.secure.requests().len());
        for wrong in [format!("{scheme}://{host}"), format!("{scheme}://ada:wrong@{host}")] {
            for origin in [&self.plain, &self.secure] {
                let url = origin.url("/x");
                let args = ["--retries", "0", "--cacert", "ca.pem", "--proxy", &wrong, &url];
                let (told, run) = get(&self.haul, &args, 1);
                let error = told[0]["error"].as_str().unwrap();
                assert!(reasons.iter().any(|reason| error.contains(reason)), "{error}");
                assert!(!run.stderr_text().contains("wrong"), "a password is told: {}", run.stderr_text());
                assert!(!self.haul.home().join("x").exists());
            }
        }
        assert_eq!((self.plain.requests().len(), self.secure.requests().len()), before);
    }

    /// Checks that the proxy passes on an origin's status.
    #[track_caller]
    fn pass_on_statuses(&self, proxy: &str) {
        for origin in [&self.plain, &self.secure] {
            let args = ["--cacert", "ca.pem", "--proxy", proxy, &origin.url("/none")];
            assert_eq!(get(&self.haul, &args, 1).0[0]["status"], 404);
        }
    }
}

#[track_caller]
fn check_http_proxy(program: &str, reasons: &[&str], command: fn(&Path, &Setting) -> Command) {
    let Some(program) = peer(program) else { return };
    let daemon = Daemon::listening(Setting::new(), |setting| command(&program, setting));
    let (origins, host) = (Origins::start(), daemon.setting.plain.to_string());
    origins.arrive_through(&format!("http://{LOGIN}@{host}"));
    let via = |server: &Server| server.requests().iter().all(|request| request.header("via").is_some());
    assert!(via(&origins.plain), "it passes requests on");
    assert!(!via(&origins.secure), "and sees nothing of a tunnel");
    origins.pass_on_statuses(&format!("http://{LOGIN}@{host}"));
    origins.are_out_of_reach_without(&host, "http", reasons);
}

#[test]
fn squid() {
    if !is_there(SQUID_HELPER) {
        return;
    }
    check_http_proxy("squid", &["407"], |program, setting| {
        let at = setting.folder().display();
        let logins = setting.write("logins", SQUID_LOGIN);
        let config = format!(
            "http_port {}
auth_param basic program {SQUID_HELPER} {}
auth_param basic children 1
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
cache deny all
cache_mem 0 MB
memory_cache_shared off
pinger_enable off
access_log none
cache_log {at}/log
coredump_dir {at}
pid_filename none
shutdown_lifetime 0 seconds
",
            setting.plain,
            logins.display()
        );
        let config = setting.write("squid.conf", config);
        let mut command = Command::new(program);
        // The name of its shared memory.
        command.arg("-n").arg(format!("haul{}", setting.plain.port())).arg("-N").arg("-f").arg(config);
        command
    });
}

#[test]
fn tinyproxy() {
    // It responds to wrong credentials with 401 instead of 407.
    check_http_proxy("tinyproxy", &["401", "407"], |program, setting| {
        let (name, password) = LOGIN.split_once(':').unwrap();
        let (ip, port) = (setting.plain.ip(), setting.plain.port());
        let config = format!("Listen {ip}\nPort {port}\nBasicAuth {name} {password}\nMaxClients 50\n");
        let config = setting.write("tinyproxy.conf", config);
        let mut command = Command::new(program);
        command.arg("-d").arg("-c").arg(config);
        command
    });
}

/// Both schemes: addresses that haul resolves, and names that the proxy resolves.
#[track_caller]
fn check_socks(daemon: &Daemon, login: &str) {
    let host = daemon.setting.plain;
    for scheme in ["socks5", "socks5h"] {
        let origins = Origins::start();
        let at = if login.is_empty() { "" } else { "@" };
        let proxy = format!("{scheme}://{login}{at}{host}");
        origins.arrive_through(&proxy);
        origins.pass_on_statuses(&proxy);
        let by_name = origins.plain.url("/by-name").replace("127.0.0.1", "localhost");
        get(&origins.haul, &["-4", "--proxy", &proxy, &by_name], 0);
        if !login.is_empty() {
            origins.are_out_of_reach_without(&host.to_string(), scheme, &["credentials"]);
        }
    }
}

#[test]
fn microsocks() {
    check_microsocks("");
}

#[test]
fn microsocks_with_a_login() {
    check_microsocks(LOGIN);
}

#[track_caller]
fn check_microsocks(login: &str) {
    let Some(program) = peer("microsocks") else { return };
    let daemon = Daemon::listening(Setting::new(), |setting| {
        let mut command = Command::new(&program);
        command.args(["-i", &setting.plain.ip().to_string(), "-p", &setting.plain.port().to_string()]);
        if let Some((name, password)) = login.split_once(':') {
            command.args(["-u", name, "-P", password]);
        }
        command
    });
    check_socks(&daemon, login);
}

#[test]
fn danted() {
    let Some(program) = peer("danted") else { return };
    if !is_root() {
        return skip("danted needs root");
    }
    let daemon = Daemon::listening(Setting::new(), |setting| {
        let config = format!(
            "logoutput: stderr
internal: {} port = {}
external: 127.0.0.1
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
",
            setting.plain.ip(),
            setting.plain.port()
        );
        let config = setting.write("danted.conf", config);
        let mut command = Command::new(&program);
        command.env("TMPDIR", setting.folder()).arg("-f").arg(config);
        command
    });
    check_socks(&daemon, "");
}
