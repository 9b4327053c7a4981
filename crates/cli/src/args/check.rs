//! The arguments of `haul verify`, `haul cat` and `haul inspect`, which read sealed files and write no file.
//!
//! Owns: their grammar and help.
//! Does not own: options that other commands share ([`super::common`], [`super::keys`]).

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ArgAction;

use super::common::{CommonArgs, ConfigFileArgs};
use super::keys::PassphraseArgs;
use super::range::RangeArg;

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

/// `haul cat`.
#[derive(clap::Args)]
pub(crate) struct CatArgs {
    /// Sealed files, written one after another; - is stdin
    ///
    /// At the first failure haul stops: what was written is then the beginning of the whole, authentic to its last
    /// byte.
    #[arg(value_name = "FILE", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// Write only these bytes of each plaintext: A-B, A- (all from A on) or -N (the last N)
    ///
    /// Bytes are numbered from 0, and B is included, as in HTTP. A range that ends behind the plaintext ends with it;
    /// one that begins there is an error. haul reads and authenticates only the chunks of 64 KiB that it needs, after
    /// the last chunk, which shows that the file is complete. A range needs a file, not a pipe.
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(crate) range: Option<RangeArg>,
    /// A file of identities, or an SSH private key; repeatable. haul asks for its passphrase if it has one
    #[arg(short, long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) secret: PassphraseArgs,
    /// Print less (twice: nothing)
    #[arg(short, long, action = ArgAction::Count, overrides_with = "verbose")]
    pub(crate) quiet: u8,
    /// Print more: a line for each file
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(flatten)]
    pub(crate) config: ConfigFileArgs,
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
