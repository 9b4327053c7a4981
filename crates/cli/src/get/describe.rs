//! Descriptions of fetches: results, failures and hints.
//!
//! Owns: words, JSON members, exit codes.
//! Does not own: the form of messages and of the report ([`crate::report`]).

use std::borrow::Cow;
use std::ffi::OsStr;
use std::time::Duration;

use haul_engine::{Event, Report, Source};
use haul_fetch::{CertificateFault, Error, Failed, FetchJob, FetchTask, Fetched, Phase, Times};
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

    fn run(
        &self,
        source: impl Source<FetchTask>,
        setting: &Setting,
        on_event: impl FnMut(&Event<Self>),
    ) -> Report {
        haul_engine::run(self, source, &setting.config, on_event)
    }
}

impl Subject for FetchTask {
    fn subject(&self) -> Cow<'_, OsStr> {
        OsStr::new(&self.label).into()
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
            Some(path) => quoted(path),
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
        self.unchanged
    }

    fn members(&self, task: &FetchTask) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("status".to_owned(), self.response.status.as_u16().into());
        let url = Cow::Borrowed(self.response.url.as_str());
        let url = if self.encoded { without_query(url) } else { url };
        members.insert("url".to_owned(), url.as_ref().into());
        members.insert("bytes".to_owned(), self.response.body_bytes.into());
        if let Some(path) = self.path.as_ref().filter(|_| !task.is_hidden) {
            members.extend(name_members("target", path.as_os_str()));
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

    fn hint(&self) -> Option<&'static str> {
        match &self.error {
            Error::NameTaken => {
                Some("--name path keeps the directories of URLs, and \"out\" in a list names each file")
            }
            Error::Busy => Some("wait for it, or name another place with -o or -d"),
            Error::InTheWay { .. } => Some("move it away, or name another place with -o or -d"),
            Error::Untrusted { .. } => Some(
                "try again on another network or after logging in; remove the .haul-part file to start over",
            ),
            Error::Unreadable => Some("--identity names a file with the key; --force fetches it again"),
            Error::Exists => Some(
                "remove it, or name another file or directory with -o or -d; -c skips complete files, --force replaces",
            ),
            Error::Differs => {
                Some("remove it to fetch it again; -c skips files whose length and time, or checksum, match")
            }
            other => limit_hint(other).or_else(|| other.certificate_fault().and_then(certificate_hint)),
        }
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

/// The option for the limit that was reached, or what is wrong with the server.
fn limit_hint(error: &Error) -> Option<&'static str> {
    match error {
        Error::TooManyRedirects => Some("--max-redirects is the limit; it is 10 by default"),
        Error::Timeout(Phase::Connect) => Some("--connect-timeout is the limit; it is 10s by default"),
        Error::Timeout(Phase::Transfer) => Some("--read-timeout is the limit; it is 30s by default"),
        Error::Timeout(Phase::Total) => Some("--max-time is the limit"),
        Error::TooSlow { .. } => Some("--min-speed is the limit"),
        Error::TooLarge { .. } => Some("--max-size is the limit"),
        other if other.is_not_tls() => Some("this port may not speak TLS: try http:// instead of https://"),
        other if other.is_name_server_failure() => {
            Some("the name server failed, which may be temporary: try again")
        }
        _ => None,
    }
}

/// Advice for a certificate that was rejected.
fn certificate_hint(fault: CertificateFault) -> Option<&'static str> {
    match fault {
        CertificateFault::Expired | CertificateFault::NotYetValid => Some(
            "check the clock of this machine; otherwise the server's operator has to renew the certificate",
        ),
        CertificateFault::OtherName => Some("use the name in the certificate; --resolve sets its address"),
        CertificateFault::Nameless => {
            Some("only names in subjectAltName count; the server's operator has to make a new certificate")
        }
        CertificateFault::Malformed => Some("the server's operator has to make a new certificate"),
        CertificateFault::Untrusted => {
            Some("--cacert names a file with the authorities, or the server's own certificate, to trust")
        }
        _ => None,
    }
}
