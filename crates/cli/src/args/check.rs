//! What was typed of the commands that look at sealed files and make nothing.
//!
//! Owns: the grammar of `haul verify` and `haul inspect`.
//! Does not own: options that others have too.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ArgAction;

use super::{CommonArgs, PassphraseArgs};

pub(crate) const VERIFY_EXAMPLES: &str = "Examples:
  haul verify -i key.txt backup               every .age file below backup
  curl https://example.org/x.age | haul verify -i key.txt -";
pub(crate) const INSPECT_EXAMPLES: &str = "Examples:
  haul inspect letter.age
  haul inspect --json backup                  a JSON object for each .age file below backup";

#[derive(clap::Args)]
pub(crate) struct VerifyArgs {
    /// Sealed files, and trees of them; - is stdin
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// A file of identities, or an SSH private key; repeatable. Its passphrase is asked for if it has one
    #[arg(short, long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,
    /// What names of sealed files in trees end in
    #[arg(long, value_name = "SUFFIX", default_value = ".age")]
    pub(crate) suffix: OsString,
    #[command(flatten)]
    pub(crate) secret: PassphraseArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

#[derive(clap::Args)]
pub(crate) struct InspectArgs {
    /// Sealed files, and trees of them; - is stdin
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Print a JSON object a line for each file
    #[arg(long)]
    pub(crate) json: bool,
    /// What names of sealed files in trees end in
    #[arg(long, value_name = "SUFFIX", default_value = ".age")]
    pub(crate) suffix: OsString,
    /// Say less (twice: nothing)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) quiet: u8,
}
