//! Staged files that have names: another user who may write in the directory can't exchange them unnoticed.
//!
//! And staged files that get their names: nothing that may fail for lack of a descriptor comes after that.
//!
//! Owns: joining, publishing and removing by a temporary name; the order of opening and naming.
//! Does not own: unnamed files (`executions.rs`), the comparison itself (`haul_io::StagedIdentity`).

use std::cell::RefCell;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;
use std::{fs, io};

use haul_io::{
    Blocking, Buf, BufResult, Cancel, Completion, Durability, Existing, Io, Offset, Op, Publish, Published,
    Staged, Value, run_ready,
};
use rustix::fs::{FlockOperation, flock};

fn publish(path: &Path) -> Publish {
    Publish { root_bytes: Some(path.parent().unwrap().as_os_str().len()), ..Publish::new(path) }
}

async fn staged(io: &impl Io, publish: &Publish) -> Staged {
    let staged = Staged::create_named(io, publish).await.unwrap();
    let (written, _) = io.write_all(staged.file(), Buf::from(b"right".to_vec()), Offset::At(0)).await;
    written.unwrap();
    staged
}

/// Moves the staged file away and puts another one under its name.
fn exchange(staged: &Staged) {
    let temporary = staged.temporary().unwrap();
    fs::rename(temporary, temporary.with_file_name("elsewhere")).unwrap();
    fs::write(temporary, "wrong").unwrap();
}

#[test]
fn an_exchanged_file_is_neither_joined_nor_published() {
    let io = Blocking::new(Cancel::new().unwrap());
    for existing in [Existing::Refuse, Existing::Replace] {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("result");
        let publish = Publish { existing, ..publish(&target) };
        let staged = run_ready(staged(&io, &publish));
        let (temporary, root_bytes) = (staged.temporary().unwrap().to_owned(), publish.root_bytes);
        let identity = staged.identity().unwrap();
        run_ready(Staged::join(&io, &temporary, root_bytes, identity)).unwrap();
        exchange(&staged);
        let error = run_ready(Staged::join(&io, &temporary, root_bytes, identity)).unwrap_err();
        assert!(error.to_string().contains("in the place of the temporary file"), "{error}");
        run_ready(staged.publish(&io, &publish)).unwrap_err();
        assert!(!target.exists(), "{existing:?}");
    }
}

