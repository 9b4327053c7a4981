//! Sealing against copying and against other programs that encrypt.
//!
//! Owns: the contestants.
//! Does not own: the file systems ([`super::mount`]), the rounds ([`super::contest`]).

use std::ffi::OsStr;
use std::path::Path;

use super::contest::{Contest, Role};
use super::field::{Field, PASSWORD};
use super::mount::FileSystem;

/// The contests on the file system `system`.
pub(super) fn contests(field: &Field<'_>, system: FileSystem) -> Result<Vec<Contest>, String> {
    let mut contests = Vec::new();
    if field.options.files > 0 {
        let target = if system == FileSystem::Tmpfs { 1.5 } else { 1.2 };
        let reason = "`cp` neither multiplies on a curve (28 µs a file) nor enciphers (11 µs), and copies within the \
                      kernel where it can. What makes one file of a tree needs one key, and creates one file.";
        let mut contest = sealing(field, "seal a tree of files of 1 to 60 KB", &field.tree()?)?;
        if field.options.against_all {
            add_peers_with_trees(&mut contest, field)?;
        }
        contests.push(contest.aiming_at(target, reason));
    }
    if field.options.large_mib > 0 {
        let reason = "ChaCha20-Poly1305 takes 0.41 s of processor time per GiB where `cp` only writes; on btrfs and \
                      XFS `cp -r` shares blocks.";
        let mut contest = sealing(field, "seal one large file", &field.large()?)?;
        if field.options.against_all {
            add_peers_with_files(&mut contest, field)?;
        }
        contests.push(contest.aiming_at(1.1, reason));
    }
    Ok(contests)
}

fn sealing(field: &Field<'_>, name: &str, source: &Path) -> Result<Contest, String> {
    let (key, _) = field.key()?;
    let mut contest = Contest::new(name, field.root);
    // On btrfs and xfs, `cp` only shares blocks, if it can.
    let copying = ["cp", "-r", "--reflink=never"].map(OsStr::new);
    contest.add(Role::Reference, "cp -r --reflink=never", &[&copying[..], &[source.as_ref()]].concat());
    contest.add(Role::Reference, "cp -r", &["cp".as_ref(), "-r".as_ref(), source.as_ref()]);
    let seal = [field.haul.as_os_str(), "seal".as_ref(), "-qq".as_ref(), "-i".as_ref(), key.as_ref()];
    for words in field.options.variants() {
        let mut command = seal.to_vec();
        command.extend(words.split_whitespace().map(OsStr::new));
        command.extend([source.as_os_str(), "-o".as_ref()]);
        contest.add(Role::Haul, format!("haul seal {words}").trim_end(), &command);
    }
    Ok(contest)
}

fn add_peers_with_files(contest: &mut Contest, field: &Field<'_>) -> Result<(), String> {
    let (large, (_, recipient)) = (field.large()?, field.key()?);
    let (large, gpg) = (large.display(), field.gpg());
    for program in ["age", "rage"] {
        contest.add_script(
            Role::Peer,
            program,
            &format!("{program} -r R -o OUT FILE"),
            &format!("{program} -r {recipient} -o \"$0\" {large}"),
        );
    }
    contest.add_script(
        Role::Peer,
        "gpg",
        "gpg --symmetric, uncompressed",
        &format!("{gpg} --symmetric -o \"$0\" {large}"),
    );
    contest.add_script(
        Role::Peer,
        "openssl",
        "openssl enc, not authenticated",
        &format!("openssl enc -aes-256-ctr -pbkdf2 -pass pass:{PASSWORD} -in {large} -out \"$0\""),
    );
    contest.add_script(
        Role::Peer,
        "7z",
        "7z a -mx=0 -p",
        &format!("7z a -bso0 -bsp0 -mx=0 -p{PASSWORD} \"$0.7z\" {large}; mv \"$0.7z\" \"$0\""),
    );
    contest.add_script(
        Role::Peer,
        "rclone",
        "rclone copy FILE CRYPT",
        &format!("mkdir \"$0\"; rclone copy {large} {}", Field::crypt("$0")),
    );
    Ok(())
}

fn add_peers_with_trees(contest: &mut Contest, field: &Field<'_>) -> Result<(), String> {
    let (tree, (_, recipient)) = (field.tree()?, field.key()?);
    let (tree, gpg) = (tree.display(), field.gpg());
    for program in ["age", "rage"] {
        contest.add_script(
            Role::Peer,
            program,
            &format!("tar c TREE | {program} -r R, one file"),
            &format!("tar c -C {tree} . | {program} -r {recipient} -o \"$0\""),
        );
    }
    contest.add_script(
        Role::Peer,
        "gpg",
        "tar c TREE | gpg --symmetric, one file",
        &format!("tar c -C {tree} . | ({gpg} --symmetric -o \"$0\")"),
    );
    contest.add_script(
        Role::Peer,
        "7z",
        "7z a -mx=0 -p, one file",
        &format!("7z a -bso0 -bsp0 -mx=0 -p{PASSWORD} \"$0.7z\" {tree}; mv \"$0.7z\" \"$0\""),
    );
    contest.add_script(
        Role::Peer,
        "rclone",
        "rclone copy TREE CRYPT",
        &format!("mkdir \"$0\"; rclone copy {tree} {}", Field::crypt("$0")),
    );
    contest.add_script(Role::Reference, "tar", "tar c TREE", &format!("tar cf \"$0\" -C {tree} ."));
    Ok(())
}
