//! Concurrent changes in a tree that is sealed: an attacker with write access to the tree can't make a run read, write
//! or remove anything outside it.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use haul_engine::{Config, Engine, Event, Failure, Job, run};
use haul_io::sim::{Files, Sim};
use haul_io::{Cancel, Durability, Io};
use haul_seal::{
    Direction, During, Error, FileOptions, Filter, FoundFile, OpenJob, Outcome, Placement, Recipient,
    Replacing, SealJob, Symlinks, Task, VerifyJob, Walk, X25519Identity, XorJob, XorMode,
};
use haul_testkit::without_engine;

fn identity() -> X25519Identity {
    X25519Identity::generate_with(&mut |out| out.fill(1))
}

fn seal_job() -> SealJob {
    SealJob::new(vec![Recipient::X25519(identity().to_recipient())], FileOptions::default()).unwrap()
}

fn engines() -> [Engine; 3] {
    [Engine::Serial, Engine::Threads(NonZeroUsize::new(3).unwrap()), "uring=2x8".parse().unwrap()]
}

/// The result of each task by the last component of its source.
fn ends<J: Job<Task = Task, Output = Outcome, Error = Error>>(
    job: &J,
    tasks: Vec<Task>,
    engine: Engine,
) -> BTreeMap<String, String> {
    let config = Config::new(engine, Cancel::new().unwrap());
    let mut ends = BTreeMap::new();
    run(job, tasks.into_iter(), &config, |event| {
        if let Event::Settled(settled) = event {
            let name = settled.task.source().file_name().unwrap().to_str().unwrap().to_owned();
            let end = match &settled.outcome {
                Ok(_) => "done".to_owned(),
                Err(Failure::Job(error)) => error.to_string(),
                Err(other) => format!("{other:?}"),
            };
            ends.insert(name, end);
        }
    });
    ends
}

/// A tree beside a directory that runs must not touch.
struct Place {
    dir: tempfile::TempDir,
}

const LARGE_BYTES: usize = 1_500_000;

