//! Fixtures of the tests of files in segments: a body, its server, ways to run a task.

use std::ops::{Deref, Range};
use std::sync::LazyLock;
use std::time::Duration;

use haul_engine::{Engine, Event, Failure, Job, Step, run};
use haul_fetch::{Config, Destination, Failed, FetchJob, FetchTask, Fetched, Segments};
use haul_io::{Blocking, Cancel, Publish, run_ready};
use haul_testkit::{Answer, Request, Server, Workdir, seeded_bytes};

/// Not a multiple of any number of segments.
pub(crate) const BYTES: usize = 400_003;

pub(crate) fn body() -> Vec<u8> {
    static BODY: LazyLock<Vec<u8>> = LazyLock::new(|| seeded_bytes(7, BYTES));
    BODY.clone()
}

/// So many segments, which may be split again into small pieces.
pub(crate) fn segments(count_max: usize) -> Config {
    let segments = Segments { count_max, bytes_min: 1, piece_bytes_min: 10_000, ..Segments::default() };
    segments_config(segments)
}

/// As [`segments`], but not split again.
pub(crate) fn undivided(count_max: usize) -> Config {
    let segments = Segments { piece_bytes_min: (BYTES / count_max) as u64, ..segments(count_max).segments };
    segments_config(segments)
}

pub(crate) fn segments_config(segments: Segments) -> Config {
    Config { segments, retry_pause: Duration::ZERO, ..Config::default() }
}

pub(crate) struct Dir(Workdir);

impl Deref for Dir {
    type Target = Workdir;

    fn deref(&self) -> &Workdir {
        &self.0
    }
}

impl Dir {
    pub(crate) fn new() -> Self {
        Self(Workdir::new())
    }

    pub(crate) fn task(&self, url: &str) -> FetchTask {
        let publish = Publish::new(self.path("x"));
        FetchTask::new(url, Destination::File(publish))
    }

    pub(crate) fn file(&self) -> Option<Vec<u8>> {
        self.read_if_present("x")
    }
}

pub(crate) fn engine(name: &str, cancel: &Cancel) -> haul_engine::Config {
    let engine: Engine = name.parse().unwrap();
    haul_engine::Config::new(engine, cancel.clone())
}

/// How the task ends, and how many bytes of its body were counted.
pub(crate) fn fetch(name: &str, config: Config, task: FetchTask) -> (Result<u32, String>, u64) {
    let mut end = None;
    let cancel = Cancel::new().unwrap();
    run(&FetchJob::new(config), [task].into_iter(), &engine(name, &cancel), |event| {
        if let Event::Settled(settled) = event {
            let outcome = match &settled.outcome {
                Ok(fetched) => Ok(fetched.attempts),
                Err(Failure::Job(failed)) => Err(format!("{failed:?}")),
                Err(_) => Err("no job's error".to_owned()),
            };
            assert!(end.replace((outcome, settled.bytes)).is_none(), "one end");
        }
    });
    end.unwrap()
}

/// Runs the task by hand, its parts in this order, until it ends.
pub(crate) fn in_order(job: &FetchJob, task: &FetchTask, order: &[u64]) -> Result<Fetched, Box<Failed>> {
    let io = Blocking::new(Cancel::new().unwrap());
    loop {
        match run_ready(job.start(&io, task)).map_err(Box::new)? {
            Step::Done(fetched) => return Ok(fetched),
            Step::Again => {}
            Step::Split { state, parts } => {
                assert_eq!(parts as usize, order.len());
                for index in order {
                    run_ready(job.part(&io, task, &state, *index)).map_err(Box::new)?;
                }
                match run_ready(job.finish(&io, task, &state, true)) {
                    Err(_) if job.starts_again(task) => {}
                    end => return end.map_err(Box::new),
                }
            }
        }
    }
}

/// The whole, as a server that supports ranges sends it.
pub(crate) fn whole() -> Answer {
    Answer::ok(body()).header("ETag", "\"1\"").header("Accept-Ranges", "bytes")
}

pub(crate) fn ranged(request: &Request) -> Answer {
    Answer::ranged(request, &body(), "\"1\"")
}

pub(crate) fn range_of(request: &Request) -> Option<Range<usize>> {
    let (first, last) = request.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
    Some(first.parse().ok()?..last.parse::<usize>().ok()? + 1)
}

/// The ranges that were requested; the first request is for the whole.
pub(crate) fn ranges(server: &Server) -> Vec<Range<usize>> {
    let requests = server.requests();
    assert_eq!(requests[0].header("range"), None);
    for request in requests.iter().filter(|request| request.header("range").is_some()) {
        assert_eq!(request.header("if-range"), Some("\"1\""));
        assert_eq!(request.header("accept-encoding"), Some("identity"));
    }
    requests.iter().filter_map(range_of).collect()
}
