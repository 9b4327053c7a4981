//! The names of results within one run: a name belongs to the first task that wants it.
//!
//! A claim lasts as long as the run, so that the end of the first task makes no difference to the second. Names that
//! differ only in what some file systems ignore ([`folded`]) may be one name to this one: it is asked, by a file of a
//! random name, whether it tells such names apart in that directory.
//!
//! Owns: the claims, at most 21 bytes a name and as much again for one with capital letters or beyond ASCII; which
//! names may be one.
//! Does not own: files that exist already ([`crate::kept::existing`], [`crate::kept::sync`]), other processes
//! ([`crate::kept::partial`]).

use std::borrow::Cow;
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::path::{Component, Path};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use haul_io::{Io, OpenMode, folded, probe_aliases, probe_name};

use crate::Error;

/// How many probes of one directory may be swept away before its names count as one.
const PROBES_MAX: usize = 8;

/// The names that tasks of a run have claimed. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Claims(Arc<Shared>);

#[derive(Default)]
struct Shared {
    /// Keyed at random, so that nobody can choose names that collide.
    hasher: RandomState,
    claimed: Mutex<Claimed>,
}

/// Hashes of claimed names.
#[derive(Default)]
struct Claimed {
    /// Of names as they are.
    exact: Hashes,
    /// Of names without what some file systems ignore, where that makes a difference.
    folded: Hashes,
    /// Of names of files that no task may have.
    reserved: Vec<Key>,
}

/// A set of hashes in several parts, so that one that grows is copied part by part.
#[derive(Default)]
struct Hashes([HashSet<u64>; 16]);

impl Hashes {
    fn contains(&self, hash: u64) -> bool {
        self.0[Self::part(hash)].contains(&hash)
    }

    fn insert(&mut self, hash: u64) {
        self.0[Self::part(hash)].insert(hash);
    }

    fn part(hash: u64) -> usize {
        (hash % 16) as usize
    }
}

/// The two hashes of a name.
#[derive(Clone, Copy)]
struct Key {
    exact: u64,
    folded: u64,
}

impl Claims {
    /// Claims `path` for the caller's task.
    ///
    /// # Errors
    /// [`Error::NameTaken`] if another task has it, [`Error::NameReserved`] if no task may.
    pub(crate) async fn claim(&self, io: &impl Io, path: &Path) -> Result<(), Error> {
        let path = lexical(path);
        let key = self.key(&path);
        match self.is_reserved(key) {
            Some(true) => return Err(Error::NameReserved),
            Some(false) if Box::pin(ignores_differences(io, &path)).await => return Err(Error::NameReserved),
            _ => {}
        }
        match self.try_claim(key, false) {
            Attempted::Claimed => Ok(()),
            Attempted::Taken => Err(Error::NameTaken),
            Attempted::MaybeTaken if Box::pin(ignores_differences(io, &path)).await => Err(Error::NameTaken),
            Attempted::MaybeTaken => match self.try_claim(key, true) {
                Attempted::Claimed => Ok(()),
                Attempted::Taken | Attempted::MaybeTaken => Err(Error::NameTaken),
            },
        }
    }

    /// Gives the file `path` to no task.
    pub(crate) fn reserve(&self, path: &Path) {
        let key = self.key(&lexical(path));
        self.claimed().reserved.push(key);
    }

    /// Whether the name with `key` is reserved; `Some(false)` if only the file system can tell.
    fn is_reserved(&self, key: Key) -> Option<bool> {
        let claimed = self.claimed();
        let alike = claimed.reserved.iter().filter(|one| one.folded == key.folded);
        alike.map(|one| one.exact == key.exact).max()
    }

    fn key(&self, path: &Path) -> Key {
        let exact = self.hash(path.as_os_str().as_encoded_bytes());
        let folded = folded(path).map_or(exact, |folded| self.hash(folded.as_bytes()));
        Key { exact, folded }
    }

    /// As [`Claims::claim`], where names that differ in any way are different.
    ///
    /// # Errors
    /// [`Error::NameTaken`] if another task has it.
    pub(crate) fn claim_exactly(&self, name: &Path) -> Result<(), Error> {
        let exact = self.hash(name.as_os_str().as_encoded_bytes());
        match self.try_claim(Key { exact, folded: exact }, true) {
            Attempted::Claimed => Ok(()),
            Attempted::Taken | Attempted::MaybeTaken => Err(Error::NameTaken),
        }
    }

