//! Fleets: three nodes against one, behind a server whose answers take their time.
//!
//! Owns: the contestants, the server, the list.
//! Does not own: the rounds ([`super::contest`]), Redis ([`haul_testkit::Redis`]).

use std::rc::Rc;
use std::time::Duration;

use haul_testkit::{Answer, Redis, Server};

use super::contest::{Contest, Role};
use super::field::Field;
use super::get::{all_files, bytes_below};
use super::mount::FileSystem;

/// How long the server thinks about each answer.
const DELAY: Duration = Duration::from_millis(50);
/// The length of a body.
const BODY_BYTES: usize = 30_000;
/// Lines of a slice.
const SLICE: usize = 50;
/// The wall time of three nodes, relative to one: 1 / 2.7.
const TARGET: f64 = 0.37;

/// The contests on any file system.
pub(super) fn contests(field: &Field<'_>, _: FileSystem) -> Result<Vec<Contest>, String> {
    let Some(redis) = Redis::start() else { return Ok(Vec::new()) };
    let server = Server::start(|_| {
        std::thread::sleep(DELAY);
        Answer::ok(vec![7; BODY_BYTES])
    });
    let (list, count) = (field.root.join("fleet-urls"), field.options.files);
    let urls: String = (0..count).map(|number| server.url(&format!("/{number}")) + "\n").collect();
    std::fs::write(&list, urls).map_err(|e| format!("{}: {e}", list.display()))?;
    let (haul, url) = (field.haul.display(), redis.url());
    let kept = Rc::new((redis, server));
    let mut contests = Vec::new();
    for (name, pack) in [("", ""), (", packed", " --pack tar")] {
        let (kept, is_whole) = (kept.clone(), all_files(field));
        let bytes = (count * BODY_BYTES) as u64;
        let mut contest = Contest::new(&format!("fetch by a fleet{name}"), field.root)
            .checked_by(move |result| {
                let _alive = &kept;
                if pack.is_empty() { is_whole(result) } else { bytes_below(result) >= bytes }
            })
            .aiming_at(TARGET, "Nodes wait for each other at the end, when slices are few.");
        for (role, nodes) in [(Role::Reference, 1), (Role::Haul, 3)] {
            let script = format!(
                "run={url}/$(cat /proc/sys/kernel/random/uuid); \
                 {haul} fleet create -q --slice {SLICE} -i {} $run; \
                 for node in $(seq {nodes}); do {haul} get -q --fleet $run -d \"$0\"{pack} & done; wait; \
                 {haul} fleet cancel -q --remove $run",
                list.display()
            );
            let nodes = if nodes == 1 { "1 node".to_owned() } else { format!("{nodes} nodes") };
            contest.add_script(role, &field.haul.display().to_string(), &format!("{nodes}{pack}"), &script);
        }
        contests.push(contest);
    }
    Ok(contests)
}
