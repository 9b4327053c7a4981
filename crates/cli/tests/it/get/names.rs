//! Names of results, and the list of failures.

use crate::workdir::Workdir;
use haul_testkit::{Answer, Server};

#[test]
fn servers_name_files_within_the_directory() {
    let workdir = Workdir::new();
    let server = Server::start(|request| {
        let named =
            |name: &str| Answer::ok("x").header("Content-Disposition", &format!("attachment; {name}"));
        match request.path() {
            "/plain" => named("filename=\"report.pdf\""),
            "/away" => named("filename=\"../../outside\""),
            "/again" => named("filename=report.pdf"),
            _ => Answer::ok("unnamed"),
        }
    });
    let get = |path: &str| workdir.run(&["get", "--name", "disposition", "-d", "got", &server.url(path)]);
    for path in ["/plain", "/away", "/none"] {
        get(path).expect_status(0);
    }
    assert_eq!(workdir.names(), ["got/none", "got/outside", "got/report.pdf"]);
    std::fs::write(workdir.path("got/report.pdf"), "precious").unwrap();
    let run = get("/again").expect_status(1);
    assert!(run.stderr_text().contains("exists already"), "{}", run.stderr_text());
    assert_eq!(std::fs::read(workdir.path("got/report.pdf")).unwrap(), b"precious");
    let run = workdir.run(&["get", "--json", "--name", "disposition", "-d", "other", &server.url("/plain")]);
    assert!(run.expect_status(0).stdout_text().contains("\"target\":\"other/report.pdf\""));
    workdir.refuses("get-disposition-resume", &["get", "--name", "disposition", "-c", "http://localhost/x"]);
}

#[test]
fn two_urls_of_one_name_never_share_a_file() {
    let workdir = Workdir::new();
    let server = Server::start(|request| {
        Answer::ok(request.target.clone()).header("Content-Disposition", "attachment; filename=same")
    });
    let urls: Vec<_> = (0..20).map(|index| server.url(&format!("/{index}/x"))).collect();
    workdir.write("list", urls.join("\n").as_bytes());
    for how in ["basename", "disposition"] {
        let run = workdir
            .run(&["get", "--name", how, "-d", how, "-i", "list", "--failures", "failed"])
            .expect_status(1);
        assert!(run.stderr_text().contains("19 failed"), "{}", run.stderr_text());
        assert_eq!(std::fs::read_to_string(workdir.path("failed")).unwrap().lines().count(), 19);
    }
}

#[test]
fn failed_items_can_be_fetched_again() {
    let workdir = Workdir::new();
    let is_up = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let up = is_up.clone();
    let server =
        Server::start(move |request| match (request.path(), up.load(std::sync::atomic::Ordering::SeqCst)) {
            ("/good", _) => Answer::ok("good"),
            (_, false) => Answer::new(404),
            _ => Answer::ok(format!("{} {}", request.method, request.header("x-a").unwrap_or("-"))),
        });
    let (good, one, two) = (server.url("/good"), server.url("/one"), server.url("/two"));
    let item = format!(
        "{{\"url\":\"{two}\",\"out\":\"deep/two\",\"headers\":{{\"X-A\":\"b\"}},\"method\":\"PUT\",\"body\":\"z\"}}"
    );
    workdir.write("list", format!("{good}\n{one}\n{item}\nnot a url\n{{\"url\": 1}}\n").as_bytes());
    workdir.run(&["get", "-i", "list", "-d", "got", "--failures", "failed"]).expect_status(1);
    let text = std::fs::read_to_string(workdir.path("failed")).unwrap();
    let mut lines: Vec<_> = text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[0].starts_with("# line 5: not understood"), "{text}");
    assert!(lines.contains(&item.as_str()), "{text}");
    is_up.store(true, std::sync::atomic::Ordering::SeqCst);
    // The list of failures may replace the list being read.
    let run = workdir.run(&["get", "-i", "failed", "-d", "got", "--failures", "failed"]).expect_status(1);
    assert_eq!(
        std::fs::read_to_string(workdir.path("failed")).unwrap(),
        "{\"url\":\"not a url\"}\n",
        "{}",
        run.stderr_text()
    );
    assert_eq!(std::fs::read_to_string(workdir.path("got/deep/two")).unwrap(), "PUT b");
    assert_eq!(std::fs::read_to_string(workdir.path("got/one")).unwrap(), "GET -");
    workdir.refuses("get-bad-failures", &["get", "--failures", "missing/failed", &good]);
}

#[test]
fn a_name_belongs_to_one_url_and_none_is_one_of_hauls_own() {
    let workdir = Workdir::new();
    let server = Server::start(|request| Answer::ok(request.path()));
    let urls = [server.url("/a/x"), server.url("/b/x")];
    for mode in [&[][..], &["-c"], &["--sync"], &["--dry-run"]] {
        let dir = format!("got{}", mode.concat());
        let args = [&["get", "-e", "serial", "-d", &dir], mode, &[&urls[0], &urls[1]]].concat();
        let run = workdir.run(&args).expect_status(1);
        let said = run.stderr_text();
        assert!(said.contains("/b/x\": another URL of this run has the file name \"got"), "{said}");
        assert!(mode == ["--dry-run"] || said.contains("hint: --name path"), "{said}");
    }
    assert_eq!(std::fs::read_to_string(workdir.path("got/x")).unwrap(), "/a/x");
    // Lists can't name what a later run would take for its own.
    let (by_url, by_out) = (server.url("/y.haul-part"), server.url("/z"));
    workdir
        .write("list", format!("{by_url}\n{{\"url\":\"{by_out}\",\"out\":\"d/z.haul-from\"}}\n").as_bytes());
    workdir.run(&["get", "-i", "list", "-d", "listed"]).expect_status(0);
    let names: Vec<_> = workdir.names().into_iter().map(|name| format!("{name:?}")).collect();
    let has = |ending: &str| names.iter().any(|name| name.trim_end_matches('"').ends_with(ending));
    assert!(has("listed/y.haul-part_") && has("listed/d/z.haul-from_"), "{names:?}");
}

#[test]
fn zones_belong_to_link_local_addresses_of_this_machine() {
    let workdir = Workdir::new();
    for (host, reason) in [
        ("[fe80::1%25no-such-one]", "no network interface has the name of the zone"),
        ("[::1%25lo]", "only link-local addresses have a zone"),
    ] {
        let run = workdir.run(&["get", "--retries", "0", &format!("http://{host}:9/x")]).expect_status(1);
        assert!(run.stderr_text().contains(reason), "{}", run.stderr_text());
    }
}
