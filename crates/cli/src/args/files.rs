//! The arguments of `haul seal`, `haul open` and `haul xor`.
//!
//! Owns: their grammar and help.
//! Does not own: their meaning ([`crate::files`]).

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueEnum;

use super::common::CommonArgs;
use super::keys::PassphraseArgs;
use super::range::RangeArg;
use super::sealing::PackArgs;

/// Which files of a tree are taken.
#[derive(clap::Args)]
pub(crate) struct TreeArgs {
    /// In trees, take only files whose name (with a slash: path) matches; repeatable
    ///
    /// "*.txt" matches names in every directory. A pattern with a slash matches paths from the input on, so that "/a"
    /// and "./a" match only the input's own "a". A pattern that ends in a slash matches directories with all that is in
    /// them, "a/" in every directory and "/a/" only in the input itself. "*" and "?" don't match a slash, "**" does. A
    /// pattern that matches nothing is reported.
    #[arg(long, value_name = "GLOB")]
    pub(crate) include: Vec<String>,
    /// In trees, skip files and directories whose name (with a slash: path) matches; repeatable
    ///
    /// The patterns are those of --include. What lies in a directory that is left out isn't looked at.
    #[arg(long, value_name = "GLOB")]
    pub(crate) exclude: Vec<String>,
    /// How to treat symbolic links in trees
    ///
    /// "follow" takes the target of a link even if it is outside the tree, and writes its result beside the target.
    /// With "skip" and "error", nothing outside the tree is read, written or removed, even if a link is added during
    /// the run.
    #[arg(long, value_name = "HOW", default_value = "skip")]
    pub(crate) symlinks: SymlinksArg,
    /// Stay on the file system of each tree
    #[arg(long)]
    pub(crate) one_file_system: bool,
}

/// How symbolic links are treated.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SymlinksArg {
    Skip,
    Follow,
    Error,
}

/// Options that `seal` and `open` share.
#[derive(clap::Args)]
pub(crate) struct FileArgs {
    /// The result of a single input (- for stdout), or the directory for the results of a tree or of several inputs
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: Option<PathBuf>,
    /// The suffix of sealed files
    #[arg(long, value_name = "SUFFIX", default_value = ".age")]
    pub(crate) suffix: OsString,
    #[command(flatten)]
    pub(crate) secret: PassphraseArgs,
    /// Overwrite an existing result
    #[arg(long)]
    pub(crate) force: bool,
    /// Remove each source once its result is durable
    ///
    /// If a file has several names (hard links), each name that was sealed or opened is removed once its own result is
    /// durable. Names outside the given paths remain and still lead to the source; haul reports each such file.
    #[arg(long)]
    pub(crate) replace: bool,
    /// Don't preserve modes, access control lists, owners and modification times of files and mirrored directories
    ///
    /// Owners and groups are preserved as far as the user may give files away; without its group, a result gives its
    /// new group no more than others. "open" takes away what the umask forbids.
    #[arg(long)]
    pub(crate) no_preserve: bool,
    /// Preserve extended attributes (user.*) of files and mirrored directories, unencrypted even on sealed files
    ///
    /// Names and values are set on the result in clear text, where anyone who can read the file can read them. haul
    /// reports attributes that can't be set.
    #[arg(long)]
    pub(crate) xattrs: bool,
    /// Flush each result to the disk before it counts as done (auto: if sources are removed)
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(crate) durable: DurableArg,
    #[command(flatten)]
    pub(crate) trees: TreeArgs,
}

/// When results are flushed to the disk.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DurableArg {
    Auto,
    Always,
    Never,
}

/// `haul seal`.
#[derive(clap::Args)]
pub(crate) struct SealArgs {
    /// Files and directories; - is stdin
    #[arg(value_name = "PATH", required_unless_present = "fleet")]
    pub(crate) paths: Vec<PathBuf>,
    /// A recipient: age1…, age1pq1…, an SSH public key, or a plugin's age1name1…; repeatable
    #[arg(short, long, value_name = "R")]
    pub(crate) recipient: Vec<String>,
    /// A file of recipients, one a line; repeatable
    #[arg(short = 'R', long, value_name = "FILE")]
    pub(crate) recipients_file: Vec<PathBuf>,
    /// A file of identities whose recipients to seal to; repeatable. haul asks for its passphrase if it has one
    #[arg(short, long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,
    /// With -p, protect a tree by a post-quantum identity
    #[arg(long)]
    pub(crate) pq: bool,
    /// Write ASCII armor: text, a third longer
    #[arg(short, long)]
    pub(crate) armor: bool,
    /// Seal only files that are new or changed since they were sealed, and replace the results of these
    ///
    /// A file counts as unchanged if its result has its modification time (with --no-preserve: a later one) and a
    /// length that fits. Unchanged files keep their results and so their recipients; "haul rekey" changes these.
    /// Results of files that are gone stay.
    #[arg(long, conflicts_with_all = ["force", "replace"])]
    pub(crate) update: bool,
    /// Be a node of a fleet: seal the files of a run redis://HOST/RUN into -o, a directory or bucket that all nodes
    /// share. "haul fleet create --files" has made the run
    ///
    /// A result is named after its whole line. What is sealed already, and unchanged since, is skipped; nothing is
    /// replaced. With --pack, each slice becomes one shard.
    #[arg(long, value_name = "REDIS_URL", conflicts_with_all = [
        "paths", "update", "force", "replace", "pack_size", "include", "exclude", "passphrase", "passphrase_fd",
        "durable",
    ])]
    pub(crate) fleet: Option<String>,
    #[command(flatten)]
    pub(crate) packing: PackArgs,
    #[command(flatten)]
    pub(crate) files: FileArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// `haul open`.
#[derive(clap::Args)]
pub(crate) struct OpenArgs {
    /// Files and directories; - is stdin
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// A file of identities, or an SSH private key; repeatable. haul asks for its passphrase if it has one
    #[arg(short, long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,
    /// Leave holes in results instead of blocks of zeros
    ///
    /// A sealed file doesn't show which parts of its source were holes. With this option, zeros take no space.
    #[arg(long)]
    pub(crate) sparse: bool,
    /// With -o -, write only these bytes of the plaintext: A-B, A- (all from A on) or -N (the last N)
    ///
    /// Bytes are numbered from 0, and B is included; see "haul cat --help".
    #[arg(long, value_name = "RANGE", allow_hyphen_values = true)]
    pub(crate) range: Option<RangeArg>,
    /// Read one member of a packed shard, by its name, and nothing else of it
    ///
    /// The index at the end of the shard tells where the member is. The shard may be sealed or plain. Without -o, the
    /// result lies beside the shard, under the last part of the name.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["range", "replace", "xattrs", "sparse"])]
    pub(crate) only: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) files: FileArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}

/// `haul xor`.
#[derive(clap::Args)]
pub(crate) struct XorArgs {
    /// Files and directories
    #[arg(value_name = "PATH", required = true)]
    pub(crate) paths: Vec<PathBuf>,
    /// The file that holds the key
    #[arg(long, value_name = "K")]
    pub(crate) key_file: PathBuf,
    /// Write into the files themselves: fastest, but an interruption damages the file in progress
    ///
    /// A file with several names (hard links) is transformed once, under the first name that is found; the other names
    /// are skipped.
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Flush each result to the disk before it replaces the source (auto: yes)
    #[arg(long, value_name = "WHEN", default_value = "auto", conflicts_with = "overwrite")]
    pub(crate) durable: DurableArg,
    #[command(flatten)]
    pub(crate) trees: TreeArgs,
    #[command(flatten)]
    pub(crate) common: CommonArgs,
}
