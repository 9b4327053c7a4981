//! Fetching against curl, wget2 and aria2: small files, with and without TLS, and a large file.
//!
//! Owns: the contestants.
//! Does not own: the server ([`super::server`]), the rounds ([`super::contest`]).

use std::ffi::OsStr;
use std::path::Path;

use super::contest::{Contest, Role};
use super::field::Field;
use super::mount::FileSystem;
use super::server::Server;

/// The contests on the file system `system`.
pub(super) fn contests(field: &Field<'_>, system: FileSystem) -> Result<Vec<Contest>, String> {
    let Some(server) = field.server else { return Ok(Vec::new()) };
    let mut contests = Vec::new();
    if field.options.files > 0 {
        let target = if system == FileSystem::Tmpfs { 0.5 } else { 0.75 };
        let reason = "The server takes its share of the same cores, and creating the files takes another with every \
                      client.";
        for scheme in ["http", "https"] {
            contests.push(small(field, server, scheme).aiming_at(target, reason));
        }
    }
    if field.options.large_mib > 0 {
        let reason = "On loopback, server and kernel do most of the work: receiving and writing fresh pages.";
        contests.push(large(field, server).aiming_at(0.8, reason));
    }
    Ok(contests)
}

/// The name of a contestant: the parts that aren't empty.
pub(super) fn named(parts: &[&str]) -> String {
    let parts: Vec<_> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join(" ")
}

/// Whether a folder has as many files as were to be fetched, at any depth.
pub(super) fn all_files(field: &Field<'_>) -> impl Fn(&Path) -> bool + 'static {
    let file_count = field.options.files;
    move |result: &Path| count_below(result) == file_count
}

/// The length of a file, or of all files in a directory, at any depth.
pub(super) fn bytes_below(path: &Path) -> u64 {
    let entries = path.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    if path.is_dir() {
        return entries.map(|path| bytes_below(&path)).sum();
    }
    path.metadata().map_or(0, |metadata| metadata.len())
}

fn count_below(path: &Path) -> usize {
    let entries = path.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    entries.map(|path| if path.is_dir() { count_below(&path) } else { 1 }).sum()
}

fn small(field: &Field<'_>, server: &Server, scheme: &str) -> Contest {
    let options = field.options;
    let mut contest = Contest::new(&format!("fetch files of 1 to 60 KB over {scheme}"), field.root)
        .checked_by(all_files(field));
    let certificate = server.certificate();
    let trust = ["--cacert".as_ref(), certificate.as_os_str()];
    let list = server.list(scheme, "curl");
    let curl = ["curl", "-s", "-Z", "--parallel-max", "64", "--create-dirs"].map(OsStr::new);
    let rest = ["-K".as_ref(), list.as_os_str(), "--output-dir".as_ref()];
    contest.add(Role::Peer, "curl -Z --parallel-max 64 -K CONFIG", &[&curl[..], &trust, &rest].concat());
    let list = server.list(scheme, "urls");
    for words in options.variants() {
        let mut command =
            vec![field.haul.as_os_str(), "get".as_ref(), "-q".as_ref(), "-j".as_ref(), "64".as_ref()];
        command.extend(trust);
        command.extend(words.split_whitespace().map(OsStr::new));
        command.extend(["-i".as_ref(), list.as_os_str(), "-d".as_ref()]);
        contest.add(Role::Haul, &named(&["haul get -j 64", words, "-i LIST"]), &command);
    }
    if options.against_all {
        let (list, certificate) = (list.display(), certificate.display());
        contest.add_script(
            Role::Peer,
            "wget2",
            "wget2 --max-threads 64 -i LIST",
            &format!("wget2 -q --max-threads 64 --ca-certificate {certificate} -i {list} -P \"$0\""),
        );
        contest.add_script(
            Role::Peer,
            "aria2c",
            "aria2c -j 64 -i LIST",
            &format!(
                "aria2c -q -j 64 --file-allocation=none --ca-certificate={certificate} -i {list} -d \"$0\" \
                 >/dev/null"
            ),
        );
    }
    contest
}

fn large(field: &Field<'_>, server: &Server) -> Contest {
    let bytes = field.large_bytes();
    let is_whole = move |result: &Path| result.metadata().is_ok_and(|metadata| metadata.len() == bytes);
    let mut contest = Contest::new("fetch one large file", field.root).checked_by(is_whole);
    let text = server.large();
    let url = OsStr::new(&text);
    contest.add(Role::Peer, "wget2 -O OUT URL", &["wget2".as_ref(), "-q".as_ref(), url, "-O".as_ref()]);
    for words in field.options.variants() {
        let mut command = vec![field.haul.as_os_str(), "get".as_ref(), "-q".as_ref(), url];
        command.extend(words.split_whitespace().map(OsStr::new));
        command.push("-o".as_ref());
        contest.add(Role::Haul, &named(&["haul get", words, "URL"]), &command);
    }
    if field.options.against_all {
        contest.add(Role::Peer, "curl -o OUT URL", &["curl".as_ref(), "-s".as_ref(), url, "-o".as_ref()]);
        contest.add_script(
            Role::Peer,
            "aria2c",
            "aria2c -x 4 -s 4 URL",
            &format!(
                "aria2c -q -x 4 -s 4 --file-allocation=none -d \"$(dirname \"$0\")\" -o \"$(basename \"$0\")\" \
                 {text} >/dev/null"
            ),
        );
    }
    contest
}
