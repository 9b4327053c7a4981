//! The Debian package.
//!
//! Owns: its control file.
//! Does not own: its files ([`super::stage`]).
//!
//! Source: Debian Policy Manual, chapters 5 (control files) and 12 (documentation).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::Program;
use super::facts::{DESCRIPTION, Facts, MAINTAINER, SUMMARY};
use super::stage::Stage;
use super::tools::output;
use crate::steps::succeed;

/// Packs `stage` with `tool`, beside it. Returns the package.
pub(super) fn pack(tool: &Path, stage: &Stage, facts: &Facts, program: &Program) -> Result<PathBuf, String> {
    let architecture = output(Command::new("dpkg").arg("--print-architecture"))?.trim().to_owned();
    let bytes: u64 = stage.files.iter().map(|file| super::tools::bytes_of(&stage.folder.join(file))).sum();
    let (major, minor) = program.glibc;
    let description: String = DESCRIPTION.lines().map(|line| format!(" {line}\n")).collect();
    let control = format!(
        "Package: haul\nVersion: {version}-1\nArchitecture: {architecture}\nMaintainer: {MAINTAINER}\n\
         Installed-Size: {kib}\nDepends: libc6 (>= {major}.{minor}), libgcc-s1\nRecommends: ca-certificates\n\
         Section: net\nPriority: optional\nDescription: {SUMMARY}\n{description}",
        version = facts.version,
        kib = bytes.div_ceil(1_024),
    );
    let folder = stage.folder.join("DEBIAN");
    let written = fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join("control"), control));
    written.map_err(|error| format!("{}: {error}", folder.display()))?;
    let package = stage.folder.with_file_name(format!("haul_{}-1_{architecture}.deb", facts.version));
    let mut command = Command::new(tool);
    // Pressing hard is for what is given away.
    let level = if program.wheel.is_some() { "-z6" } else { "-z1" };
    command.args(["--root-owner-group", "-Zxz", level, "--build"]).arg(&stage.folder).arg(&package);
    succeed(command.env("SOURCE_DATE_EPOCH", &facts.epoch))?;
    Ok(package)
}
