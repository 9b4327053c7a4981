//! The integration tests: the program as its users run it.
//!
//! Owns: the rooms below. `get` and `seal` hold the tests of those commands, `peers` and `real_servers` those against
//! other programs, `properties` what the fuzz targets share; golden files are in `tests/golden`.
//! Does not own: tests of peak memory, which the kernel counts per test process (`tests/million.rs`,
//! `tests/huge_files.rs`).

mod exhaustion;
mod get;
mod jobs;
mod mounts;
mod page_cache;
mod peers;
mod power;
mod properties;
mod real_servers;
mod refusals;
mod seal;
mod shown;
mod survival;
mod workdir;

/// Serves as the plugin of `seal::plugins`; the script that [`haul_testkit::PluginFolder::install`] writes starts it by
/// this name.
#[test]
#[ignore = "the plugin of the other tests"]
fn the_plugin() {
    haul_testkit::PluginFolder::serve();
}
