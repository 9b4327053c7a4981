//! What the help of each command shows.
//!
//! Owns: which options `-h` shows and in which words, the groups of options, the examples.
//! Does not own: the form ([`super`]).

/// The help of one command.
pub(super) struct Help {
    pub(super) command: &'static str,
    /// The options that `-h` shows, with the text that it shows.
    pub(super) short: &'static [(&'static str, &'static str)],
    /// Groups of options, under their headings.
    pub(super) groups: &'static [(&'static str, &'static [&'static str])],
    /// What follows the options of `--help`.
    pub(super) examples: &'static str,
    /// Which exit codes and variables apply.
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Fetching,
    Sealing,
    Other,
}

pub(super) const REPORT: (&str, &[&str]) = (
    "Running and reporting",
    &[
        "engine",
        "stats",
        "trace",
        "json",
        "progress",
        "quiet",
        "verbose",
        "dry_run",
        "keep_going",
        "fail_fast",
        "no_config",
    ],
);
const TREES: (&str, &[&str]) = ("Trees", &["include", "exclude", "symlinks", "one_file_system", "suffix"]);
const KEYS: (&str, &[&str]) =
    ("Keys", &["recipient", "recipients_file", "identity", "passphrase", "passphrase_fd", "pq", "armor"]);
const RESULTS: (&str, &[&str]) = (
    "Results",
    &[
        "output",
        "force",
        "update",
        "fleet",
        "pack",
        "pack_size",
        "replace",
        "no_preserve",
        "xattrs",
        "durable",
        "sparse",
        "range",
        "only",
        "overwrite",
    ],
);

const FORCE: (&str, &str) = ("force", "Overwrite existing results");
const OUTPUT: (&str, &str) = ("output", "The result (- is stdout), or the directory for results");
const REPLACE: (&str, &str) = ("replace", "Remove each source once its result is durable");
const JSON: (&str, &str) = ("json", "Print a JSON object for each task, then the report");
const QUIET: (&str, &str) = ("quiet", "Print less (twice: nothing)");
const VERBOSE: (&str, &str) = ("verbose", "Print more (twice: each step)");
const DRY_RUN: (&str, &str) = ("dry_run", "Print what would be done and do nothing");
const IDENTITY: (&str, &str) = ("identity", "A file with the key that opens them; repeatable");
const PASSPHRASE: (&str, &str) = ("passphrase", "Ask for a passphrase on the terminal");
const INCLUDE: (&str, &str) = ("include", "In trees, take only files that match; repeatable");
const EXCLUDE: (&str, &str) = ("exclude", "In trees, skip what matches; repeatable");

