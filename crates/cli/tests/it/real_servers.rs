//! `haul get` against third-party servers and proxies. A test starts each on the loopback interface with its own
//! configuration, and kills it at the end. If one isn't installed, its tests print SKIPPED.
//!
//! Owns: which programs are tested.
//! Does not own: starting and ending them ([`daemon`]), their configurations ([`sites`]), the checks ([`checks`]).

mod application;
mod checks;
mod daemon;
mod fleet;
mod fleet_files;
mod fleet_limits;
mod fleet_tls;
mod kills;
mod objects;
mod objects_in_place;
mod proxies;
mod shards;
mod site;
mod sites;
mod uploads;

/// A test for each file server, so that they run in parallel and are skipped separately.
macro_rules! servers_of_files {
    ($($name:ident),+) => {
        $(#[test]
        fn $name() {
            let Some(site) = site::Site::start(&sites::$name()) else { return };
            checks::all(&site);
        })+
    };
}

servers_of_files!(nginx, apache, caddy, lighttpd, h2o);
