//! What the commands of a page find: files in a home directory, and `https://example.org`.
//!
//! Owns: their content, the way to the server.
//! Does not own: the commands.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use haul_testkit::{Answer, Gate, Request, Server, Tls, Workdir, seeded_bytes};

/// A home directory and a server.
pub(super) struct World {
    home: Workdir,
    /// Programs and certificates, which the pages don't see.
    tools: Workdir,
    proxy: Server,
    _origin: Server,
}

/// The files of the server, and their lengths.
const FILES: [(&str, usize); 7] = [
    ("/a.tar", 400_000),
    ("/b.tar", 250_000),
    ("/big.iso", 3_000_000),
    ("/reports/january.csv", 40_000),
    ("/reports/february.csv", 41_000),
    ("/reports/march.csv", 39_000),
    ("/export.sql", 120_000),
];

const MODIFIED: &str = "Sat, 01 Nov 2025 08:00:00 GMT";
const REPORTS: [&str; 3] = ["january", "february", "march"];

fn content(path: &str) -> Option<Vec<u8>> {
    let (number, (_, length)) = FILES.iter().enumerate().find(|(_, (name, _))| *name == path)?;
    Some(seeded_bytes(number as u64, *length))
}

fn answer(request: &Request, sums: &str) -> Answer {
    match request.path() {
        "/reports/SHA256SUMS" => Answer::ok(sums),
        "/data.json" => Answer::ok("{\"answer\": 42}\n"),
        path => match content(path) {
            Some(body) => {
                Answer::ranged(request, &body, &format!("\"{path}-1\"")).header("Last-Modified", MODIFIED)
            }
            None => Answer::new(404),
        },
    }
}

/// The checksums of the reports, as `sha256sum` writes them.
fn checksums(tools: &Workdir) -> String {
    let names = REPORTS.map(|month| format!("{month}.csv"));
    for name in &names {
        tools.write(name, content(&format!("/reports/{name}")).expect("a file of the server"));
    }
    let output = Command::new("sha256sum").args(&names).current_dir(tools.dir()).output().expect("coreutils");
    String::from_utf8(output.stdout).expect("digits and names")
}

impl World {
    pub(super) fn new() -> Self {
        Self::serving(answer)
    }

    /// A world with a list of so many archives, `archives.txt`. All but `arrived` stop in the middle until the gate
    /// opens.
    pub(super) fn with_archives(count: usize, arrived: usize, gate: &Gate) -> Self {
        let gate = gate.clone();
        let number = |path: &str| path.strip_prefix("/archive-")?.strip_suffix(".tar")?.parse::<usize>().ok();
        let world = Self::serving(move |request, sums| match number(request.path()) {
            Some(number) if number > arrived => Answer::ok(vec![0; 300_000]).gate_at(150_000, &gate),
            Some(_) => Answer::ok(vec![0; 300_000]),
            None => answer(request, sums),
        });
        let list: String =
            (1..=count).map(|number| format!("https://example.org/archive-{number:02}.tar\n")).collect();
        world.home.write("archives.txt", list);
        world
    }

    fn serving(answer: impl Fn(&Request, &str) -> Answer + Send + Sync + 'static) -> Self {
        let (home, tools) = (Workdir::new(), Workdir::new());
        let sums = checksums(&tools);
        let origin =
            Server::builder().tls(Tls::for_host("example.org")).start(move |request| answer(request, &sums));
        tools.write("ca.pem", origin.ca_pem());
        symlink(env!("CARGO_BIN_EXE_haul"), tools.path("haul")).unwrap();
        let address = origin.address();
        let proxy = Server::start(move |request| match request.method.as_str() {
            "CONNECT" if request.target == "example.org:443" => Answer::tunnel(address),
            _ => Answer::new(502),
        });
        let urls = REPORTS.map(|month| format!("https://example.org/reports/{month}.csv\n"));
        home.write("urls.txt", urls.concat());
        for (name, seed) in [("one.jpg", 11), ("two.jpg", 12), ("2025/three.jpg", 13)] {
            home.write(Path::new("photos").join(name), seeded_bytes(seed, 50_000));
        }
        home.write("letter.txt", "Dear Bob,\nthe meeting is on Monday.\nAda\n");
        Self { home, tools, proxy, _origin: origin }
    }

    pub(super) fn home(&self) -> &Path {
        self.home.dir()
    }

    /// `output` with the names that the pages use for what differs from run to run.
    pub(super) fn named(&self, output: &str) -> String {
        let home = self.home().to_str().expect("temporary folders have plain names");
        let proxy = self.proxy.address().to_string();
        output.replace(home, "/users/ada").replace(&proxy, "proxy.example.org:3128")
    }

    /// The whole environment of the shell.
    pub(super) fn variables(&self) -> Vec<(&'static str, OsString)> {
        let mut path = self.tools.dir().as_os_str().to_owned();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        vec![
            ("PATH", path),
            ("HOME", self.home().into()),
            ("LC_ALL", "C".into()),
            ("https_proxy", format!("http://{}", self.proxy.address()).into()),
            ("SSL_CERT_FILE", self.tools.path("ca.pem").into()),
        ]
    }
}
