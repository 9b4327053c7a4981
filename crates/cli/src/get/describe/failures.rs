//! Failures of fetches, in words.
//!
//! Owns: naming the file, the limit and the proxy that a failure is about, advice.
//! Does not own: texts that need no names ([`haul_fetch::Error`]), exit codes ([`super`]).

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use haul_fetch::{CertificateFault, Config, Destination, Error, Failed, FetchTask, Phase};

use crate::report::text::quoted;

/// The message about `failed`.
pub(super) fn message(failed: &Failed, task: &FetchTask, config: &Config) -> String {
    let text = text(&failed.error, task, config).unwrap_or_else(|| failed.error.to_string());
    match failed.attempts {
        0 | 1 => text,
        attempts => format!("{text} (after {attempts} attempts)"),
    }
}

/// The message with the names that the library doesn't put into it.
fn text(error: &Error, task: &FetchTask, config: &Config) -> Option<String> {
    let target = match &task.destination {
        _ if task.is_hidden => None,
        Destination::File(publish) | Destination::Named(publish) => Some(quoted(&publish.path)),
        Destination::Upload(to) => Some(quoted(&to.name)),
        Destination::Pack(to) => Some(quoted(&to.name)),
        Destination::Stream(_) => Some("to the output".to_owned()),
        _ => None,
    };
    Some(match (error, target) {
        (Error::Write(source), Some(target)) => format!("cannot write {target}: {}", haul_io::reason(source)),
        (Error::Exists, Some(target)) => format!("the result {target} exists already"),
        (Error::NameTaken, Some(target)) => format!("another URL of this run has the file name {target}"),
        (Error::NameReserved, Some(target)) => format!("the run itself uses the file {target}"),
        (Error::TooManyRedirects, _) => format!("more than {} redirects", config.redirects_max),
        (Error::Timeout(Phase::Connect), _) => {
            format!("timed out after {} while connecting", seconds(config.connect_timeout))
        }
        (Error::Timeout(Phase::Transfer), _) => {
            format!("timed out after {} without data from the server", seconds(config.read_timeout))
        }
        (Error::Timeout(Phase::Total), _) => match config.total_timeout {
            Some(limit) => format!("timed out after {} in all", seconds(limit)),
            None => return None,
        },
        _ => return None,
    })
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}

/// The kind of `error`, for scripts.
pub(super) fn kind(error: &Error) -> &'static str {
    match error {
        Error::Url { .. } | Error::Task { .. } | Error::Host { .. } => "url",
        Error::Method { .. } | Error::Header { .. } | Error::Credentials { .. } | Error::Request(_) => {
            "request"
        }
        Error::Body(_) | Error::BodySpent => "request_body",
        Error::Resolve(_) => "resolve",
        Error::Connect(_) => "connect",
        Error::ToProxy { .. } | Error::Proxy(_) | Error::ProxyTls(_) => "proxy",
        Error::Tls(_) | Error::Trust(_) | Error::ClientIdentity(_) => "tls",
        Error::Transport(_) => "connection",
        Error::Timeout(_) | Error::TooSlow { .. } => "timeout",
        Error::Protocol(_) | Error::Coding(_) | Error::UnaskedPart | Error::PassedOn => "protocol",
        Error::Status(_) => "status",
        Error::TooManyRedirects | Error::Redirect { .. } => "redirect",
        Error::TooLarge { .. } => "too_large",
        Error::Size { .. } | Error::Checksum { .. } => "checksum",
        Error::Differs | Error::Exists | Error::Unreadable => "exists",
        Error::NameTaken | Error::NameReserved => "same_name",
        Error::Busy | Error::InTheWay { .. } => "in_use",
        Error::Untrusted { .. } => "untrusted",
        Error::Write(_) => "write",
        Error::Cancelled => "interrupted",
        Error::WorkerPanicked => "internal",
        _ => "other",
    }
}

