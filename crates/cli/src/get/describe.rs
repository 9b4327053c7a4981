//! Descriptions of fetches.
//!
//! Owns: words, JSON members, exit codes.
//! Does not own: the words of failures ([`failures`]), the form of messages and of the report ([`crate::report`]).

mod failures;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use haul_engine::{Event, Report, Source};
use haul_fetch::{Destination, Error, Failed, FetchJob, FetchTask, Fetched, Times};
use haul_io::Shortfalls;
use serde_json::{Map, Value};

use crate::report::describe::{DescribeFailure, DescribeOutput, Reportable, Setting, Subject};
use crate::report::exit::Exit;
use crate::report::record::saturating_micros;
use crate::report::redaction::without_query;
use crate::report::shortfalls;
use crate::report::text::{human_bytes, name_members, quoted};

impl Reportable for FetchJob {
    const VERB: &'static str = "fetch";
    const DONE: &'static str = "fetched";
    const WARNS_WITHOUT_TASKS: bool = true;

    fn message(&self, task: &FetchTask, failed: &Failed) -> String {
        failures::message(failed, task, self.config())
    }

    fn hint(&self, task: &FetchTask, failed: &Failed) -> Option<Cow<'static, str>> {
        failures::hint(&failed.error, task, self.config())
    }

    fn run(
        &self,
        source: &mut dyn Source<FetchTask>,
        setting: &Setting,
        on_event: &mut dyn FnMut(&Event<Self>),
    ) -> Report {
        haul_engine::run(self, source, &setting.config, on_event)
    }
}

impl Subject for FetchTask {
    fn subject(&self) -> Cow<'_, OsStr> {
        OsStr::new(&self.label).into()
    }

    fn target(&self) -> Option<&Path> {
        match &self.destination {
            Destination::File(publish) if !self.is_hidden => Some(&publish.path),
            Destination::Upload(to) => Some(Path::new(&to.name)),
            Destination::Pack(to) => Some(&to.name),
            _ => None,
        }
    }

    fn was_begun(&self) -> Option<bool> {
        Some(FetchTask::was_begun(self))
    }

    fn is_kept(&self) -> bool {
        FetchTask::is_kept(self)
    }
}

impl DescribeOutput<FetchTask> for Fetched {
    fn detail(&self, task: &FetchTask) -> Option<String> {
        let bytes = human_bytes(self.response.body_bytes);
        let target = match &self.path {
            Some(_) if task.is_hidden => "a hidden name".to_owned(),
            Some(path) => match &self.shard {
                Some(shard) => format!("{} in {}", quoted(path), quoted(shard)),
                None => quoted(path),
            },
            None => "stdout".to_owned(),
        };
        if self.skipped {
            return Some(format!("-> {target}, complete already, {bytes}"));
        }
        if self.unchanged {
            return Some(format!("-> {target}, unchanged"));
        }
        let status = self.response.status.as_u16();
        if self.path.is_none() && self.response.body_bytes == 0 {
            return Some(format!("{status}, no content"));
        }
        Some(format!("-> {target}, {status}, {bytes}"))
    }

    fn detail_of_only(&self, task: &FetchTask) -> Option<String> {
        self.path.is_some().then(|| self.detail(task)).flatten()
    }

    fn remark(&self) -> Option<String> {
        let target = self.path.as_ref().filter(|_| self.restarted)?;
        Some(format!(
            "{} was fetched from its start, as no identity opens what was kept of it",
            quoted(target)
        ))
    }

    fn shortfalls(&self) -> Shortfalls {
        self.shortfalls
    }

    fn is_unchanged(&self) -> bool {
        // A complete file of an earlier run is up to date, too.
        self.unchanged || self.skipped
    }

    fn members(&self, task: &FetchTask) -> Map<String, Value> {
        let mut members = Map::new();
        let is_asked = !(self.skipped && matches!(task.destination, Destination::Pack(_)));
        if is_asked {
            members.insert("status".to_owned(), self.response.status.as_u16().into());
        }
        let url = Cow::Borrowed(self.response.url.as_str());
        let url = if self.encoded { without_query(url) } else { url };
        members.insert("url".to_owned(), url.as_ref().into());
        members.insert("bytes".to_owned(), self.response.body_bytes.into());
        if let Some(path) = self.path.as_ref().filter(|_| !task.is_hidden) {
            members.extend(name_members("target", path.as_os_str()));
        }
        if let Some(shard) = &self.shard {
            members.extend(name_members("shard", shard.as_os_str()));
        }
        if self.skipped {
            members.insert("skipped".to_owned(), true.into());
        }
        if self.unchanged {
            members.insert("unchanged".to_owned(), true.into());
        }
        if let Some(hash) = &self.hash {
            members.insert("hash".to_owned(), hash.to_string().into());
        }
        if !self.shortfalls.is_empty() {
            members.insert("not_kept".to_owned(), shortfalls::names(self.shortfalls).into());
        }
        members.extend(effort(self.attempts, &self.times));
        members
    }
}

/// The attempts and times of a task.
fn effort(attempts: u32, times: &Times) -> Map<String, Value> {
    let micros = |time: Duration| Value::from(saturating_micros(time));
    Map::from_iter([
        ("attempts".to_owned(), attempts.into()),
        ("dns_us".to_owned(), micros(times.dns)),
        ("connect_us".to_owned(), micros(times.connect)),
        ("tls_us".to_owned(), micros(times.tls)),
        ("head_us".to_owned(), micros(times.head)),
        ("body_us".to_owned(), micros(times.body)),
    ])
}

impl DescribeFailure for Failed {
    fn exit(&self) -> Exit {
        use std::io::ErrorKind;
        match &self.error {
            Error::Write(source) => match source.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Exit::NoSpace,
                _ => Exit::Failed,
            },
            Error::Checksum { .. } | Error::Size { .. } => Exit::Damaged,
            _ => Exit::Failed,
        }
    }

    fn kind(&self) -> &'static str {
        failures::kind(&self.error)
    }

    fn is_unread(&self) -> bool {
        matches!(&self.error, Error::Write(source) if source.kind() == std::io::ErrorKind::BrokenPipe)
    }

    fn members(&self) -> Map<String, Value> {
        let mut members = effort(self.attempts, &self.times);
        if let Some(status) = self.error.status() {
            members.insert("status".to_owned(), status.as_u16().into());
        }
        members
    }
}
