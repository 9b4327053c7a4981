//! Sealing against `cp` on the file systems that people have, each on an image of its own behind a loop device.
//!
//! The contestants of a file system take turns, so that a disturbance meets all of them. Each run starts with an empty
//! directory for its results and ends with a sync outside the measured time.
//!
//! Owns: the images and their mounts, the sources, the table of medians.
//! Does not own: building `haul`, the figures in BENCHMARKS.md.

mod contest;
mod mount;
mod sources;

use std::path::{Path, PathBuf};
use std::process::Command;

use self::contest::Contest;
use self::mount::{FileSystem, Mount};
use crate::steps::step;

/// What is measured.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options<'a> {
    /// The folder for images and mount points.
    dir: PathBuf,
    haul: PathBuf,
    rounds: usize,
    files: usize,
    /// The length of the large file; 0: none.
    large_mib: usize,
    on: Vec<FileSystem>,
    /// Further words for each `haul seal`, one contestant for each.
    with: Vec<&'a str>,
}

impl<'a> Options<'a> {
    /// Reads the chore's options.
    pub(crate) fn read(mut words: &[&'a str]) -> Result<Self, String> {
        let mut options = Self {
            dir: PathBuf::new(),
            haul: PathBuf::from("target/release/haul"),
            rounds: 7,
            files: 10_000,
            large_mib: 1_024,
            on: FileSystem::ALL.to_vec(),
            with: Vec::new(),
        };
        while let [option, value, rest @ ..] = words {
            match *option {
                "--dir" => options.dir = PathBuf::from(value),
                "--haul" => options.haul = PathBuf::from(value),
                "--rounds" => options.rounds = number(value)?.max(1),
                "--files" => options.files = number(value)?,
                "--large-mib" => options.large_mib = number(value)?,
                "--on" => options.on = value.split(',').map(FileSystem::named).collect::<Result<_, _>>()?,
                "--with" => options.with.push(value),
                _ => return Err(format!("bench-seal doesn't know {option:?}")),
            }
            words = rest;
        }
        match words {
            [] if options.dir.as_os_str().is_empty() => Err("bench-seal needs --dir".to_owned()),
            [] => Ok(options),
            [option, ..] => Err(format!("{option:?} wants a value")),
        }
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("not a number: {text:?}"))
}

pub(crate) fn run(options: &Options<'_>) -> Result<(), String> {
    let haul = options.haul.canonicalize().map_err(|e| format!("{}: {e}", options.haul.display()))?;
    std::fs::create_dir_all(&options.dir).map_err(|e| format!("{}: {e}", options.dir.display()))?;
    for &system in &options.on {
        step(system.name(), || {
            let mount = Mount::new(system, &options.dir)?;
            measure(&haul, options, mount.path())
        })?;
    }
    Ok(())
}

/// Runs the contests on the file system at `root`.
fn measure(haul: &Path, options: &Options<'_>, root: &Path) -> Result<(), String> {
    let key = root.join("key");
    let keygen = Command::new(haul).arg("keygen").arg("-q").arg("-o").arg(&key).output();
    let keygen = keygen.map_err(|e| format!("haul keygen: {e}"))?;
    if !keygen.status.success() {
        return Err(format!("haul keygen: {}", String::from_utf8_lossy(&keygen.stderr)));
    }
    let contest = |name: &str, source: &Path| {
        let mut contest = Contest::new(name, root);
        contest.add("cp -r", &["cp".as_ref(), "-r".as_ref(), source.as_ref()]);
        // On btrfs and xfs, `cp` only shares blocks, if it can.
        let copying = ["cp", "-r", "--reflink=never"].map(std::ffi::OsStr::new);
        contest.add("cp -r --reflink=never", &[&copying[..], &[source.as_ref()]].concat());
        let seal = [haul.as_os_str(), "seal".as_ref(), "-qq".as_ref(), "-i".as_ref(), key.as_ref()];
        for words in std::iter::once("").chain(options.with.iter().copied()) {
            let mut command = seal.to_vec();
            command.extend(words.split_whitespace().map(std::ffi::OsStr::new));
            command.extend([source.as_os_str(), "-o".as_ref()]);
            contest.add(format!("haul seal {words}").trim_end(), &command);
        }
        contest
    };
    if options.files > 0 {
        let tree = root.join("tree");
        sources::tree(&tree, options.files)?;
        contest("files of 1 to 60 KB", &tree).run(options.rounds)?;
    }
    if options.large_mib > 0 {
        let large = root.join("large");
        sources::file(&large, options.large_mib << 20)?;
        contest("one large file", &large).run(options.rounds)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_name_file_systems_and_contestants() {
        let words = ["--dir", "d", "--on", "xfs,tmpfs", "--rounds", "3", "--with", "-e threads=2"];
        let options = Options::read(&words).unwrap();
        assert_eq!(options.dir, Path::new("d"));
        assert_eq!(options.on, [FileSystem::Xfs, FileSystem::Tmpfs]);
        assert_eq!((options.rounds, options.files, options.with), (3, 10_000, vec!["-e threads=2"]));
        let wrong: [&[&str]; 5] = [
            &[],
            &["--dir"],
            &["--dir", "d", "--on", "fat"],
            &["--dir", "d", "--rounds", "x"],
            &["--x", "y"],
        ];
        for words in wrong {
            assert!(Options::read(words).is_err(), "{words:?}");
        }
    }
}
