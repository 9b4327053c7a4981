//! A fleet whose Redis speaks TLS, with certificates made in the test.
//!
//! Owns: these checks.
//! Does not own: certificates ([`haul_testkit::Tls`]), fleets ([`super::fleet`]).

use std::fs;

use haul_testkit::{Answer, Haul, Redis, Server, Tls};

#[test]
fn a_fleet_works_by_tls_and_trusts_only_its_authority() {
    let tls = Tls::good();
    let Some(redis) = Redis::start_tls(&tls, &["--requirepass", "planted-secret"]) else { return };
    let origin = Server::start(|_| Answer::ok("x"));
    let dir = tempfile::tempdir().unwrap();
    let urls: String = (0..40).map(|number| origin.url(&format!("/{number}")) + "\n").collect();
    fs::write(dir.path().join("urls.txt"), urls).unwrap();
    fs::write(dir.path().join("ca.pem"), tls.ca_pem()).unwrap();
    fs::write(dir.path().join("other.pem"), Tls::good().ca_pem()).unwrap();
    let haul = |authority: &str, password: &str| {
        let authority = dir.path().join(authority).into_os_string().into_string().unwrap();
        Haul::new(env!("CARGO_BIN_EXE_haul"))
            .dir(dir.path())
            .env("SSL_CERT_FILE", &authority)
            .env("REDISCLI_AUTH", password)
    };
    let url = format!("rediss://{}/r", redis.tls_address().unwrap());
    let good = haul("ca.pem", "planted-secret");
    good.run(["fleet", "create", "-i", "urls.txt", "--slice", "7", "--rate", "1000", &url]).expect_status(0);
    let mut said = String::new();
    // Another authority has not signed the certificate; a file that is missing is no reason to trust.
    for (authority, reason) in [("other.pem", "certificate"), ("missing.pem", "missing.pem")] {
        let run = haul(authority, "planted-secret").run(["fleet", "status", &url]).expect_status(1);
        let text = run.stderr_text();
        assert!(text.contains(reason), "{authority}: {text}");
        said += &text;
    }
    for (authority, password) in [("ca.pem", ""), ("ca.pem", "planted-secret-2")] {
        said += &haul(authority, password).run(["fleet", "status", &url]).expect_status(2).stderr_text();
    }
    said += &good.run(["get", "--fleet", &url, "-d", "got"]).expect_status(0).stderr_text();
    assert!(!said.contains("planted"), "{said}");
    assert_eq!(origin.requests().len(), 40);
    let report = good.run(["fleet", "report", &url]).expect_status(0).stdout_text();
    assert!(report.contains("40 of 40 lines succeeded"), "{report}");
}
