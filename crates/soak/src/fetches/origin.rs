//! A server whose answers are chosen by a seed: often right, often wrong, always an answer of one version of a file.
//!
//! Owns: the files, their versions, the script of faults.
//! Does not own: sockets and framing (see testkit).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use haul_testkit::{Answer, End, Request, Server, seeded_bytes};

use crate::choice::Choice;

/// The running server.
pub(super) struct Origin {
    pub(super) server: Server,
    script: Arc<Script>,
}

/// A file of the server.
#[derive(Clone, Debug)]
pub(super) struct Remote {
    pub(super) name: String,
    pub(super) bytes: usize,
    /// Its content changes as requests come in.
    pub(super) changes: bool,
    /// Its answers have no validators.
    anonymous: bool,
}

struct Script {
    seed: u64,
    files: Vec<Remote>,
    /// The percentage of answers that are wrong.
    faults: usize,
    calm: AtomicBool,
    state: Mutex<BTreeMap<usize, Progress>>,
}

/// What happened to one file so far.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    requests: u64,
    version: u64,
}

impl Origin {
    /// Starts a server of `count` files.
    pub(super) fn start(choice: &mut Choice, count: usize) -> Self {
        let remote = |index: usize, choice: &mut Choice| Remote {
            name: format!("r{index}.bin"),
            bytes: match choice.below(24) {
                0 | 1 => 0,
                // Moved by the kernel.
                2 => choice.within(9 << 20..=12 << 20),
                3 => choice.within(1 << 20..=3 << 20),
                4..=7 => choice.within(20_000..=200_000),
                _ => choice.within(1..=9_000),
            },
            changes: choice.chance(25),
            anonymous: choice.chance(15),
        };
        let files = (0..count).map(|index| remote(index, choice)).collect();
        let script = Arc::new(Script {
            seed: choice.number(),
            files,
            faults: *choice.pick(&[0, 20, 50, 80]),
            calm: AtomicBool::new(false),
            state: Mutex::default(),
        });
        let shared = script.clone();
        Self { server: Server::start(move |request| shared.answer(request)), script }
    }

    /// Ends all misbehaviour and all changes.
    pub(super) fn calm_down(&self) {
        self.script.calm.store(true, Ordering::SeqCst);
    }

    /// Its files.
    pub(super) fn files(&self) -> &[Remote] {
        &self.script.files
    }

    /// The current content of a file.
    pub(super) fn current(&self, index: usize) -> Vec<u8> {
        self.script.body(index, self.script.progress(index).version)
    }

    /// Every content that the file has had.
    pub(super) fn versions(&self, index: usize) -> Vec<Vec<u8>> {
        (0..=self.script.progress(index).version).map(|version| self.script.body(index, version)).collect()
    }
}

impl Script {
    fn progress(&self, index: usize) -> Progress {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.get(&index).copied().unwrap_or_default()
    }

    fn body(&self, index: usize, version: u64) -> Vec<u8> {
        let seed = Choice::new(self.seed, (index as u64) << 20 | version).number();
        // Versions often have the same length: only their bytes tell them apart.
        let more = if version % 3 == 2 { version as usize } else { 0 };
        seeded_bytes(seed, self.files[index].bytes + more)
    }

    fn answer(&self, request: &Request) -> Answer {
        let index =
            request.path().strip_prefix("/r").and_then(|path| path.split('.').next()?.parse::<usize>().ok());
        let Some(index) = index.filter(|index| *index < self.files.len()) else { return Answer::new(404) };
        let calm = self.calm.load(Ordering::SeqCst);
        let progress = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let progress = state.entry(index).or_default();
            progress.requests += 1;
            if self.files[index].changes
                && !calm
                && progress.requests.is_multiple_of(2)
                && progress.version < 5
            {
                progress.version += 1;
            }
            *progress
        };
        let body = self.body(index, progress.version);
        let etag = format!("\"{index}-{}\"", progress.version);
        let right = if self.files[index].anonymous {
            Answer::ok(body.clone())
        } else {
            Answer::ranged(request, &body, &etag)
        };
        let mut choice = Choice::new(self.seed ^ 1, (index as u64) << 20 | progress.requests);
        if calm || !choice.chance(self.faults) {
            return right;
        }
        let whole = Answer::ok(body.clone());
        let whole = if self.files[index].anonymous { whole } else { whole.header("ETag", &etag) };
        wrong(&mut choice, request, right, whole, &body)
    }
}

/// A misbehaviour. None of them lets two versions look like one.
fn wrong(choice: &mut Choice, request: &Request, right: Answer, whole: Answer, body: &[u8]) -> Answer {
    let cut = choice.below(body.len() + 1);
    let end = *choice.pick(&[End::Drop, End::Reset, End::Close]);
    match choice.below(20) {
        0..=3 => right.cut_after(cut, end),
        4 => Answer::new(503),
        5 => Answer::new(429).header("Retry-After", "0"),
        6 => whole.chunked(&[choice.within(1..=5_000)]),
        7 => whole.chunked(&[choice.within(1..=5_000)]).cut_after(cut, end),
        8 => whole.claim_length(body.len() as u64 + 10).then(End::Close),
        9 => whole.until_close(),
        10 => Answer::nothing(end),
        11 => Answer::raw("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef")
            .then(End::Close),
        12 => Answer::raw("garbage\r\n\r\n").then(End::Close),
        13 => wrong_range(request, body),
        14 => Answer::redirect(302, &format!("{}?again", request.path())),
        15 => right.preceded_by("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"),
        16 => right.followed_by("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad"),
        17 => right.delay(Duration::from_millis(choice.within(1..=300) as u64)),
        18 => Answer::new(404),
        _ => whole,
    }
}

/// A 206 that wasn't asked for, or of another range than asked.
fn wrong_range(request: &Request, body: &[u8]) -> Answer {
    let len = body.len();
    if len < 2 {
        return Answer::new(500);
    }
    let first = usize::from(request.header("range").is_none());
    Answer::new(206).header("Content-Range", &format!("bytes {first}-{}/{len}", len - 1)).body(&body[first..])
}
