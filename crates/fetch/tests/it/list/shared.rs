//! Limits that a source shares with other programs: which hosts it asks for, what it starts, which pauses it tells.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, Instant};

use haul_engine::{Engine, Next, Source, SourceWaker, run};
use haul_fetch::{
    Begin, Config, Destination, FetchJob, FetchTask, HostChange, HostLimits, HostShare, HostSource,
    LimitChange, SharedLimits,
};
use haul_io::Cancel;
use haul_testkit::{Answer, Server};

/// Gives every host a share as soon as it is wanted, from another thread.
#[derive(Default)]
struct Generous {
    is_generous: bool,
    has_shares: bool,
    is_expired: AtomicBool,
    /// What is answered for tasks whose path is `/held`.
    held: Mutex<Option<Begin>>,
    changes: Arc<Mutex<Vec<HostChange>>>,
    /// The last demand at each host, and the most that ran there.
    wants: Mutex<BTreeMap<String, (usize, usize)>>,
    most: Mutex<BTreeMap<String, usize>>,
    pauses: Mutex<Vec<(String, Duration)>>,
    waker: SourceWaker,
}

impl SharedLimits for Generous {
    fn has_shares(&self) -> bool {
        self.has_shares
    }

    fn want(&self, host: &str, running: usize, wanted: usize) {
        self.wants.lock().unwrap().insert(host.to_owned(), (running, wanted));
        let mut most = self.most.lock().unwrap();
        let most = most.entry(host.to_owned()).or_default();
        *most = running.max(*most);
        if self.is_generous && wanted > 0 {
            let share = HostShare { active_max: 2, rate: None };
            let change = HostChange { host: host.to_owned(), change: LimitChange::Share(share) };
            let (changes, waker) = (self.changes.clone(), self.waker.clone());
            std::thread::spawn(move || {
                changes.lock().unwrap().push(change);
                waker.wake();
            });
        }
    }

    fn may_start(&self, _: &str) -> bool {
        !self.is_expired.load(Ordering::SeqCst)
    }

    fn may_begin(&self, task: &FetchTask) -> Begin {
        self.held.lock().unwrap().filter(|_| task.label.ends_with("/held")).unwrap_or(Begin::Now)
    }

    fn pause(&self, host: &str, pause: Duration) {
        self.pauses.lock().unwrap().push((host.to_owned(), pause));
    }

    fn changes(&self) -> Vec<HostChange> {
        std::mem::take(&mut *self.changes.lock().unwrap())
    }

    fn set_waker(&self, waker: Waker) {
        self.waker.set(waker);
    }
}

#[test]
fn every_host_that_is_asked_gets_its_share_also_those_that_redirects_lead_to() {
    for engine in ["serial", "threads=8", "uring=1x8"] {
        let target = Server::start(|_| Answer::ok("x"));
        let address = target.address();
        let servers = [(); 3].map(|()| {
            Server::start(move |request| {
                Answer::redirect(302, &format!("http://{address}{}", request.path()))
            })
        });
        let urls: Vec<_> = (0..24).map(|number| servers[number % 3].url(&format!("/{number}"))).collect();
        let shared = Arc::new(Generous { is_generous: true, has_shares: true, ..Generous::default() });
        let started = Instant::now();
        let tasks = urls.iter().map(|url| FetchTask::new(url, Destination::Discard));
        let source =
            HostSource::new(tasks, HostLimits::default(), move || started.elapsed()).sharing(shared.clone());
        let run_config = haul_engine::Config::new(engine.parse().unwrap(), Cancel::new().unwrap());
        let report = run(&FetchJob::new(Config::default()), source, &run_config, |_| ());
        assert_eq!(report.succeeded, 24, "{engine}");
        let wants = shared.wants.lock().unwrap();
        assert_eq!(wants.len(), 4, "{engine}: {wants:?}");
        assert!(wants.contains_key(&format!("http://{address}")), "{engine}: {wants:?}");
        assert!(wants.values().all(|want| *want == (0, 0)), "{engine}: {wants:?}");
        let most = shared.most.lock().unwrap();
        assert!(most.values().all(|most| (1..=2).contains(most)), "{engine}: {most:?}");
        assert!(target.connection_count() <= 2, "{engine}: {} connections", target.connection_count());
    }
}

