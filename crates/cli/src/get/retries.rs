//! What is said of tasks that are tried again.
//!
//! Owns: the line and the JSON event of a retry, which pauses are worth a line without `-v`.
//! Does not own: when a task is tried again ([`haul_fetch::Retry`]), the progress.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use haul_engine::TaskId;
use haul_fetch::{FetchTask, Retry};
use serde_json::{Value, json};

use crate::report::progress::{Progress, ProgressForm, Wait};
use crate::report::text::{harmless, quoted};
use crate::report::voice::Voice;

/// A pause of this length looks like a hang: it is reported even without `-v`, if no progress is shown.
const LONG_PAUSE: Duration = Duration::from_secs(5);
/// Hosts whose pauses are remembered. Beyond them, pauses are reported again.
const HOSTS_MAX: usize = 1_000;

/// Reports retries.
pub(super) struct Retries<'a> {
    voice: &'a Voice,
    json: bool,
    /// Whether the progress shows pauses.
    are_shown: bool,
    progress: Progress,
    /// Until when the pauses of each host were reported.
    reported: HashMap<String, Instant>,
}

impl<'a> Retries<'a> {
    pub(super) fn new(voice: &'a Voice, json: bool, form: ProgressForm, progress: Progress) -> Self {
        let are_shown = form != ProgressForm::Hidden;
        Self { voice, json, are_shown, progress, reported: HashMap::new() }
    }

    /// Reports that `task` is to be tried again. The JSON event comes only with `-v`, so that without it the lines of
    /// `--json` are one for each task.
    pub(super) fn report(&mut self, id: TaskId, task: &FetchTask, retry: &Retry) {
        self.progress.retry_after(retry.pause, wait(retry));
        if self.voice.tells_details() {
            self.voice.detail(format!("{} {}", quoted(&task.label), words(retry)));
            if self.json {
                // The reporter notices when nobody reads stdout.
                let _ = self.voice.data(record(id, &task.label, retry));
            }
        } else if !self.are_shown && self.is_news(retry, Instant::now()) {
            self.voice.note(format!("{} {}", quoted(&task.label), words(retry)));
        }
    }

    /// Whether the pause is long, and none of the same host that was reported lasts as long.
    fn is_news(&mut self, retry: &Retry, now: Instant) -> bool {
        if retry.pause < LONG_PAUSE {
            return false;
        }
        if self.reported.len() >= HOSTS_MAX {
            self.reported.retain(|_, until| *until > now);
        }
        let is_known = self.reported.get(&retry.host).is_some_and(|until| *until > now);
        if !is_known && self.reported.len() < HOSTS_MAX {
            self.reported.insert(retry.host.clone(), now + retry.pause);
        }
        !is_known
    }
}

/// The pause in the progress.
fn wait(retry: &Retry) -> Wait {
    let cause = retry
        .status
        .map_or_else(|| harmless(&retry.reason).into_owned(), |status| status.as_str().to_owned());
    Wait {
        until: Duration::ZERO,
        host: harmless(&retry.host).into_owned(),
        cause,
        attempt: retry.attempt,
        attempts_max: retry.attempts_max,
    }
}

fn words(retry: &Retry) -> String {
    let Retry { attempt, attempts_max, pause, host, reason, .. } = retry;
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
    use haul_fetch::StatusCode;

    use super::*;
    use crate::report::voice::Colour;

    #[test]
    fn long_pauses_of_a_host_are_news_once() {
        let voice = Voice::new(0, Colour::Off);
        let mut retries = Retries::new(&voice, false, ProgressForm::Hidden, Progress::start());
        let retry = |seconds, host: &str| Retry {
            attempt: 2,
            attempts_max: 6,
            pause: Duration::from_secs(seconds),
            host: host.to_owned(),
            reason: String::new(),
            status: None,
        };
        let start = Instant::now();
        let mut is_news =
            |at, seconds, host| retries.is_news(&retry(seconds, host), start + Duration::from_secs(at));
        let told = [
            is_news(0, 1, "a"),
            is_news(0, 28, "a"),
            is_news(1, 28, "a"),
            is_news(1, 28, "b"),
            is_news(29, 28, "a"),
        ];
        assert_eq!(told, [false, true, false, true, true]);
    }

    #[test]
    fn a_retry_is_a_line_and_an_event() {
        let retry = |millis| Retry {
            attempt: 2,
            attempts_max: 6,
            pause: Duration::from_millis(millis),
            host: "h\u{1b}".to_owned(),
            reason: "the server answered 429 Too Many Requests".to_owned(),
            status: Some(StatusCode::TOO_MANY_REQUESTS),
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
