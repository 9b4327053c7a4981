//! The arguments of `haul rekey`.
//!
//! Owns: their grammar and help.
//! Does not own: their meaning ([`crate::files`], [`crate::keys`]).

use std::ffi::OsString;
use std::path::PathBuf;

use super::common::CommonArgs;
use super::files::{DurableArg, TreeArgs};
use super::keys::PassphraseArgs;

/// `haul rekey`.
#[derive(clap::Args)]
pub(crate) struct RekeyArgs {
    /// Sealed files, and directories of them
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// A file of identities that open the files, or an SSH private key; repeatable
    #[arg(short, long, value_name = "OLD")]
    pub(crate) identity: Vec<PathBuf>,
    /// A new recipient: age1…, age1pq1…, an SSH public key, or a plugin's age1name1…; repeatable
    #[arg(short, long, value_name = "NEW")]
    pub(crate) recipient: Vec<String>,
    /// A file of new recipients, one a line; repeatable
    #[arg(short = 'R', long, value_name = "FILE")]
    pub(crate) recipients_file: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) secret: PassphraseArgs,
    /// Ask for a new passphrase on the terminal, for a single file
    #[arg(long)]
    pub(crate) new_passphrase: bool,
    /// Read the new passphrase from this file descriptor
    #[arg(long, value_name = "N")]
    pub(crate) new_passphrase_fd: Option<u32>,
    /// The suffix of sealed files in trees
    #[arg(long, value_name = "SUFFIX", default_value = ".age")]
    pub(crate) suffix: OsString,
    /// Flush each new file to the disk before it replaces the old one (auto: yes)
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) durable: DurableArg,
    #[command(flatten)]
    pub(crate) trees: TreeArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}
