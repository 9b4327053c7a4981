//! Responses against curl: of the same URL, both programs have the same bytes, or both report an error.
//!
//! Owns: fetching with both, comparing.
//! Does not own: the responses, the reasons for known differences (see `responses`).

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Arc;

use haul_testkit::{Answer, End, Server, peer};

use super::responses::{Trait, reason, response};
use crate::checker::report;
use crate::choice::Choice;
use crate::fault::{Checked, ensure};
use crate::tally::Tally;
use crate::world::setup::Setup;

const RESPONSES: usize = 40;

/// Does one step.
pub(super) fn step(setup: &Setup, choice: &mut Choice, tally: &mut Tally) -> Checked {
    let Some(curl) = peer("curl") else {
        tally.one("SKIPPED: no curl here");
        return Ok(());
    };
    let responses: Arc<Vec<(Vec<u8>, Vec<Trait>)>> =
        Arc::new((0..RESPONSES).map(|_| response(choice)).collect());
    let served = responses.clone();
    let server = Server::start(move |request| {
        let index = request.path().trim_start_matches("/f").parse::<usize>().unwrap_or(usize::MAX);
        match served.get(index) {
            Some((bytes, _)) => Answer::raw(bytes.clone()).then(End::Close),
            None => Answer::new(404),
        }
    });
    let urls: Vec<String> = (0..RESPONSES).map(|index| server.url(&format!("/f{index}"))).collect();
    fs::write(setup.dir.join("urls"), urls.join("\n"))?;
    let engine = *choice.pick(&["serial", "threads=4", "uring=2x16"]);
    let options =
        ["get", "--json", "-i", "urls", "-d", "haul", "--retries", "0", "--read-timeout", "5", "-e", engine];
    let ended = setup.program.run(setup.order(options))?;
    let ends = report::check(&ended)?;
    let theirs = setup.dir.join("curl");
    fs::create_dir(&theirs)?;
    for (index, url) in urls.iter().enumerate() {
        let target = theirs.join(format!("f{index}"));
        let mut command = Command::new(&curl);
        command.args(["-q", "-s", "--http1.1", "--max-time", "10", "-o"]).arg(&target).arg(url);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        let (bytes, traits) = &responses[index];
        // curl makes no file for an empty body.
        let want = status.success().then(|| fs::read(&target).unwrap_or_default());
        let have = fs::read(setup.dir.join("haul").join(format!("f{index}"))).ok();
        let error = ends.failed.get(url);
        ensure!(have.is_some() == ends.done.contains_key(url), "{}: {url}: {error:?}", ended.command);
        tally.one("differential: responses against curl");
        if have == want {
            continue;
        }
        let known = traits.iter().find_map(|peculiarity| reason(*peculiarity));
        let show = |body: &Option<Vec<u8>>| {
            body.as_ref().map_or("an error".to_owned(), |body| format!("{} bytes", body.len()))
        };
        ensure!(
            known.is_some(),
            "{traits:?}: haul {} ({error:?}), curl {} ({status}): {:?}",
            show(&have),
            show(&want),
            String::from_utf8_lossy(&bytes[..bytes.len().min(400)])
        );
        tally.one(format!("differential: known: {}", known.unwrap_or_default()));
    }
    Ok(())
}
