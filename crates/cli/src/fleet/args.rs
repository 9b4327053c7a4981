//! The arguments of `haul fleet`.
//!
//! Owns: their grammar and help.
//! Does not own: what the commands do ([`super`]).

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Subcommand};

use crate::args::units::{rate, time};

/// `haul fleet`.
#[derive(clap::Args)]
pub(crate) struct FleetArgs {
    #[command(subcommand)]
    pub(crate) command: FleetCommand,
}

/// What is done with a run.
#[derive(Subcommand)]
pub(crate) enum FleetCommand {
    /// Make a run of slices from a list
    Create(FleetCreateArgs),
    /// Show how far the run is, and its nodes
    Status(FleetShowArgs),
    /// Print the failed lines as a list, each after its reason
    Failed(FleetTargetArgs),
    /// Have what failed or was set aside tried again
    Retry(FleetTargetArgs),
    /// End the run: nodes finish what they have begun
    Cancel(FleetCancelArgs),
    /// Print the totals; exit code 1 if anything failed, was set aside or isn't done
    Report(FleetShowArgs),
}

/// The run that is meant.
#[derive(clap::Args)]
pub(crate) struct FleetTargetArgs {
    /// The run: redis://USER:PASSWORD@HOST:PORT/DB/RUN, of which HOST and RUN suffice; rediss:// with TLS, or
    /// redis+unix:///SOCKET/RUN. The password may be in REDISCLI_AUTH instead
    #[arg(value_name = "REDIS_URL")]
    pub(crate) address: String,
    /// Print less (twice: nothing)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) quiet: u8,
}

/// `haul fleet create`.
#[derive(clap::Args)]
pub(crate) struct FleetCreateArgs {
    /// The list, with a URL or a JSON object on each line (- for stdin)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// The lines name files to be sealed, or objects; -i s3://BUCKET/PREFIX/ lists all of a prefix
    #[arg(long)]
    pub(crate) files: bool,
    /// Lines in a slice
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) slice: u32,
    /// How long a node may be silent before its slices are given to others
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = lease)]
    pub(crate) lease: Duration,
    /// How often a slice is given out before it is set aside
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) deliveries: u32,
    /// Requests per second to one host, of all nodes together, such as 5 or 5/s
    #[arg(long, value_name = "N/s", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// Concurrent transfers from one host, of all nodes together
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) per_host: Option<u32>,
    #[command(flatten)]
    pub(crate) target: FleetTargetArgs,
}

/// `haul fleet status` and `haul fleet report`.
#[derive(clap::Args)]
pub(crate) struct FleetShowArgs {
    /// Print a JSON object
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) target: FleetTargetArgs,
}

/// `haul fleet cancel`.
#[derive(clap::Args)]
pub(crate) struct FleetCancelArgs {
    /// Remove everything that Redis holds of the run
    #[arg(long)]
    pub(crate) remove: bool,
    #[command(flatten)]
    pub(crate) target: FleetTargetArgs,
}

impl FleetCommand {
    pub(crate) fn target(&self) -> &FleetTargetArgs {
        match self {
            Self::Create(args) => &args.target,
            Self::Status(args) | Self::Report(args) => &args.target,
            Self::Failed(args) | Self::Retry(args) => args,
            Self::Cancel(args) => &args.target,
        }
    }
}

fn lease(text: &str) -> Result<Duration, String> {
    let lease = time(text)?;
    if lease < Duration::from_millis(500) {
        Err("a lease lasts at least 500ms".to_owned())
    } else {
        Ok(lease)
    }
}
