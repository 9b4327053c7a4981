//! The options of a soak.
//!
//! Owns: reading them.
//! Does not own: their meaning.

use std::ffi::OsString;
use std::path::PathBuf;

/// What to soak, and for how long.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The program under test.
    pub(crate) haul: PathBuf,
    pub(crate) seed: u64,
    pub(crate) seconds: u64,
    /// The only step to do.
    pub(crate) step: Option<u64>,
    /// The only kind of steps to do.
    pub(crate) kind: Option<String>,
    /// No run has a limit on its threads.
    pub(crate) spares_threads: bool,
    /// The number of faults that end the soak.
    pub(crate) faults_max: u32,
    /// Print the number of each step.
    pub(crate) verbose: bool,
}

impl Options {
    /// Reads the arguments.
    pub(crate) fn read(words: &[OsString]) -> Result<Self, String> {
        let mut options = Self {
            haul: PathBuf::new(),
            seed: 1,
            seconds: 120,
            step: None,
            kind: None,
            spares_threads: false,
            faults_max: 1,
            verbose: false,
        };
        let mut words = words.iter();
        while let Some(name) = words.next() {
            let name = name.to_string_lossy();
            if name == "--verbose" {
                options.verbose = true;
                continue;
            }
            if name == "--spare-threads" {
                options.spares_threads = true;
                continue;
            }
            let value = words.next().ok_or(format!("{name} wants a value"))?;
            let number = || {
                let number = value.to_str().and_then(|text| text.parse::<u64>().ok());
                number.ok_or(format!("{name} wants a number, not {value:?}"))
            };
            match name.as_ref() {
                "--haul" => options.haul = PathBuf::from(value),
                "--seed" => options.seed = number()?,
                "--minutes" => options.seconds = number()?.saturating_mul(60),
                "--seconds" => options.seconds = number()?,
                "--step" => options.step = Some(number()?),
                "--kind" => options.kind = Some(value.to_string_lossy().into_owned()),
                "--faults" => options.faults_max = u32::try_from(number()?).map_err(|e| e.to_string())?,
                _ => return Err(format!("no option {name}")),
            }
        }
        if options.haul.as_os_str().is_empty() {
            return Err("--haul names the program".to_owned());
        }
        // Runs have folders of their own.
        options.haul = options.haul.canonicalize().map_err(|e| format!("{}: {e}", options.haul.display()))?;
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let read = |words: &[&str]| Options::read(&words.iter().map(OsString::from).collect::<Vec<_>>());
        let options = read(&["--haul", "/", "--seed", "7", "--step", "3"]).unwrap();
        assert_eq!((options.seed, options.step, options.seconds), (7, Some(3), 120));
        for wrong in [&["--seed", "7"][..], &["--haul"], &["--haul", "/", "--seed", "x"], &["--other", "1"]] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
