//! The jobs, streams and plugins of `haul-seal`, on real files, in memory and in the simulation.

mod front_doors;
mod jobs;
#[cfg(feature = "plugins")]
mod plugins;
mod races;
mod rekey;
mod sealed_file;
mod simulated;
mod streams;
mod verify;
mod writers;

/// The plugin of the tests in [`plugins`], as a process: its name must be the path of a test in the root.
#[test]
#[ignore = "the plugin of the other tests"]
fn the_plugin() {
    haul_testkit::PluginFolder::serve();
}
