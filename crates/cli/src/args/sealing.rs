//! The options of `haul get` for sealing what is fetched.
//!
//! Owns: their grammar and help.
//! Does not own: their meaning ([`crate::get`]).

use std::path::PathBuf;

use super::keys::PassphraseArgs;

/// Whom results are sealed to.
#[derive(clap::Args)]
#[command(next_help_heading = "Sealing")]
pub(crate) struct SealingArgs {
    /// Seal every file to this recipient, as NAME.age; repeatable. Nothing that is fetched is written in plain
    #[arg(short, long, value_name = "R")]
    pub(crate) recipient: Vec<String>,
    /// A file of recipients, one a line; repeatable
    #[arg(short = 'R', long, value_name = "FILE")]
    pub(crate) recipients_file: Vec<PathBuf>,
    /// With -c: a file of identities that open what an earlier run began; repeatable. Without one, such files start
    /// over
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) secret: PassphraseArgs,
    /// With -p, protect the directory by a post-quantum identity
    #[arg(long)]
    pub(crate) pq: bool,
    /// Write ASCII armor: text, a third longer
    #[arg(short, long, conflicts_with_all = ["resume", "sync"])]
    pub(crate) armor: bool,
}
