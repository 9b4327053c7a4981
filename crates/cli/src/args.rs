//! The command line: its grammar and its help.
//!
//! In: the words that the user typed. Out: an [`Args`], in which every value has its type. Nothing here depends on the
//! machine or reads a file.
//!
//! Owns: the options, their values and their help.
//! Does not own: conflicts that clap can't express, and defaults that depend on the environment: the plans do
//! ([`crate::get`], [`crate::files`], [`crate::keys`]).

mod bench;
mod check;
mod common;
mod files;
mod get;
mod help;
mod keys;
mod network;
mod range;
mod rekey;
mod requests;
mod sealing;
mod secrets;
pub(crate) mod units;
pub(crate) mod words;

use clap::{Parser, Subcommand};

pub(crate) use self::bench::{BenchArgs, BenchWhat, DemoArgs};
pub(crate) use self::check::{CatArgs, InspectArgs, VerifyArgs};
use self::common::clamped;
pub(crate) use self::common::{CommonArgs, ConfigArgs, ProgressArg};
pub(crate) use self::files::{DurableArg, FileArgs, OpenArgs, SealArgs, SymlinksArg, TreeArgs, XorArgs};
pub(crate) use self::get::{GetArgs, NameArg, SegmentsArg, ShardArg};
pub(crate) use self::help::command;
use self::help::pages::{CompletionsArgs, ManArgs};
pub(crate) use self::help::topics::asked_for;
pub(crate) use self::keys::{KeygenArgs, PassphraseArgs};
pub(crate) use self::network::NetworkArgs;
pub(crate) use self::range::RangeArg;
pub(crate) use self::rekey::RekeyArgs;
pub(crate) use self::requests::RequestArgs;
pub(crate) use self::sealing::{PackArgs, SealingArgs};
use self::secrets::{misplaced_keys, texts_of};
use crate::fleet::args::FleetArgs;
use crate::report::voice::Verbosity;
use crate::run::arguments::Secret;
use crate::settings::values::ConfigFile;

#[derive(Parser)]
#[command(name = "haul", version, long_version = env!("HAUL_VERSION"))]
#[command(about = "Moves data in bulk and keeps it sealed", max_term_width = 100)]
#[command(args_override_self = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Fetch many URLs at once
    Get(Box<GetArgs>),
    /// Encrypt files and trees (age format)
    Seal(SealArgs),
    /// Decrypt files and trees
    Open(OpenArgs),
    /// Authenticate every chunk of sealed files and write nothing
    Verify(VerifyArgs),
    /// Write the plaintext of sealed files to stdout, whole or in part
    Cat(CatArgs),
    /// Give sealed files new recipients: only their headers change
    Rekey(RekeyArgs),
    /// Show what sealed files reveal without a key
    Inspect(InspectArgs),
    /// XOR files with a repeating key: its own inverse, and NOT encryption
    Xor(XorArgs),
    /// Generate an identity (compatible with age-keygen)
    Keygen(KeygenArgs),
    /// Share a list among machines that come and go, by Redis or Valkey
    Fleet(FleetArgs),
    /// Compare the engines on this machine
    Bench(BenchArgs),
    /// Show what haul does, without a network: fetch, seal, open, verify
    Demo(DemoArgs),
    /// Show the defaults in force, and what set them
    Config(ConfigArgs),
    /// Print completions for a shell
    Completions(CompletionsArgs),
    /// Print a manual page
    Man(ManArgs),
}

impl Command {
    /// The parts of the command line that other users of the machine must not see.
    pub(crate) fn secrets(&self) -> Vec<Secret<'_>> {
        match self {
            Self::Get(args) => args.secrets(),
            Self::Fleet(args) => args.secrets(),
            Self::Seal(args) => {
                let texts = args.recipient.iter().map(String::as_str);
                let paths = [&args.recipients_file, &args.identity, &args.paths];
                misplaced_keys(texts.chain(texts_of(&paths)))
            }
            Self::Open(args) => misplaced_keys(texts_of(&[&args.identity, &args.paths])),
            Self::Verify(args) => misplaced_keys(texts_of(&[&args.identity, &args.paths])),
            Self::Cat(args) => misplaced_keys(texts_of(&[&args.identity, &args.paths])),
            Self::Rekey(args) => {
                let texts = args.recipient.iter().map(String::as_str);
                let paths = [&args.recipients_file, &args.identity, &args.paths];
                misplaced_keys(texts.chain(texts_of(&paths)))
            }
            _ => Vec::new(),
        }
    }

    /// How much the command prints.
    pub(crate) fn verbosity(&self) -> Verbosity {
        match self {
            Self::Get(args) => args.common.verbosity(),
            Self::Seal(args) => args.common.verbosity(),
            Self::Open(args) => args.common.verbosity(),
            Self::Verify(args) => args.common.verbosity(),
            Self::Cat(args) => clamped(args.verbose) - clamped(args.quiet),
            Self::Rekey(args) => args.common.verbosity(),
            Self::Inspect(args) => -clamped(args.quiet),
            Self::Xor(args) => args.common.verbosity(),
            Self::Keygen(args) => -clamped(args.quiet),
            Self::Fleet(args) => -clamped(args.command.target().quiet),
            Self::Bench(_) | Self::Demo(_) | Self::Config(_) | Self::Completions(_) | Self::Man(_) => 0,
        }
    }

    /// Whether the configuration file counts; `None` for commands that have no settings.
    pub(crate) fn config_file(&self) -> Option<ConfigFile> {
        let config = match self {
            Self::Get(args) => &args.common.config,
            Self::Seal(args) => &args.common.config,
            Self::Open(args) => &args.common.config,
            Self::Verify(args) => &args.common.config,
            Self::Cat(args) => &args.config,
            Self::Rekey(args) => &args.common.config,
            Self::Config(args) => &args.config,
            _ => return None,
        };
        Some(config.config_file())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_of_several_options_counts() {
        let words = "haul get -j 5 --jobs 6 -e serial -e threads=2 --stats --stats -o a -o b --max-time 5s \
                     --max-time 2m --progress never --progress always -H a:b -H c:d http://a/";
        let Command::Get(args) = Args::try_parse_from(words.split_whitespace()).unwrap().command else {
            panic!("not get")
        };
        assert_eq!((args.jobs, args.max_time), (Some(6), Some(std::time::Duration::from_secs(120))));
        assert_eq!(args.output.as_deref(), Some(std::path::Path::new("b")));
        assert!(args.common.progress == ProgressArg::Always && args.common.stats);
        assert_eq!(args.requests.header.len(), 2, "lists grow");
        for (words, verbosity) in [("-v -v", 2), ("-vv", 2), ("-q", -1), ("-qq", -2), ("-v -q -v", 1)] {
            let words = format!("haul get http://a/ {words}");
            let command = Args::try_parse_from(words.split_whitespace()).unwrap().command;
            assert_eq!(command.verbosity(), verbosity, "{words}");
        }
    }

    #[test]
    fn the_grammar_is_sound() {
        super::command().debug_assert();
    }
}
