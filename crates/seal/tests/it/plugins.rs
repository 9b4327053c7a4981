//! Plugins as real processes: one session for many files with every engine, and their failures.

use std::ffi::OsString;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use haul_engine::{Config, Event, Failure, Job, Next, Report, run};
use haul_io::Cancel;
use haul_seal::{
    Direction, Error, ErrorKind, FileOptions, Identity, KeyRequest, KeySource, OpenError, OpenJob, Outcome,
    Placement, PluginFault, PluginLimits, PluginProblem, PluginUi, Plugins, Question, Recipient, SealError,
    SealJob, StreamOptions, Task, VerifyJob, Walk, X25519Identity, open_stream, seal_stream,
};
use haul_testkit::{PluginFolder, Tree, assert_same};
use zeroize::Zeroizing;

/// Answers each question for a secret with `pin`, and records all questions and messages.
#[derive(Clone, Default)]
struct Scripted {
    pin: Option<&'static str>,
    heard: Arc<Mutex<Vec<Question>>>,
}

impl PluginUi for Scripted {
    fn answer(&self, program: &str, question: &Question, _: &Cancel) -> Option<Zeroizing<String>> {
        assert_eq!(program, "age-plugin-test");
        self.heard.lock().unwrap().push(question.clone());
        match question {
            Question::Message(_) => Some(Zeroizing::default()),
            _ => self.pin.map(|pin| Zeroizing::new(pin.to_owned())),
        }
    }
}

struct Place {
    dir: tempfile::TempDir,
    folder: PluginFolder,
    person: Scripted,
    limits: PluginLimits,
}

impl Place {
    fn new(behaviour: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = PluginFolder::new(&dir.path().join("bin"));
        folder.install(behaviour);
        Self { dir, folder, person: Scripted::default(), limits: PluginLimits::default() }
    }

    fn with_script(script: &str) -> Self {
        let place = Self::new("");
        place.folder.install_script("age-plugin-test", &format!("#!/bin/sh\n{script}\n"));
        place
    }

    fn plugins(&self) -> Arc<Plugins> {
        let path = OsString::from(self.folder.path());
        Arc::new(Plugins::new(path, self.person.clone(), self.limits))
    }

    fn walk(&self, from: &str, direction: Direction, to: &str) -> Walk {
        let output = Some(self.dir.path().join(to));
        let placement = Placement { direction, suffix: ".age".into(), output };
        Walk::new(vec![self.dir.path().join(from)], placement).unwrap()
    }

    fn run<J: Job<Task = Task, Output = Outcome, Error = Error>>(
        &self,
        job: &J,
        keying: KeyRequest,
        tasks: Walk,
        engine: &str,
    ) -> (Report, Vec<Error>) {
        let config = Config::new(engine.parse().unwrap(), Cancel::new().unwrap());
        let mut errors = Vec::new();
        let report = run(job, KeySource::new(tasks, keying, self.plugins()).unwrap(), &config, |event| {
            if let Event::Settled(settled) = event
                && let Err(Failure::Job(error)) = &settled.outcome
            {
                errors.push(copy_of(error));
            }
        });
        (report, errors)
    }

    fn seal(&self, recipients: Vec<Recipient>, engine: &str) -> (Report, Vec<Error>) {
        let job = SealJob::new(recipients, FileOptions::default()).unwrap();
        let keying = job.key_request(&mut random);
        self.run(&job, keying, self.walk("tree", Direction::Seal, "sealed"), engine)
    }

    fn open(&self, identities: Vec<Identity>, engine: &str) -> (Report, Vec<Error>) {
        let job = OpenJob::new(identities, FileOptions::default());
        let keying = job.key_request(&mut random);
        self.run(&job, keying, self.walk("sealed", Direction::Open, "opened"), engine)
    }

    fn tree(&self, files: usize) {
        Tree::seeded(3).files(files).depth(2).write(&self.dir.path().join("tree")).unwrap();
    }

    #[track_caller]
    fn check_opened(&self) {
        assert_same(&self.dir.path().join("tree"), &self.dir.path().join("opened"));
        std::fs::remove_dir_all(self.dir.path().join("opened")).unwrap();
    }

    /// The error that all files of a tree have in common.
    #[track_caller]
    fn refused(&self, recipients: Vec<Recipient>) -> Error {
        self.tree(3);
        let (report, errors) = self.seal(recipients, "threads=2");
        assert_eq!((report.succeeded, report.failed), (0, 3));
        assert!(
            !self.dir.path().join("sealed").exists()
                || std::fs::read_dir(self.dir.path().join("sealed")).unwrap().next().is_none()
        );
        assert_eq!(errors.len(), 3);
        assert!(errors.iter().all(|error| error.to_string() == errors[0].to_string()));
        errors.into_iter().next().unwrap()
    }
}

