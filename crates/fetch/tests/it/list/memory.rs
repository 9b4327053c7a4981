//! Bodies of a list in memory.

use haul_engine::{Event, Failure};
use haul_fetch::{Config, Destination, Error, FetchJob, FetchTask};
use haul_io::Cancel;
use haul_testkit::{Answer, Server};

#[test]
fn bodies_are_kept_in_memory_up_to_the_limit() {
    for engine in ["serial", "threads=4", "uring=1x8"] {
        let server = Server::start(|request| match request.path() {
            "/long" => Answer::ok("too long").chunked(&[3]),
            path => Answer::ok(path.to_owned()),
        });
        let config = Config { memory_body_bytes_max: 5, ..Config::default() };
        let run = haul_engine::Config::new(engine.parse().unwrap(), Cancel::new().unwrap());
        let tasks = ["/a", "/b", "/long"].map(|path| FetchTask::new(&server.url(path), Destination::Memory));
        let mut bodies = Vec::new();
        let _ = haul_engine::run(&FetchJob::new(config), tasks.into_iter(), &run, |event| {
            let Event::Settled(settled) = event else { return };
            match &settled.outcome {
                Ok(fetched) => bodies.push(fetched.response.body.clone()),
                Err(Failure::Job(failed)) => {
                    assert!(matches!(failed.error, Error::TooLarge { bytes_max: 5 }), "{engine}: {failed}");
                }
                Err(_) => panic!("{engine}: neither fetched nor refused"),
            }
        });
        bodies.sort();
        assert_eq!(bodies, [b"/a", b"/b"], "{engine}");
    }
}
