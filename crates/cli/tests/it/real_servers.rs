//! `haul get` against servers and proxies of others: each is started here, on the loopback interface, with a configuration of
//! its own, and gone at the end of its test. Where one isn't installed, its tests say SKIPPED.
//!
//! Owns: which programs are met, and with what.
//! Does not own: starting and ending them ([`daemon`]), their configurations ([`sites`]), what is asked of them ([`checks`]).

mod application;
mod checks;
mod daemon;
mod proxies;
mod site;
mod sites;

/// One test for each server of files, so that they run at the same time and are skipped one by one.
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
