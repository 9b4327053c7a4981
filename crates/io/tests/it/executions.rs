//! The central idea: one job body, run by blocking system calls, by io_uring and by the simulation.

use std::io;
use std::path::Path;
use std::time::Duration;

use haul_io::sim::{Ending, Files, Reply, Sim};
use haul_io::{
    Blocking, Buf, Cancel, Durability, Existing, Feed, Io, LocalJob, Names, Offset, OpenMode, Preserve,
    Publish, Staged, TaskIo, Uring, UringConfig, is_cancelled, run_ready,
};

const CONTENT: &[u8] = b"the quick brown fox jumps over the lazy dog";

fn publish(to: &Path) -> Publish {
    Publish {
        existing: Existing::Refuse,
        durability: Durability::Synced,
        preserve: Preserve { mode: Some(0o640), modified: Some((1_000_000_007, 9)), ..Preserve::default() },
        ..Publish::new(to)
    }
}

/// The job: copies `from` to `to` in pieces of seven bytes, then publishes.
async fn copy(io: &impl Io, from: &Path, publish: &Publish) -> io::Result<u64> {
    let source = io.open(None, from, OpenMode::Read { follow: false }).await?;
    let staged = Staged::create(io, publish).await?;
    match fill(io, &source, &staged).await {
        Ok(bytes) => staged.publish(io, publish).await.map(|_| bytes),
        Err(error) => {
            staged.discard(io).await;
            Err(error)
        }
    }
}

async fn fill(io: &impl Io, source: &haul_io::File, staged: &Staged) -> io::Result<u64> {
    let mut buf = Buf::with_capacity(7);
    let mut done = 0;
    loop {
        let (count, back) = io.read_full(source, buf, 7, Offset::At(done)).await;
        let count = count? as u64;
        let (written, back) = io.write_all(staged.file(), back, Offset::At(done)).await;
        written?;
        io.progress(count);
        io.yield_now().await;
        buf = back;
        done += count;
        if count < 7 {
            return Ok(done);
        }
    }
}

/// The result of `job` on a ring of its own.
pub(super) fn on_ring<T>(cancel: Cancel, job: impl AsyncFnOnce(&TaskIo) -> T) -> T {
    let uring = Uring::new(UringConfig::default(), cancel, Default::default()).expect("a ring");
    let (io, mut result) = (uring.task(), None);
    let mut jobs = vec![Box::pin(async { result = Some(job(&io).await) }) as LocalJob<'_>];
    uring.run(|| jobs.pop().map_or(Feed::End, Feed::Job));
    drop(jobs);
    result.expect("the job ended")
}

#[test]
fn the_same_job_gives_the_same_file_on_all_executions() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b, c) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
    std::fs::write(&a, CONTENT).unwrap();
    let real = Blocking::new(Cancel::new().unwrap());
    let bytes = run_ready(copy(&real, &a, &publish(&b))).unwrap();
    assert_eq!((bytes, real.take_meter().bytes), (CONTENT.len() as u64, CONTENT.len() as u64));
    let (bytes, counted) = on_ring(Cancel::new().unwrap(), async |io| {
        (copy(io, &a, &publish(&c)).await.unwrap(), io.take_meter().bytes)
    });
    assert_eq!((bytes, counted), (CONTENT.len() as u64, CONTENT.len() as u64));
    for copied in [&b, &c] {
        assert_eq!(std::fs::read(copied).unwrap(), CONTENT);
        let meta = std::fs::metadata(copied).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::mode(&meta) & 0o7777, 0o640);
        assert_eq!(std::os::unix::fs::MetadataExt::mtime(&meta), 1_000_000_007);
    }
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 3, "nothing else is left");

    for seed in 0..50 {
        let sim = machine(seed);
        let bytes = sim.run(copy(&sim, Path::new("d/a"), &publish(Path::new("d/b")))).unwrap().unwrap();
        assert_eq!(
            (bytes, sim.progress_bytes()),
            (CONTENT.len() as u64, CONTENT.len() as u64),
            "seed {seed}"
        );
        assert_eq!(sim.files().get("d/b"), Some(CONTENT), "seed {seed}");
    }
}

#[test]
fn an_existing_name_is_refused_or_replaced_whole() {
    for unnamed in [true, false] {
        for existing in [Existing::Refuse, Existing::Replace] {
            let sim = machine(1);
            sim.files().put("d/b", b"old");
            sim.files().refuse_unnamed = !unnamed;
            let publish = Publish { existing, ..publish(Path::new("d/b")) };
            let result = sim.run(copy(&sim, Path::new("d/a"), &publish)).unwrap();
            let expected = match existing {
                Existing::Refuse => b"old".as_slice(),
                Existing::Replace => CONTENT,
            };
            assert_eq!(result.is_ok(), existing == Existing::Replace);
            assert_eq!(sim.files().get("d/b"), Some(expected));
            assert_eq!(sim.files().names().len(), 3, "no temporary is left");
        }
    }
}

#[test]
fn if_any_single_operation_fails_the_result_is_whole_or_absent() {
    for unnamed in [true, false] {
        let total = count_operations(unnamed);
        for number in 0..total {
            let sim = machine(3);
            sim.files().refuse_unnamed = !unnamed;
            sim.fail_operation(number, io::ErrorKind::StorageFull);
            let result = sim.run(copy(&sim, Path::new("d/a"), &publish(Path::new("d/b")))).unwrap();
            let files = sim.files();
            let published = files.get("d/b");
            assert_eq!(files.get("d/a"), Some(CONTENT), "operation {number}");
            assert!(published.is_none() || published == Some(CONTENT), "operation {number}");
            assert!(result.is_err() || published.is_some(), "operation {number}: success without a file");
            let expected = 2 + usize::from(published.is_some());
            assert_eq!(files.names().len(), expected, "operation {number}: a temporary is left");
        }
    }
}