fn copy_of(error: &Error) -> Error {
    match error {
        Error::Plugin(error) => Error::Plugin(error.clone()),
        Error::Recipients(error) => Error::Recipients(*error),
        Error::Header(error) => Error::Header(*error),
        other => panic!("not expected here: {other:?}"),
    }
}

fn random(out: &mut [u8]) {
    let mut file = std::fs::File::open("/dev/urandom").unwrap();
    std::io::Read::read_exact(&mut file, out).unwrap();
}

fn recipient() -> Recipient {
    PluginFolder::RECIPIENT.parse().unwrap()
}

fn identity() -> Identity {
    PluginFolder::IDENTITY.parse().unwrap()
}

#[track_caller]
fn problem(error: &Error) -> &PluginProblem {
    let Error::Plugin(error) = error else { panic!("{error:?}") };
    assert_eq!(error.program, "age-plugin-test");
    &error.problem
}

#[test]
fn a_run_has_one_session_on_every_engine() {
    let place = Place::new("message");
    place.tree(100);
    for (engine, number) in [("serial", 1), ("threads=3", 2), ("uring=2x8", 3)] {
        let (report, errors) = place.seal(vec![recipient()], engine);
        assert_eq!((report.succeeded, errors.len()), (100, 0), "{engine}: {errors:?}");
        let (report, errors) = place.open(vec![identity()], engine);
        assert_eq!((report.succeeded, errors.len()), (100, 0), "{engine}: {errors:?}");
        place.check_opened();
        let job = VerifyJob::new(vec![identity()]);
        let keying = job.key_request(&mut random);
        let (report, _) = place.run(&job, keying, place.walk("sealed", Direction::Open, "nowhere"), engine);
        assert_eq!(report.succeeded, 100);
        std::fs::remove_dir_all(place.dir.path().join("sealed")).unwrap();
        assert_eq!(
            place.folder.sessions(),
            ["recipient-v1 100", "identity-v1 100", "identity-v1 100"].repeat(number)
        );
    }
    let heard = place.person.heard.lock().unwrap();
    assert_eq!(heard.len(), 9);
    assert_eq!(heard[0], Question::Message("touch \u{1b}[31mit".to_owned()));
}

#[test]
fn plugins_are_not_asked_about_files_that_other_identities_open() {
    let place = Place::new("");
    place.tree(10);
    let own = X25519Identity::generate_with(&mut random);
    let (report, _) =
        place.seal(vec![Recipient::X25519(own.to_recipient()), recipient(), recipient()], "threads=2");
    assert_eq!(report.succeeded, 10);
    assert_eq!(place.folder.sessions(), ["recipient-v1 10"]);
    let (report, _) = place.open(vec![identity(), Identity::X25519(own.clone())], "threads=2");
    assert_eq!(report.succeeded, 10);
    place.check_opened();
    assert_eq!(place.folder.sessions().len(), 1, "no session to open");
    let (report, _) =
        place.open(vec![Identity::X25519(X25519Identity::generate_with(&mut random)), identity()], "serial");
    assert_eq!(report.succeeded, 10);
    place.check_opened();
    assert_eq!(place.folder.sessions()[1..], ["identity-v1 10"]);
    // The plugin finds no key in files that are sealed to others.
    std::fs::remove_dir_all(place.dir.path().join("sealed")).unwrap();
    place.seal(vec![Recipient::X25519(own.to_recipient())], "serial");
    let (report, errors) = place.open(vec![identity()], "serial");
    assert_eq!(report.failed, 10);
    assert!(errors.iter().all(|error| matches!(error, Error::Header(OpenError::NoMatch))), "{errors:?}");
}

#[test]
fn identities_are_sealed_to_in_the_same_session() {
    let place = Place::new("");
    place.tree(10);
    let own = X25519Identity::generate_with(&mut random);
    let to_identity = identity().to_recipient().unwrap();
    let (report, errors) = place.seal(vec![to_identity.clone()], "threads=2");
    assert_eq!(report.succeeded, 10, "{errors:?}");
    assert_eq!(place.open(vec![identity()], "threads=2").0.succeeded, 10);
    place.check_opened();
    std::fs::remove_dir_all(place.dir.path().join("sealed")).unwrap();
    let recipients = vec![to_identity.clone(), recipient(), Recipient::X25519(own.to_recipient())];
    assert_eq!(place.seal(recipients, "uring=1x4").0.succeeded, 10);
    assert_eq!(place.open(vec![Identity::X25519(own)], "serial").0.succeeded, 10);
    place.check_opened();
    assert_eq!(place.folder.sessions(), ["recipient-v1 10", "identity-v1 10", "recipient-v1 10"]);
    let options =
        StreamOptions { plugins: Some(place.plugins()), ..StreamOptions::new(Cancel::new().unwrap()) };
    let (mut sealed, mut opened) = (Vec::new(), Vec::new());
    seal_stream(&b"Dear Ada"[..], &mut sealed, &[to_identity], &options).unwrap();
    open_stream(&sealed[..], &mut opened, &[identity()], &options).unwrap();
    assert_eq!(opened, b"Dear Ada");
}

