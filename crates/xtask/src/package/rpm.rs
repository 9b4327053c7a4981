//! The RPM.
//!
//! Owns: its spec file.
//! Does not own: its files ([`super::stage`]).
//!
//! Source: RPM's reference manual, "Spec file format".

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::build::Program;
use super::facts::{DESCRIPTION, Facts, SUMMARY};
use super::stage::Stage;
use crate::steps::succeed;

/// Packs `stage` with `tool`, beside it. Returns the package.
pub(super) fn pack(tool: &Path, stage: &Stage, facts: &Facts, _program: &Program) -> Result<PathBuf, String> {
    let out = stage.folder.parent().ok_or("the stage has a folder")?;
    let work = out.join("rpm");
    super::tools::empty_folder(&work)?;
    let files: String = stage.files.iter().map(|file| format!("{}/{file}\n", attribute(file))).collect();
    // The program is stripped and complete: nothing is compiled, compressed or rewritten. glibc's version is found by
    // RPM itself.
    let spec = format!(
        "%global __os_install_post %{{nil}}\n%global debug_package %{{nil}}\n%global _build_id_links none\n\
         %global source_date_epoch_from_changelog 0\n\
         Name: haul\nVersion: {version}\nRelease: 1\nSummary: {SUMMARY}\nLicense: MIT OR Apache-2.0\n\
         Recommends: ca-certificates\n\n%description\n{DESCRIPTION}\n\n\
         %install\nmkdir -p %{{buildroot}}\ncp -a '{stage}'/usr %{{buildroot}}/\n\n%files\n%dir /usr/share/doc/haul\n{files}",
        version = facts.version,
        stage = stage.folder.display(),
    );
    let path = work.join("haul.spec");
    fs::write(&path, spec).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut command = Command::new(tool);
    command.args(["-bb", "--quiet", "--define", &format!("_topdir {}", work.display())]);
    command.args(["--define", "_buildhost localhost", "--define", "use_source_date_epoch_as_buildtime 1"]);
    command.args(["--define", "clamp_mtime_to_source_date_epoch 1"]).arg(&path);
    succeed(command.env("SOURCE_DATE_EPOCH", &facts.epoch))?;
    let arch = std::env::consts::ARCH;
    let name = format!("haul-{}-1.{arch}.rpm", facts.version);
    let package = out.join(&name);
    let made = work.join("RPMS").join(arch).join(&name);
    fs::rename(&made, &package).map_err(|error| format!("{}: {error}", made.display()))?;
    Ok(package)
}

/// What precedes the path of `file` in the list of files.
fn attribute(file: &str) -> &'static str {
    if file.starts_with("usr/share/doc/") || file.starts_with("usr/share/man/") { "%doc " } else { "" }
}
