//! Fetching against curl (small files, with and without TLS) and wget2 (a large file).
//!
//! Owns: the contestants.
//! Does not own: the server ([`super::server`]), the rounds ([`super::contest`]).

use std::ffi::OsStr;
use std::path::Path;

use super::contest::Contest;
use super::options::Options;
use super::server::Server;

/// Runs the contests on the file system at `root`.
pub(super) fn measure(
    haul: &Path,
    options: &Options<'_>,
    server: &Server,
    root: &Path,
) -> Result<(), String> {
    if options.files > 0 {
        for scheme in ["http", "https"] {
            small(haul, options, server, scheme, root).run(options.rounds)?;
        }
    }
    if options.large_mib > 0 {
        large(haul, options, server, root).run(options.rounds)?;
    }
    Ok(())
}

fn small(haul: &Path, options: &Options<'_>, server: &Server, scheme: &str, root: &Path) -> Contest {
    let file_count = options.files;
    let is_whole = move |result: &Path| result.read_dir().is_ok_and(|names| names.count() == file_count);
    let mut contest = Contest::new(&format!("files of 1 to 60 KB over {scheme}"), root).checked_by(is_whole);
    let certificate = server.certificate();
    let trust = ["--cacert".as_ref(), certificate.as_os_str()];
    let list = server.list(scheme, "curl");
    let curl = ["curl", "-s", "-Z", "--parallel-max", "64", "--create-dirs"].map(OsStr::new);
    let rest = ["-K".as_ref(), list.as_os_str(), "--output-dir".as_ref()];
    contest.add("curl", &[&curl[..], &trust, &rest].concat());
    let list = server.list(scheme, "urls");
    for words in options.variants() {
        let mut command = vec![haul.as_os_str(), "get".as_ref(), "-q".as_ref(), "-j".as_ref(), "64".as_ref()];
        command.extend(trust);
        command.extend(words.split_whitespace().map(OsStr::new));
        command.extend(["-i".as_ref(), list.as_os_str(), "-d".as_ref()]);
        contest.add(format!("haul get -j 64 {words}").trim_end(), &command);
    }
    contest
}

fn large(haul: &Path, options: &Options<'_>, server: &Server, root: &Path) -> Contest {
    let bytes = (options.large_mib as u64) << 20;
    let is_whole = move |result: &Path| result.metadata().is_ok_and(|metadata| metadata.len() == bytes);
    let mut contest = Contest::new("one large file", root).checked_by(is_whole);
    let url = server.large();
    let url = OsStr::new(&url);
    contest.add("wget2", &["wget2".as_ref(), "-q".as_ref(), url, "-O".as_ref()]);
    for words in options.variants() {
        let mut command = vec![haul.as_os_str(), "get".as_ref(), "-q".as_ref(), url];
        command.extend(words.split_whitespace().map(OsStr::new));
        command.push("-o".as_ref());
        contest.add(format!("haul get {words}").trim_end(), &command);
    }
    contest
}
