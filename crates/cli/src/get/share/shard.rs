//! The part of all URLs that one of several machines fetches.
//!
//! Owns: the variables of job schedulers, the hash by which URLs are assigned.
//! Does not own: the grammar of the option ([`crate::args`]).
//!
//! Source: sbatch(1), "OUTPUT ENVIRONMENT VARIABLES"; the documentation of Kubernetes, "Indexed Job". The hash is
//! FNV-1a with the finalizer of MurmurHash3. It must never change: machines may run different versions.

use std::fmt;

use crate::args::ShardArg;
use crate::lists::list::{BadLine, Line};
use crate::report::exit::Problem;
use crate::run::environment::Environment;

/// One part of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::get) struct Shard {
    /// Less than `count`.
    index: u64,
    count: u64,
}

impl Shard {
    pub(in crate::get) fn resolve(arg: ShardArg, environment: &Environment) -> Result<Self, Problem> {
        let (index, count) = match arg {
            ShardArg::Part { index, count } => (index, count),
            ShardArg::Auto { count } => of_environment(count, environment)?,
        };
        Ok(Self { index: u64::from(index % count), count: count.into() })
    }

    /// The part's number, from 1 on, and the number of parts: part 0 is the last one.
    pub(super) fn number_and_count(self) -> (u64, u64) {
        (if self.index == 0 { self.count } else { self.index }, self.count)
    }

    /// The name of the file or object that says that the part is complete. Results never have such names.
    pub(super) fn marker_name(self) -> String {
        let (number, count) = self.number_and_count();
        format!("part-{number}-of-{count}.haul-shard")
    }

    /// The number of the part, from 0.
    pub(in crate::get) fn index(self) -> u64 {
        self.index
    }

    /// Whether `line` belongs to this part. The same URL always belongs to the same part, wherever it is in the list.
    pub(in crate::get) fn has(&self, line: &Line) -> bool {
        let hash = match line {
            Ok(item) => hash(item.url.as_bytes()),
            Err(BadLine { number, .. }) => *number,
        };
        hash % self.count == self.index
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, count) = self.number_and_count();
        write!(f, "{number} of {count}")
    }
}

/// The part's number and the number of parts, from the variables of a job scheduler.
fn of_environment(count: Option<u32>, environment: &Environment) -> Result<(u32, u32), Problem> {
    let number = |name: &str| environment.text(name).and_then(|text| text.parse::<u32>().ok());
    let index = match number("SLURM_ARRAY_TASK_ID") {
        Some(id) => {
            let min = number("SLURM_ARRAY_TASK_MIN").unwrap_or(0);
            let step = number("SLURM_ARRAY_TASK_STEP").unwrap_or(1).max(1);
            Some(id.saturating_sub(min) / step)
        }
        None => number("JOB_COMPLETION_INDEX"),
    };
    let index = index.ok_or_else(|| {
        Problem::usage("--shard auto found neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX")
            .hint("write --shard I/N")
    })?;
    let count = count.or_else(|| number("SLURM_ARRAY_TASK_COUNT")).filter(|count| *count > 0);
    let count = count.ok_or_else(|| {
        Problem::usage("--shard auto doesn't know the number of parts").hint("write --shard auto/N")
    })?;
    if index >= count {
        return Err(Problem::usage(format!(
            "part {index} is beyond the {count} parts of --shard, counted from 0"
        )));
    }
    Ok((index, count))
}

fn hash(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lists::list::Item;

    #[test]
    fn each_url_belongs_to_one_part_and_parts_are_of_equal_size() {
        let shards: Vec<_> = (1..=4)
            .map(|index| Shard::resolve(ShardArg::Part { index, count: 4 }, &Environment::of(&[])).unwrap())
            .collect();
        let mut counts = [0; 4];
        for number in 0..4_000 {
            let line = Ok(Item::of_url(format!("http://h/{number}")));
            let owners: Vec<_> = (0..4).filter(|index| shards[*index].has(&line)).collect();
            assert_eq!(owners.len(), 1);
            counts[owners[0]] += 1;
        }
        assert!(counts.iter().all(|count| (900..1_100).contains(count)), "{counts:?}");
        assert_eq!(
            hash(b"http://h/0"),
            0xfae3_dcf8_cfcb_92bc,
            "the hash is part of the contract between machines"
        );
    }

    #[test]
    fn job_schedulers_say_which_part() {
        let part = |count, variables: &[(&str, &str)]| {
            let shard = Shard::resolve(ShardArg::Auto { count }, &Environment::of(variables));
            shard.ok().map(|shard| (shard.index, shard.count))
        };
        let slurm = |id| {
            [("SLURM_ARRAY_TASK_ID", id), ("SLURM_ARRAY_TASK_COUNT", "3"), ("SLURM_ARRAY_TASK_MIN", "5")]
        };
        assert_eq!(part(None, &slurm("5")), Some((0, 3)));
        assert_eq!(part(None, &slurm("7")), Some((2, 3)));
        assert_eq!(part(Some(8), &slurm("7")), Some((2, 8)));
        assert_eq!(part(Some(4), &[("JOB_COMPLETION_INDEX", "3")]), Some((3, 4)));
        assert_eq!(part(Some(4), &[("JOB_COMPLETION_INDEX", "4")]), None);
        assert_eq!(part(None, &[("JOB_COMPLETION_INDEX", "3")]), None);
        assert_eq!(part(Some(4), &[]), None);
    }
}
