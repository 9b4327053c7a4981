//! Objects of a store: fetching into SeaweedFS, plain and sealed, against programs that upload the same from a disk.
//!
//! Owns: the contestants, the store, their keys for it.
//! Does not own: the server of the sources ([`super::server`]), the rounds ([`super::contest`]).

use std::rc::Rc;

use haul_testkit::Weed;

use super::contest::{Contest, Role};
use super::field::Field;
use super::get::{bytes_below, named};
use super::mount::FileSystem;
use super::server::Server;

/// The bucket of each run's results.
const BUCKET: &str = "results";

/// The contests, with the store's data on any file system.
pub(super) fn contests(field: &Field<'_>, _: FileSystem) -> Result<Vec<Contest>, String> {
    let Some(server) = field.server else { return Ok(Vec::new()) };
    let Some(store) = Weed::start_in(field.root).map(Rc::new) else { return Ok(Vec::new()) };
    let mut contests = Vec::new();
    if field.options.files > 0 {
        contests.push(small(field, server, &store)?);
    }
    if field.options.large_mib > 0 {
        contests.push(large(field, server, &store)?);
    }
    Ok(contests)
}

/// The beginning of a script whose commands write to `store`.
fn access(store: &Weed) -> String {
    let (url, key, secret) = (store.url(), Weed::KEY, Weed::SECRET);
    format!(
        "unset AWS_CA_BUNDLE AWS_PROFILE; export AWS_ENDPOINT_URL={url} S3_ENDPOINT_URL={url} \
         AWS_REGION=us-east-1 AWS_ACCESS_KEY_ID={key} AWS_SECRET_ACCESS_KEY={secret}; "
    )
}

/// rclone's remote for the store: its variables say the rest.
fn rclone() -> String {
    "--config /dev/null --s3-provider SeaweedFS --s3-env-auth --s3-endpoint \"$AWS_ENDPOINT_URL\"".to_owned()
}

/// A contest whose results are objects in [`BUCKET`], of `bytes` bytes at least.
fn contest(name: &str, field: &Field<'_>, store: &Rc<Weed>, bytes: u64) -> Contest {
    let (checked, removed) = (store.clone(), store.clone());
    Contest::new(name, field.root)
        .checked_by(move |_| checked.bucket_bytes(BUCKET).is_ok_and(|found| found >= bytes))
        .removed_by(move |_| removed.remove_bucket(BUCKET))
}

/// haul, from the server, plain and sealed.
fn add_haul(contest: &mut Contest, field: &Field<'_>, access: &str, words: &str) -> Result<(), String> {
    let (_, recipient) = field.key()?;
    let haul = field.haul.display().to_string();
    for sealed in ["", "-r R"] {
        let key = sealed.replace('R', &recipient);
        let script = format!("{access} {haul} get -q {key} {words}");
        contest.add_script(Role::Haul, &haul, &named(&["haul get", sealed, "into the bucket"]), &script);
    }
    Ok(())
}

fn small(field: &Field<'_>, server: &Server, store: &Rc<Weed>) -> Result<Contest, String> {
    let content = server.content();
    let bytes = bytes_below(&content) - field.large_bytes();
    let (access, content) = (access(store), content.display());
    let mut contest = contest("store files of 1 to 60 KB as objects", field, store, bytes);
    contest.add_script(
        Role::Peer,
        "s5cmd",
        "s5cmd cp DIR/ BUCKET",
        &format!("{access} s5cmd --log error cp '{content}/f*' s3://{BUCKET}/"),
    );
    contest.add_script(
        Role::Peer,
        "rclone",
        "rclone copy --transfers 64 DIR BUCKET",
        &format!("{access} rclone copy {} --transfers 64 --include 'f*' {content} :s3:{BUCKET}", rclone()),
    );
    contest.add_script(
        Role::Peer,
        "aws",
        "aws s3 cp --recursive DIR BUCKET",
        &format!("{access} aws s3 cp --quiet --recursive --exclude large {content} s3://{BUCKET}/"),
    );
    let list = server.list("http", "urls");
    add_haul(&mut contest, field, &access, &format!("-j 64 -i {} -d s3://{BUCKET}/", list.display()))?;
    Ok(contest)
}

fn large(field: &Field<'_>, server: &Server, store: &Rc<Weed>) -> Result<Contest, String> {
    let (access, file) = (access(store), server.content().join("large"));
    let file = file.display();
    let mut contest = contest("store one large file as an object", field, store, field.large_bytes());
    contest.add_script(
        Role::Peer,
        "s5cmd",
        "s5cmd cp FILE OBJECT",
        &format!("{access} s5cmd --log error cp {file} s3://{BUCKET}/large"),
    );
    contest.add_script(
        Role::Peer,
        "rclone",
        "rclone copyto FILE OBJECT",
        &format!("{access} rclone copyto {} {file} :s3:{BUCKET}/large", rclone()),
    );
    contest.add_script(
        Role::Peer,
        "aws",
        "aws s3 cp FILE OBJECT",
        &format!("{access} aws s3 cp --quiet {file} s3://{BUCKET}/large"),
    );
    add_haul(&mut contest, field, &access, &format!("{} -o s3://{BUCKET}/large", server.large()))?;
    Ok(contest)
}
