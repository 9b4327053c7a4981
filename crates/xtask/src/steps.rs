//! Steps of a chore: announced, timed, and ending the chore on failure.
//!
//! Owns: the output around a step, running a command as a step.
//! Does not own: the list of steps.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Runs `body` as the step `name`.
pub(crate) fn step(name: &str, body: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    println!("── {name}");
    let start = Instant::now();
    let outcome = body();
    let word = if outcome.is_ok() { "ok" } else { "FAILED" };
    println!("── {name}: {word} in {:.1} s", start.elapsed().as_secs_f64());
    outcome
}

/// Runs `command` to its end. It inherits the standard streams.
pub(crate) fn succeed(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(e) => Err(format!("cannot run {command:?}: {e}")),
    }
}

/// The cargo that runs this program, in `root`.
pub(crate) fn cargo(root: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    command.current_dir(root).args(args);
    command
}
