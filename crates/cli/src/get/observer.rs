//! What is made of the events of transfers: the progress, and the steps that `-vv` shows.
//!
//! Owns: the words of steps.
//! Does not own: leaving secrets out ([`haul_fetch::Detail`]), printing.

use haul_fetch::{Detail, Observer, TransferEvent};

use crate::report::progress::{Progress, ProgressEvent};
use crate::report::voice::Voice;

/// Tells `progress` the lengths of bodies, and with `-vv` the user each step.
pub(super) fn observer(progress: &Progress, voice: &Voice) -> Observer {
    let (progress, voice) = (progress.clone(), voice.clone());
    let tells_steps = voice.tells_steps();
    let watch = move |event: &TransferEvent| match event {
        TransferEvent::Expected { bytes } => progress.tell(ProgressEvent::Expected { bytes: *bytes }),
        TransferEvent::Detail { host, what } => lines(host, what).for_each(|line| voice.detail(line)),
        _ => {}
    };
    if tells_steps { Observer::of_details(watch) } else { Observer::new(watch) }
}

/// The lines about a step that concerns `host`: as in curl, ">" is sent, "<" is received, "*" is anything else.
fn lines(host: &str, what: &Detail) -> impl Iterator<Item = String> {
    let (mark, lines) = match what {
        Detail::Addresses(addresses) => {
            let addresses: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
            ('*', vec![format!("addresses: {}", addresses.join(", "))])
        }
        Detail::Connected { peer } => ('*', vec![format!("connected to {peer}")]),
        Detail::Secured { parameters } => ('*', vec![parameters.clone()]),
        Detail::Request(lines) => ('>', lines.clone()),
        Detail::Response(lines) => ('<', lines.clone()),
        _ => ('*', Vec::new()),
    };
    let host = host.to_owned();
    lines.into_iter().map(move |line| format!("{host} {mark} {line}"))
}
