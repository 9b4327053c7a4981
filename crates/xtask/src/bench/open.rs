//! Opening what was sealed, against copying and against other programs that decrypt what they encrypted.
//!
//! Owns: the contestants, their sealed sources.
//! Does not own: the file systems ([`super::mount`]), the rounds ([`super::contest`]).

use super::contest::{Contest, Role};
use super::field::{Field, PASSWORD};
use super::mount::FileSystem;

/// The contests on any file system.
pub(super) fn contests(field: &Field<'_>, _: FileSystem) -> Result<Vec<Contest>, String> {
    let mut contests = Vec::new();
    if field.options.files > 0 {
        contests.push(tree(field)?);
    }
    if field.options.large_mib > 0 {
        contests.push(large(field)?);
    }
    Ok(contests)
}

fn large(field: &Field<'_>) -> Result<Contest, String> {
    let (large, (key, _)) = (field.large()?, field.key()?);
    let (bytes, haul, gpg) = (field.large_bytes(), field.haul.display(), field.gpg());
    let is_whole = move |result: &std::path::Path| result.metadata().is_ok_and(|found| found.len() == bytes);
    let reason = "haul checks and deciphers each chunk; `cp` does neither.";
    let mut contest =
        Contest::new("open one large file", field.root).checked_by(is_whole).aiming_at(1.1, reason);
    let (large, key) = (large.display(), key.display());
    contest.add_script(
        Role::Reference,
        "cp",
        "cp --reflink=never",
        &format!("cp --reflink=never {large} \"$0\""),
    );
    let sealed = field.prepared("large.age", "sh", &format!("{haul} seal -qq -i {key} {large} -o \"$0\""))?;
    if let Some(sealed) = sealed {
        let sealed = sealed.display();
        contest.add_script(
            Role::Haul,
            "sh",
            "haul open",
            &format!("exec {haul} open -qq -i {key} {sealed} -o \"$0\""),
        );
        for program in ["age", "rage"] {
            contest.add_script(
                Role::Peer,
                program,
                &format!("{program} -d -i KEY -o OUT FILE"),
                &format!("exec {program} -d -i {key} -o \"$0\" {sealed}"),
            );
        }
    }
    if let Some(sealed) =
        field.prepared("large.gpg", "gpg", &format!("{gpg} --symmetric -o \"$0\" {large}"))?
    {
        let script = format!("{gpg} -o \"$0\" --decrypt {}", sealed.display());
        contest.add_script(Role::Peer, "gpg", "gpg --decrypt", &script);
    }
    let openssl = format!("openssl enc -aes-256-ctr -pbkdf2 -pass pass:{PASSWORD}");
    let script = format!("{openssl} -in {large} -out \"$0\"");
    if let Some(sealed) = field.prepared("large.openssl", "openssl", &script)? {
        let script = format!("exec {openssl} -d -in {} -out \"$0\"", sealed.display());
        contest.add_script(Role::Peer, "openssl", "openssl enc -d, not authenticated", &script);
    }
    Ok(contest)
}

fn tree(field: &Field<'_>) -> Result<Contest, String> {
    let (tree, (key, recipient)) = (field.tree()?, field.key()?);
    let (tree, key, haul) = (tree.display(), key.display(), field.haul.display());
    let reason = "`cp` neither multiplies on a curve nor deciphers.";
    let mut contest = Contest::new("open a tree of files of 1 to 60 KB", field.root).aiming_at(1.5, reason);
    contest.add_script(
        Role::Reference,
        "cp",
        "cp -r --reflink=never",
        &format!("cp -r --reflink=never {tree} \"$0\""),
    );
    let sealed =
        field.prepared("tree.sealed", "sh", &format!("{haul} seal -qq -i {key} {tree} -o \"$0\""))?;
    if let Some(sealed) = sealed {
        let script = format!("exec {haul} open -qq -i {key} {} -o \"$0\"", sealed.display());
        contest.add_script(Role::Haul, "sh", "haul open", &script);
    }
    for program in ["age", "rage"] {
        let script = format!("tar c -C {tree} . | {program} -r {recipient} -o \"$0\"");
        if let Some(sealed) = field.prepared(&format!("tree.{program}"), program, &script)? {
            let open = format!("{program} -d -i {key} {}", sealed.display());
            contest.add_script(
                Role::Peer,
                program,
                &format!("{program} -d -i KEY FILE | tar x"),
                &format!("mkdir \"$0\"; {open} | tar x -C \"$0\""),
            );
        }
    }
    let sealed = field.root.join("tree.rclone");
    let crypt = Field::crypt(&sealed.display().to_string());
    if field
        .prepared("tree.rclone", "rclone", &format!("mkdir \"$0\"; rclone copy {tree} {crypt}"))?
        .is_some()
    {
        contest.add_script(
            Role::Peer,
            "rclone",
            "rclone copy CRYPT TREE",
            &format!("rclone copy {crypt} \"$0\""),
        );
    }
    Ok(contest)
}
