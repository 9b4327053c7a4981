//! Fetching into sealed files: against fetching the same files plain, and against curl with age and rclone.
//!
//! Owns: the contestants.
//! Does not own: the server ([`super::server`]), the rounds ([`super::contest`]).

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;

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
    let recipient = recipient(haul)?;
    let recipient = OsStr::new(&recipient);
    if options.files > 0 {
        small(haul, options, server, recipient, root).run(options.rounds)?;
    }
    if options.large_mib > 0 {
        large(haul, options, server, recipient, root).run(options.rounds)?;
    }
    Ok(())
}

/// A recipient whose identity nobody keeps.
fn recipient(haul: &Path) -> Result<String, String> {
    let output = Command::new(haul).arg("keygen").output().map_err(|e| format!("{}: {e}", haul.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let recipient = text.lines().find_map(|line| Some(&line[line.find("age1")?..]));
    recipient.map(str::to_owned).ok_or_else(|| "haul keygen prints no recipient".to_owned())
}

fn small(haul: &Path, options: &Options<'_>, server: &Server, recipient: &OsStr, root: &Path) -> Contest {
    let file_count = options.files;
    let is_whole = move |result: &Path| result.read_dir().is_ok_and(|names| names.count() == file_count);
    let mut contest = Contest::new("files of 1 to 60 KB", root).checked_by(is_whole);
    let list = server.list("http", "urls");
    let get = [haul.as_os_str(), "get".as_ref(), "-q".as_ref(), "-j".as_ref(), "64".as_ref()];
    let rest = ["-i".as_ref(), list.as_os_str(), "-d".as_ref()];
    contest.add("haul get, plain", &[&get[..], &rest].concat());
    for words in options.variants() {
        let mut command = get.to_vec();
        command.extend(["-r".as_ref(), recipient]);
        command.extend(words.split_whitespace().map(OsStr::new));
        command.extend(rest);
        contest.add(format!("haul get -r {words}").trim_end(), &command);
    }
    contest
}

fn large(haul: &Path, options: &Options<'_>, server: &Server, recipient: &OsStr, root: &Path) -> Contest {
    let bytes = (options.large_mib as u64) << 20;
    let is_whole = move |result: &Path| bytes_below(result) >= bytes;
    let mut contest = Contest::new("one large file", root).checked_by(is_whole);
    let (url, text) = (server.large(), recipient.to_string_lossy());
    // The name of the result is the last word, which is the shell's $0.
    let shell = |script: String| {
        [OsStr::new("sh"), OsStr::new("-c")].map(OsStr::to_owned).into_iter().chain([script.into()])
    };
    let mut add = |name: &str, script: String| {
        let words: Vec<_> = shell(script).collect();
        contest.add(name, &words.iter().map(AsRef::as_ref).collect::<Vec<_>>());
    };
    add("curl | age", format!("curl -s {url} | age -r {text} -o \"$0\""));
    if has("rclone") {
        let remote =
            ":crypt,remote=\\\"$0\\\",password=1D09aTPqt0YKWIRA_Pd9F2tO9ng,filename_encryption=off:big";
        add("rclone, crypt", format!("mkdir \"$0\" && rclone copyurl {url} \"{remote}\""));
    }
    let url = OsStr::new(&url);
    contest.add("haul get, plain", &[haul.as_os_str(), "get".as_ref(), "-q".as_ref(), url, "-o".as_ref()]);
    for words in options.variants() {
        let mut command =
            vec![haul.as_os_str(), "get".as_ref(), "-q".as_ref(), url, "-r".as_ref(), recipient];
        command.extend(words.split_whitespace().map(OsStr::new));
        command.push("-o".as_ref());
        contest.add(format!("haul get -r {words}").trim_end(), &command);
    }
    contest
}

fn has(program: &str) -> bool {
    Command::new(program).arg("version").output().is_ok_and(|output| output.status.success())
}

/// The length of a file, or of all files in a directory.
fn bytes_below(path: &Path) -> u64 {
    let lengths = path.read_dir().into_iter().flatten().flatten();
    let lengths = lengths.filter_map(|entry| Some(entry.metadata().ok()?.len()));
    if path.is_dir() { lengths.sum() } else { path.metadata().map_or(0, |metadata| metadata.len()) }
}
