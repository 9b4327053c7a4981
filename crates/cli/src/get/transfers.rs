//! How many transfers of `haul get` run at a time, and on which engine.
//!
//! Owns: the defaults of `--jobs` and `--per-host`, the size of an engine that was named without numbers.
//! Does not own: running transfers, the limits' enforcement ([`haul_fetch::HostSource`]).

use std::num::NonZeroUsize;

use haul_engine::Engine;
use haul_fetch::{HostLimits, Segments};

use crate::args::{GetArgs, SegmentsArg};
use crate::fleet::limits::FleetLimits;
use crate::run::engine_choice::EngineChoice;
use crate::run::options::RunOptions;
use crate::run::probe;
use crate::settings::values::{Setting, Settings};

/// Transfers at once, unless the user says otherwise.
const JOBS_DEFAULT: usize = 64;
/// Transfers at once from one host, unless the user says otherwise.
const PER_HOST_DEFAULT: usize = 16;

/// The numbers of transfers that options or else settings name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    jobs: Option<u16>,
    per_host: Option<u16>,
}

impl Wanted {
    /// Those of the settings alone.
    pub(crate) fn by_settings(settings: &Settings) -> Self {
        let value = |setting: &Option<Setting<u16>>| setting.as_ref().map(|setting| setting.value);
        Self { jobs: value(&settings.jobs), per_host: value(&settings.per_host) }
    }

    pub(super) fn of(args: &GetArgs, settings: &Settings) -> Self {
        let settings = Self::by_settings(settings);
        Self { jobs: args.jobs.or(settings.jobs), per_host: args.per_host.or(settings.per_host) }
    }

    /// Transfers at once.
    pub(crate) fn jobs(self) -> usize {
        self.jobs.map_or(JOBS_DEFAULT, usize::from)
    }

    /// Transfers at once from one host: an explicit number of transfers is meant for it too.
    pub(crate) fn per_host(self) -> usize {
        let implied = self.jobs.map_or(PER_HOST_DEFAULT, |jobs| PER_HOST_DEFAULT.max(jobs.into()));
        self.per_host.map_or(implied, usize::from)
    }
}

/// How many transfers run at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Transfers {
    /// All that is fetched is one URL.
    pub(super) is_single: bool,
    /// Tasks and segments in flight.
    pub(super) in_flight_max: usize,
    per_host: usize,
    /// The same, if the user named it.
    named_per_host: Option<u16>,
    /// Requests per second to one host.
    rate: Option<f64>,
    /// Whether hosts are shared with the nodes of a fleet.
    is_shared: bool,
}

impl Transfers {
    pub(super) fn resolve(args: &GetArgs, wanted: Wanted, engine: Option<Engine>) -> Self {
        let is_single = args.input.is_none() && args.urls.len() == 1 && args.fleet.is_none();
        let in_flight_max = match engine {
            Some(engine) if args.common.engine.is_sized => engine.in_flight_max(),
            Some(engine) => engine.in_flight_max().min(wanted.jobs.map_or(usize::MAX, usize::from)),
            None if is_single => segments(args, wanted).count_max,
            None => wanted.jobs(),
        };
        Self {
            is_single,
            in_flight_max,
            per_host: wanted.per_host(),
            named_per_host: wanted.per_host,
            rate: args.rate,
            is_shared: false,
        }
    }

    /// Those that are meant for all nodes of a fleet.
    pub(super) fn of_fleet(&self) -> FleetLimits {
        FleetLimits { rate: self.rate, per_host: self.named_per_host.map(u32::from) }
    }

    /// Within the limits of a fleet.
    pub(super) fn within(self, limits: FleetLimits) -> Self {
        let FleetLimits { rate, per_host } = limits;
        let of_fleet = per_host.and_then(|count| count.try_into().ok()).unwrap_or(usize::MAX);
        let is_shared = rate.is_some() || per_host.is_some();
        Self { rate, per_host: self.per_host.min(of_fleet), is_shared, ..self }
    }

    pub(super) fn choose_engine(&self, run: &RunOptions) -> EngineChoice {
        match run.engine {
            Some(engine) => EngineChoice::as_asked(engine),
            None if self.is_single => probe::for_one_transfer(self.in_flight_max, run.report.cores),
            None => probe::for_transfers(self.in_flight_max, run.report.cores),
        }
    }

    pub(super) fn limits(&self, engine: &Engine) -> HostLimits {
        // A rate holds only if a task starts as soon as it is released: none may wait for a worker. The same is true if
        // the depth of the rings, which is the same for all, leaves room for more transfers than wanted.
        // Nor may a task that waits for a worker keep a permit from other nodes.
        let is_exact = self.rate.is_some() || self.is_shared || engine.in_flight_max() > self.in_flight_max;
        let ahead = if is_exact { 0 } else { self.in_flight_max };
        let per_host_max = if self.per_host < self.in_flight_max { self.per_host } else { usize::MAX };
        HostLimits {
            total_max: self.in_flight_max + ahead,
            per_host_max,
            per_host_rate: self.rate,
            ..HostLimits::default()
        }
    }
}

/// The engine that was asked for; if it was named without numbers, as large as `--jobs` says.
pub(super) fn engine_for(args: &GetArgs, wanted: Wanted, engine: Option<Engine>) -> Option<Engine> {
    let jobs = wanted.jobs.and_then(|jobs| NonZeroUsize::new(jobs.into()));
    match (engine, jobs) {
        (Some(Engine::Threads(_)), Some(jobs)) if !args.common.engine.is_sized => Some(Engine::Threads(jobs)),
        (Some(Engine::Uring { rings, .. }), Some(jobs)) if !args.common.engine.is_sized => {
            let rings = rings.min(jobs);
            let depth = NonZeroUsize::new(jobs.get().div_ceil(rings.get())).unwrap_or(jobs);
            Some(Engine::Uring { rings, depth })
        }
        (engine, _) => engine,
    }
}

pub(super) fn segments(args: &GetArgs, wanted: Wanted) -> Segments {
    let per_host_max = wanted.per_host();
    let defaults = Segments { per_host_max, ..Segments::default() };
    let (count_max, bytes_min) = match args.segments {
        SegmentsArg::Auto => (4, defaults.bytes_min),
        SegmentsArg::Count(count) => (count.into(), 2 * defaults.piece_bytes_min),
    };
    Segments { count_max: per_host_max.min(count_max), bytes_min, ..defaults }
}
