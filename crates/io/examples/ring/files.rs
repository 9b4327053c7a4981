//! Small files: reading them warm and cold, and writing them so that they survive a power cut.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use haul_io::{
    Blocking, Buf, Cancel, Durability, Existing, Io, Offset, OpenMode, Publish, UringConfig, run_ready,
    write_file,
};

use super::{Way, compare, ring, run_each};

const FILES: usize = 1_000;

fn bytes_of(index: usize) -> usize {
    1_000 + index * 59
}

pub(super) fn reading(below: &Path) {
    let dir = tempfile::tempdir_in(below).expect("a directory");
    let paths: Vec<PathBuf> = (0..FILES).map(|index| dir.path().join(format!("file{index}"))).collect();
    for (index, path) in paths.iter().enumerate() {
        std::fs::write(path, vec![index as u8; bytes_of(index)]).expect("a file");
    }
    rustix::fs::sync();
    compare("read 1 000 files of 1-60 KB, warm", 21, || {}, ways(&paths));
    if std::fs::write("/proc/sys/vm/drop_caches", "3").is_err() {
        return println!("read cold: not root, so caches can't be dropped");
    }
    let drop_caches = || std::fs::write("/proc/sys/vm/drop_caches", "3").expect("as before");
    compare("read 1 000 files of 1-60 KB, cold", 9, drop_caches, ways(&paths));
}

fn ways(paths: &[PathBuf]) -> Vec<Way<'_>> {
    let blocking = Blocking::new(Cancel::new().expect("a descriptor"));
    let mut ways = vec![Way::new("blocking", move || {
        for (index, path) in paths.iter().enumerate() {
            run_ready(read(&blocking, path, bytes_of(index)));
        }
    })];
    for depth in [8, 64, 256] {
        let uring = ring(UringConfig { in_flight_max: depth, ..UringConfig::default() });
        ways.push(Way::new(format!("ring, depth {depth}"), move || {
            run_each(&uring, FILES, |index| {
                let io = uring.task();
                Box::pin(async move { read(&io, &paths[index], bytes_of(index)).await })
            });
        }));
    }
    ways
}

async fn read(io: &impl Io, path: &Path, bytes: usize) {
    let file = io.open(None, path, OpenMode::Read { follow: false }).await.expect("a file");
    let (count, buf) = io.read_full(&file, io.take_buf(65_536), 65_536, Offset::At(0)).await;
    assert_eq!(count.expect("a read"), bytes);
    io.give_buf(buf);
}

pub(super) fn writing(below: &Path) {
    for durability in [Durability::Synced, Durability::Eventual] {
        let title = format!("create, write and publish 1 000 files of 1-60 KB, {durability:?}");
        let blocking = Blocking::new(Cancel::new().expect("a descriptor"));
        let (stepwise, whole) = (depth_64(), depth_64());
        let dirs = RefCell::new(Vec::new());
        let fresh = || {
            dirs.borrow_mut().push(tempfile::tempdir_in(below).expect("a directory"));
            dirs.borrow().last().expect("just pushed").path().to_owned()
        };
        let publish = |dir: &Path, index| publish(dir, index, durability);
        let ways = vec![
            Way::new("blocking, serial", || {
                let dir = fresh();
                for index in 0..FILES {
                    let written = run_ready(blocking.write_file(publish(&dir, index), content(index)));
                    written.0.expect("a file");
                }
            }),
            Way::new("ring, depth 64, step by step", || {
                let dir = fresh();
                run_each(&stepwise, FILES, |index| {
                    let (io, publish) = (stepwise.task(), publish(&dir, index));
                    Box::pin(async move {
                        drop(write_file(&io, publish, content(index)).await.0.expect("a file"))
                    })
                });
            }),
            Way::new("ring, depth 64, whole files", || {
                let dir = fresh();
                run_each(&whole, FILES, |index| {
                    let (io, publish) = (whole.task(), publish(&dir, index));
                    Box::pin(
                        async move { drop(io.write_file(publish, content(index)).await.0.expect("a file")) },
                    )
                });
            }),
            Way::new("two rings, whole files", || two_rings(&fresh(), durability, 2)),
            Way::new("two rings without pools, whole files", || two_rings(&fresh(), durability, 0)),
        ];
        compare(&title, 5, || {}, ways);
    }
}

fn two_rings(dir: &Path, durability: Durability, pool_threads: usize) {
    std::thread::scope(|scope| {
        for half in 0..2 {
            scope.spawn(move || {
                let config = UringConfig { pool_threads, kernel_workers_max: 64, ..UringConfig::default() };
                let uring = ring(config);
                run_each(&uring, FILES / 2, |index| {
                    let index = index * 2 + half;
                    let (io, publish) = (uring.task(), publish(dir, index, durability));
                    Box::pin(
                        async move { drop(io.write_file(publish, content(index)).await.0.expect("a file")) },
                    )
                });
            });
        }
    });
}

fn depth_64() -> haul_io::Uring {
    ring(UringConfig { in_flight_max: 64, kernel_workers_max: 64, ..UringConfig::default() })
}

fn content(index: usize) -> Buf {
    vec![index as u8; bytes_of(index)].into()
}

fn publish(dir: &Path, index: usize, durability: Durability) -> Publish {
    let path = dir.join(format!("file{index}"));
    Publish { existing: Existing::Refuse, durability, ..Publish::new(path) }
}
