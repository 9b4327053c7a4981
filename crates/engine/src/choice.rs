//! The engines to choose from.
//!
//! Owns: the names of the engines and their parameters; which one a long run changes to ([`tuner`]).
//! Does not own: running.

pub(crate) mod tuner;

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

/// A way to run jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// One job at a time, on the calling thread.
    Serial,
    /// This number of threads on one bounded ring, one job at a time on each.
    Threads(NonZeroUsize),
    /// This number of worker processes on a lease table in shared memory, one job at a time in each.
    Processes(NonZeroUsize),
    /// As [`Processes`](Engine::Processes), with several threads in each.
    Hybrid {
        /// Number of processes.
        processes: NonZeroUsize,
        /// Number of threads in each process.
        threads: NonZeroUsize,
    },
    /// Threads that each drive an io_uring with many jobs in flight.
    Uring {
        /// Number of threads, each with a ring.
        rings: NonZeroUsize,
        /// Number of jobs in flight on each ring.
        depth: NonZeroUsize,
    },
}

impl Engine {
    /// Maximum number of workers, and of jobs in flight on a ring.
    pub const WORKERS_MAX: usize = 4_096;

    /// Maximum number of jobs in flight over all rings.
    pub const IN_FLIGHT_MAX: usize = 65_536;

    /// Maximum number of worker processes, and of threads over all of them.
    pub const PROCESSES_MAX: usize = 512;

    /// Number of threads in each process, unless the text says otherwise.
    pub const PROCESS_THREADS_DEFAULT: NonZeroUsize = NonZeroUsize::new(2).expect("not zero");

    /// Number of jobs in flight on a ring, unless the text says otherwise.
    pub const DEPTH_DEFAULT: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

    /// The number of jobs that run at once.
    pub fn in_flight_max(self) -> usize {
        match self {
            Self::Serial => 1,
            Self::Threads(workers) | Self::Processes(workers) => workers.get(),
            Self::Hybrid { processes, threads } => processes.get().saturating_mul(threads.get()),
            Self::Uring { rings, depth } => rings.get().saturating_mul(depth.get()),
        }
    }
}

/// Why a text does not name an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ParseEngineError {
    /// There is no engine of that name.
    UnknownName,
    /// The number of workers is missing or out of range.
    WorkerCount,
    /// What follows the name isn't of its form.
    Form {
        /// The form.
        form: &'static str,
    },
}

impl fmt::Display for ParseEngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownName => {
                write!(f, "no such engine; expected serial, threads=N, processes=N, hybrid=NxM or uring=RxD")
            }
            Self::Form { form } => write!(f, "the form is {form}"),
            Self::WorkerCount => {
                let (each, in_all) = (Engine::WORKERS_MAX, Engine::IN_FLIGHT_MAX);
                let processes = Engine::PROCESSES_MAX;
                write!(f, "workers and depth range from 1 to {each}, with at most {in_all} jobs in flight ")?;
                write!(f, "and at most {processes} threads over all processes")
            }
        }
    }
}

impl std::error::Error for ParseEngineError {}

impl FromStr for Engine {
    type Err = ParseEngineError;

