//! The program that is packaged.
//!
//! Owns: building it, which glibc it needs.
//! Does not own: what surrounds it in a package.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::tools::{environment, output};
use crate::steps::{cargo, step, succeed, target_folder};

/// Makes the wheel, and on the way the program.
const MATURIN: &str = "maturin==1.16.0";
/// Links against an old glibc.
const ZIG: &str = "ziglang==0.15.2";
/// The oldest glibc that the Rust standard library supports, and the tag of wheels for it.
const COMPATIBILITY: &str = "manylinux2014";
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A program that was built.
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) wheel: Option<PathBuf>,
    /// The oldest glibc that has all symbols that it needs.
    pub(super) glibc: (u32, u32),
}

impl Program {
    /// The program that the tests ran, or else the one of `cargo build`: for this machine's glibc, stripped into `out`.
    pub(super) fn quick(root: &Path, out: &Path) -> Result<Self, String> {
        let built = target_folder(root).join("debug/haul");
        if !built.exists() {
            step("build", || succeed(&mut cargo(root, &["build", "--package", "haul-cli"])))?;
        }
        let path = out.join("haul");
        succeed(Command::new("strip").arg("-o").arg(&path).arg(&built))?;
        Ok(Self { glibc: glibc_of(&path)?, path, wheel: None })
    }

    /// The program in release form for old systems, stripped, and the wheel in `out` that carries it.
    pub(super) fn portable(root: &Path, out: &Path) -> Result<Self, String> {
        let programs = environment(&out.join("tools"), &[MATURIN, ZIG])?;
        let wheels = out.join("wheels");
        super::tools::empty_folder(&wheels)?;
        // maturin finds zig and cargo through PATH.
        let mut path = programs.clone().into_os_string();
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        step("build the program and the wheel", || {
            let mut maturin = Command::new(programs.join("maturin"));
            maturin.args(["build", "--release", "--strip", "--locked", "--zig", "--target", TARGET]);
            maturin.args(["--compatibility", COMPATIBILITY, "--out"]).arg(&wheels);
            succeed(
                maturin.env("PATH", &path).env_remove("RUSTC_WRAPPER").current_dir(root.join("crates/cli")),
            )
        })?;
        let path = target_folder(root).join(TARGET).join("release/haul");
        let wheel = std::fs::read_dir(&wheels).map_err(|error| error.to_string())?.next();
        let wheel = wheel.ok_or("maturin made no wheel")?.map_err(|error| error.to_string())?.path();
        println!("{} ({} bytes)", wheel.display(), super::tools::bytes_of(&wheel));
        Ok(Self { glibc: glibc_of(&path)?, path, wheel: Some(wheel) })
    }

    pub(super) fn print_facts(&self) {
        let (major, minor) = self.glibc;
        println!(
            "{} ({} bytes), glibc {major}.{minor}",
            self.path.display(),
            super::tools::bytes_of(&self.path)
        );
    }
}

/// The newest version of glibc that a symbol of the program at `path` names.
fn glibc_of(path: &Path) -> Result<(u32, u32), String> {
    let text = output(Command::new("readelf").args(["--version-info", "--wide"]).arg(path))?;
    newest_glibc(&text).ok_or_else(|| format!("{} names no version of glibc", path.display()))
}

fn newest_glibc(text: &str) -> Option<(u32, u32)> {
    let versions = text.split("GLIBC_").skip(1).filter_map(|rest| {
        let end = rest.find(|one: char| one != '.' && !one.is_ascii_digit()).unwrap_or(rest.len());
        let mut numbers = rest[..end].split('.').map(str::parse);
        Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
    });
    versions.max()
}

#[cfg(test)]
mod tests {
    use super::newest_glibc;

    #[test]
    fn the_newest_glibc_is_found() {
        let text = "Name: GLIBC_2.2.5  Flags\n Name: GLIBC_2.17\n Name: GLIBC_2.9 Name: GLIBC_PRIVATE";
        assert_eq!(newest_glibc(text), Some((2, 17)));
        assert_eq!(newest_glibc("none"), None);
    }
}
