//! The arguments of `haul keygen`, and the passphrase options of all commands.
//!
//! Owns: their grammar and help.
//! Does not own: their meaning ([`crate::keys`]).

use std::path::PathBuf;

use clap::ArgAction;

/// The source of a passphrase.
#[derive(clap::Args)]
pub(crate) struct PassphraseArgs {
    /// Ask for a passphrase on the terminal
    #[arg(short, long)]
    pub(crate) passphrase: bool,
    /// Read the passphrase from this file descriptor
    #[arg(long, value_name = "N")]
    pub(crate) passphrase_fd: Option<u32>,
}

/// `haul keygen`.
#[derive(clap::Args)]
pub(crate) struct KeygenArgs {
    /// The file to create; an existing file is never overwritten
    #[arg(short, long, value_name = "FILE", conflicts_with = "recipient_of")]
    pub(crate) output: Option<PathBuf>,
    /// Has no effect: an existing key file is never overwritten, since nothing could open what is sealed to its key
    #[arg(long, hide = true)]
    pub(crate) force: bool,
    /// Print the recipients of the identities in this file
    #[arg(short = 'y', value_name = "FILE")]
    pub(crate) recipient_of: Option<PathBuf>,
    /// Generate a post-quantum identity
    #[arg(long, conflicts_with = "recipient_of")]
    pub(crate) pq: bool,
    #[command(flatten)]
    pub(crate) secret: PassphraseArgs,
    /// Print less (twice: nothing)
    #[arg(short, long, action = ArgAction::Count)]
    pub(crate) quiet: u8,
}