    /// Parses `serial`, `threads=N`, `processes=N`, `hybrid=NxM` (processes × threads) or `uring=RxD` (rings × depth).
    /// Without numbers there are as many threads, processes or rings as cores.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, count) = match text.split_once('=') {
            Some((name, count)) => (name, Some(count)),
            None => (text, None),
        };
        match (name, count) {
            ("serial", None) => Ok(Self::Serial),
            ("threads", None) => Ok(Self::Threads(core_count())),
            ("threads", Some(count)) => named_count(count, "threads=N").map(Self::Threads),
            ("uring", None) => Ok(Self::Uring { rings: core_count(), depth: Self::DEPTH_DEFAULT }),
            ("uring", Some(counts)) => {
                let (rings, depth) = pair(counts, "uring=RxD: rings x depth", Self::IN_FLIGHT_MAX)?;
                Ok(Self::Uring { rings, depth })
            }
            ("processes", None) => Ok(Self::Processes(core_count())),
            ("processes", Some(count)) => match named_count(count, "processes=N")? {
                count if count.get() <= Self::PROCESSES_MAX => Ok(Self::Processes(count)),
                _ => Err(ParseEngineError::WorkerCount),
            },
            ("hybrid", None) => {
                Ok(Self::Hybrid { processes: core_count(), threads: Self::PROCESS_THREADS_DEFAULT })
            }
            ("hybrid", Some(counts)) => {
                let form = "hybrid=NxM: processes x threads in each";
                let (processes, threads) = pair(counts, form, Self::PROCESSES_MAX)?;
                Ok(Self::Hybrid { processes, threads })
            }
            _ => Err(ParseEngineError::UnknownName),
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial => write!(f, "serial"),
            Self::Threads(workers) => write!(f, "threads={workers}"),
            Self::Processes(workers) => write!(f, "processes={workers}"),
            Self::Hybrid { processes, threads } => write!(f, "hybrid={processes}x{threads}"),
            Self::Uring { rings, depth } => write!(f, "uring={rings}x{depth}"),
        }
    }
}

fn worker_count(text: &str) -> Result<NonZeroUsize, ParseEngineError> {
    match text.parse::<NonZeroUsize>() {
        Ok(count) if count.get() <= Engine::WORKERS_MAX => Ok(count),
        _ => Err(ParseEngineError::WorkerCount),
    }
}

/// As [`worker_count`], of text that must be a number.
fn named_count(text: &str, form: &'static str) -> Result<NonZeroUsize, ParseEngineError> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(ParseEngineError::Form { form });
    }
    worker_count(text)
}

/// Parses two counts whose product is at most `product_max`.
fn pair(
    counts: &str,
    form: &'static str,
    product_max: usize,
) -> Result<(NonZeroUsize, NonZeroUsize), ParseEngineError> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (outer, inner) = counts
        .split_once('x')
        .filter(|(outer, inner)| is_number(outer) && is_number(inner))
        .ok_or(ParseEngineError::Form { form })?;
    let (outer, inner) = (worker_count(outer)?, worker_count(inner)?);
    match outer.get() * inner.get() {
        product if product <= product_max => Ok((outer, inner)),
        _ => Err(ParseEngineError::WorkerCount),
    }
}

fn core_count() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for text in
            ["serial", "threads=1", "threads=64", "processes=12", "hybrid=3x4", "uring=2x64", "uring=1x1"]
        {
            assert_eq!(text.parse::<Engine>().unwrap().to_string(), text);
        }
        assert_eq!("threads".parse(), Ok(Engine::Threads(core_count())));
        for (text, error) in [
            ("fast", ParseEngineError::UnknownName),
            ("serial=2", ParseEngineError::UnknownName),
            ("threads=0", ParseEngineError::WorkerCount),
            ("threads=-1", ParseEngineError::Form { form: "threads=N" }),
            ("threads=4097", ParseEngineError::WorkerCount),
            ("threads=", ParseEngineError::Form { form: "threads=N" }),
            ("processes=0", ParseEngineError::WorkerCount),
            ("processes=513", ParseEngineError::WorkerCount),
            ("hybrid=2", ParseEngineError::Form { form: "hybrid=NxM: processes x threads in each" }),
            ("hybrid=64x64", ParseEngineError::WorkerCount),
            ("uring=4", ParseEngineError::Form { form: "uring=RxD: rings x depth" }),
            ("uring=0x4", ParseEngineError::WorkerCount),
            ("uring=4x", ParseEngineError::Form { form: "uring=RxD: rings x depth" }),
            ("uring=4096x4096", ParseEngineError::WorkerCount),
        ] {
            assert_eq!(text.parse::<Engine>(), Err(error), "{text}");
        }
    }
}
