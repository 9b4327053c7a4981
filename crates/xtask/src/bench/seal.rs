//! Sealing against `cp`.
//!
//! Owns: the contestants, their sources.
//! Does not own: the file systems ([`super::mount`]), the rounds ([`super::contest`]).

use std::path::Path;
use std::process::Command;

use super::contest::Contest;
use super::options::Options;
use super::sources;

/// Runs the contests on the file system at `root`.
pub(super) fn measure(haul: &Path, options: &Options<'_>, root: &Path) -> Result<(), String> {
    let key = root.join("key");
    let keygen = Command::new(haul).arg("keygen").arg("-q").arg("-o").arg(&key).output();
    let keygen = keygen.map_err(|e| format!("haul keygen: {e}"))?;
    if !keygen.status.success() {
        return Err(format!("haul keygen: {}", String::from_utf8_lossy(&keygen.stderr)));
    }
    let contest = |name: &str, source: &Path| {
        let mut contest = Contest::new(name, root);
        contest.add("cp -r", &["cp".as_ref(), "-r".as_ref(), source.as_ref()]);
        // On btrfs and xfs, `cp` only shares blocks, if it can.
        let copying = ["cp", "-r", "--reflink=never"].map(std::ffi::OsStr::new);
        contest.add("cp -r --reflink=never", &[&copying[..], &[source.as_ref()]].concat());
        let seal = [haul.as_os_str(), "seal".as_ref(), "-qq".as_ref(), "-i".as_ref(), key.as_ref()];
        for words in options.variants() {
            let mut command = seal.to_vec();
            command.extend(words.split_whitespace().map(std::ffi::OsStr::new));
            command.extend([source.as_os_str(), "-o".as_ref()]);
            contest.add(format!("haul seal {words}").trim_end(), &command);
        }
        contest
    };
    if options.files > 0 {
        let tree = root.join("tree");
        sources::tree(&tree, options.files)?;
        contest("files of 1 to 60 KB", &tree).run(options.rounds)?;
    }
    if options.large_mib > 0 {
        let large = root.join("large");
        sources::file(&large, options.large_mib << 20)?;
        contest("one large file", &large).run(options.rounds)?;
    }
    Ok(())
}
