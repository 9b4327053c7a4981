//! A server, a folder that haul fetches into, and the runs that do it.
//!
//! Owns: command lines, disturbed runs, the undisturbed run at the end.
//! Does not own: judging what they made (see `judge`).

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use super::judge;
use super::origin::Origin;
use super::resolver::Resolver;
use crate::checker::report;
use crate::checker::sealed::sha256;
use crate::choice::Choice;
use crate::fault::Checked;
use crate::program::deeds::{Deed, Harm, Timed};
use crate::program::limits::Limits;
use crate::program::run::{Ended, Order};
use crate::tally::Tally;
use crate::world::disk::{Disk, Kind};
use crate::world::setup::Setup;

/// Engines that fetch.
const ENGINES: [&str; 7] = ["auto", "serial", "threads=3", "threads=16", "uring", "uring=1x4", "uring=2x32"];

/// How results that exist are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Plain,
    Force,
    Continue,
    Sync,
}

/// The world of one step.
pub(super) struct FetchWorld<'a> {
    pub(super) setup: &'a Setup,
    pub(super) disk: Disk,
    /// Where the files go.
    pub(super) target: PathBuf,
    pub(super) origin: Origin,
    pub(super) mode: Mode,
    /// By file: the checksum that the list names is that of no version.
    pub(super) wrong_sum: Vec<bool>,
    resolver: Option<Resolver>,
    segments: bool,
}

impl<'a> FetchWorld<'a> {
    /// Starts the server and writes the list.
    pub(super) fn make(setup: &'a Setup, choice: &mut Choice, tally: &mut Tally) -> Checked<Self> {
        let disk = Disk::make(Kind::choose(choice), &setup.dir)?;
        tally.one(format!("file systems: {:?}", disk.kind));
        let count = *choice.pick(&[1, 4, 12, 40]);
        let origin = Origin::start(choice, count);
        let mode = *choice.pick(&[Mode::Plain, Mode::Force, Mode::Continue, Mode::Continue, Mode::Sync]);
        let resolver = if choice.chance(12) { Resolver::start(choice, &setup.dir)? } else { None };
        let mut wrong_sum = Vec::new();
        let mut list = String::new();
        let port = origin.server.address().port();
        let host = if resolver.is_some() { "origin.test" } else { "127.0.0.1" };
        for (index, file) in origin.files().iter().enumerate() {
            let url = format!("http://{host}:{port}/{}", file.name);
            let (named, is_wrong) = (choice.chance(20) && !file.changes, choice.chance(30));
            let sum = if is_wrong { sha256(b"another file") } else { sha256(&origin.current(index)) };
            list += &if named { format!("{{\"url\": \"{url}\", \"sha256\": \"{sum}\"}}\n") } else { url + "\n" };
            wrong_sum.push(named && is_wrong);
        }
        fs::write(setup.dir.join("list"), list)?;
        let segments = choice.chance(20);
        let target = disk.root.join("got");
        Ok(Self { setup, disk, target, origin, mode, wrong_sum, resolver, segments })
    }

    /// A run with a disturbance, while the server misbehaves.
    pub(super) fn disturbed(&mut self, choice: &mut Choice, tally: &mut Tally) -> Checked {
        let mut order = self.order(choice);
        let harm = *choice.pick(&[
            Harm::Nothing,
            Harm::Nothing,
            Harm::Kill,
            Harm::Kill,
            Harm::Interrupt,
            Harm::Terminate,
            Harm::Stop,
            Harm::InterruptTwice,
        ]);
        order.deeds = harm.deeds(choice);
        let mut filler = None;
        let cuts = self.disk.has_power() && choice.chance(40);
        if cuts {
            rustix::fs::sync();
            order.deeds = vec![Timed { at: choice.moment(), deed: Deed::CutPower(self.disk.root.clone()) }];
        } else if self.disk.kind == Kind::Tmpfs && choice.chance(60) {
            filler = Some(self.disk.fill(choice.below(2 << 20) as u64)?);
        } else if choice.chance(15) {
            let resolver = order.limits.resolver.take();
            order.limits = Limits { resolver, ..Limits::choose(choice) };
        }
        let ended = self.run(order, tally)?;
        if cuts {
            self.disk.restore_power()?;
        }
        let full = filler.is_some();
        if let Some(filler) = filler {
            fs::remove_file(filler)?;
        }
        let word = match (cuts, full) {
            (true, _) => "power cut".to_owned(),
            (_, true) => format!("{harm:?} full disk"),
            _ => format!("{harm:?}"),
        };
        tally.one(format!("disturbances of get: {word}"));
        let ends = report::check(&ended)?;
        judge::disturbed(self, &ended, &ends, cuts, tally)
    }

    /// The server behaves and nothing disturbs the run: everything is complete after it.
    pub(super) fn calm(&mut self, choice: &mut Choice, tally: &mut Tally) -> Checked {
        self.origin.calm_down();
        if self.mode == Mode::Plain && self.target.exists() {
            // Results that exist would stay; only leftovers are of interest.
            for entry in fs::read_dir(&self.target)?.flatten() {
                let name = entry.file_name();
                if !name.to_string_lossy().starts_with('.') {
                    fs::remove_file(entry.path())?;
                }
            }
        }
        self.resolver = None;
        let port = self.origin.server.address().port();
        let mut order = self.order(choice);
        order.args.extend(["--resolve".into(), format!("origin.test:{port}:127.0.0.1").into()]);
        let ended = self.run(order, tally)?;
        tally.one("undisturbed runs of get");
        let ends = report::check(&ended)?;
        judge::calm(self, &ended, &ends)
    }

    fn run(&self, order: Order, tally: &mut Tally) -> Checked<Ended> {
        let engine = order.args.iter().skip_while(|arg| *arg != "-e").nth(1);
        let engine = engine.map(|arg| arg.to_string_lossy().into_owned()).unwrap_or_default();
        tally.one(format!("runs: get on {engine}"));
        tally.one(format!("runs: get, {:?}", self.mode));
        self.setup.program.run(order)
    }

    fn order(&self, choice: &mut Choice) -> Order {
        let mut order = self.setup.order(["get", "--json", "-i", "list", "--retries", "2", "--read-timeout", "3"]);
        order.args.extend(["-e".into(), OsString::from(*choice.pick(&ENGINES)), "-d".into(), self.target.clone().into()]);
        order.args.extend(match self.mode {
            Mode::Plain => None,
            Mode::Force => Some("--force".into()),
            Mode::Continue => Some("-c".into()),
            Mode::Sync => Some("--sync".into()),
        });
        if self.segments && self.mode != Mode::Continue {
            order.args.extend(["--segments".into(), "3".into()]);
        }
        order.limits.resolver = self.resolver.as_ref().map(|resolver| resolver.config.clone());
        order
    }
}