#[test]
fn a_power_cut_at_any_operation_leaves_the_result_whole_or_absent() {
    let total = count_operations(true);
    for number in 0..=total {
        for seed in 0..20 {
            let sim = machine(seed);
            sim.cut_power_at(number);
            let ended = sim.run(copy(&sim, Path::new("d/a"), &publish(Path::new("d/b"))));
            let left = sim.after_power_cut();
            let published = left.get("d/b");
            assert_eq!(left.get("d/a"), Some(CONTENT));
            assert!(published.is_none() || published == Some(CONTENT), "cut at {number}, seed {seed}");
            assert!(
                ended.is_none() || published.is_some(),
                "reported done and lost: cut at {number}, seed {seed}"
            );
        }
    }
}

#[test]
fn concurrent_jobs_do_not_disturb_each_other() {
    let sim = machine(5);
    let names: Vec<_> = (0..20).map(|index| format!("d/copy{index}")).collect();
    let publishes: Vec<_> = names.iter().map(|name| publish(Path::new(name))).collect();
    let jobs: Vec<_> = publishes.iter().map(|publish| copy(&sim, Path::new("d/a"), publish)).collect();
    let results = sim.run_all(jobs).unwrap();
    assert!(results.iter().all(Result::is_ok));
    assert!(names.iter().all(|name| sim.files().get(name) == Some(CONTENT)));
}

#[test]
fn a_cancelled_run_undoes_what_it_began() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("a"), CONTENT).unwrap();
    let cancel = Cancel::new().unwrap();
    let real = Blocking::new(cancel.clone());
    let error = run_ready(async {
        let staged = Staged::create(&real, &publish(&dir.path().join("b"))).await?;
        cancel.trigger();
        let error =
            real.write_all(staged.file(), Buf::from(b"x".to_vec()), Offset::At(0)).await.0.unwrap_err();
        staged.discard(&real).await;
        Err::<(), _>(error)
    })
    .unwrap_err();
    assert!(is_cancelled(&error), "{error}");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

/// Sends a request to a peer and returns the whole response.
async fn converse(io: &impl Io, host: &str, port: u16) -> io::Result<Vec<u8>> {
    let timeout = Duration::from_secs(5);
    let addresses = io.resolve(&Names::default(), host, port, Duration::from_secs(30)).await?;
    let socket = io.connect(addresses, timeout).await?;
    let (sent, mut buf) = io.send_all(&socket, Buf::from(b"hello\r\n\r\n".to_vec()), timeout).await;
    sent?;
    let mut said = Vec::new();
    loop {
        buf.clear();
        let (count, back) = io.recv(&socket, buf, timeout).await;
        buf = back;
        if count? == 0 {
            return Ok(said);
        }
        said.extend_from_slice(buf.filled());
    }
}

#[test]
fn the_same_conversation_on_all_executions() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        use std::io::{Read, Write};
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 9];
            stream.read_exact(&mut asked).unwrap();
            stream.write_all(CONTENT).unwrap();
        }
    });
    let real = Blocking::new(Cancel::new().unwrap());
    assert_eq!(run_ready(converse(&real, "127.0.0.1", port)).unwrap(), CONTENT);
    let said = on_ring(Cancel::new().unwrap(), async |io| converse(io, "127.0.0.1", port).await);
    assert_eq!(said.unwrap(), CONTENT);
    server.join().unwrap();

    for (ending, expected) in [
        (Ending::Close, None),
        (Ending::Reset, Some(io::ErrorKind::ConnectionReset)),
        (Ending::Open, Some(io::ErrorKind::TimedOut)),
    ] {
        let sim = Sim::new(11);
        sim.peers().listen("host", 80, vec![Reply { bytes: CONTENT.to_vec(), ending }]);
        let result = sim.run(converse(&sim, "host", 80)).unwrap();
        match expected {
            None => assert_eq!(result.unwrap(), CONTENT),
            Some(kind) => assert_eq!(result.unwrap_err().kind(), kind),
        }
    }
}

#[test]
fn a_triggered_switch_wakes_a_sleeping_receiver() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let blocking = |cancel| run_ready(converse(&Blocking::new(cancel), "127.0.0.1", port));
    let uring = |cancel| on_ring(cancel, async |io| converse(io, "127.0.0.1", port).await);
    for receive in [&blocking as &(dyn Fn(Cancel) -> io::Result<Vec<u8>> + Sync), &uring] {
        let cancel = Cancel::new().unwrap();
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| receive(cancel.clone()));
            let (_stream, _) = listener.accept().unwrap();
            cancel.trigger();
            assert!(is_cancelled(&worker.join().unwrap().unwrap_err()));
        });
    }
}

fn machine(seed: u64) -> Sim {
    let mut files = Files::default();
    files.put("d/a", CONTENT);
    Sim::with_files(seed, files)
}

fn count_operations(unnamed: bool) -> u64 {
    let sim = machine(3);
    sim.files().refuse_unnamed = !unnamed;
    sim.run(copy(&sim, Path::new("d/a"), &publish(Path::new("d/b")))).unwrap().unwrap();
    sim.submitted()
}
