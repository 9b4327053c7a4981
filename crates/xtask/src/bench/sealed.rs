//! Fetching into sealed files: against fetching the same files plain, and against curl with age and rclone.
//!
//! Owns: the contestants.
//! Does not own: the server ([`super::server`]), the rounds ([`super::contest`]).

use std::ffi::OsStr;
use std::path::Path;

use super::contest::{Contest, Role};
use super::field::Field;
use super::get::{all_files, bytes_below, named};
use super::mount::FileSystem;
use super::server::Server;

/// The contests on any file system.
pub(super) fn contests(field: &Field<'_>, _: FileSystem) -> Result<Vec<Contest>, String> {
    let Some(server) = field.server else { return Ok(Vec::new()) };
    let (_, recipient) = field.key()?;
    let mut contests = Vec::new();
    if field.options.files > 0 {
        let reason = "Each file needs a new key pair: two multiplications of X25519 (48 µs) and the cipher (33 µs), \
                      where receiving and writing it take 28 µs.";
        contests.push(small(field, server, OsStr::new(&recipient)).aiming_at(1.5, reason));
    }
    if field.options.large_mib > 0 {
        let reason = "The cipher takes 0.65 s per GiB and the kernel's receiving and writing 0.6 s, on the cores that \
                      the server shares.";
        contests.push(large(field, server, OsStr::new(&recipient)).aiming_at(0.6, reason));
    }
    Ok(contests)
}

fn small(field: &Field<'_>, server: &Server, recipient: &OsStr) -> Contest {
    let mut contest =
        Contest::new("fetch files of 1 to 60 KB, sealed", field.root).checked_by(all_files(field));
    let list = server.list("http", "urls");
    let get = [field.haul.as_os_str(), "get".as_ref(), "-q".as_ref(), "-j".as_ref(), "64".as_ref()];
    let rest = ["-i".as_ref(), list.as_os_str(), "-d".as_ref()];
    contest.add(Role::Reference, "haul get -i LIST, plain", &[&get[..], &rest].concat());
    for words in field.options.variants() {
        let mut command = get.to_vec();
        command.extend(["-r".as_ref(), recipient]);
        command.extend(words.split_whitespace().map(OsStr::new));
        command.extend(rest);
        contest.add(Role::Haul, &named(&["haul get -r R", words, "-i LIST"]), &command);
    }
    contest
}

fn large(field: &Field<'_>, server: &Server, recipient: &OsStr) -> Contest {
    let bytes = field.large_bytes();
    let is_whole = move |result: &Path| bytes_below(result) >= bytes;
    let mut contest = Contest::new("fetch one large file, sealed", field.root).checked_by(is_whole);
    let (url, text) = (server.large(), recipient.to_string_lossy());
    let script = format!("curl -s {url} | age -r {text} -o \"$0\"");
    contest.add_script(Role::Peer, "age", "curl URL | age -r R -o OUT", &script);
    let script =
        format!("mkdir \"$0\"; rclone copyurl {url} {}", Field::crypt("$0").replace(":\"", ":big\""));
    contest.add_script(Role::Peer, "rclone", "rclone copyurl URL CRYPT", &script);
    let (haul, url) = (field.haul.as_os_str(), OsStr::new(&url));
    let get = [haul, "get".as_ref(), "-q".as_ref(), url];
    contest.add(Role::Reference, "haul get URL, plain", &[&get[..], &["-o".as_ref()]].concat());
    for words in field.options.variants() {
        let mut command = [&get[..], &["-r".as_ref(), recipient]].concat();
        command.extend(words.split_whitespace().map(OsStr::new));
        command.push("-o".as_ref());
        contest.add(Role::Haul, &named(&["haul get -r R", words, "URL"]), &command);
    }
    contest
}
