//! Shards that go to a store: complete ones, and those that it refuses.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use haul_io::{ChunkedFormat, run_ready};
use haul_pack::{Content, Earlier, Entry, Packer, Place, ShardStore, ShardUpload};

use crate::format::{self, Toy};
use crate::{Fixture, members};

/// A store in memory.
#[derive(Debug, Default)]
struct Memory {
    shards: Mutex<BTreeMap<String, Vec<u8>>>,
    /// Shards longer than that can't be sent.
    bytes_max: Option<usize>,
    open: AtomicUsize,
}

/// The store, as the packer has it.
#[derive(Clone, Debug)]
struct Handle(Arc<Memory>);

struct InMemory {
    store: Arc<Memory>,
    name: String,
    bytes: Vec<u8>,
    bytes_max: Option<u64>,
}

impl ShardStore for Handle {
    fn path(&self, name: &str) -> PathBuf {
        format!("memory/{name}").into()
    }

    fn begin(&self, name: &str, bytes_max: Option<u64>) -> io::Result<Box<dyn ShardUpload>> {
        self.0.open.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(InMemory { store: self.0.clone(), name: name.to_owned(), bytes: Vec::new(), bytes_max }))
    }
}

impl ShardUpload for InMemory {
    fn push(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.extend_from_slice(bytes);
        let is_over = self.bytes_max.is_some_and(|max| self.bytes.len() as u64 > max);
        assert!(!is_over, "no longer than announced");
        if self.store.bytes_max.is_some_and(|max| self.bytes.len() > max) {
            return Err(io::Error::other("the store is full"));
        }
        Ok(())
    }

    fn publish(self: Box<Self>) -> io::Result<()> {
        let mut shards = self.store.shards.lock().unwrap();
        if shards.contains_key(&self.name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        shards.insert(self.name.clone(), self.bytes.clone());
        Ok(())
    }
}

impl Drop for InMemory {
    fn drop(&mut self) {
        self.store.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Memory {
    fn names(&self) -> Vec<String> {
        self.shards.lock().unwrap().keys().cloned().collect()
    }
}

fn packer(
    fixture: &Fixture,
    store: &Arc<Memory>,
    shard_bytes: u64,
    format: Option<Arc<dyn ChunkedFormat>>,
) -> Packer {
    let place = Place::Store {
        store: Arc::new(Handle(store.clone())),
        spill_directory: fixture.dir.path().to_owned(),
    };
    let options = fixture.options(place, shard_bytes, format);
    Packer::new(haul_pack::PackOptions { first_number: 3, ..options }, Earlier::default())
}

fn add(packer: &Packer, fixture: &Fixture, name: &str, bytes: usize) -> io::Result<haul_pack::Ticket> {
    let entry = packer.entry(name.as_bytes(), bytes as u64, Some(0));
    let content = vec![7; bytes];
    run_ready(packer.add(&fixture.io(), &entry, Content::Memory(&content)))
}

#[test]
fn shards_are_published_whole_and_directories_come_last() {
    for is_encoded in [false, true] {
        let (fixture, store) = (Fixture::new(), Arc::<Memory>::default());
        let format = is_encoded.then(|| Arc::new(Toy::default()) as Arc<dyn ChunkedFormat>);
        let packer = packer(&fixture, &store, 20_000, format);
        packer.add_directory(Entry { mode: 0o555, ..Entry::file(b"directory/", 0) });
        let first = add(&packer, &fixture, "a", 10).unwrap();
        // Alone in a shard, which has a greater number and is published earlier.
        let long = add(&packer, &fixture, "long", 50_000).unwrap();
        assert!(long.is_settled() && store.names().len() == 1);
        let mut spill = run_ready(packer.spill(&fixture.io())).unwrap();
        run_ready(spill.push(&fixture.io(), &[7; 3_000])).unwrap();
        let entry = packer.entry(b"spilled", 3_000, Some(0));
        run_ready(packer.add(&fixture.io(), &entry, Content::Spill(Box::new(spill)))).unwrap();
        let (path, _) = run_ready(packer.settle(&fixture.io(), &first)).unwrap();
        let suffix = if is_encoded { ".toy" } else { "" };
        assert_eq!(path, PathBuf::from(format!("memory/shard-000003.tar{suffix}")));
        run_ready(packer.finish(&fixture.io())).unwrap();
        let names: Vec<_> = (3..6).map(|number| format!("shard-{number:06}.tar{suffix}")).collect();
        assert_eq!(store.names(), names);
        let shards: Vec<_> = store.shards.lock().unwrap().values().cloned().collect();
        let plain = |shard: &Vec<u8>| if is_encoded { format::decoded(shard) } else { shard.clone() };
        let shards: Vec<_> = shards.iter().map(plain).collect();
        let names = |shard: &Vec<u8>| -> Vec<_> {
            members(shard).into_iter().map(|(member, _)| String::from_utf8(member.name).unwrap()).collect()
        };
        assert_eq!(
            shards.iter().map(names).collect::<Vec<_>>(),
            [vec!["a", "spilled"], vec!["long"], vec![]]
        );
        let has_directory = |shard: &Vec<u8>| shard.windows(10).any(|window| window == b"directory/");
        assert_eq!(shards.iter().map(has_directory).collect::<Vec<_>>(), [false, false, true]);
        assert_eq!((store.open.load(Ordering::Relaxed), fixture.shards().len()), (0, 0), "nothing is left");
    }
}

#[test]
fn members_of_a_shard_that_is_refused_have_failed() {
    // By a push.
    let (fixture, store) =
        (Fixture::new(), Arc::new(Memory { bytes_max: Some(600_000), ..Memory::default() }));
    let small = packer(&fixture, &store, 1 << 30, None);
    let first = add(&small, &fixture, "a", 10).unwrap();
    let error = add(&small, &fixture, "b", 2_000_000).unwrap_err();
    assert!(error.to_string().contains("the store is full"), "{error}");
    let error = run_ready(small.settle(&fixture.io(), &first)).unwrap_err();
    assert!(error.to_string().contains("the store is full"), "{error}");
    assert!(store.names().is_empty());

    // By the request that publishes it.
    store.shards.lock().unwrap().insert("shard-000003.tar".to_owned(), b"of somebody else".to_vec());
    let late = packer(&fixture, &store, 1 << 30, None);
    let ticket = add(&late, &fixture, "a", 10).unwrap();
    let error = run_ready(late.settle(&fixture.io(), &ticket)).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(store.shards.lock().unwrap()["shard-000003.tar"], b"of somebody else");
    assert_eq!(store.open.load(Ordering::Relaxed), 0);
}
