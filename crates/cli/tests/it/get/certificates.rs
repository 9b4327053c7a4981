//! Invalid certificates: a golden file for each fault. `HAUL_BLESS=1` rewrites them.

use crate::workdir::Workdir;
use haul_testkit::{Answer, Fault, Server, Tls};

#[test]
fn invalid_certificates_are_reported_with_a_hint() {
    let workdir = Workdir::new();
    for (name, fault) in [
        ("expired", Fault::Expired),
        ("not-yet-valid", Fault::NotYetValid),
        ("wrong-name", Fault::WrongName),
        ("wrong-address", Fault::WrongAddress),
        ("no-name", Fault::NoName),
        ("self-signed", Fault::SelfSigned),
        ("unknown-authority", Fault::UnknownAuthority),
    ] {
        let server = Server::builder().tls(Tls::with(fault)).start(|_| Answer::ok("secret"));
        workdir.write("ca.pem", server.ca_pem().as_bytes());
        workdir
            .refuses(&format!("get-certificate-{name}"), &["get", "--cacert", "ca.pem", &server.url("/x")]);
        assert!(server.requests().is_empty());
        let run = workdir.run(&["get", "--insecure", "-o", "-", &server.url("/x")]).expect_status(0);
        assert_eq!(run.stdout_text(), "secret");
    }
    // Neither the test's authority nor that of a proxy is among the platform's.
    let server = Server::builder().tls(Tls::good()).start(|_| Answer::ok("secret"));
    workdir.refuses("get-certificate-of-nobody", &["get", &server.url("/x")]);
    let proxy = format!("https://{}", server.address());
    workdir.refuses("get-certificate-of-proxy", &["get", "--proxy", &proxy, "http://one.invalid/x"]);
}

#[test]
fn tls_sessions_are_resumed_within_a_run() {
    let workdir = Workdir::new();
    let server = Server::builder().tls(Tls::good()).start(|_| Answer::ok("x").close());
    workdir.write("ca.pem", server.ca_pem().as_bytes());
    let urls: Vec<_> = (0..6).map(|index| server.url(&format!("/{index}"))).collect();
    workdir.write("list", urls.join("\n").as_bytes());
    for (engine, full_max) in [("serial", 1), ("threads=2", 2), ("uring=1x2", 2)] {
        let before = server.requests().len();
        let run = workdir.run(&["get", "-e", engine, "--cacert", "ca.pem", "-i", "list", "-d", engine]);
        run.expect_status(0);
        let full = server.requests()[before..]
            .iter()
            .filter(|request| !request.tls.as_ref().unwrap().resumed)
            .count();
        assert!((1..=full_max).contains(&full), "{engine}: {full} full handshakes");
    }
}
