//! A server without a network: the scripts as Rust, over a clock that its user moves. Tests of the contract run against
//! it with seeds; another test compares it with Redis, call by call.
//!
//! Owns: the meaning of every script but [`Script::Hosts`] ([`super::fake_hosts`]).
//! Does not own: losses and restarts, which its user plays: [`FakeServer`] can be cloned and put back.

use std::collections::BTreeMap;

use haul_fleet::{Call, Failure, Reply, Script, Server};

use crate::fake_hosts::FakeHosts;

/// The states of one run.
#[derive(Clone, Debug, Default)]
pub(crate) struct FakeServer {
    /// The time in milliseconds.
    pub(crate) now_ms: u64,
    run: BTreeMap<String, String>,
    slices: BTreeMap<u64, Vec<u8>>,
    last_delivered: u64,
    pending: BTreeMap<u64, Pending>,
    leases: BTreeMap<u64, Vec<u8>>,
    holders: BTreeMap<u64, String>,
    reasons: BTreeMap<u64, String>,
    /// The arguments that followed the number of the attempt.
    prepared: BTreeMap<(u64, usize), Vec<Vec<u8>>>,
    done: BTreeMap<u64, Vec<u8>>,
    failed: BTreeMap<u64, Vec<u8>>,
    aside: BTreeMap<u64, Vec<u8>>,
    hosts: FakeHosts,
}

#[derive(Clone, Debug)]
struct Pending {
    node: Vec<u8>,
    delivered_ms: i64,
    deliveries: i64,
}

/// What a lease given back looks like: silent since ever.
const LONG_AGO: i64 = i64::MIN / 2;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn number(bytes: &[u8]) -> i64 {
    text(bytes).parse().unwrap_or(0)
}

