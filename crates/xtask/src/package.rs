//! `cargo xtask package`: a Debian package, an RPM and a Python wheel.
//!
//! In: the repository. Out: packages in a folder; with `--check`, whether they can be installed, used and removed.
//! The three carry the same program, which one build makes: maturin, with zig as the linker, so that it runs on systems
//! with an old glibc. Its tools come from PyPI, into a folder below `target`. The packages themselves are made by
//! `dpkg-deb` and `rpmbuild` from one staged tree: both formats need only that tree and a page of facts, and the tree
//! is complete only once the program has printed its manual pages and completions.
//!
//! Owns: options, the order of the steps, what is skipped where a tool is missing.
//! Does not own: the steps.

mod build;
mod check;
mod deb;
mod facts;
mod licences;
mod rpm;
mod stage;
mod tools;

use std::path::{Path, PathBuf};

use crate::repository::Repository;
use crate::steps::step;
use build::Program;
use facts::Facts;
use stage::{Layout, Stage};

/// What `cargo xtask package` is to do.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Where the packages go; below the root by default.
    out: Option<PathBuf>,
    /// Package the program that the tests ran, without a wheel: quick, and only for trying the packages.
    quick: bool,
    /// Install, use and remove each package.
    check: bool,
}

impl Options {
    /// The options for a machine that tests every commit.
    pub(crate) fn for_ci() -> Self {
        Self { quick: true, check: true, ..Self::default() }
    }

    pub(crate) fn read(words: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--quick" => options.quick = true,
                "--check" => options.check = true,
                "--out" => options.out = Some(words.next().ok_or("--out needs a folder")?.into()),
                other => return Err(format!("package has no option {other}")),
            }
        }
        Ok(options)
    }
}

pub(crate) fn run(repository: &Repository, options: &Options) -> Result<(), String> {
    let root = &repository.root;
    let out = root.join(options.out.as_deref().unwrap_or(Path::new("target/package")));
    std::fs::create_dir_all(&out).map_err(|error| format!("{}: {error}", out.display()))?;
    let facts = Facts::gather(root)?;
    let program = if options.quick { Program::quick(root, &out)? } else { Program::portable(root, &out)? };
    program.print_facts();
    let notices = licences::collect(root)?;
    let mut packages = Vec::new();
    for (layout, pack) in [(Layout::Debian, deb::pack as fn(&_, &_, &_, &_) -> _), (Layout::Rpm, rpm::pack)] {
        let Some(tool) = tools::find(layout.packer()) else {
            println!("SKIPPED: no {} here", layout.packer());
            continue;
        };
        let stage = Stage::make(layout, &program, &facts, &notices, root, &out)?;
        let package = pack(&tool, &stage, &facts, &program)?;
        println!("{} ({} bytes)", package.display(), tools::bytes_of(&package));
        packages.push((layout, package));
    }
    if options.check {
        for (layout, package) in &packages {
            step(&format!("install and remove, {layout:?}"), || check::package(*layout, package, &out))?;
        }
        if let Some(wheel) = &program.wheel {
            step("install and remove, wheel", || check::wheel(wheel, &out))?;
        }
        if !options.quick {
            step("build from an archive without git", || check::archive(root, &out))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let options = Options::read(&["--out", "x", "--check"]).unwrap();
        assert_eq!((options.out, options.quick, options.check), (Some(PathBuf::from("x")), false, true));
        assert!(Options::read(&["--out"]).is_err() && Options::read(&["x"]).is_err());
    }
}
