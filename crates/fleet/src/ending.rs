//! How a slice ends: acknowledged by its node, or, if results that a node has announced turn out to exist, by another.
//!
//! Owns: what is told of an end, the calls that tell it.
//! Does not own: when they are made ([`crate::member`]).

use crate::scripts::Script;
use crate::server::Call;
use crate::slice::SliceId;

/// A slice whose results are durable.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The slice.
    pub id: SliceId,
    /// Its report, for people.
    pub report: Vec<u8>,
    /// Its failures; empty if there are none.
    pub failures: Vec<u8>,
    /// Totals of the run, and what they grow by.
    pub totals: Vec<(&'static str, u64)>,
}

/// A slice whose results are about to appear under one name, all at once. Until it is known whether they have, others
/// may not work on the slice.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// How the slice ends if they appear.
    pub end: Finished,
    /// How many were prepared before, as [`Outcome::Taken`](crate::Outcome::Taken) has said.
    pub attempt: usize,
    /// The results.
    pub results: Results,
}

/// Results that appear under one name, all at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// Their name.
    pub name: String,
    /// What tells them from anything else under this name.
    pub identity: String,
}

/// How a slice is to be acknowledged.
pub(crate) enum Ending {
    Finished(Finished),
    /// As it was prepared.
    Adopted {
        id: SliceId,
        attempt: usize,
    },
}

impl Ending {
    pub(crate) fn id(&self) -> &SliceId {
        match self {
            Self::Finished(Finished { id, .. }) | Self::Adopted { id, .. } => id,
        }
    }

    pub(crate) fn into_id(self) -> SliceId {
        match self {
            Self::Finished(Finished { id, .. }) | Self::Adopted { id, .. } => id,
        }
    }

    pub(crate) fn call(&self, node: &str, token: &[u8]) -> Call {
        let head = [node.as_bytes().to_vec(), self.id().clone().into_bytes(), token.to_vec()];
        match self {
            Self::Finished(finished) => {
                Call::new(Script::Finish, head.into_iter().chain(finished.arguments()))
            }
            Self::Adopted { attempt, .. } => {
                Call::new(Script::Adopt, head.into_iter().chain([attempt.to_string().into_bytes()]))
            }
        }
    }
}

impl Prepared {
    pub(crate) fn call(&self, node: &str, token: &[u8]) -> Call {
        let Self { end, attempt, results: Results { name, identity } } = self;
        let head = [node.as_bytes().to_vec(), end.id.clone().into_bytes(), token.to_vec()];
        let results = [attempt.to_string(), name.clone(), identity.clone()].map(String::into_bytes);
        Call::new(Script::Prepare, head.into_iter().chain(results).chain(end.arguments()))
    }
}

impl Finished {
    /// What *finish* wants to know.
    fn arguments(&self) -> impl Iterator<Item = Vec<u8>> {
        let Self { report, failures, totals, .. } = self;
        let totals =
            totals.iter().flat_map(|(name, by)| [name.as_bytes().to_vec(), by.to_string().into_bytes()]);
        [report.clone(), failures.clone()].into_iter().chain(totals)
    }
}
