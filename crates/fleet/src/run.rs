//! A run as its owner sees it: creating it, its state, its failures, its end.
//!
//! Owns: the settings of a run, reading what is stored.
//! Does not own: leases ([`crate::member`]), the grammar of lines.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::scripts::Script;
use crate::server::{Call, Failure, Reply, Server};

/// How often a call that was lost is repeated.
const ATTEMPTS_MAX: usize = 5;
/// The pause before that.
const PAUSE: Duration = Duration::from_millis(200);

/// A run on a server.
pub struct Run<S> {
    server: S,
}

/// What is decided when a run is created.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How long a node may be silent before its slices are given to others.
    pub lease: Duration,
    /// How often a slice is delivered before it is set aside.
    pub deliveries_max: u32,
    /// Requests per second to one host, by the whole fleet.
    pub rate: Option<f64>,
    /// Transfers at once from one host, by the whole fleet.
    pub per_host: Option<u32>,
}

impl Default for Settings {
    /// 30 seconds, 5 deliveries, no limits.
    fn default() -> Self {
        Self { lease: Duration::from_secs(30), deliveries_max: 5, rate: None, per_host: None }
    }
}

/// What is stored of slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The reports of acknowledged slices.
    Reports,
    /// The failures of acknowledged slices.
    Failures,
    /// Slices that were set aside.
    Aside,
    /// Why leases ended without an acknowledgement.
    Reasons,
}

/// The state of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// `filling`, `full` or `cancelled`.
    pub state: String,
    /// Its members: settings and totals.
    pub members: BTreeMap<String, String>,
    /// Slices that nodes work on, or that were given back.
    pub leased: u64,
    /// Who works on which slice.
    pub holders: Vec<(String, String)>,
    /// Nodes, and how long each has been silent.
    pub nodes: Vec<(String, Duration)>,
}

/// Why a call failed.
#[derive(Debug, PartialEq, Eq)]
pub enum RunError {
    /// There is a run of this name.
    Exists,
    /// There is no run of this name.
    Missing,
    /// The server wasn't reached, or refused.
    Server(Failure),
}

impl<S: Server> Run<S> {
    /// The run of `server`.
    pub fn new(server: S) -> Self {
        Self { server }
    }

    /// The server.
    pub fn into_server(self) -> S {
        self.server
    }

