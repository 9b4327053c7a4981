//! What `-v` says of tasks that are tried again.
//!
//! Owns: the line and the JSON event of a retry.
//! Does not own: when a task is tried again ([`haul_fetch::Retry`]).

use haul_engine::TaskId;
use haul_fetch::{FetchTask, Retry};
use serde_json::{Value, json};

use crate::report::text::{harmless, quoted};
use crate::report::voice::Voice;

/// Reports that `task` is to be tried again; only with `-v`, so that the lines of `--json` are one for each task.
pub(super) fn report(voice: &Voice, json: bool, id: TaskId, task: &FetchTask, retry: &Retry) {
    if !voice.tells_details() {
        return;
    }
    voice.detail(format!("{} {}", quoted(&task.label), words(retry)));
    if json {
        // The reporter notices when nobody reads stdout.
        let _ = voice.data(record(id, &task.label, retry));
    }
}

fn words(retry: &Retry) -> String {
    let Retry { attempt, attempts_max, pause, host, reason } = retry;
    let (seconds, host) = (pause.as_secs_f64(), harmless(host));
    let decimals = if seconds < 9.95 { 1 } else { 0 };
    format!("waits {seconds:.decimals$} s for {host} ({reason}), attempt {attempt} of {attempts_max} follows")
}

fn record(id: TaskId, subject: &str, retry: &Retry) -> Value {
    json!({
        "event": "retry",
        "task": id.0,
        "subject": subject,
        "attempt": retry.attempt,
        "attempts_max": retry.attempts_max,
        "pause_s": retry.pause.as_secs_f64(),
        "host": retry.host,
        "reason": retry.reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_retry_is_a_line_and_an_event() {
        let retry = |millis| Retry {
            attempt: 2,
            attempts_max: 6,
            pause: Duration::from_millis(millis),
            host: "h\u{1b}".to_owned(),
            reason: "the server answered 429 Too Many Requests".to_owned(),
        };
        let text = r"for h\u{1b} (the server answered 429 Too Many Requests), attempt 2 of 6 follows";
        assert_eq!(words(&retry(28_000)), format!("waits 28 s {text}"));
        assert_eq!(words(&retry(420)), format!("waits 0.4 s {text}"));
        let event = record(TaskId(7), "http://h/x", &retry(500));
        assert_eq!(
            (&event["event"], &event["task"], &event["pause_s"]),
            (&json!("retry"), &json!(7), &json!(0.5))
        );
    }
}
