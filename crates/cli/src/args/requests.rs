//! The options of `haul get` for the content of requests and for credentials.
//!
//! Owns: their grammar and help.
//! Does not own: their meaning ([`crate::get::requests`]).

use std::path::PathBuf;

/// The content of requests.
#[derive(clap::Args)]
#[command(next_help_heading = "Requests")]
pub(crate) struct RequestArgs {
    /// A header field for every request; repeatable. "NAME;" has an empty value, "NAME:" leaves out a field that haul
    /// would add. With "Expect: 100-continue", the body is sent once the server agrees
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    pub(crate) header: Vec<String>,
    /// The method (default: GET, or POST with --data)
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub(crate) method: Option<String>,
    /// The body of every request: this text, the content of @FILE, or of stdin (@-, for a single URL)
    #[arg(long, value_name = "TEXT|@FILE")]
    pub(crate) data: Option<String>,
    /// The User-Agent field
    #[arg(short = 'A', long, value_name = "AGENT")]
    pub(crate) user_agent: Option<String>,
    /// Name and password for every URL without its own; haul asks for a missing password
    #[arg(short, long, value_name = "USER[:PASS]", conflicts_with_all = ["bearer_file", "netrc", "netrc_file"])]
    pub(crate) user: Option<String>,
    /// A file that holds a bearer token for every request
    #[arg(long, value_name = "FILE", conflicts_with_all = ["netrc", "netrc_file"])]
    pub(crate) bearer_file: Option<PathBuf>,
    /// Take each host's name and password from ~/.netrc, or the file that the variable NETRC names
    #[arg(long)]
    pub(crate) netrc: bool,
    /// Take them from this file, in the format of ~/.netrc
    #[arg(long, value_name = "FILE")]
    pub(crate) netrc_file: Option<PathBuf>,
    /// Read cookies from this file, if it exists, and write them back at the end, in the Netscape format of curl and
    /// wget
    #[arg(long, value_name = "FILE")]
    pub(crate) cookie_jar: Option<PathBuf>,
}
