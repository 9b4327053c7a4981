//! Whether packages can be installed, used and removed.
//!
//! Owns: roots of their own for each package, so that nothing of this machine changes.
//! Does not own: the packages.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::stage::Layout;
use super::tools::{empty_folder, environment, output};
use crate::steps::{cargo, succeed};

/// Files of every package, of which the program is the first.
const FILES: [&str; 6] = [
    "usr/bin/haul",
    "usr/share/man/man1/haul.1.gz",
    "usr/share/man/man1/haul-get.1.gz",
    "usr/share/bash-completion/completions/haul",
    "usr/share/fish/vendor_completions.d/haul.fish",
    "usr/share/doc/haul/copyright",
];

/// Installs `package` into an empty root, runs the program there, removes it, and looks for what is left.
pub(super) fn package(layout: Layout, package: &Path, out: &Path) -> Result<(), String> {
    let root = out.join("root");
    empty_folder(&root)?;
    match layout {
        Layout::Debian => {
            for folder in ["info", "updates", "triggers"] {
                make(&root.join("var/lib/dpkg").join(folder))?;
            }
            for file in ["status", "available"] {
                fs::write(root.join("var/lib/dpkg").join(file), "").map_err(|error| error.to_string())?;
            }
            dpkg(&root, &["--install"], package)?;
        }
        Layout::Rpm => {
            rpm(&root, &["--initdb"])?;
            let package = package.to_str().ok_or("the package's name isn't UTF-8")?;
            // The root is empty: what the package needs is on this machine.
            rpm(&root, &["--install", "--nodeps", "--nosignature", package])?;
        }
    }
    works(&root.join(FILES[0]))?;
    if let Some(missing) = FILES.iter().find(|file| !root.join(file).is_file()) {
        return Err(format!("{missing} wasn't installed"));
    }
    let notices =
        fs::read_to_string(root.join("usr/share/doc/haul/copyright")).map_err(|error| error.to_string())?;
    for part in ["Permission is hereby granted", "Apache License", "aws-lc-rs", "clap "] {
        if !notices.contains(part) {
            return Err(format!("the notices don't mention {part}"));
        }
    }
    match layout {
        Layout::Debian => dpkg(&root, &["--purge"], Path::new("haul"))?,
        Layout::Rpm => rpm(&root, &["--erase", "haul"])?,
    }
    let left = output(Command::new("find").arg(root.join("usr")).args(["-name", "*haul*"]));
    // Without `usr`, nothing is left.
    match left.unwrap_or_default().trim() {
        "" => empty_folder(&root),
        left => Err(format!("left after the removal:\n{left}")),
    }
}

fn dpkg(root: &Path, action: &[&str], package: &Path) -> Result<(), String> {
    let mut command = Command::new("dpkg");
    let root = format!("--root={}", root.display());
    // The root is empty: what the package needs is on this machine.
    command.args([&root, "--force-depends", "--force-not-root", "--force-script-chrootless"]);
    succeed(command.args(action).arg(package).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn rpm(root: &Path, arguments: &[&str]) -> Result<(), String> {
    succeed(Command::new("rpm").arg("--root").arg(absolute(root)?).args(arguments))
}

fn absolute(path: &Path) -> Result<std::path::PathBuf, String> {
    path.canonicalize().map_err(|error| format!("{}: {error}", path.display()))
}

fn make(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}

/// Whether the program runs and does its work.
fn works(program: &Path) -> Result<(), String> {
    let version = output(Command::new(program).arg("--version"))?;
    if !(version.starts_with("haul ") && version.contains("features: ")) {
        return Err(format!("it says of itself {version:?}"));
    }
    print!("{version}");
    output(Command::new(program).args(["demo", "--files", "20"])).map(drop)
}

/// Installs `wheel` into a new environment, runs the program there, and removes it.
pub(super) fn wheel(wheel: &Path, out: &Path) -> Result<(), String> {
    let folder = out.join("installed");
    empty_folder(&folder)?;
    let programs = environment(&folder, &[])?;
    let pip = || Command::new(programs.join("pip"));
    succeed(pip().args(["install", "--quiet", "--no-index", "--disable-pip-version-check"]).arg(wheel))?;
    works(&programs.join("haul"))?;
    let name = wheel.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = name.split('-').next().unwrap_or_default();
    succeed(pip().args(["uninstall", "--quiet", "--yes", name]))?;
    if programs.join("haul").exists() {
        return Err("left after the removal: bin/haul".to_owned());
    }
    empty_folder(&folder)
}

/// Builds the program from an archive of the commit, without a repository: its version must name the commit.
pub(super) fn archive(root: &Path, out: &Path) -> Result<(), String> {
    let folder = out.join("archive");
    empty_folder(&folder)?;
    let git = |words: &[&str]| {
        output(Command::new("git").args(["-c", "safe.directory=*"]).args(words).current_dir(root))
    };
    let archive = folder.join("haul.tar");
    git(&["archive", "--output", archive.to_str().ok_or("the folder's name isn't UTF-8")?, "HEAD"])?;
    succeed(Command::new("tar").arg("xf").arg(&archive).current_dir(&folder))?;
    succeed(
        cargo(&folder, &["build", "--locked", "--package", "haul-cli", "--target-dir", "target"])
            .env_remove("HAUL_COMMIT"),
    )?;
    let version = output(Command::new(folder.join("target/debug/haul")).arg("--version"))?;
    let commit = git(&["rev-parse", "HEAD"])?;
    if !version.contains(&commit[..7]) {
        return Err(format!("{version:?} doesn't name the commit {commit}"));
    }
    print!("{version}");
    fs::remove_dir_all(&folder).map_err(|error| error.to_string())
}
