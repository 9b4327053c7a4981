//! Running whole lists, and the outcome of each task.

use std::collections::BTreeMap;
use std::time::Instant;

use haul_engine::{Event, Failure, run};
use haul_fetch::{Config, Failed, FetchJob, FetchTask, HostLimits, HostSource};
use haul_io::Cancel;

/// The outcome of each task by its label: attempts, and the error. Each task must end once.
pub(crate) type Outcomes = BTreeMap<String, (u32, Option<String>)>;

/// Fetches `tasks` on `engine`; `words` formats errors.
pub(crate) fn outcomes(
    engine: &str,
    config: Config,
    limits: HostLimits,
    tasks: Vec<FetchTask>,
    words: impl Fn(&Failed) -> String,
) -> Outcomes {
    let started = Instant::now();
    let source = HostSource::new(tasks.into_iter(), limits, move || started.elapsed()).looking_up(&config);
    let engine = engine.parse().unwrap();
    let run_config = haul_engine::Config::new(engine, Cancel::new().unwrap());
    let mut outcomes = Outcomes::new();
    run(&FetchJob::new(config), source, &run_config, |event| {
        if let Event::Settled(settled) = event {
            let end = match &settled.outcome {
                Ok(fetched) => (fetched.attempts, None),
                Err(Failure::Job(failed)) => (failed.attempts, Some(words(failed))),
                Err(_) => (0, Some("no job's error".to_owned())),
            };
            assert!(outcomes.insert(settled.task.label.clone(), end).is_none(), "ended twice");
        }
    });
    outcomes
}
