//! Packing into shards against writing files, for fetched files, plain and sealed, and for sealing a tree.
//!
//! Owns: the contestants.
//! Does not own: the server ([`super::server`]), the rounds ([`super::contest`]).

use std::ffi::OsStr;

use super::contest::{Contest, Role};
use super::field::Field;
use super::get::{bytes_below, named};
use super::mount::FileSystem;

/// The wall time that packing may take, relative to files.
const TARGET: f64 = 0.7;
/// The same on tmpfs, where a file costs no more than a member.
const TARGET_ON_TMPFS: f64 = 1.1;

/// The contests on the file system `system`.
pub(super) fn contests(field: &Field<'_>, system: FileSystem) -> Result<Vec<Contest>, String> {
    if field.options.files == 0 {
        return Ok(Vec::new());
    }
    let (_, recipient) = field.key()?;
    let sealed = ["-r", &recipient].map(OsStr::new);
    let target = if system == FileSystem::Tmpfs { TARGET_ON_TMPFS } else { TARGET };
    let mut contests = Vec::new();
    if let Some(server) = field.server {
        let list = server.list("http", "urls");
        let get = [field.haul.as_os_str(), "get".as_ref(), "-q".as_ref(), "-j".as_ref(), "64".as_ref()];
        let get = [&get[..], &["-i".as_ref(), list.as_os_str()]].concat();
        let sealing = [&get[..], &sealed].concat();
        let bytes = bytes_below(&server.content()) - field.large_bytes();
        let name = "fetch files of 1 to 60 KB, packed";
        contests.push(contest(field, name, "haul get -i LIST", bytes, &get, "-d"));
        let name = "fetch files of 1 to 60 KB, sealed and packed";
        contests.push(contest(field, name, "haul get -r R -i LIST", bytes, &sealing, "-d"));
    }
    let tree = field.tree()?;
    let seal = [field.haul.as_os_str(), "seal".as_ref(), "-qq".as_ref()];
    let seal = [&seal[..], &sealed, &[tree.as_os_str()]].concat();
    let (name, bytes) = ("seal a tree of files of 1 to 60 KB, packed", bytes_below(&tree));
    contests.push(contest(field, name, "haul seal -r R TREE", bytes, &seal, "-o"));
    let reason = "What doesn't become cheaper is receiving, or reading, and the server's share of the cores.";
    Ok(contests.into_iter().map(|contest| contest.aiming_at(target, reason)).collect())
}

/// A command that makes files, against the same with `--pack tar`; `into` is the option for the result.
fn contest(
    field: &Field<'_>,
    name: &str,
    shown: &str,
    bytes: u64,
    command: &[&OsStr],
    into: &str,
) -> Contest {
    let mut contest = Contest::new(name, field.root).checked_by(move |result| bytes_below(result) >= bytes);
    contest.add(Role::Reference, shown, &[command, &[into.as_ref()]].concat());
    for words in field.options.variants() {
        let mut packing = command.to_vec();
        packing.extend(["--pack", "tar"].map(OsStr::new));
        packing.extend(words.split_whitespace().map(OsStr::new));
        packing.push(into.as_ref());
        contest.add(Role::Haul, &named(&[shown, "--pack tar", words]), &packing);
    }
    contest
}
