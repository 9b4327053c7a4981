//! What a benchmark measures.
//!
//! Owns: reading the options.
//! Does not own: their meaning.

use std::path::PathBuf;

use super::mount::FileSystem;

/// What is measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options<'a> {
    /// The folder for images and mount points.
    pub(super) dir: PathBuf,
    pub(super) haul: PathBuf,
    pub(super) rounds: usize,
    pub(super) files: usize,
    /// The length of the large file; 0: none.
    pub(super) large_mib: usize,
    pub(super) on: Vec<FileSystem>,
    /// The parts of the scoreboard that are measured.
    pub(super) parts: Vec<Part>,
    /// Whether the contestants are all programs that are installed, and not only the usual rivals.
    pub(super) against_all: bool,
    /// The document whose tables are written; none: they are printed.
    pub(super) write: Option<PathBuf>,
    /// Further words for each `haul seal` or `haul get`, one contestant for each.
    pub(super) with: Vec<&'a str>,
}

/// A part of the scoreboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Sealing and opening files.
    Files,
    /// Fetching into files, plain and sealed.
    Fetching,
    /// Fetching and sealing into shards.
    Packing,
    /// Three nodes against one.
    Fleets,
    /// Fetching into a store of objects.
    Stores,
}

impl Part {
    const ALL: [Self; 5] = [Self::Files, Self::Fetching, Self::Packing, Self::Fleets, Self::Stores];

    fn named(name: &str) -> Result<Self, String> {
        match name {
            "files" => Ok(Self::Files),
            "fetching" => Ok(Self::Fetching),
            "packing" => Ok(Self::Packing),
            "fleets" => Ok(Self::Fleets),
            "stores" => Ok(Self::Stores),
            _ => Err(format!("the scoreboard has no part {name:?}")),
        }
    }
}

impl<'a> Options<'a> {
    /// Reads the chore's options.
    pub(crate) fn read(words: &[&'a str]) -> Result<Self, String> {
        let options = Self {
            dir: PathBuf::new(),
            haul: PathBuf::from("target/release/haul"),
            rounds: 7,
            files: 10_000,
            large_mib: 1_024,
            on: FileSystem::ALL.to_vec(),
            parts: Part::ALL.to_vec(),
            against_all: false,
            write: None,
            with: Vec::new(),
        };
        options.overridden_by(words)
    }

    /// Reads the options of the scoreboard. `--quick` stands for sizes that only show that everything runs.
    pub(crate) fn of_scoreboard(words: &[&'a str]) -> Result<Self, String> {
        let all = Self::read(&["--dir", "target/scoreboard", "--on", "tmpfs,ext4,xfs"])?;
        let all = Self { against_all: true, ..all };
        match words {
            ["--quick", words @ ..] => {
                Self { rounds: 1, files: 20, large_mib: 1, ..all }.overridden_by(words)
            }
            words => Self { write: Some(PathBuf::from("BENCHMARKS.md")), ..all }.overridden_by(words),
        }
    }

    /// The options for a machine that tests every commit: whether everything runs, with the program `haul`.
    pub(crate) fn for_ci(haul: PathBuf) -> Result<Self, String> {
        Ok(Self { haul, ..Self::of_scoreboard(&["--quick"])? })
    }

    fn overridden_by(mut self, mut words: &[&'a str]) -> Result<Self, String> {
        let options = &mut self;
        while let [option, value, rest @ ..] = words {
            match *option {
                "--dir" => options.dir = PathBuf::from(value),
                "--haul" => options.haul = PathBuf::from(value),
                "--rounds" => options.rounds = number(value)?.max(1),
                "--files" => options.files = number(value)?,
                "--large-mib" => options.large_mib = number(value)?,
                "--on" => options.on = value.split(',').map(FileSystem::named).collect::<Result<_, _>>()?,
                "--parts" => options.parts = value.split(',').map(Part::named).collect::<Result<_, _>>()?,
                "--write" => options.write = Some(PathBuf::from(value)),
                "--with" => options.with.push(value),
                _ => return Err(format!("a benchmark doesn't know {option:?}")),
            }
            words = rest;
        }
        match words {
            [] if options.dir.as_os_str().is_empty() => Err("a benchmark needs --dir".to_owned()),
            [] => Ok(self),
            [option, ..] => Err(format!("{option:?} wants a value")),
        }
    }

    /// The further words of each contestant of haul, the first of which has none.
    pub(super) fn variants(&self) -> impl Iterator<Item = &'a str> {
        std::iter::once("").chain(self.with.iter().copied())
    }
}

fn number(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("not a number: {text:?}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
        let quick = Options::of_scoreboard(&["--quick", "--files", "5"]).unwrap();
        assert_eq!((quick.rounds, quick.files, quick.large_mib, quick.write), (1, 5, 1, None));
        let full = Options::of_scoreboard(&["--rounds", "9"]).unwrap();
        assert_eq!((full.rounds, full.files, full.against_all), (9, 10_000, true));
        assert_eq!(full.write.as_deref(), Some(Path::new("BENCHMARKS.md")));
        assert_eq!(full.parts, Part::ALL);
        let some = Options::of_scoreboard(&["--parts", "fetching,files"]).unwrap();
        assert_eq!(some.parts, [Part::Fetching, Part::Files]);
        assert!(Options::of_scoreboard(&["--parts", "get"]).is_err());
        for words in wrong {
            assert!(Options::read(words).is_err(), "{words:?}");
        }
    }
}