#[test]
fn a_file_that_another_process_is_about_to_remove_is_not_joined() {
    let io = Blocking::new(Cancel::new().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let publish = publish(&dir.path().join("result"));
    let staged = run_ready(staged(&io, &publish));
    let (temporary, identity) = (staged.temporary().unwrap().to_owned(), staged.identity().unwrap());
    let join = || run_ready(Staged::join(&io, &temporary, publish.root_bytes, identity));
    let directory = fs::File::open(dir.path()).unwrap();
    let remove = || haul_io::remove_if_left(directory.as_fd(), Path::new(temporary.file_name().unwrap()));
    assert_eq!(remove().unwrap_err().kind(), io::ErrorKind::WouldBlock, "it is held");
    let joined = join().unwrap();
    drop(staged);
    assert_eq!(remove().unwrap_err().kind(), io::ErrorKind::WouldBlock, "it is still held");
    drop(joined);
    let remover = fs::File::options().write(true).open(&temporary).unwrap();
    flock(&remover, FlockOperation::NonBlockingLockExclusive).unwrap();
    assert_eq!(join().unwrap_err().kind(), io::ErrorKind::NotFound);
    drop(remover);
    drop(join().unwrap());
    remove().unwrap();
    assert!(!temporary.exists());
}

#[test]
fn a_named_file_is_published_with_one_name() {
    let io = Blocking::new(Cancel::new().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("result");
    let publish = Publish { durability: Durability::Synced, ..publish(&target) };
    let first = run_ready(staged(&io, &publish));
    let second = run_ready(staged(&io, &publish));
    run_ready(first.publish(&io, &publish)).unwrap();
    let error = run_ready(second.publish(&io, &publish)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&target).unwrap(), b"right");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary name is left");
}

#[test]
fn a_file_that_cannot_be_joined_is_removed_by_its_name() {
    let io = Blocking::new(Cancel::new().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let publish = publish(&dir.path().join("result"));
    let staged = run_ready(staged(&io, &publish));
    run_ready(Staged::remove_joinable(&io, staged.temporary().unwrap(), publish.root_bytes));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

/// Passes operations on, and records which of them open a descriptor or give a name.
struct Recording {
    io: Blocking,
    steps: RefCell<Vec<&'static str>>,
    /// What is said of directories that store links, if not the truth.
    stores_links: Option<bool>,
}

impl Recording {
    fn new(stores_links: Option<bool>) -> Self {
        Self { io: Blocking::new(Cancel::new().unwrap()), steps: RefCell::default(), stores_links }
    }

    /// The steps of writing a durable file.
    fn write(&self, publish: &Publish) -> String {
        self.steps.borrow_mut().clear();
        let (result, _) = run_ready(self.write_file(publish.clone(), Buf::from(b"text".to_vec())));
        result.unwrap();
        self.steps.borrow().join(" ")
    }
}

impl Io for Recording {
    async fn submit(&self, op: Op) -> Completion {
        match (&op, self.stores_links) {
            (Op::Open { .. }, _) => self.steps.borrow_mut().push("open"),
            (Op::Link { .. } | Op::Rename { .. }, _) => self.steps.borrow_mut().push("name"),
            (Op::Sync { .. }, _) => self.steps.borrow_mut().push("sync"),
            (Op::StoresLinks { .. }, Some(stores)) => {
                return Completion { result: Ok(Value::Flag(stores)), buf: None };
            }
            _ => {}
        }
        self.io.submit(op).await
    }

    fn now(&self) -> Duration {
        self.io.now()
    }

    fn random(&self, out: &mut [u8]) {
        self.io.random(out);
    }

    fn progress(&self, bytes: u64) {
        self.io.progress(bytes);
    }

    async fn write_file(&self, publish: Publish, content: Buf) -> BufResult<Published> {
        haul_io::write_file(self, publish, content).await
    }
}

#[test]
fn a_durable_file_needs_no_descriptor_once_it_has_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let io = Recording::new(None);
    for (index, existing) in [Existing::Refuse, Existing::Replace, Existing::Replace].into_iter().enumerate()
    {
        for rooted in [true, false] {
            let target = dir.path().join(format!("new{index}/{rooted}"));
            let root_bytes = rooted.then(|| dir.path().as_os_str().len());
            let durability = Durability::Synced;
            let publish = Publish { existing, durability, root_bytes, ..Publish::new(&target) };
            for _ in 0..if existing == Existing::Replace { 2 } else { 1 } {
                let steps = io.write(&publish);
                let (_, after) = steps.rsplit_once("name").unwrap();
                assert!(!after.contains("open") && after.contains("sync"), "{existing:?} {rooted}: {steps}");
            }
        }
    }
}

#[test]
fn a_file_is_synced_again_unless_its_directory_stores_links() {
    let dir = tempfile::tempdir().unwrap();
    let io = |stores_links| Recording::new(Some(stores_links));
    for rooted in [true, false] {
        for (stores_links, after) in [(false, "sync sync"), (true, "sync")] {
            let root_bytes = rooted.then(|| dir.path().as_os_str().len());
            let target = dir.path().join(format!("{rooted}{stores_links}"));
            let durability = Durability::Synced;
            let publish = Publish { durability, root_bytes, ..Publish::new(&target) };
            let steps = io(stores_links).write(&publish);
            let (before, named) = steps.split_once(" name ").unwrap();
            assert_eq!(named, after, "the file again, then the directory: {rooted} {stores_links}");
            assert!(before.contains("sync"), "the content is synced before it has a name: {steps}");
            // A rename changes no number of links.
            let publish = Publish { existing: Existing::Replace, ..publish };
            let steps = io(stores_links).write(&publish);
            let (_, named) = steps.rsplit_once(" name ").unwrap();
            assert_eq!(named, after, "linked, then renamed over the other: {steps}");
        }
    }
}