impl Place {
    fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        for tree in ["tree", "outside"] {
            fs::create_dir_all(place.path(tree).join("sub")).unwrap();
            for (name, bytes) in [("small", 10), ("sub/below", 20), ("sub/large", LARGE_BYTES)] {
                fs::write(place.path(tree).join(name), vec![tree.len() as u8; bytes]).unwrap();
            }
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn tasks(&self, output: Option<&str>, symlinks: Symlinks) -> Vec<Task> {
        let output = output.map(|output| self.path(output));
        let placement = Placement { direction: Direction::Seal, suffix: ".age".into(), output };
        let walk = Walk::new(vec![self.path("tree")], placement).unwrap();
        walk.filtered(Filter::default().symlinks(symlinks)).collect()
    }

    /// Moves `name` away and puts a link to `target` in its place.
    fn swap(&self, name: &str, target: &str) {
        fs::rename(self.path(name), self.path("moved")).unwrap();
        symlink(self.path(target), self.path(name)).unwrap();
    }

    /// The names outside the tree, with lengths and first bytes.
    #[track_caller]
    fn check_outside(&self) {
        let mut names: Vec<_> = haul_names(&self.path("outside"));
        names.sort();
        assert_eq!(names, ["small", "sub/below", "sub/large"], "nothing was made or removed outside");
        assert_eq!(fs::read(self.path("outside/small")).unwrap(), [7; 10]);
        assert!(fs::read(self.path("outside/sub/large")).unwrap() == [7; LARGE_BYTES]);
    }
}

fn haul_names(root: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut dirs = vec![root.to_owned()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                dirs.push(entry.path());
            } else {
                names.push(entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    names
}

const LINK: &str = "a symbolic link is in its way";
const OTHER: &str = "another file has taken its place since it was found";

#[test]
fn a_link_in_place_of_a_found_file_is_refused() {
    for engine in engines() {
        let place = Place::new();
        let tasks = place.tasks(Some("out"), Symlinks::Skip);
        place.swap("tree/small", "outside/small");
        fs::rename(place.path("moved"), place.path("moved-first")).unwrap();
        place.swap("tree/sub", "outside/sub");
        let ends = ends(&seal_job(), tasks, engine);
        assert_eq!(ends, [("below", LINK), ("large", LINK), ("small", LINK)].map(owned).into(), "{engine}");
        assert!(haul_names(&place.path("tree")).len() == 2 && !place.path("out/small.age").exists());
        place.check_outside();
    }
}

fn owned((name, end): (&str, &str)) -> (String, String) {
    (name.to_owned(), end.to_owned())
}

#[test]
fn another_file_of_the_same_name_is_refused_by_every_job() {
    for engine in engines() {
        let refused = |job: &dyn Fn(Vec<Task>) -> BTreeMap<String, String>| {
            let place = Place::new();
            let tasks = place.tasks(None, Symlinks::Skip);
            fs::rename(place.path("tree/sub"), place.path("moved")).unwrap();
            fs::rename(place.path("outside/sub"), place.path("tree/sub")).unwrap();
            let ends = job(tasks);
            assert_eq!(ends, [("below", OTHER), ("large", OTHER), ("small", "done")].map(owned).into());
            assert!(fs::read(place.path("tree/sub/large")).unwrap() == [7; LARGE_BYTES]);
            assert_eq!(fs::read_dir(place.path("tree/sub")).unwrap().count(), 2);
        };
        refused(&|tasks| ends(&seal_job(), tasks, engine));
        refused(&|tasks| ends(&Replacing::new(seal_job()), tasks, engine));
        for mode in [XorMode::Overwrite, XorMode::Replace(Durability::Eventual)] {
            refused(&|tasks| ends(&XorJob::new(b"key", mode).unwrap(), tasks, engine));
        }
        let refuses = |job: &dyn Fn(Vec<Task>) -> BTreeMap<String, String>| {
            let place = Place::new();
            let tasks = place.tasks(None, Symlinks::Skip);
            fs::rename(place.path("outside/small"), place.path("tree/small")).unwrap();
            assert_eq!(job(tasks)["small"], OTHER);
        };
        refuses(&|tasks| ends(&OpenJob::new(vec![], FileOptions::default()), tasks, engine));
        refuses(&|tasks| ends(&VerifyJob::new(vec![]), tasks, engine));
    }
}

#[test]
fn results_stay_in_their_directory() {
    for engine in engines() {
        let place = Place::new();
        fs::create_dir(place.path("real")).unwrap();
        symlink(place.path("real"), place.path("out")).unwrap();
        symlink(place.path("outside/sub"), place.path("real/sub")).unwrap();
        let ends = ends(&seal_job(), place.tasks(Some("out"), Symlinks::Skip), engine);
        let link = "creating the result: a symbolic link is in the way";
        let expected = [("below", link), ("large", link), ("small", "done")];
        assert_eq!(ends, expected.map(owned).into(), "{engine}: the output itself may be a link");
        assert!(place.path("real/small.age").exists());
        place.check_outside();
    }
}

#[test]
fn links_that_are_followed_lead_to_what_the_walk_saw() {
    for engine in engines() {
        let place = Place::new();
        fs::remove_dir_all(place.path("tree/sub")).unwrap();
        symlink(place.path("outside/sub"), place.path("tree/dir")).unwrap();
        symlink(place.path("outside/small"), place.path("tree/link")).unwrap();
        let tasks = place.tasks(Some("out"), Symlinks::Follow);
        let expected = [("below", "done"), ("large", "done"), ("link", "done"), ("small", "done")];
        assert_eq!(ends(&seal_job(), tasks.clone(), engine), expected.map(owned).into(), "{engine}");
        fs::remove_dir_all(place.path("out")).unwrap();
        fs::create_dir(place.path("other")).unwrap();
        for name in ["below", "large", "small"] {
            fs::write(place.path("other").join(name), "x").unwrap();
        }
        for (name, target) in [("tree/dir", "other"), ("tree/link", "other/small")] {
            fs::remove_file(place.path(name)).unwrap();
            symlink(place.path(target), place.path(name)).unwrap();
        }
        let expected = [("below", OTHER), ("large", OTHER), ("link", OTHER), ("small", "done")];
        assert_eq!(ends(&seal_job(), tasks, engine), expected.map(owned).into(), "{engine}");
    }
}

#[test]
fn the_walk_itself_is_not_led_astray() {
    let place = Place::new();
    fs::remove_file(place.path("tree/small")).unwrap();
    fs::rename(place.path("outside/sub"), place.path("tree/sub2")).unwrap();
    let placement = Placement { direction: Direction::Seal, suffix: ".age".into(), output: None };
    let mut walk = Walk::new(vec![place.path("tree")], placement).unwrap();
    let first = walk.next().unwrap().source().parent().unwrap().to_owned();
    let other = if first.ends_with("sub") { "tree/sub2" } else { "tree/sub" };
    place.swap(other, "outside");
    let rest: Vec<_> = walk.collect();
    assert_eq!(rest.len(), 2, "{rest:?}");
    for task in rest {
        match task {
            Task::File { source, .. } => assert!(source.starts_with(&first)),
            Task::Bad { source, error: Some(error) } => {
                assert_eq!(source, place.path(other));
                assert_eq!(error.cause().to_string(), "something else has taken the place of a directory");
            }
            task => panic!("{task:?}"),
        }
    }
}

#[test]
fn a_tree_of_any_depth_is_walked_with_few_handles() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let mut path = root.clone();
    for level in 0..120 {
        for name in ["a", "z"] {
            fs::create_dir_all(path.join(name)).unwrap();
            fs::write(path.join(name).join(format!("{level}{name}")), "x").unwrap();
        }
        path.push("m");
    }
    let placement = Placement { direction: Direction::Seal, suffix: ".age".into(), output: None };
    let mut sources = Vec::new();
    let mut handles_max = 0;
    for task in Walk::new(vec![root.clone()], placement).unwrap() {
        handles_max = handles_max.max(fs::read_dir("/proc/self/fd").unwrap().filter(is_below(&root)).count());
        assert!(matches!(task, Task::File { .. }), "{task:?}");
        sources.push(task.source().to_owned());
    }
    sources.sort();
    sources.dedup();
    assert_eq!(sources.len(), 240);
    assert!((2..=33).contains(&handles_max), "{handles_max}");
}

/// Whether a descriptor refers to a file below `root`.
fn is_below(root: &Path) -> impl FnMut(&std::io::Result<fs::DirEntry>) -> bool {
    move |entry| {
        let target = entry.as_ref().ok().and_then(|entry| fs::read_link(entry.path()).ok());
        target.is_some_and(|target| target.starts_with(root))
    }
}

/// A tree `t` with `t/s/plain`, a result directory `o/s`, and the same names outside.
fn machine(seed: u64, bytes: usize) -> Sim {
    let mut files = Files::default();
    files.put("t/s/plain", &vec![1; bytes]);
    files.put("o/s/other", b"x");
    files.put("outside/plain", b"secret");
    Sim::with_files(seed, files)
}

fn found(sim: &Sim) -> Task {
    let stat = sim.run(sim.stat_at(None, Path::new("t/s/plain"))).unwrap().unwrap();
    let (source, target) = (PathBuf::from("t/s/plain"), PathBuf::from("o/s/plain.age"));
    let found =
        FoundFile { source_root_bytes: 1, target_root_bytes: 1, is_link: false, is_named: false, stat };
    Task::File { source, target, found: Some(found), plugin_key: None }
}

#[test]
fn a_swap_at_any_operation_touches_nothing_outside() {
    for (bytes, unnamed) in [(100, true), (100, false), (1_100_000, true)] {
        let job = Replacing::new(seal_job());
        let sim = machine(1, bytes);
        sim.files().refuse_unnamed = !unnamed;
        let task = found(&sim);
        let before = sim.submitted();
        sim.run(without_engine(&sim, &job, &task)).unwrap().unwrap();
        let count = sim.submitted() - before;
        for directory in ["t/s", "o/s"] {
            let (mut refused, mut done) = (0, 0);
            for number in 0..count {
                let sim = machine(1, bytes);
                sim.files().refuse_unnamed = !unnamed;
                let task = found(&sim);
                sim.change_files_at(number + sim.submitted(), move |files| {
                    files.shift(directory, "moved");
                    files.put_link(directory, "/outside");
                });
                let end = sim.run(without_engine(&sim, &job, &task)).unwrap();
                let files = sim.files();
                let case = format!("{directory} at {number}: {end:?}");
                let outside: Vec<_> =
                    files.names().into_iter().filter(|name| name.starts_with("outside")).collect();
                assert_eq!(outside, [Path::new("outside"), Path::new("outside/plain")], "{case}");
                assert_eq!(files.get("outside/plain"), Some(b"secret".as_slice()), "{case}");
                let source = ["t/s/plain", "moved/plain"].map(|path| files.get(path).is_some());
                let result = ["o/s/plain.age", "moved/plain.age"].map(|path| files.get(path).is_some());
                assert!(source.contains(&true) || result.contains(&true), "{case}: neither");
                match end {
                    Err(Error::Link {
                        step: During::OpenSource | During::Create | During::Remove | During::Write,
                    }) => {
                        refused += 1;
                    }
                    Ok(_) => done += 1,
                    other => panic!("{case}: {other:?}"),
                }
            }
            // A source in a swapped directory isn't removed; the result is then complete and the task fails.
            let expects_done = directory == "o/s";
            assert!(refused > 3 && (done > 3) == expects_done, "{directory}: {refused} refused, {done} done");
        }
    }
}