/// The number of the slice with this ID.
fn slice(id: &[u8]) -> u64 {
    text(id).split('-').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

impl FakeServer {
    /// A member of the run, as a number.
    pub(crate) fn total(&self, name: &str) -> i64 {
        self.run.get(name).map_or(0, |value| value.parse().unwrap_or(0))
    }

    /// The slices that were set aside.
    pub(crate) fn set_aside(&self) -> usize {
        self.aside.len()
    }

    fn grow(&mut self, name: &str, by: i64) {
        let value = self.total(name) + by;
        self.run.insert(name.to_owned(), value.to_string());
    }

    fn set(&mut self, pairs: &[Vec<u8>]) {
        self.run.extend(pairs.chunks_exact(2).map(|pair| (text(&pair[0]), text(&pair[1]))));
    }

    fn state(&self) -> String {
        self.run.get("state").cloned().unwrap_or_else(|| "none".to_owned())
    }

    fn create(&mut self, arguments: &[Vec<u8>]) -> Reply {
        if !self.run.is_empty() {
            return Reply::Int(0);
        }
        for (name, value) in [("state", "filling"), ("slices", "0"), ("lines", "0")] {
            self.run.insert(name.to_owned(), value.to_owned());
        }
        self.set(arguments);
        Reply::Int(1)
    }

    fn add(&mut self, arguments: &[Vec<u8>]) -> Result<Reply, Failure> {
        if self.state() != "filling" {
            return Err(Failure::Refused(format!("STATE {}", self.state())));
        }
        if number(&arguments[0]) > self.total("slices") {
            self.slices.insert(slice(&arguments[0]), arguments[2].clone());
            self.run.insert("slices".to_owned(), text(&arguments[0]));
            self.grow("lines", number(&arguments[1]));
        }
        Ok(Reply::Int(1))
    }

    fn give(&mut self, id: u64, deliveries: i64, arguments: &[Vec<u8>]) -> Reply {
        self.leases.insert(id, arguments[2].clone());
        self.holders.insert(id, text(&arguments[1]));
        Reply::List(vec![
            Reply::text("slice"),
            Reply::text(format!("{id}-0")),
            Reply::Bytes(self.slices[&id].clone()),
            Reply::Int(deliveries),
            Reply::Int(self.total("lease_ms")),
            Reply::List(
                self.attempts(id)
                    .flat_map(|prepared| prepared[..2].iter().map(|word| Reply::Bytes(word.clone())))
                    .collect(),
            ),
        ])
    }

    /// What was prepared of a slice.
    fn attempts(&self, id: u64) -> impl Iterator<Item = &Vec<Vec<u8>>> {
        self.prepared.range((id, 0)..=(id, usize::MAX)).map(|(_, prepared)| prepared)
    }

    fn take(&mut self, arguments: &[Vec<u8>]) -> Reply {
        let word = |word: &str| Reply::List(vec![Reply::text(word)]);
        match &*self.state() {
            "none" => return word("none"),
            "cancelled" => return word("cancelled"),
            _ => {}
        }
        let (now, lease) = (self.now_ms as i64, self.total("lease_ms"));
        let silent: Vec<u64> = self
            .pending
            .iter()
            .filter(|(_, pending)| now - pending.delivered_ms >= lease)
            .map(|(id, _)| *id)
            .collect();
        for id in silent {
            let Some(pending) = self.pending.get_mut(&id) else { continue };
            let deliveries = pending.deliveries + 1;
            *pending = Pending { node: arguments[0].clone(), delivered_ms: now, deliveries };
            if self.leases.remove(&id).is_some() {
                let holder = self.holders.remove(&id).unwrap_or_default();
                let reason = format!("{holder} was silent for longer than its lease");
                let reasons = self.reasons.entry(id).or_default();
                *reasons = if reasons.is_empty() { reason } else { format!("{reasons}; {reason}") };
            }
            if deliveries <= self.total("deliveries_max") * (1 + self.attempts(id).count() as i64) {
                return self.give(id, deliveries, arguments);
            }
            self.pending.remove(&id);
            let content = self.slices.remove(&id).unwrap_or_default();
            self.aside.insert(id, content);
            self.grow("aside", 1);
        }
        let next = self.slices.range(self.last_delivered + 1..).next().map(|(id, _)| *id);
        if let Some(id) = next {
            self.last_delivered = id;
            self.pending.insert(id, Pending { node: arguments[0].clone(), delivered_ms: now, deliveries: 1 });
            return self.give(id, 1, arguments);
        }
        word(if self.state() == "full" && self.pending.is_empty() { "end" } else { "later" })
    }

    fn renew(&mut self, arguments: &[Vec<u8>]) -> Reply {
        let mut answer = vec![Reply::text(self.state())];
        for pair in arguments[1..].chunks_exact(2) {
            let id = slice(&pair[0]);
            let is_kept = self.leases.get(&id) == Some(&pair[1]);
            if is_kept && let Some(pending) = self.pending.get_mut(&id) {
                pending.node = arguments[0].clone();
                pending.delivered_ms = self.now_ms as i64;
            }
            answer.push(Reply::Int(is_kept.into()));
        }
        Reply::List(answer)
    }

    fn finish(&mut self, arguments: &[Vec<u8>]) -> Reply {
        let (id, token) = (slice(&arguments[1]), &arguments[2]);
        if self.done.get(&id).is_some_and(|stored| stored.starts_with(token)) {
            return Reply::Int(1);
        }
        if self.leases.get(&id) != Some(token) {
            return Reply::Int(0);
        }
        self.pending.remove(&id);
        self.slices.remove(&id);
        self.leases.remove(&id);
        self.holders.remove(&id);
        self.reasons.remove(&id);
        self.prepared.retain(|(of, _), _| *of != id);
        self.done.insert(id, [token.as_slice(), &arguments[3]].concat());
        if !arguments[4].is_empty() {
            self.failed.insert(id, arguments[4].clone());
        }
        self.grow("done", 1);
        for pair in arguments[5..].chunks_exact(2) {
            self.grow(&text(&pair[0]), number(&pair[1]));
        }
        Reply::Int(1)
    }

    fn prepare(&mut self, arguments: &[Vec<u8>]) -> Reply {
        let (id, attempt) = (slice(&arguments[1]), number(&arguments[3]) as usize);
        let is_next = attempt == 0 || self.prepared.contains_key(&(id, attempt - 1));
        if self.leases.get(&id) != Some(&arguments[2]) || !is_next {
            return Reply::Int(0);
        }
        let kept = self.prepared.entry((id, attempt)).or_insert_with(|| arguments[4..].to_vec());
        Reply::Int((kept == &arguments[4..]).into())
    }

    fn adopt(&mut self, arguments: &[Vec<u8>]) -> Reply {
        let (id, attempt) = (slice(&arguments[1]), number(&arguments[3]) as usize);
        match self.prepared.get(&(id, attempt)) {
            Some(kept) => self.finish(&[&arguments[..3], &kept[2..]].concat()),
            None => {
                Reply::Int(self.done.get(&id).is_some_and(|stored| stored.starts_with(&arguments[2])).into())
            }
        }
    }

    fn release(&mut self, arguments: &[Vec<u8>]) -> Reply {
        let id = slice(&arguments[1]);
        if self.leases.get(&id) != Some(&arguments[2]) {
            return Reply::Int(0);
        }
        self.leases.remove(&id);
        self.holders.remove(&id);
        if let Some(pending) = self.pending.get_mut(&id) {
            pending.delivered_ms = LONG_AGO;
            pending.deliveries -= 1;
        }
        Reply::Int(1)
    }

    fn retry(&mut self, arguments: &[Vec<u8>]) -> Reply {
        let id = slice(&arguments[1]);
        let is_aside = arguments[0] == b"aside";
        let from = if is_aside { &mut self.aside } else { &mut self.failed };
        let Some(mut content) = from.remove(&id) else { return Reply::Int(0) };
        if !arguments[3].is_empty() {
            content.clone_from(&arguments[3]);
        }
        self.grow("slices", 1);
        let new = self.total("slices") as u64;
        self.slices.insert(new, content);
        if is_aside {
            let (moved, kept): (BTreeMap<_, _>, BTreeMap<_, _>) =
                std::mem::take(&mut self.prepared).into_iter().partition(|((of, _), _)| *of == id);
            self.prepared = kept;
            self.prepared.extend(moved.into_iter().map(|((_, attempt), kept)| ((new, attempt), kept)));
            self.reasons.remove(&id);
            self.grow("aside", -1);
            self.grow("retried", 1);
        } else {
            self.grow("failed", -number(&arguments[2]));
        }
        Reply::Int(1)
    }

    fn status(&self) -> Reply {
        if self.run.is_empty() {
            return Reply::List(Vec::new());
        }
        let run = self.run.iter().flat_map(|(name, value)| [Reply::text(name), Reply::text(value)]).collect();
        let holders = self.holders.iter();
        let holders = holders.flat_map(|(id, name)| [Reply::text(format!("{id}-0")), Reply::text(name)]);
        Reply::List(vec![
            Reply::List(run),
            Reply::Int(self.pending.len() as i64),
            Reply::Int(self.now_ms as i64),
            Reply::List(holders.collect()),
            Reply::List(Vec::new()),
        ])
    }

    fn list(&self, arguments: &[Vec<u8>]) -> Reply {
        let reasons: BTreeMap<u64, Vec<u8>> =
            self.reasons.iter().map(|(id, text)| (*id, text.clone().into_bytes())).collect();
        let from = match &*arguments[0] {
            b"done" => &self.done,
            b"failed" => &self.failed,
            b"aside" => &self.aside,
            _ => &reasons,
        };
        let pairs =
            from.iter().flat_map(|(id, value)| [Reply::text(format!("{id}-0")), Reply::Bytes(value.clone())]);
        Reply::List(vec![Reply::text("0"), Reply::List(pairs.collect())])
    }

    fn cancel(&mut self, arguments: &[Vec<u8>]) -> Reply {
        let exists = !self.run.is_empty();
        if arguments[0] == b"1" {
            *self = Self { now_ms: self.now_ms, ..Self::default() };
        } else if exists {
            self.run.insert("state".to_owned(), "cancelled".to_owned());
        }
        Reply::Int(exists.into())
    }
}

impl Server for FakeServer {
    fn call(&mut self, call: &Call) -> Result<Reply, Failure> {
        let arguments = &call.arguments;
        Ok(match call.script {
            Script::Create => self.create(arguments),
            Script::Add => return self.add(arguments),
            Script::Fill => {
                if self.state() == "filling" {
                    self.run.insert("state".to_owned(), "full".to_owned());
                    self.set(arguments);
                }
                Reply::Int(1)
            }
            Script::Take => self.take(arguments),
            Script::Renew => self.renew(arguments),
            Script::Finish => self.finish(arguments),
            Script::Prepare => self.prepare(arguments),
            Script::Adopt => self.adopt(arguments),
            Script::Release => self.release(arguments),
            Script::Leave => Reply::Int(1),
            Script::Status => self.status(),
            Script::Cancel => self.cancel(arguments),
            Script::Retry => self.retry(arguments),
            Script::List => self.list(arguments),
            Script::Hosts => {
                let state = self.state();
                self.hosts.call(arguments, &state, self.now_ms as i64)
            }
            script => return Err(Failure::Refused(format!("{script:?} isn't simulated"))),
        })
    }
}