#[test]
fn a_share_that_ran_out_starts_nothing_until_it_is_renewed() {
    let shared = Arc::new(Generous { has_shares: true, ..Generous::default() });
    let tasks = ["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"]
        .map(|url| FetchTask::new(url, Destination::Discard))
        .into_iter();
    let mut source = HostSource::new(tasks, HostLimits::default(), || Duration::ZERO).sharing(shared.clone());
    let give = || {
        let share = HostShare { active_max: 9, rate: None };
        let host = "http://127.0.0.1:9".to_owned();
        shared.changes.lock().unwrap().push(HostChange { host, change: LimitChange::Share(share) });
    };
    assert!(matches!(source.next(), Next::Later), "no share yet");
    assert_eq!(shared.wants.lock().unwrap()["http://127.0.0.1:9"], (0, 2));
    give();
    assert!(matches!(source.next(), Next::Task(_)));
    shared.is_expired.store(true, Ordering::SeqCst);
    assert!(matches!(source.next(), Next::Later));
    shared.is_expired.store(false, Ordering::SeqCst);
    assert!(matches!(source.next(), Next::Later), "it waits for the change");
    give();
    assert!(matches!(source.next(), Next::Task(_)));
}

#[test]
fn pauses_are_told_and_those_of_others_hold() {
    let server = Server::start(|request| match request.path() {
        "/busy" => Answer::new(503).header("Retry-After", "7"),
        _ => Answer::ok("x"),
    });
    let shared = Arc::new(Generous::default());
    let host = format!("http://{}", server.address());
    let tasks = [FetchTask::new(&server.url("/busy"), Destination::Discard)].into_iter();
    let config = Config { retries: 0, ..Config::default() };
    let source = HostSource::new(tasks, HostLimits::default(), || Duration::ZERO).sharing(shared.clone());
    let run_config = haul_engine::Config::new(Engine::Serial, Cancel::new().unwrap());
    run(&FetchJob::new(config), source, &run_config, |_| ());
    assert_eq!(*shared.pauses.lock().unwrap(), [(host.clone(), Duration::from_secs(7))]);
    assert!(shared.wants.lock().unwrap().is_empty(), "without limits, nothing is wanted");

    // Another program was told to wait, before this one knows of a task there.
    let change = LimitChange::Pause(Duration::from_secs(7));
    shared.changes.lock().unwrap().push(HostChange { host, change });
    let clock = Arc::new(Mutex::new(Duration::ZERO));
    let of_source = clock.clone();
    let tasks = [FetchTask::new(&server.url("/"), Destination::Discard)].into_iter();
    let mut source =
        HostSource::new(tasks, HostLimits::default(), move || *of_source.lock().unwrap()).sharing(shared);
    assert!(matches!(source.next(), Next::Later));
    assert_eq!(source.ask_again_in(), Duration::from_secs(7));
    *clock.lock().unwrap() = Duration::from_secs(7);
    assert!(matches!(source.next(), Next::Task(_)));
}

#[test]
fn tasks_that_others_may_have_wait_and_those_that_they_have_are_dropped() {
    let shared = Arc::new(Generous::default());
    let clock = Arc::new(Mutex::new(Duration::ZERO));
    let of_source = clock.clone();
    let urls = ["http://127.0.0.1:9/held", "http://127.0.0.1:9/b", "http://127.0.0.1:9/c"];
    let tasks = urls.map(|url| FetchTask::new(url, Destination::Discard)).into_iter();
    let limits = HostLimits { per_host_max: 1, per_host_rate: Some(0.5), ..HostLimits::default() };
    let mut source =
        HostSource::new(tasks, limits, move || *of_source.lock().unwrap()).sharing(shared.clone());
    let mut next = |at: u64| {
        *clock.lock().unwrap() = Duration::from_millis(at);
        match source.next() {
            Next::Task(task) => {
                source.ended(&task);
                task.label.rsplit_once('/').unwrap().1.to_owned()
            }
            Next::Later => "Later".to_owned(),
            Next::End => "End".to_owned(),
            Next::Again(_) => "Again".to_owned(),
        }
    };
    *shared.held.lock().unwrap() = Some(Begin::Later);
    assert_eq!(next(0), "b", "it costs its host nothing");
    assert_eq!(next(499), "c");
    assert_eq!(next(500), "Later");
    *shared.held.lock().unwrap() = Some(Begin::Never);
    assert_eq!(next(1_000), "End");
}