pub(super) const HELPS: [Help; 14] = [
    Help {
        command: "get",
        short: &[
            ("input", "A list: a URL or JSON on each line (- is stdin)"),
            ("output", "For one URL: the file to write (- is stdout)"),
            ("dir", "The directory, or s3://BUCKET/PREFIX"),
            ("force", "Replace files that exist"),
            ("resume", "Resume partial files, skip complete ones"),
            ("sync", "Fetch only what changed since the last run"),
            ("checksums", "Expected checksums, in the format of sha256sum"),
            ("jobs", "Concurrent transfers [default: 64]"),
            ("limit_rate", "Bytes per second over all transfers, such as 1.5M"),
            ("retries", "Retries after a transient failure"),
            ("header", "A header field for every request; repeatable"),
            ("data", "The body of every request"),
            ("user", "A login for every URL without its own"),
            ("recipient", "Seal every file to this recipient, as NAME.age"),
            ("proxy", "The proxy: http, https, socks5 or socks5h"),
            JSON,
            QUIET,
            VERBOSE,
            DRY_RUN,
        ],
        groups: &[
            (
                "Results",
                &[
                    "input",
                    "output",
                    "dir",
                    "name",
                    "force",
                    "resume",
                    "sync",
                    "pack",
                    "pack_size",
                    "checksum",
                    "checksums",
                    "failures",
                ],
            ),
            (
                "Transfers, retries and limits",
                &[
                    "jobs",
                    "per_host",
                    "rate",
                    "segments",
                    "shard",
                    "fleet",
                    "limit_rate",
                    "retries",
                    "retry_status",
                    "refresh",
                    "connect_timeout",
                    "read_timeout",
                    "max_time",
                    "min_speed",
                    "max_redirects",
                    "allow_downgrade",
                    "max_size",
                    "max_ratio",
                ],
            ),
            (
                "Requests",
                &[
                    "header",
                    "method",
                    "data",
                    "user_agent",
                    "user",
                    "bearer_file",
                    "netrc",
                    "netrc_file",
                    "cookie_jar",
                    "compressed",
                    "no_compressed",
                    "compressed_archives",
                    "fail_on_status",
                    "no_fail_on_status",
                ],
            ),
            (
                "Network and TLS",
                &[
                    "proxy",
                    "noproxy",
                    "resolve",
                    "unix_socket",
                    "ipv4",
                    "ipv6",
                    "cacert",
                    "cert",
                    "key",
                    "insecure",
                ],
            ),
            KEYS,
            REPORT,
        ],
        examples: "  haul get https://example.org/a.tar https://example.org/b.tar
  haul get -i urls.txt -d downloads -j 128
  haul get -c -i urls.txt                     goes on where an earlier run ended
  haul get --sync -i urls.txt -d mirror       fetches only what changed
  haul get -i urls.txt --checksums SHA256SUMS
  haul get -i urls.txt -r age1…               seals what is fetched
  haul get -i urls.txt -d s3://bucket/files   uploads what is fetched
  haul get -i urls.txt -d shards --pack tar   packs them into shards of 1 GiB
  haul get -i urls.txt --shard 2/4            the second of four machines' parts
  haul get -o - https://example.org/data.json | jq .

Topics: haul help lists, resuming, proxies, exit-codes, json",
        kind: Kind::Fetching,
    },
    Help {
        command: "seal",
        short: &[
            ("recipient", "A recipient: age1…, or an SSH public key; repeatable"),
            ("recipients_file", "A file of recipients, one a line; repeatable"),
            ("identity", "A file of identities to seal to; repeatable"),
            PASSPHRASE,
            ("armor", "Write text, a third longer"),
            OUTPUT,
            FORCE,
            ("update", "Seal only what is new or changed"),
            ("pack", "Pack a tree into few sealed files: tar"),
            REPLACE,
            INCLUDE,
            EXCLUDE,
            JSON,
            QUIET,
            VERBOSE,
            DRY_RUN,
        ],
        groups: &[KEYS, RESULTS, TREES, REPORT],
        examples: "  haul seal -r age1… letter.txt               writes letter.txt.age
  haul seal -R friends.txt -o sealed photos   mirrors the tree photos into sealed
  haul seal --update -R friends.txt -o sealed photos   only what is new or changed
  haul seal -R friends.txt -o sealed --pack tar photos   as few sealed shards
  tar c photos | haul seal -r age1… - > photos.tar.age

Topics: haul help recipients, exit-codes, json",
        kind: Kind::Sealing,
    },
    Help {
        command: "open",
        short: &[
            IDENTITY,
            PASSPHRASE,
            OUTPUT,
            FORCE,
            REPLACE,
            ("range", "With -o -, write only these bytes: A-B, A- or -N"),
            ("only", "Read one member of a packed shard, by its name"),
            INCLUDE,
            EXCLUDE,
            JSON,
            QUIET,
            VERBOSE,
            DRY_RUN,
        ],
        groups: &[KEYS, RESULTS, TREES, REPORT],
        examples: "  haul open -i key.txt letter.txt.age         writes letter.txt
  haul open -i key.txt -o photos sealed       mirrors the tree sealed into photos
  haul open -i key.txt -o - photos.tar.age | tar x
  haul open -i key.txt --range -512 -o - log.age   its last 512 bytes
  haul open -i key.txt --only a/b.jpg shard-000000.tar.age

Topics: haul help recipients, exit-codes, json",
        kind: Kind::Sealing,
    },
    Help {
        command: "verify",
        short: &[IDENTITY, PASSPHRASE, JSON, QUIET, VERBOSE, DRY_RUN],
        groups: &[KEYS, TREES, REPORT],
        examples: "  haul verify -i key.txt backup               every .age file in backup
  curl https://example.org/x.age | haul verify -i key.txt -",
        kind: Kind::Sealing,
    },
    Help {
        command: "cat",
        short: &[
            IDENTITY,
            PASSPHRASE,
            ("range", "Only these bytes of each plaintext: A-B, A- or -N"),
            QUIET,
            ("verbose", "Print a line for each file"),
        ],
        groups: &[],
        examples: "  haul cat -i key.txt part-1.age part-2.age | tar x
  haul cat -i key.txt --range 0-99 log.age    the first hundred bytes
  haul cat -i key.txt --range -100 log.age    the last hundred
  haul cat -i key.txt --range 5000- log.age   all but the first five thousand",
        kind: Kind::Sealing,
    },
    Help {
        command: "rekey",
        short: &[
            ("identity", "A file with the key that opens them now; repeatable"),
            ("recipient", "A new recipient; repeatable"),
            ("recipients_file", "A file of new recipients, one a line; repeatable"),
            ("passphrase", "Ask for the passphrase that opens them now"),
            ("new_passphrase", "Ask for a new passphrase, for a single file"),
            INCLUDE,
            EXCLUDE,
            JSON,
            QUIET,
            VERBOSE,
            DRY_RUN,
        ],
        groups: &[
            (
                "Keys",
                &[
                    "identity",
                    "recipient",
                    "recipients_file",
                    "passphrase",
                    "passphrase_fd",
                    "new_passphrase",
                    "new_passphrase_fd",
                ],
            ),
            ("Results", &["durable"]),
            TREES,
            REPORT,
        ],
        examples: "  haul rekey -i old.txt -r age1… backup       every .age file in backup
  haul rekey -p --new-passphrase letter.age   another passphrase
  haul rekey -i old.txt -r age1… s3://b/box/  the objects below a prefix

-i, -p and --passphrase-fd open the files. -r, -R, --new-passphrase and --new-passphrase-fd name
who can open them from then on. HAUL_NEW_PASSPHRASE_FILE names a file with the new passphrase.

A file keeps its file key. A former recipient may have kept that key, or the old file, and can still
read what was sealed. To keep new content secret from former recipients, seal it anew; consider the
old content known to them.",
        kind: Kind::Sealing,
    },
    Help {
        command: "inspect",
        short: &[("json", "Print a JSON object for each file"), QUIET],
        groups: &[],
        examples: "  haul inspect letter.age
  haul inspect --json backup                  a JSON object for each .age file in backup",
        kind: Kind::Other,
    },
    Help {
        command: "xor",
        short: &[
            ("key_file", "The file that holds the key"),
            ("overwrite", "Write into the files themselves: fastest, but not safe"),
            INCLUDE,
            EXCLUDE,
            JSON,
            QUIET,
            VERBOSE,
            DRY_RUN,
        ],
        groups: &[RESULTS, TREES, REPORT],
        examples: "  haul xor --key-file key.bin photos          transforms every file; a second run restores them",
        kind: Kind::Other,
    },
    Help {
        command: "keygen",
        short: &[
            ("output", "The file to create; never an existing one"),
            ("recipient_of", "Print the recipients of the identities in this file"),
            ("pq", "Generate a post-quantum identity"),
            ("passphrase", "Seal the identity with a passphrase"),
            QUIET,
        ],
        groups: &[],
        examples: "  haul keygen -o key.txt                      prints its recipient
  haul keygen --pq -o key.txt                 a post-quantum identity
  haul keygen -p -o key.age                   seals the identity with a passphrase
  haul keygen -y key.txt                      prints the recipient again",
        kind: Kind::Other,
    },
    Help {
        command: "bench",
        short: &[
            ("files", "Number of files or requests"),
            ("max_bytes", "Length of the largest file or body"),
            ("rounds", "Number of runs of each engine"),
            ("engines", "Engines to compare, separated by commas"),
            ("delay", "For get: delay of each response, such as 20ms"),
            ("json", "Print a JSON object for each row"),
            ("html", "Write an HTML page with plots"),
            ("trace", "Write when each worker did what, for Perfetto"),
        ],
        groups: &[],
        examples: "  haul bench queue                            the ring and comparable queues
  haul bench seal --engines serial,threads=2  sealing a tree of 1000 files
  haul bench get --delay 20 --html plot.html  fetching from a slow server",
        kind: Kind::Other,
    },
    Help {
        command: "demo",
        short: &[("files", "Number of files"), ("delay", "Delay of each response")],
        groups: &[],
        examples: "  haul demo",
        kind: Kind::Other,
    },
    Help {
        command: "config",
        short: &[
            ("json", "Print a JSON object for each setting"),
            ("no_config", "Ignore the configuration file"),
        ],
        groups: &[],
        examples: concat!(
            "  haul config
  HAUL_JOBS=8 haul config --json

",
            include_str!("topics/configuration.txt")
        ),
        kind: Kind::Other,
    },
    Help {
        command: "completions",
        short: &[],
        groups: &[],
        examples: "  haul completions bash > ~/.local/share/bash-completion/completions/haul
  haul completions zsh > \"${fpath[1]}/_haul\"
  haul completions fish > ~/.config/fish/completions/haul.fish",
        kind: Kind::Other,
    },
    Help {
        command: "man",
        short: &[("dir", "Write the pages of all commands into this directory")],
        groups: &[],
        examples: "  haul man get | man -l -
  haul man -d ~/.local/share/man/man1",
        kind: Kind::Other,
    },
];
