//! Responses that say that there is no content: they make no file.

use haul_engine::{Event, run};
use haul_fetch::{Config, Destination, FetchJob, FetchTask, HostLimits, HostSource, Request};
use haul_io::{Cancel, Publish};
use haul_testkit::{Answer, Server};
use http::Method;

/// How a task ends: its error, or whether it has a file.
fn end(engine: &str, config: Config, request: Request, destination: Destination) -> Result<bool, String> {
    let task = FetchTask::of(Ok(request), "x".to_owned(), destination);
    let source = HostSource::new([task].into_iter(), HostLimits::default(), || std::time::Duration::ZERO);
    let run_config = haul_engine::Config::new(engine.parse().unwrap(), Cancel::new().unwrap());
    let mut ends = Vec::new();
    run(&FetchJob::new(config), source, &run_config, |event| {
        if let Event::Settled(settled) = event {
            ends.push(match &settled.outcome {
                Ok(fetched) => Ok(fetched.path.is_some()),
                Err(failure) => Err(format!("{failure:?}")),
            });
        }
    });
    assert_eq!(ends.len(), 1);
    ends.remove(0)
}

#[test]
fn a_response_without_content_makes_no_file() {
    let server = Server::start(|request| Answer::new(if request.path() == "/205" { 205 } else { 204 }));
    let dir = tempfile::tempdir().unwrap();
    let file = || Destination::File(Publish::new(dir.path().join("x")));
    let request = |method, path| Request::new(method, server.url(path));
    let lenient = || Config { fail_on_status: false, ..Config::default() };
    for engine in ["serial", "threads=2", "uring=1x4"] {
        for (path, words) in [("/204", "status: 204"), ("/205", "status: 205")] {
            for config in [Config::default(), Config { resume: true, ..Config::default() }] {
                let failed = end(engine, config, request(Method::GET, path), file()).unwrap_err();
                assert!(failed.contains(words), "{engine}: {failed}");
            }
            for (config, method) in [
                (Config::default(), Method::POST),
                (Config::default(), Method::DELETE),
                (lenient(), Method::GET),
            ] {
                assert_eq!(end(engine, config, request(method, path), file()), Ok(false), "{engine} {path}");
            }
            // Nothing is an answer where no file is made of it.
            let ended = end(engine, Config::default(), request(Method::GET, path), Destination::Memory);
            assert_eq!(ended, Ok(false), "{engine} {path}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "{engine}");
    }
}
