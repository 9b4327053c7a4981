//! `haul bench`: compares engines and queues on this machine.
//!
//! In: the arguments. Out: tables as text, JSON lines or an HTML page, with medians and extremes. Each comparison is a
//! module; nothing outside starts one.
//!
//! Owns: choosing the comparison, printing its tables.
//! Does not own: engines, queues, jobs.

mod bottleneck;
mod dispatcher;
mod files;
mod get;
pub(crate) mod lease;
mod machine;
mod measure;
mod page;
mod plot;
mod queue;
mod rounds;
mod table;
mod team;
mod watch;

use machine::Circumstances;

use crate::args::{BenchArgs, BenchWhat};
use crate::report::exit::{Exit, Problem};
use crate::report::progress::Progress;
use crate::report::voice::Voice;
use crate::run::environment::Environment;
use crate::run::options::progress_form;

/// Runs the comparison and prints its tables.
pub(crate) fn run(args: &BenchArgs, environment: &Environment, voice: &Voice) -> Result<Exit, Problem> {
    let circumstances = Circumstances::gather(&args.dir, environment);
    // A page that can't be written is known before the figures are.
    let page = args.html.as_deref().map(page::Page::create).transpose()?;
    let progress = Progress::start();
    let watch = watch::Watch::start(&progress, args.trace.as_deref())?;
    voice.begin_progress(&progress, progress_form(args.progress, false, environment));
    let tables = match args.what {
        BenchWhat::Queue => queue::compare(args, &watch),
        BenchWhat::Xor | BenchWhat::Seal => files::compare(args, &watch).map(|table| vec![table]),
        BenchWhat::Get => get::compare(args, &watch).map(|table| vec![table]),
    };
    voice.end_progress();
    let tables = tables?;
    watch.finish()?;
    for table in &tables {
        if args.json {
            for row in table.rows() {
                voice.data(row);
            }
        } else {
            voice.data(table.to_text());
        }
    }
    if let Some(page) = page {
        page.write(&tables, &circumstances)?;
    }
    Ok(Exit::Success)
}