    fn try_claim(&self, key: Key, is_told_apart: bool) -> Attempted {
        let mut claimed = self.claimed();
        if claimed.exact.contains(key.exact) {
            return Attempted::Taken;
        }
        let maybe_taken = claimed.folded.contains(key.folded) || claimed.exact.contains(key.folded);
        if maybe_taken && !is_told_apart {
            return Attempted::MaybeTaken;
        }
        claimed.exact.insert(key.exact);
        if key.folded != key.exact {
            claimed.folded.insert(key.folded);
        }
        Attempted::Claimed
    }

    fn hash(&self, name: &[u8]) -> u64 {
        self.0.hasher.hash_one(name)
    }

    fn claimed(&self) -> MutexGuard<'_, Claimed> {
        self.0.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What came of an attempt to claim a name.
enum Attempted {
    Claimed,
    Taken,
    /// A name that the file system may not tell from this one is taken.
    MaybeTaken,
}

/// `path` without components that mean nothing.
fn lexical(path: &Path) -> Cow<'_, Path> {
    let bytes = path.as_os_str().as_encoded_bytes();
    // Cheaper than taking the path apart, which few need.
    let mut components = bytes.strip_prefix(b"/").unwrap_or(bytes).split(|&byte| byte == b'/');
    if components.all(|component| !component.is_empty() && component != b".") {
        return Cow::Borrowed(path);
    }
    Cow::Owned(path.components().filter(|part| !matches!(part, Component::CurDir)).collect())
}

