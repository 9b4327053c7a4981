//! A server and a folder that haul fetches into.
//!
//! Owns: the server, the list, command lines.
//! Does not own: runs (see `runs`), judging what they made (see `judge`).

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use super::origin::Origin;
use super::resolver::Resolver;
use crate::checker::sealed::sha256;
use crate::choice::Choice;
use crate::fault::Checked;
use crate::program::run::Order;
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
    pub(super) resolver: Option<Resolver>,
    segments: bool,
    /// What is fetched is sealed.
    pub(super) is_sealed: bool,
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
            list +=
                &if named { format!("{{\"url\": \"{url}\", \"sha256\": \"{sum}\"}}\n") } else { url + "\n" };
            wrong_sum.push(named && is_wrong);
        }
        fs::write(setup.dir.join("list"), list)?;
        let segments = choice.chance(20);
        let (target, is_sealed) = (disk.root.join("got"), choice.chance(40));
        Ok(Self { setup, disk, target, origin, mode, wrong_sum, resolver, segments, is_sealed })
    }

    /// The name of the file for `name`, which the server has.
    pub(super) fn result(&self, name: &str) -> String {
        if self.is_sealed { format!("{name}.age") } else { name.to_owned() }
    }

    /// An order to fetch the list.
    pub(super) fn order(&self, choice: &mut Choice) -> Order {
        let mut order =
            self.setup.order(["get", "--json", "-i", "list", "--retries", "2", "--read-timeout", "15"]);
        order.args.extend([
            "-e".into(),
            OsString::from(*choice.pick(&ENGINES)),
            "-d".into(),
            self.target.clone().into(),
        ]);
        order.args.extend(match self.mode {
            Mode::Plain => None,
            Mode::Force => Some("--force".into()),
            Mode::Continue => Some("-c".into()),
            Mode::Sync => Some("--sync".into()),
        });
        if self.segments && self.mode != Mode::Continue {
            order.args.extend(["--segments".into(), "3".into()]);
        }
        if self.is_sealed {
            order.args.extend(["-r".into(), self.setup.identity.to_public().to_string().into()]);
            // With a key, partial files are continued; without one, they start over.
            if choice.chance(50) {
                order.args.extend(["--identity".into(), "key.txt".into()]);
            }
        }
        order.limits.resolver = self.resolver.as_ref().map(|resolver| resolver.config.clone());
        order
    }
}