#[test]
fn a_pin_is_requested_once() {
    let mut place = Place::new("pin");
    place.person.pin = Some("123456");
    place.tree(20);
    assert_eq!(place.seal(vec![recipient()], "threads=2").0.succeeded, 20);
    assert_eq!(place.open(vec![identity()], "threads=2").0.succeeded, 20);
    place.check_opened();
    assert_eq!(*place.person.heard.lock().unwrap(), vec![Question::Secret("PIN".to_owned()); 2]);
    place.person.pin = Some("wrong");
    let (report, errors) = place.open(vec![identity()], "threads=2");
    assert_eq!(report.failed, 20);
    let said = PluginFault::Reported("no access\nto the card".to_owned());
    assert!(errors.iter().all(|error| *problem(error) == PluginProblem::Fault(said.clone())));
    assert_eq!(errors[0].to_string(), "age-plugin-test: no access to the card", "one line");
    place.person.pin = None;
    assert_eq!(place.open(vec![identity()], "serial").0.failed, 20);
}

#[test]
fn plugins_that_fail_seal_nothing() {
    let place = Place::new("refuses");
    assert!(matches!(
        problem(&place.refused(vec![recipient()])),
        PluginProblem::Fault(PluginFault::Reported(_))
    ));
    let place = Place::with_script("echo hello; exec cat >/dev/null");
    assert_eq!(*problem(&place.refused(vec![recipient()])), PluginProblem::Fault(PluginFault::Malformed));
    let place = Place::with_script("exec yes -- '-> grease'");
    assert_eq!(*problem(&place.refused(vec![recipient()])), PluginProblem::Fault(PluginFault::Malformed));
    let place = Place::with_script("while :; do printf -- '-> grease\\n\\n'; done");
    assert_eq!(*problem(&place.refused(vec![recipient()])), PluginProblem::Fault(PluginFault::TooLong));
    let place = Place::with_script("cat >/dev/null & echo 'no card' >&2; exit 7");
    let hung_up = place.refused(vec![recipient()]);
    assert_eq!(hung_up.to_string(), "age-plugin-test ended early with status 7: no card");
    let place = Place::with_script("printf -- '-> done\\n\\n'; exec cat >/dev/null");
    assert_eq!(*problem(&place.refused(vec![recipient()])), PluginProblem::Fault(PluginFault::WrongCount));
    let place = Place::new("");
    std::fs::remove_file(place.folder.path().join("age-plugin-test")).unwrap();
    let missing = place.refused(vec![recipient()]);
    assert_eq!(missing.to_string(), "there is no program age-plugin-test");
    assert_eq!(missing.kind(), ErrorKind::Other);
}

/// Whether the plugin was killed: for saying nothing, or because it closed its standard output and went on.
fn was_killed(problem: &PluginProblem) -> bool {
    matches!(problem, PluginProblem::Silent | PluginProblem::HungUp { status: None, .. })
}

#[test]
fn a_silent_plugin_is_killed() {
    let limits = PluginLimits {
        silence_max: Duration::from_millis(20),
        user_max: Duration::from_millis(20),
        leave_max: Duration::from_millis(1),
    };
    // Without and with a message to the user, after which a plugin may take longer.
    for script in
        ["printf -- '-> msg\\nSGVsbG8\\n'; exec cat >/dev/null", "cat >/dev/null", "exec sleep 1000"]
    {
        let mut place = Place::with_script(script);
        place.limits = limits;
        // More than a pipe holds, so that a plugin that doesn't read is noticed too.
        let recipients = vec![recipient(); 4_000];
        assert!(was_killed(problem(&place.refused(recipients))), "{script}");
    }
}

#[test]
fn a_plugin_that_chatters_or_left_its_pipes_open_ends_in_time() {
    // Nothing here waits for the limit of five minutes: a plugin that exited is noticed at once, although the programs
    // that it started hold its pipes open.
    for script in
        ["sleep 1000 & echo $! > \"${0%/*}/pid\"; exit 3", "yes >&2 & echo $! > \"${0%/*}/pid\"; exit 3"]
    {
        let place = Place::with_script(script);
        let error = place.refused(vec![recipient()]);
        assert!(error.to_string().starts_with("age-plugin-test ended early with status 3"), "{error}");
        let pid = std::fs::read_to_string(place.folder.path().join("pid")).unwrap();
        let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        // The program belongs to this test, which started it by way of the plugin.
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    }
    let limits = PluginLimits { silence_max: Duration::from_millis(50), ..PluginLimits::default() };
    // Chatter on the standard error, and a stanza that comes a byte at a time, are no progress.
    for script in ["exec yes >&2", "while :; do printf 'x' >&2; done", "printf -- '-> msg'; exec yes >&2"] {
        let mut place = Place::with_script(script);
        place.limits = limits;
        assert!(was_killed(problem(&place.refused(vec![recipient()]))), "{script}");
    }
}

