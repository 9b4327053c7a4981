//! The header fields of requests as they are sent.

use haul_testkit::{Answer, Server};

use crate::workdir::Workdir;

/// The head of the one request that `args` lead to, without the User-Agent, which has the version in it.
fn head(args: &[&str]) -> String {
    let server = Server::start(|_| Answer::ok("x"));
    let url = server.url("/x");
    let args = [&["get", "-o", "-"][..], args, &[&url]].concat();
    Workdir::new().run(&args).expect_status(0);
    let head = String::from_utf8(server.requests().pop().unwrap().head).unwrap();
    let lines = head.replace(&server.address().to_string(), "SERVER");
    lines.split_inclusive("\r\n").filter(|line| !line.starts_with("User-Agent: haul/")).collect()
}

#[test]
fn names_have_the_usual_letter_case_or_that_of_the_user() {
    let end = "Accept: */*\r\nAccept-Encoding: identity\r\n\r\n";
    assert_eq!(head(&[]), format!("GET /x HTTP/1.1\r\nHost: SERVER\r\n{end}"));
    assert_eq!(
        head(&["-H", "X-API-key: a", "-H", "lower: b", "-H", "HOST: other.example", "-H", "X-None;"]),
        format!("GET /x HTTP/1.1\r\nHOST: other.example\r\nX-API-key: a\r\nlower: b\r\nX-None: \r\n{end}")
    );
    assert_eq!(
        head(&["-H", "Accept:", "-H", "accept-encoding:", "-H", "X-Unknown:"]),
        "GET /x HTTP/1.1\r\nHost: SERVER\r\n\r\n"
    );
    assert_eq!(
        head(&["--data", "a=b", "-u", "a:b", "-H", "Accept:", "-H", "Accept-Encoding:"]),
        "POST /x HTTP/1.1\r\nHost: SERVER\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Authorization: Basic YTpi\r\nContent-Length: 3\r\n\r\n"
    );
}

#[test]
fn a_host_field_goes_to_its_origin_only() {
    let other = Server::start(|_| Answer::ok("x"));
    let (same, away) = ("/b", other.url("/c"));
    let server = Server::start(move |request| match request.path() {
        "/a" => Answer::redirect(302, same),
        _ => Answer::redirect(302, &away),
    });
    Workdir::new()
        .run(&["get", "-o", "-", "-H", "Host: virtual.example", &server.url("/a")])
        .expect_status(0);
    let hosts: Vec<_> =
        server.requests().iter().map(|request| request.header("host").map(str::to_owned)).collect();
    assert_eq!(hosts, [Some("virtual.example".to_owned()), Some("virtual.example".to_owned())]);
    let address = other.address().to_string();
    assert_eq!(other.requests()[0].header("host"), Some(&*address));
}
