//! Which engine runs the jobs.
//!
//! Owns: the names of the engines and their parameters.
//! Does not own: running.

use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;

/// A way to run jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// One job at a time, on the calling thread.
    Serial,
    /// That many threads on one bounded ring, a job at a time on each.
    Threads(NonZeroUsize),
    /// That many worker processes on a lease table in shared memory, a job at a time in each.
    Processes(NonZeroUsize),
    /// As [`Processes`](Engine::Processes), with several threads in each.
    Hybrid {
        /// Processes.
        processes: NonZeroUsize,
        /// Threads in each.
        threads: NonZeroUsize,
    },
    /// That many threads, each with a ring of io_uring and `depth` jobs in flight.
    Uring {
        /// Threads.
        rings: NonZeroUsize,
        /// Jobs in flight on each.
        depth: NonZeroUsize,
    },
}

impl Engine {
    /// The most workers that can be asked for, and the most jobs in flight on a ring.
    pub const WORKERS_MAX: usize = 4_096;

    /// The most jobs in flight over all rings.
    pub const IN_FLIGHT_MAX: usize = 65_536;

    /// The most worker processes, and the most threads over all of them.
    pub const PROCESSES_MAX: usize = 512;

    /// Threads in each process where nothing else is asked.
    pub const PROCESS_THREADS_DEFAULT: NonZeroUsize = NonZeroUsize::new(2).expect("not zero");

    /// Jobs in flight on a ring where nothing else is asked.
    pub const DEPTH_DEFAULT: NonZeroUsize = NonZeroUsize::new(64).expect("not zero");

    /// How many jobs run at once.
    pub fn in_flight_max(self) -> usize {
        match self {
            Self::Serial => 1,
            Self::Threads(workers) | Self::Processes(workers) => workers.get(),
            Self::Hybrid { processes, threads } => processes.get() * threads.get(),
            Self::Uring { rings, depth } => rings.get() * depth.get(),
        }
    }
}

/// Why a text names no engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseEngineError {
    /// There is no engine of that name.
    UnknownName,
    /// The engine exists, but not with this number of workers.
    WorkerCount,
}

impl fmt::Display for ParseEngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownName => {
                let known = "serial, threads=N, processes=N, hybrid=NxM and uring=RxD";
                write!(f, "no such engine; known are {known}")
            }
            Self::WorkerCount => {
                let (each, in_all) = (Engine::WORKERS_MAX, Engine::IN_FLIGHT_MAX);
                let processes = Engine::PROCESSES_MAX;
                write!(f, "workers and depths are from 1 to {each}, in flight at most {in_all}, ")?;
                write!(f, "threads of processes at most {processes}")
            }
        }
    }
}

impl std::error::Error for ParseEngineError {}

impl FromStr for Engine {
    type Err = ParseEngineError;

    /// `serial`, `threads` (as many as cores), `threads=N`, `processes`, `processes=N`, `hybrid`, `hybrid=NxM`, `uring` (a
    /// ring for each core) or `uring=RxD`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, count) = match text.split_once('=') {
            Some((name, count)) => (name, Some(count)),
            None => (text, None),
        };
        match (name, count) {
            ("serial", None) => Ok(Self::Serial),
            ("threads", None) => Ok(Self::Threads(core_count())),
            ("threads", Some(count)) => worker_count(count).map(Self::Threads),
            ("uring", None) => Ok(Self::Uring { rings: core_count(), depth: Self::DEPTH_DEFAULT }),
            ("uring", Some(counts)) => {
                let (rings, depth) = pair(counts, Self::IN_FLIGHT_MAX)?;
                Ok(Self::Uring { rings, depth })
            }
            ("processes", None) => Ok(Self::Processes(core_count())),
            ("processes", Some(count)) => match worker_count(count)? {
                count if count.get() <= Self::PROCESSES_MAX => Ok(Self::Processes(count)),
                _ => Err(ParseEngineError::WorkerCount),
            },
            ("hybrid", None) => {
                Ok(Self::Hybrid { processes: core_count(), threads: Self::PROCESS_THREADS_DEFAULT })
            }
            ("hybrid", Some(counts)) => {
                let (processes, threads) = pair(counts, Self::PROCESSES_MAX)?;
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

/// Two counts of which the product has a bound.
fn pair(counts: &str, product_max: usize) -> Result<(NonZeroUsize, NonZeroUsize), ParseEngineError> {
    let (outer, inner) = counts.split_once('x').ok_or(ParseEngineError::WorkerCount)?;
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
            ("threads=-1", ParseEngineError::WorkerCount),
            ("threads=4097", ParseEngineError::WorkerCount),
            ("threads=", ParseEngineError::WorkerCount),
            ("processes=0", ParseEngineError::WorkerCount),
            ("processes=513", ParseEngineError::WorkerCount),
            ("hybrid=2", ParseEngineError::WorkerCount),
            ("hybrid=64x64", ParseEngineError::WorkerCount),
            ("uring=4", ParseEngineError::WorkerCount),
            ("uring=0x4", ParseEngineError::WorkerCount),
            ("uring=4x", ParseEngineError::WorkerCount),
            ("uring=4096x4096", ParseEngineError::WorkerCount),
        ] {
            assert_eq!(text.parse::<Engine>(), Err(error), "{text}");
        }
    }
}
