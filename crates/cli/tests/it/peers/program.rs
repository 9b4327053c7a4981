//! Third-party programs that read and write age files.
//!
//! Owns: finding them, their command lines.
//! Does not own: the comparison.

use std::fmt;
use std::path::{Path, PathBuf};

use haul_testkit::{peer, skip};

use crate::peers::workdir::{Armor, Key, PASSPHRASE, PeerWorkdir};

pub(crate) enum Program {
    /// age, or rage, which has the same options.
    Age(PathBuf),
    /// A script around the package age-encryption by the author of age. It is slow to start, so it takes many files.
    Typage { node: PathBuf, modules: PathBuf },
}

impl Program {
    /// The program of this name, if it is installed.
    pub(crate) fn age(name: &str) -> Option<Self> {
        peer(name).map(Self::Age)
    }

    /// typage, if `.ci/run` has installed it in the target directory.
    pub(crate) fn typage() -> Option<Self> {
        let node = peer("node")?;
        let modules = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("typage");
        if !modules.join("node_modules/age-encryption").exists() {
            skip(&format!("no typage in {}", modules.display()));
            return None;
        }
        Some(Self::Typage { node, modules })
    }

    /// Whether this version of the program can seal to `key`.
    pub(crate) fn supports(&self, workdir: &PeerWorkdir, key: &Key) -> bool {
        match (self, key) {
            (Self::Age(program), Key::Pair { recipient, .. }) => {
                workdir.other(program, &["-r", recipient, "-o", "try.age", "pass"]).0
            }
            _ => true,
        }
    }

    /// Seals the first file of each pair into the second.
    #[track_caller]
    pub(crate) fn seal(&self, workdir: &PeerWorkdir, key: &Key, armor: Armor, pairs: &[(String, String)]) {
        let armor: &[&str] = if armor == Armor::Text { &["-a"] } else { &[] };
        match (self, key) {
            (Self::Age(program), Key::Pair { recipient, .. }) => pairs.iter().for_each(|(from, to)| {
                workdir.succeeds(program, &[armor, &["-r", recipient, "-o", to, from]].concat());
            }),
            (Self::Age(program), Key::Passphrase) => pairs.iter().for_each(|(from, to)| {
                on_terminal(workdir, program, 2, &[armor, &["-p", "-o", to, from]].concat());
            }),
            (Self::Typage { .. }, Key::Pair { recipient, .. }) => {
                self.script(workdir, &[armor, &["-r", recipient]].concat(), pairs);
            }
            (Self::Typage { .. }, Key::Passphrase) => {
                self.script(workdir, &[armor, &["-p", "pass"]].concat(), pairs);
            }
        }
    }

    /// Opens the first file of each pair into the second.
    #[track_caller]
    pub(crate) fn open(&self, workdir: &PeerWorkdir, key: &Key, pairs: &[(String, String)]) {
        match (self, key) {
            (Self::Age(program), Key::Pair { identity, .. }) => pairs.iter().for_each(|(from, to)| {
                workdir.succeeds(program, &["-d", "-i", identity, "-o", to, from]);
            }),
            (Self::Age(program), Key::Passphrase) => pairs.iter().for_each(|(from, to)| {
                on_terminal(workdir, program, 1, &["-d", "-o", to, from]);
            }),
            (Self::Typage { .. }, Key::Pair { identity, .. }) => {
                self.script(workdir, &["-d", "-i", identity], pairs);
            }
            (Self::Typage { .. }, Key::Passphrase) => self.script(workdir, &["-d", "-p", "pass"], pairs),
        }
    }

    #[track_caller]
    fn script(&self, workdir: &PeerWorkdir, args: &[&str], pairs: &[(String, String)]) {
        let Self::Typage { node, modules } = self else { unreachable!("the others are no scripts") };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/peers/typage/typage.mjs");
        let files = pairs.iter().flat_map(|(from, to)| [from.as_str(), to.as_str()]);
        let modules = modules.to_str().unwrap();
        let args = [script, modules].into_iter().chain(args.iter().copied()).chain(files);
        workdir.succeeds(node, &args.collect::<Vec<_>>());
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Age(program) => write!(f, "{}", program.display()),
            Self::Typage { .. } => f.write_str("typage"),
        }
    }
}

/// Runs a program that asks for a passphrase `times` times on the terminal, which `script` provides.
#[track_caller]
fn on_terminal(workdir: &PeerWorkdir, program: &Path, times: usize, args: &[&str]) {
    let Some(script) = peer("script") else { return };
    let answers = format!("{PASSPHRASE}\\n").repeat(times);
    let (script, program, args) = (script.display(), program.display(), args.join(" "));
    let line = format!("printf '{answers}' | {script} -qec \"{program} {args}\" /dev/null");
    workdir.succeeds(Path::new("bash"), &["-c", &line]);
}