/// Whether the directory of `path` takes names for one that differ in what some file systems ignore. Without a
/// directory, or where it can't be written to, there is nothing yet that could be mixed up.
async fn ignores_differences(io: &impl Io, path: &Path) -> bool {
    let mut directory = path.parent();
    loop {
        let place = directory.filter(|place| !place.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if io.stat_at(None, place).await.is_ok() {
            return ignores_differences_in(io, place).await;
        }
        match directory.and_then(Path::parent) {
            Some(parent) => directory = Some(parent),
            None => return false,
        }
    }
}

/// Asks by probes until one is there from its creation to its removal. If none is, the names count as one.
async fn ignores_differences_in(io: &impl Io, directory: &Path) -> bool {
    for _ in 0..PROBES_MAX {
        match probe(io, directory).await {
            Probed::Told(is_found) => return is_found,
            Probed::Swept => {}
        }
    }
    true
}

/// What a probe told.
enum Probed {
    /// Whether its file has other names too.
    Told(bool),
    /// Nothing: a run that clears the directory took it for a leftover.
    Swept,
}

async fn probe(io: &impl Io, directory: &Path) -> Probed {
    let mut random = [0; 8];
    io.random(&mut random);
    let name = probe_name(u64::from_ne_bytes(random));
    let probe = directory.join(&name);
    if io.open(None, &probe, OpenMode::CreateNew).await.is_err() {
        return Probed::Told(false);
    }
    let mut is_found = false;
    for other in probe_aliases(&name) {
        is_found |= io.stat_at(None, &directory.join(other)).await.is_ok();
    }
    // It is a temporary file by its name: a later run clears away what can't be removed now.
    match io.remove(None, &probe).await {
        Err(error) if error.kind() == ErrorKind::NotFound && !is_found => Probed::Swept,
        _ => Probed::Told(is_found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::time::Duration;

    use haul_io::sim::{Files, Sim};
    use haul_io::{Buf, BufResult, Completion, Op, Publish, Published};

    /// The memory of a set of hashes, as the standard library lays it out: at most seven of eight buckets are taken,
    /// and each has a byte besides its hash.
    fn bytes_of(hashes: &Hashes) -> usize {
        let buckets = |part: &HashSet<u64>| (part.capacity() * 8).div_ceil(7);
        hashes.0.iter().map(|part| buckets(part) * (size_of::<u64>() + 1)).sum()
    }

    /// The resident memory of this process in bytes.
    fn resident_bytes() -> usize {
        let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4_096
    }

    #[test]
    #[allow(clippy::print_stdout, reason = "a measurement says what it found")]
    fn a_million_names_need_little_memory() {
        let sim = Sim::with_files(1, Files::default());
        for (form, set_count, names) in [("files/image-", 1, 1_000_000), ("Files/IMG-", 2, 125_000)] {
            let (claims, before) = (Claims::default(), resident_bytes());
            let mut most = 0.0_f64;
            let all = async {
                for index in 0..names {
                    claims.claim(&sim, Path::new(&format!("{form}{index}.jpg"))).await.unwrap();
                    // Just grown sets are the emptiest.
                    if index % 1_000 == 999 && index >= 29_999 {
                        let claimed = claims.claimed();
                        let bytes = bytes_of(&claimed.exact) + bytes_of(&claimed.folded);
                        most = most.max(bytes as f64 / f64::from(index + 1));
                    }
                }
            };
            sim.run(all).unwrap();
            let resident = resident_bytes().saturating_sub(before) as f64 / f64::from(names);
            println!("{form}: at most {most:.1} bytes a name in sets, {resident:.1} resident after {names}");
            assert!(most <= 21.0 * f64::from(set_count), "{form}: {most} bytes a name");
        }
    }

    /// Whether each of `paths`, in this order, could be claimed on a file system that tells all names apart.
    fn claimed(paths: &[&str]) -> Vec<bool> {
        let sim = Sim::with_files(1, Files::default());
        let claims = Claims::default();
        let all = async {
            let mut results = Vec::new();
            for path in paths {
                results.push(claims.claim(&sim, Path::new(path)).await.is_ok());
            }
            results
        };
        sim.run(all).unwrap()
    }

    #[test]
    fn a_name_belongs_to_the_first_task() {
        assert_eq!(
            claimed(&["d/x", "d/x", "d/y", "e/x", "./d/x", "d//x", "d/y"]),
            [true, false, true, true, false, false, false]
        );
    }

    #[test]
    fn a_reserved_name_belongs_to_no_task() {
        let sim = Sim::with_files(1, Files::default());
        let claims = Claims::default();
        claims.reserve(Path::new("./d/List"));
        for (path, is_reserved) in [("d/List", true), ("d//List", true), ("d/list", false), ("List", false)] {
            let claimed = sim.run(claims.claim(&sim, Path::new(path))).unwrap();
            assert_eq!(matches!(claimed, Err(Error::NameReserved)), is_reserved, "{path}");
        }
        assert!(matches!(sim.run(claims.claim(&sim, Path::new("List"))), Some(Err(Error::NameTaken))));
        assert!(claims.claim_exactly(Path::new("d/List")).is_ok(), "a member of a shard is no file");
    }

    #[test]
    fn names_that_the_file_system_tells_apart_are_different() {
        assert_eq!(
            claimed(&["d/x", "d/X", "d/X", "d/\u{e9}", "d/e\u{301}", "d/x.", "d/x\u{200d}"]),
            [true, true, false, true, true, true, true]
        );
    }

    #[test]
    fn a_path_loses_the_components_that_mean_nothing() {
        for (path, clean) in [
            ("d/x", "d/x"),
            ("/d/x", "/d/x"),
            ("../.x", "../.x"),
            ("./d/x", "d/x"),
            ("d/./x", "d/x"),
            ("/./x", "/x"),
            ("d//x", "d/x"),
            ("//x", "/x"),
            ("d/x/", "d/x"),
            ("d/x/.", "d/x"),
            (".", ""),
            ("/", "/"),
        ] {
            assert_eq!(lexical(Path::new(path)).as_os_str(), clean, "{path}");
        }
    }

    /// A directory that another run clears of probes at so many looks for one.
    struct Sweeping {
        sim: Sim,
        sweeps: Cell<usize>,
    }

    impl Io for Sweeping {
        async fn submit(&self, op: Op) -> Completion {
            let is_look = matches!(&op, Op::StatAt { path, .. } if path.to_string_lossy().contains(".haul-"));
            let probe = self.sim.files().names().first().map(|name| name.to_path_buf());
            if let Some(probe) = probe.filter(|_| is_look && self.sweeps.get() > 0) {
                self.sweeps.set(self.sweeps.get() - 1);
                self.sim.remove(None, &probe).await.unwrap();
            }
            self.sim.submit(op).await
        }

        fn now(&self) -> Duration {
            self.sim.now()
        }

        fn random(&self, out: &mut [u8]) {
            self.sim.random(out);
        }

        fn progress(&self, bytes: u64) {
            self.sim.progress(bytes);
        }

        async fn write_file(&self, publish: Publish, content: Buf) -> BufResult<Published> {
            self.sim.write_file(publish, content).await
        }
    }

    #[test]
    fn a_probe_that_another_run_sweeps_away_tells_nothing() {
        for (sweeps, is_one) in [(0, false), (1, false), (PROBES_MAX - 1, false), (PROBES_MAX, true)] {
            let io = Sweeping { sim: Sim::with_files(1, Files::default()), sweeps: Cell::new(sweeps) };
            let ignores = io.sim.run(ignores_differences_in(&io, Path::new(""))).unwrap();
            assert_eq!((ignores, io.sweeps.get()), (is_one, 0), "{sweeps}");
        }
    }
}
