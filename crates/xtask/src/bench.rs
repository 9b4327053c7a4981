//! Sealing against `cp`, and fetching against curl and wget2, on the file systems that people have, each on an image of
//! its own behind a loop device.
//!
//! The contestants of a file system take turns, so that a disturbance meets all of them. Each run starts with an empty
//! directory for its results and ends with a sync outside the measured time.
//!
//! Owns: the order of the file systems.
//! Does not own: building `haul`, the figures in BENCHMARKS.md.

mod contest;
mod get;
mod mount;
mod options;
mod seal;
mod sealed;
mod server;
mod sources;

use std::path::Path;

use self::mount::{FileSystem, Mount};
pub(crate) use self::options::Options;
use self::server::Server;
use crate::steps::step;

/// Measures sealing.
pub(crate) fn seal(options: &Options<'_>) -> Result<(), String> {
    on_each(options, |haul, root| seal::measure(haul, options, root))
}

/// Measures fetching from an nginx on this machine.
pub(crate) fn get(options: &Options<'_>) -> Result<(), String> {
    with_server(options, get::measure)
}

/// Measures fetching into sealed files.
pub(crate) fn sealed(options: &Options<'_>) -> Result<(), String> {
    with_server(options, sealed::measure)
}

fn with_server(
    options: &Options<'_>,
    measure: impl Fn(&Path, &Options<'_>, &Server, &Path) -> Result<(), String>,
) -> Result<(), String> {
    std::fs::create_dir_all(&options.dir).map_err(|e| format!("{}: {e}", options.dir.display()))?;
    let served = Mount::named("served", FileSystem::Tmpfs, &options.dir)?;
    let server = Server::start(served.path(), options.files, options.large_mib)?;
    on_each(options, |haul, root| measure(haul, options, &server, root))
}

/// Runs `measure` with the program and the root of each file system.
fn on_each(
    options: &Options<'_>,
    measure: impl Fn(&Path, &Path) -> Result<(), String>,
) -> Result<(), String> {
    let haul = options.haul.canonicalize().map_err(|e| format!("{}: {e}", options.haul.display()))?;
    std::fs::create_dir_all(&options.dir).map_err(|e| format!("{}: {e}", options.dir.display()))?;
    for &system in &options.on {
        step(system.name(), || {
            let mount = Mount::named(system.name(), system, &options.dir)?;
            measure(&haul, mount.path())
        })?;
    }
    Ok(())
}
