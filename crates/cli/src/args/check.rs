//! The arguments of `haul verify` and `haul inspect`, which read sealed files and write nothing.
//!
//! Owns: their grammar and help.
//! Does not own: options that other commands share ([`super::common`], [`super::keys`]).

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ArgAction;

use super::common::CommonArgs;
use super::keys::PassphraseArgs;

pub(crate) const VERIFY_EXAMPLES: &str = "Examples:
  haul verify -i key.txt backup               every .age file in backup
  curl https://example.org/x.age | haul verify -i key.txt -";
pub(crate) const INSPECT_EXAMPLES: &str = "Examples:
  haul inspect letter.age
  haul inspect --json backup                  a JSON object for each .age file in backup";

/// `haul verify`.
#[derive(clap::Args)]
pub(crate) struct VerifyArgs {
    /// Sealed files, and directories of them; - is stdin
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// A file of identities, or an SSH private key; repeatable. haul asks for its passphrase if it has one
    #[arg(short, long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,
    /// The suffix of sealed files in trees
    #[arg(long, value_name = "SUFFIX", default_value = ".age")]
    pub(crate) suffix: OsString,
    #[command(flatten)]
    pub(crate) secret: PassphraseArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// `haul inspect`.
#[derive(clap::Args)]
pub(crate) struct InspectArgs {
    /// Sealed files, and directories of them; - is stdin
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Print a line with a JSON object for each file
    #[arg(long)]
    pub(crate) json: bool,
    /// The suffix of sealed files in trees
    #[arg(long, value_name = "SUFFIX", default_value = ".age")]
    pub(crate) suffix: OsString,
    /// Print less (twice: nothing)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) quiet: u8,
}