#[test]
fn plugins_are_found_in_absolute_entries_only() {
    let place = Place::new("");
    let plugins = |path: &std::ffi::OsStr| {
        Plugins::new(path.to_owned(), Scripted::default(), PluginLimits::default()).find("age-plugin-test")
    };
    let here = std::env::current_dir().unwrap();
    let up =
        Path::new("..").iter().cycle().take(here.components().count() - 1).collect::<std::path::PathBuf>();
    let folder = place.folder.path();
    let relative = up.join(folder.strip_prefix("/").unwrap());
    assert!(relative.join("age-plugin-test").exists(), "the entry would lead there");
    assert!(plugins(folder.as_os_str()).is_some());
    for path in [relative.as_os_str(), "".as_ref(), ".".as_ref(), ":".as_ref()] {
        assert_eq!(plugins(path), None, "{path:?}");
    }
}

#[test]
fn a_broken_plugin_is_not_started_again() {
    let place = Place::with_script("echo x >> \"${0%/*}/starts\"; exit 1");
    let plugins = place.plugins();
    for _ in 0..3 {
        let options =
            StreamOptions { plugins: Some(plugins.clone()), ..StreamOptions::new(Cancel::new().unwrap()) };
        seal_stream(&b"x"[..], std::io::sink(), &[recipient()], &options).unwrap_err();
    }
    assert_eq!(std::fs::read_to_string(place.folder.path().join("starts")).unwrap(), "x\n");
}

#[test]
fn streams_ask_plugins_too() {
    for behaviour in ["", "hasty"] {
        let place = Place::new(behaviour);
        let options =
            StreamOptions { plugins: Some(place.plugins()), ..StreamOptions::new(Cancel::new().unwrap()) };
        let (mut sealed, mut opened) = (Vec::new(), Vec::new());
        seal_stream(&b"Dear Ada"[..], &mut sealed, &[recipient()], &options).unwrap();
        open_stream(&sealed[..], &mut opened, &[identity()], &options).unwrap();
        assert_eq!(opened, b"Dear Ada");
        let without = StreamOptions::new(Cancel::new().unwrap());
        let error = seal_stream(&b"x"[..], Vec::new(), &[recipient()], &without).unwrap_err();
        assert!(matches!(error, Error::Recipients(SealError::PluginNotAsked)), "{error:?}");
        let error = open_stream(&sealed[..], Vec::new(), &[identity()], &without).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoMatch);
    }
}

#[test]
fn labels_keep_recipients_apart() {
    let place = Place::new("postquantum");
    let own = Recipient::X25519(X25519Identity::generate_with(&mut random).to_recipient());
    let mixed = place.refused(vec![recipient(), own.clone()]);
    assert!(matches!(mixed, Error::Recipients(SealError::PostQuantumMixed)), "{mixed:?}");
    let hybrid = Recipient::Hybrid(haul_seal::HybridIdentity::generate_with(&mut random).to_recipient());
    let (report, errors) = place.seal(vec![recipient(), hybrid.clone()], "serial");
    assert_eq!(report.succeeded, 3, "{errors:?}");
    let place = Place::new("");
    assert!(matches!(
        place.refused(vec![recipient(), hybrid]),
        Error::Recipients(SealError::PostQuantumMixed)
    ));
    assert_eq!(place.seal(vec![recipient(), own], "serial").0.succeeded, 3);
}

#[test]
fn the_end_of_a_run_ends_its_plugin() {
    let place = Place::with_script("echo $$ > \"${0%/*}/pid\"; exec cat >/dev/null");
    place.tree(3);
    let job = SealJob::new(vec![recipient()], FileOptions::default()).unwrap();
    let tasks = place.walk("tree", Direction::Seal, "sealed");
    let mut source = KeySource::new(tasks, job.key_request(&mut random), place.plugins()).unwrap();
    assert!(matches!(haul_engine::Source::next(&mut source), Next::Later));
    let pid = place.folder.path().join("pid");
    while std::fs::read_to_string(&pid).unwrap_or_default().trim().is_empty() {
        std::thread::yield_now();
    }
    drop(source);
    let pid = std::fs::read_to_string(&pid).unwrap();
    assert!(!Path::new("/proc").join(pid.trim()).exists(), "neither running nor a zombie");
}