/// Advice against `error`.
pub(super) fn hint(error: &Error, task: &FetchTask, config: &Config) -> Option<Cow<'static, str>> {
    match error {
        Error::Task { .. } => url_hint(&task.label),
        Error::ToProxy { address, .. } => {
            let proxies = [&config.proxies.http, &config.proxies.https].into_iter().flatten();
            let proxy = proxies.into_iter().find(|proxy| proxy.address() == *address)?;
            Some(format!("the proxy is set by {}; --proxy '' goes without one", proxy.setting()).into())
        }
        other => plain_hint(other).map(Cow::Borrowed),
    }
}

/// What a text that isn't a URL may be: the name of a list, or a URL without its scheme.
fn url_hint(text: &str) -> Option<Cow<'static, str>> {
    let has_scheme = text.contains("://");
    if !has_scheme && Path::new(text).is_file() {
        return Some(format!("it is a file: -i {} fetches the URLs in it", quoted(text)).into());
    }
    let host = text.split(['/', '?', '#']).next().unwrap_or_default();
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let is_port = port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let is_host =
        name == "localhost" || (name.contains('.') && !name.starts_with('.') && !name.ends_with('.'));
    if has_scheme || !is_port || !is_host || host.contains(['@', ' ', '"']) {
        return None;
    }
    let is_local = name == "localhost" || name.parse::<std::net::IpAddr>().is_ok();
    let scheme = if is_local || port.is_some_and(|port| port != "443") { "http" } else { "https" };
    Some(format!("did you mean {scheme}://{text}?").into())
}

fn plain_hint(error: &Error) -> Option<&'static str> {
    match error {
        Error::NameTaken | Error::NameReserved => {
            Some("--name path keeps the directories of URLs, and \"out\" in a list names each file")
        }
        Error::Busy => Some("wait for it, or name another place with -o or -d"),
        Error::InTheWay { .. } => Some("move it away, or name another place with -o or -d"),
        Error::Untrusted { .. } => {
            Some("try again later, on another network or logged in; remove what is kept of it to start over")
        }
        Error::Unreadable => Some("--identity names a file with the key; --force fetches it again"),
        Error::Exists => Some(
            "remove it, or name another file or directory with -o or -d; -c skips complete files, --force replaces",
        ),
        Error::Status(response) if response.status.is_success() => Some(
            "the server has nothing to fetch there; --no-fail-on-status takes that for a success, without a file",
        ),
        Error::Differs => {
            Some("remove it to fetch it again; -c skips files whose length and time, or checksum, match")
        }
        other => limit_hint(other).or_else(|| other.certificate_fault().and_then(certificate_hint)),
    }
}

/// The option for the limit that was reached, or what is wrong with the server.
fn limit_hint(error: &Error) -> Option<&'static str> {
    match error {
        Error::TooManyRedirects => Some("--max-redirects sets the limit"),
        Error::Timeout(Phase::Connect) => Some("--connect-timeout sets the limit"),
        Error::Timeout(Phase::Transfer) => Some("--read-timeout sets the limit"),
        Error::Timeout(Phase::Total) => Some("--max-time sets the limit"),
        Error::TooSlow { .. } => Some("--min-speed sets the limit"),
        Error::TooLarge { .. } => Some("--max-size sets the limit"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_without_a_scheme_are_completed() {
        for (text, hint) in [
            ("127.0.0.1:8801/f", Some("did you mean http://127.0.0.1:8801/f?")),
            ("localhost/f", Some("did you mean http://localhost/f?")),
            ("example.org/file", Some("did you mean https://example.org/file?")),
            ("example.org:8080", Some("did you mean http://example.org:8080?")),
            ("example.org:443/a?b=c", Some("did you mean https://example.org:443/a?b=c?")),
            ("nonsense", None),
            ("ftp://example.org/", None),
            ("me@example.org", None),
            ("../up.txt", None),
        ] {
            assert_eq!(url_hint(text).as_deref(), hint, "{text}");
        }
    }
}
