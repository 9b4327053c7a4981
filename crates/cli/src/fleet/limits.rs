//! Limits of hosts that hold over the whole fleet.
//!
//! Owns: which limits hold: those of the run and those of this node.
//! Does not own: how nodes share them ([`haul_fleet::Limiter`]), when a task starts ([`haul_fetch::HostSource`]).

use std::task::Waker;
use std::time::Duration;

use haul_engine::SourceWaker;
use haul_fetch::{HostChange, HostShare, LimitChange};
use haul_fleet::{Connection, HostNews, Limiter, Settings, Terms};

/// How long giving shares back may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Limits of hosts, over the whole fleet.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct FleetLimits {
    /// Requests per second to one host.
    pub(crate) rate: Option<f64>,
    /// Transfers at once from one host.
    pub(crate) per_host: Option<u32>,
}

/// What this node may do at each host.
pub(crate) struct FleetShares {
    limiter: Limiter,
    waker: SourceWaker,
}

impl FleetLimits {
    /// The stricter ones of these and those of the run.
    pub(super) fn within(self, settings: &Settings) -> Self {
        let rates = self.rate.into_iter().chain(settings.rate);
        Self {
            rate: rates.reduce(f64::min),
            per_host: self.per_host.into_iter().chain(settings.per_host).min(),
        }
    }
}

impl FleetShares {
    /// Shares `limits`, as `node` is called among consumers, for as long as leases of the run are.
    pub(super) fn start(
        server: Connection,
        node: &str,
        limits: FleetLimits,
        lease: Duration,
    ) -> std::io::Result<Self> {
        let FleetLimits { rate, per_host } = limits;
        let waker = SourceWaker::default();
        let wake = waker.clone();
        let limiter = Limiter::start(server, node, Terms { lease, per_host, rate }, move || wake.wake())?;
        Ok(Self { limiter, waker })
    }

    /// Gives everything back.
    pub(super) fn leave(&self) {
        self.limiter.leave(PATIENCE);
    }

    /// See [`SharedLimits::has_shares`](haul_fetch::SharedLimits::has_shares).
    pub(crate) fn has_shares(&self) -> bool {
        self.limiter.has_shares()
    }

    /// See [`SharedLimits::want`](haul_fetch::SharedLimits::want).
    pub(crate) fn want(&self, host: &str, running: usize, wanted: usize) {
        let number = |count: usize| count.try_into().unwrap_or(u32::MAX);
        self.limiter.want(host, number(running), number(wanted));
    }

    /// See [`SharedLimits::may_start`](haul_fetch::SharedLimits::may_start).
    pub(crate) fn may_start(&self, host: &str) -> bool {
        self.limiter.may_start(host)
    }

    /// See [`SharedLimits::pause`](haul_fetch::SharedLimits::pause).
    pub(crate) fn pause(&self, host: &str, pause: Duration) {
        self.limiter.pause(host, pause);
    }

    /// See [`SharedLimits::changes`](haul_fetch::SharedLimits::changes).
    pub(crate) fn changes(&self) -> Vec<HostChange> {
        let change = |news| match news {
            HostNews::Share { host, permits, rate } => {
                let share = HostShare { active_max: permits.try_into().unwrap_or(usize::MAX), rate };
                HostChange { host, change: LimitChange::Share(share) }
            }
            HostNews::Paused { host, pause } => HostChange { host, change: LimitChange::Pause(pause) },
        };
        self.limiter.news().into_iter().map(change).collect()
    }

    /// See [`SharedLimits::set_waker`](haul_fetch::SharedLimits::set_waker).
    pub(crate) fn set_waker(&self, waker: Waker) {
        self.waker.set(waker);
    }

    /// See [`SharedLimits::ask_again_in`](haul_fetch::SharedLimits::ask_again_in).
    pub(crate) fn ask_again_in(&self) -> Duration {
        if self.limiter.has_news() { Duration::ZERO } else { self.waker.ask_again_in() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_limit_counts() {
        let settings = |rate, per_host| Settings { rate, per_host, ..Settings::default() };
        let of = |rate, per_host| FleetLimits { rate, per_host };
        for (node, run, both) in [
            (of(None, None), settings(None, None), of(None, None)),
            (of(Some(2.0), None), settings(None, Some(3)), of(Some(2.0), Some(3))),
            (of(Some(2.0), Some(9)), settings(Some(0.5), Some(3)), of(Some(0.5), Some(3))),
            (of(Some(0.25), Some(1)), settings(Some(0.5), Some(3)), of(Some(0.25), Some(1))),
        ] {
            assert_eq!(node.within(&run), both);
        }
    }
}