    /// Creates the run, without slices. Nodes may join at once.
    ///
    /// # Errors
    /// [`RunError::Exists`], or if the server can't be reached. Then the run may exist.
    pub fn create(&mut self, settings: &Settings, members: &[(&str, String)]) -> Result<(), RunError> {
        let mut pairs = vec![
            ("lease_ms".to_owned(), settings.lease.as_millis().to_string()),
            ("deliveries_max".to_owned(), settings.deliveries_max.to_string()),
        ];
        pairs.extend(settings.rate.map(|rate| ("rate".to_owned(), rate.to_string())));
        pairs.extend(settings.per_host.map(|count| ("per_host".to_owned(), count.to_string())));
        pairs.extend(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let call = Call::new(Script::Create, pairs.into_iter().flat_map(|(name, value)| [name, value]));
        // Not repeated: a second call would find what the first has made.
        match self.server.call(&call).map_err(RunError::Server)?.int() {
            Some(1) => Ok(()),
            _ => Err(RunError::Exists),
        }
    }

    /// Adds slice `number`, counted from 1, of `lines` lines. It may be repeated.
    ///
    /// # Errors
    /// If the server can't be reached, or the run isn't being filled.
    pub fn add(&mut self, number: u64, lines: u64, content: Vec<u8>) -> Result<(), RunError> {
        let arguments = [number.to_string().into_bytes(), lines.to_string().into_bytes(), content];
        self.repeat(&Call::new(Script::Add, arguments)).map(drop)
    }

    /// Declares that all slices were added.
    ///
    /// # Errors
    /// If the server can't be reached.
    pub fn fill(&mut self, members: &[(&str, String)]) -> Result<(), RunError> {
        // A setting of its own, as Redis wants at least one.
        let pairs = members.iter().flat_map(|(name, value)| [(*name).to_owned(), value.clone()]);
        let pairs = ["version".to_owned(), "1".to_owned()].into_iter().chain(pairs);
        self.repeat(&Call::new(Script::Fill, pairs)).map(drop)
    }

    /// The state of the run.
    ///
    /// # Errors
    /// [`RunError::Missing`], or if the server can't be reached.
    pub fn status(&mut self) -> Result<Status, RunError> {
        let reply = self.repeat(&Call::new(Script::Status, [] as [&str; 0]))?;
        let [members, leased, now, holders, nodes] = reply.list() else { return Err(RunError::Missing) };
        let text = |(name, value): (&str, &Reply)| Some((name.to_owned(), value.str()?.to_owned()));
        let members: BTreeMap<_, _> = members.pairs().filter_map(text).collect();
        let now = now.int().unwrap_or(0);
        let silent = |(name, at): (&str, &Reply)| {
            let at = at.str()?.parse::<f64>().ok()? as i64;
            Some((name.to_owned(), Duration::from_millis(now.saturating_sub(at).try_into().unwrap_or(0))))
        };
        Ok(Status {
            state: members.get("state").cloned().unwrap_or_default(),
            members,
            leased: leased.int().and_then(|count| count.try_into().ok()).unwrap_or(0),
            holders: holders.pairs().filter_map(text).collect(),
            nodes: nodes.pairs().filter_map(silent).collect(),
        })
    }

    /// Calls `each` with what is stored of each slice.
    ///
    /// # Errors
    /// If the server can't be reached.
    pub fn each(&mut self, kept: Kept, mut each: impl FnMut(&str, &[u8])) -> Result<(), RunError> {
        let name = match kept {
            Kept::Reports => "done",
            Kept::Failures => "failed",
            Kept::Aside => "aside",
            Kept::Reasons => "reasons",
        };
        let mut cursor = "0".to_owned();
        loop {
            let reply = self.repeat(&Call::new(Script::List, [name, &cursor]))?;
            let [next, found] = reply.list() else { return Ok(()) };
            for (id, value) in found.pairs() {
                if let Some(bytes) = value.bytes() {
                    each(id, bytes);
                }
            }
            next.str().unwrap_or("0").clone_into(&mut cursor);
            if cursor == "0" {
                return Ok(());
            }
        }
    }

    /// Has a slice that was set aside, or `content` in place of the failures of one, tried again. Returns whether it
    /// was there.
    ///
    /// # Errors
    /// If the server can't be reached.
    pub fn retry(&mut self, id: &str, lines: u64, content: Option<Vec<u8>>) -> Result<bool, RunError> {
        let from = if content.is_some() { "failed" } else { "aside" };
        let arguments = [
            from.as_bytes().to_vec(),
            id.as_bytes().to_vec(),
            lines.to_string().into_bytes(),
            content.unwrap_or_default(),
        ];
        Ok(self.repeat(&Call::new(Script::Retry, arguments))?.int() == Some(1))
    }

    /// Cancels the run; with `remove`, nothing is left of it. Returns whether there was one.
    ///
    /// # Errors
    /// If the server can't be reached.
    pub fn cancel(&mut self, remove: bool) -> Result<bool, RunError> {
        let call = Call::new(Script::Cancel, [if remove { "1" } else { "0" }]);
        Ok(self.repeat(&call)?.int() == Some(1))
    }

    /// Makes a call that may be repeated.
    fn repeat(&mut self, call: &Call) -> Result<Reply, RunError> {
        let mut attempt = 1;
        loop {
            match self.server.call(call) {
                Err(Failure::Lost(_)) if attempt < ATTEMPTS_MAX => {
                    attempt += 1;
                    std::thread::sleep(PAUSE);
                }
                answer => return answer.map_err(RunError::Server),
            }
        }
    }
}

impl Status {
    /// A total of the run.
    pub fn total(&self, name: &str) -> u64 {
        self.members.get(name).and_then(|value| value.parse().ok()).unwrap_or(0)
    }

    /// The settings.
    pub fn settings(&self) -> Settings {
        let number = |name: &str| self.members.get(name).and_then(|value| value.parse().ok());
        Settings {
            lease: Duration::from_millis(self.total("lease_ms")),
            deliveries_max: self.total("deliveries_max").try_into().unwrap_or(u32::MAX),
            rate: self.members.get("rate").and_then(|value| value.parse().ok()),
            per_host: number("per_host"),
        }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("there is a run of this name already"),
            Self::Missing => f.write_str("there is no run of this name"),
            Self::Server(failure) => failure.fmt(f),
        }
    }
}

impl std::error::Error for RunError {}
