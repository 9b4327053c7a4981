//! The settings of the client that a run fetches with.
//!
//! Owns: which arguments they follow from.
//! Does not own: how many transfers there are ([`crate::get::transfers`]), cookies and formats, which a run adds.

use haul_fetch::{Config, StatusCode, Trust};

use crate::args::GetArgs;
use crate::get::network;
use crate::get::transfers::{Wanted, segments};
use crate::report::exit::Problem;
use crate::run::environment::Environment;

/// The settings, for a run of `in_flight_max` transfers at a time.
pub(super) fn config(
    args: &GetArgs,
    in_flight_max: usize,
    environment: &Environment,
) -> Result<Config, Problem> {
    let defaults = Config::default();
    Ok(Config {
        connect_timeout: args.connect_timeout,
        read_timeout: args.read_timeout,
        total_timeout: args.max_time,
        retries: args.retries,
        retry_statuses: args
            .retry_status
            .iter()
            .filter_map(|code| StatusCode::from_u16(*code).ok())
            .collect(),
        // What an earlier node has published is there already.
        resume: args.resume || args.fleet.is_some(),
        sync: args.sync,
        segments: segments(args, Wanted::of(args, &environment.settings)),
        redirects_max: args.max_redirects,
        allow_downgrade: args.allow_downgrade,
        compressed: args.compressed || args.compressed_archives,
        decode_archives: args.compressed_archives,
        decoded_ratio_max: args.max_ratio,
        body_bytes_max: args.max_size,
        fail_on_status: !args.no_fail_on_status,
        idle_connections_max: in_flight_max.max(defaults.idle_connections_max),
        trust: match &args.cacert {
            _ if args.insecure => Trust::Anything,
            Some(path) => Trust::File(path.clone()),
            None => Trust::Platform,
        },
        rate_max: args.network.limit_rate,
        rate_min: args.network.min_speed,
        unix_socket: args.network.unix_socket.clone(),
        client_identity: network::identity(&args.network),
        proxies: network::proxies(&args.network, environment)?,
        host_overrides: args.network.resolve.clone(),
        family: network::family(&args.network),
        user_agent: args.requests.user_agent.clone().unwrap_or_else(|| defaults.user_agent.clone()),
        ..defaults
    })
}
