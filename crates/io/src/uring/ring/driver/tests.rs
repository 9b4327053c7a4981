//! The ends of operations and of the ring.
//!
//! Owns: what no job can see: leaks, writes after the end, more completions than there is room for.
//! Does not own: operations as jobs see them (`tests/it/uring*.rs`).

use std::os::unix::fs::{FileExt, OpenOptionsExt};

use super::super::quarantine::{WATCHED_BYTES, untouched};
use super::super::request::OsHandle;
use super::super::setup;
use super::end::Teardown;
use super::*;
use crate::{Buf, File};

fn driver() -> Driver {
    let (ring, _) = setup::ring(64, 4).expect("a ring");
    Driver::new(ring, 64, Cancel::new().unwrap(), Arc::new(Park::new().unwrap()))
}

#[test]
fn a_ring_drains_if_it_has_the_time_and_leaks_if_not() {
    assert_eq!(driver().close(), Teardown::Drained);
    let mut hasty = driver();
    hasty.enter(None);
    assert_eq!(hasty.close_within(Duration::ZERO), Teardown::Leaked(2), "the requests of the driver itself");
}

/// Opens a file for reads that bypass the page cache, so that the device writes into the buffers at any later time.
fn direct_file(dir: &std::path::Path) -> std::fs::File {
    let path = dir.join("content");
    std::fs::write(&path, vec![1; 32 * WATCHED_BYTES]).unwrap();
    std::fs::File::open(&path).unwrap().sync_all().unwrap();
    let flags = rustix::fs::OFlags::DIRECT.bits() as i32;
    let direct = std::fs::OpenOptions::new().read(true).custom_flags(flags).open(&path);
    // On a file system without direct reads, the test shows less but still holds.
    direct.or_else(|_| std::fs::File::open(&path)).unwrap()
}

#[test]
fn no_buffer_is_written_after_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let source = direct_file(dir.path());
    let file = File::from(source.try_clone().unwrap());
    for _ in 0..4 {
        let mut driver = driver();
        let keys: Vec<Key> =
            (0..32).map(|index| driver.start(read(&file, index), JobId::NONE, None)).collect();
        driver.enter(None);
        keys.iter().step_by(2).for_each(|key| driver.abandon(*key));
        assert_eq!(driver.close(), Teardown::Drained);
        drop(driver);
    }
    // A ring that breaks has reads in flight that no call can end: it frees none of their buffers.
    let mut broken = driver();
    let keys: Vec<Key> = (0..32).map(|index| broken.start(read(&file, index), JobId::NONE, None)).collect();
    broken.enter(None);
    assert!(broken.refused(Errno::PERM, false) == Entered::No);
    keys.iter().step_by(2).for_each(|key| broken.abandon(*key));
    keys.iter().skip(1).step_by(2).for_each(|key| assert!(broken.take(*key).is_some(), "completed or lost"));
    assert!(matches!(broken.close(), Teardown::Leaked(1..)));
    drop(broken);
    // The device has finished the earlier reads when this one returns.
    let mut last = Buf::with_capacity(WATCHED_BYTES);
    source.read_at(last.spare_mut(), 0).unwrap();
    assert_eq!(untouched(), (4 * 32, true));
}

fn read(file: &File, index: usize) -> Request {
    let file = OsHandle::new(file.0.clone()).unwrap();
    let buf = Buf::with_capacity(WATCHED_BYTES);
    Request::Read { file, buf, bytes_max: WATCHED_BYTES, offset: (index * WATCHED_BYTES) as u64 }
}

/// Starts far more operations than the ring has room for completions, on every rung that the kernel supports.
#[test]
fn no_completion_is_lost() {
    for lowest in 0..setup::LADDER.len() {
        let (ring, params) = setup::ring_on(&setup::LADDER[lowest..], 8, 4).expect("a ring");
        let mut driver = Driver::new(ring, 8, Cancel::new().unwrap(), Arc::new(Park::new().unwrap()));
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let file = File::from(std::fs::File::from(reader));
        let count = 20 * params.cq_entries as usize;
        let keys: Vec<Key> = (0..count).map(|_| driver.start(read_byte(&file), JobId::NONE, None)).collect();
        driver.enter(None);
        assert!(driver.ready.is_empty());
        rustix::io::write(&writer, &vec![7; count]).unwrap();
        while driver.ready.len() < count {
            driver.enter(Some(Duration::MAX));
        }
        for key in keys {
            assert_eq!(driver.take(key).expect("it is ready").result.unwrap(), 1);
        }
        assert_eq!(driver.close(), Teardown::Drained);
    }
}

fn read_byte(pipe: &File) -> Request {
    let file = OsHandle::new(pipe.0.clone()).unwrap();
    Request::Read { file, buf: Buf::with_capacity(1), bytes_max: 1, offset: u64::MAX }
}

#[test]
fn a_broken_ring_gives_back_what_the_kernel_has_not_seen() {
    let (reader, _writer) = rustix::pipe::pipe().unwrap();
    let file = File::from(std::fs::File::from(reader));
    let mut driver = driver();
    let seen = driver.start(read_byte(&file), JobId::NONE, Some(Instant::now() + Duration::from_secs(60)));
    driver.enter(None);
    let unseen = driver.start(read_byte(&file), JobId::NONE, None);
    let timer = driver.start(Request::Timer, JobId::NONE, Some(Instant::now()));
    assert!(driver.refused(Errno::BADR, false) == Entered::No);
    let later = driver.start(read_byte(&file), JobId::NONE, None);
    for (key, is_given_back) in [(seen, false), (unseen, true), (later, true)] {
        let CompletedRequest { request, result, .. } = driver.take(key).expect("all have ended");
        assert_eq!(result.unwrap_err().to_string(), "io_uring stopped working: Invalid request descriptor");
        assert_eq!(request.into_op(Duration::ZERO).is_ok(), is_given_back);
    }
    assert!(driver.take(timer).is_none());
    driver.turn(Duration::MAX);
    assert!(driver.take(timer).is_some(), "timers go on");
    assert_eq!(driver.take_ready(VecDeque::new()).len(), 4, "each job was awakened once");
    // The read that the kernel has begun, and the two requests of the driver itself.
    assert_eq!(driver.close(), Teardown::Leaked(3));
}

#[test]
fn a_ring_breaks_only_if_the_kernel_stays_short() {
    let mut driver = driver();
    for errno in [Errno::AGAIN, Errno::BUSY, Errno::NOMEM, Errno::NOBUFS] {
        assert!(driver.refused(errno, false) == Entered::Yes);
    }
    driver.enter(None);
    assert!(driver.failure().is_none());
    driver.patience.exhaust();
    assert!(
        driver.refused(Errno::BUSY, true) == Entered::Yes,
        "completions were taken, so that there is room"
    );
    driver.patience.exhaust();
    assert!(driver.refused(Errno::NOMEM, false) == Entered::No);
    assert_eq!(driver.failure(), Some(Errno::NOMEM));
}
