//! What was typed of what `haul get` asks and as whom.
//!
//! Owns: these options and their help.
//! Does not own: what they mean together ([`crate::get`]).

use std::path::PathBuf;

/// What requests ask.
#[derive(clap::Args)]
#[command(next_help_heading = "Requests")]
pub(crate) struct AskArgs {
    /// A header field for every request; repeatable. With "Expect: 100-continue" bodies wait for the server's go-ahead
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// The method (default GET, with --data POST)
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub(crate) method: Option<String>,
    /// The body of every request: this text, the content of @FILE, or of stdin (@-, for a single URL)
    #[arg(long, value_name = "TEXT|@FILE")]
    pub(crate) data: Option<String>,
    /// The User-Agent field
    #[arg(short = 'A', long, value_name = "AGENT")]
    pub(crate) user_agent: Option<String>,
    /// Name and password for every request; without a password it is asked for
    #[arg(short, long, value_name = "USER[:PASS]", conflicts_with_all = ["bearer_file", "netrc", "netrc_file"])]
    pub(crate) user: Option<String>,
    /// A file with a bearer token for every request
    #[arg(long, value_name = "FILE", conflicts_with_all = ["netrc", "netrc_file"])]
    pub(crate) bearer_file: Option<PathBuf>,
    /// Take the name and the password for each host from ~/.netrc
    #[arg(long)]
    pub(crate) netrc: bool,
    /// Take them from this file
    #[arg(long, value_name = "FILE")]
    pub(crate) netrc_file: Option<PathBuf>,
    /// Keep cookies: read this file first, if it is there, and write it at the end, in Netscape's format, as curl and wget do
    #[arg(long, value_name = "FILE")]
    pub(crate) cookie_jar: Option<PathBuf>,
}
