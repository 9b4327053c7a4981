//! What shells and `man` read: completions and manual pages, generated from the grammar.
//!
//! Owns: their options, and writing them.
//! Does not own: the grammar and its help ([`super`]), where a system keeps these files.

use std::path::{Path, PathBuf};

use clap::{Args, Command, ValueHint};
use clap_complete::Shell;

use crate::report::exit::{Exit, Problem};
use crate::report::text::quoted;
use crate::report::voice::Voice;

#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// The shell that reads them
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Args)]
pub(crate) struct ManArgs {
    /// The command that the page is about; without one, the page is about haul
    #[arg(value_name = "COMMAND")]
    command: Option<String>,

    /// Write the pages of all commands into this directory, as haul.1, haul-get.1 and so on
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath, conflicts_with = "command")]
    dir: Option<PathBuf>,
}

impl CompletionsArgs {
    /// Prints the completions of `grammar`.
    pub(crate) fn run(&self, mut grammar: Command, voice: &Voice) -> Result<Exit, Problem> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut grammar, "haul", &mut script);
        print(&script, voice)
    }
}

impl ManArgs {
    /// Prints a page of `grammar`, or writes all of them.
    pub(crate) fn run(&self, grammar: Command, voice: &Voice) -> Result<Exit, Problem> {
        let mut haul = grammar.disable_help_subcommand(true);
        if let Some(dir) = &self.dir {
            let made = std::fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(haul, dir));
            return made.map(|()| Exit::Success).map_err(|error| cannot_write(dir, &error));
        }
        // Gives the commands their whole names.
        haul.build();
        let page = match &self.command {
            None => haul,
            Some(name) => {
                let found = haul.find_subcommand(name).cloned();
                found.ok_or_else(|| Problem::usage(format!("there is no command {name:?}")))?
            }
        };
        let mut text = Vec::new();
        clap_mangen::Man::new(page).render(&mut text).expect("memory takes every byte");
        print(&text, voice)
    }
}

fn print(text: &[u8], voice: &Voice) -> Result<Exit, Problem> {
    voice.data(String::from_utf8_lossy(text).trim_end());
    Ok(Exit::Success)
}

fn cannot_write(dir: &Path, error: &std::io::Error) -> Problem {
    Problem::usage(format!("cannot write the pages into {}: {}", quoted(dir), haul_io::reason(error)))
}
