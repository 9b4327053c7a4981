//! What a client is told once.
//!
//! Owns: limits, those of hosts too, timeouts, trust; their defaults.
//! Does not own: what a single request asks.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use haul_engine::Closing;
use haul_http1::Limits;
use haul_io::Names;

use crate::{CookieJar, Family, HostOverride, Proxies};

/// Settings of a client. Every limit is finite.
#[derive(Clone, Debug)]
pub struct Config {
    /// Worker threads of [`Client::fetch_async`](crate::Client::fetch_async); started with the first use. Defaults to
    /// 16.
    pub workers: usize,
    /// Requests that wait for a worker; a further one is refused. Defaults to 1024.
    pub queue_max: usize,
    /// What dropping the client does with requests under way. Defaults to finishing them.
    pub closing: Closing,
    /// Time to connect, TLS included. Defaults to 10 s.
    pub connect_timeout: Duration,
    /// Longest silence of a peer that owes bytes, or takes none. Defaults to 30 s.
    pub read_timeout: Duration,
    /// Time from the request to the end of the response's head, however it drips. Defaults to 120 s.
    pub head_timeout: Duration,
    /// How long a server is waited for that should say whether it wants the body: see
    /// [`Request::expect_continue`](crate::Request::expect_continue). Defaults to 1 s.
    pub expect_timeout: Duration,
    /// Time for a whole request, redirects, further attempts and pauses included. Defaults to none.
    pub total_timeout: Option<Duration>,
    /// Further attempts of a [`FetchJob`](crate::FetchJob) after one that failed and may fare better. Defaults to 5.
    pub retries: u32,
    /// The longest pause before the second attempt; it doubles with each. The pause is a random part of it. Defaults to
    /// 500 ms.
    pub retry_pause: Duration,
    /// The longest pause before any attempt. Defaults to 30 s.
    pub retry_pause_max: Duration,
    /// What is made of a longer Retry-After. Defaults to 120 s.
    pub retry_after_max: Duration,
    /// Whether the beginning of a file is kept when a [`FetchJob`](crate::FetchJob) fails to get the rest, in
    /// `NAME.haul-part` with a record in `NAME.haul-part.from`, and a later run goes on from there; and whether a file
    /// that is there and complete is a success. Defaults to false.
    pub resume: bool,
    /// Whether a [`FetchJob`](crate::FetchJob) fetches only what has changed since an earlier run, by what it keeps in
    /// `NAME.haul-from`. A file that is there is replaced even where the task says to refuse, unless it came from
    /// another URL; any status but success is an error. Defaults to false.
    pub sync: bool,
    /// How large files are fetched over several connections by a [`FetchJob`](crate::FetchJob), to a
    /// [`Destination::File`](crate::Destination) or [`Destination::Named`](crate::Destination), and without
    /// [`Config::resume`]. Defaults to not at all: see [`Segments`].
    pub segments: Segments,
    /// Redirects that are followed; one more is an error. Defaults to 10.
    pub redirects_max: u32,
    /// Follow a redirect from https to http. Defaults to false.
    pub allow_downgrade: bool,
    /// Whether servers are asked to compress bodies, and what they compressed is decompressed; never for parts. Where
    /// it is off, a body is taken as it comes. Defaults to false.
    pub compressed: bool,
    /// How many times as long a body may become when it is decompressed; beyond the first 16 MiB, more is an error.
    /// Defaults to 250.
    pub decoded_ratio_max: u32,
    /// Longest body in bytes, decompressed; a longer one is an error. Defaults to none for files.
    pub body_bytes_max: Option<u64>,
    /// Longest body in bytes that is kept in memory. Defaults to 64 MiB.
    pub memory_body_bytes_max: u64,
    /// Whether a status from 400 on is an error. Defaults to true.
    pub fail_on_status: bool,
    /// Connections kept open without use, over all hosts; beyond it the oldest is closed. Defaults to 256.
    pub idle_connections_max: usize,
    /// Bytes a second that bodies arrive at, over all transfers of the client, each with an equal share. Defaults to no
    /// limit.
    pub rate_max: Option<u64>,
    /// Fewer bytes a second of a body than this are an error, measured over [`Config::rate_min_window`]. Defaults to
    /// none.
    pub rate_min: Option<u64>,
    /// How long a server may be slower than [`Config::rate_min`]. Defaults to 30 s.
    pub rate_min_window: Duration,
    /// The socket in the file system to which every connection is made, instead of the URL's host; no proxy is used
    /// then. Defaults to none.
    pub unix_socket: Option<PathBuf>,
    /// The certificate that is shown to origins which ask for one; never to a proxy. Defaults to none.
    pub client_identity: Option<ClientIdentity>,
    /// The jar that responses put cookies in and requests take them from; a request with a Cookie field of its own
    /// takes none. Several clients may share one. Defaults to none: cookies are ignored.
    pub cookies: Option<Arc<CookieJar>>,
    /// Which proxies requests go through. Defaults to none.
    pub proxies: Proxies,
    /// What names of hosts stand for, whatever others say. Defaults to nothing.
    pub known_hosts: Vec<HostOverride>,
    /// What looks up all other names, once for all requests that need one, and remembers the answers; clones share
    /// them. Defaults to the system's resolver and [`NamesLimits`](crate::NamesLimits).
    pub names: Names,
    /// Which addresses are used. Defaults to any.
    pub family: Family,
    /// Bounds of the protocol.
    pub limits: Limits,
    /// Which certificates are believed, those of proxies too.
    pub trust: Trust,
    /// Value of the User-Agent field. Defaults to "haul/" and the version.
    pub user_agent: String,
}

/// What may be under way at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostLimits {
    /// Tasks under way, over all hosts. Defaults to 64.
    pub total_max: usize,
    /// Tasks under way for one host (scheme, name and port). Defaults to 16.
    pub per_host_max: usize,
    /// Starts a second for one host. Defaults to no limit.
    pub per_host_rate: Option<f64>,
    /// Tasks that are held while they wait, and hosts that are remembered. Defaults to 10 000.
    pub held_max: usize,
}

/// How a large file is fetched over several connections. That takes a server which knows ranges and says by a strong
/// validator what they are parts of; from others it comes as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// Connections for one file. Defaults to 1: files aren't divided.
    pub count_max: usize,
    /// Files of fewer bytes aren't divided. Defaults to 64 MiB.
    pub bytes_min: u64,
    /// No segment is begun with fewer bytes; so much at most is left to a slow connection while others have nothing to
    /// do, or rather less than twice that. Defaults to 1 MiB.
    pub piece_bytes_min: u64,
    /// Connections for one host, over all tasks: a file gets a further one only where fewer are in use, and gives it up
    /// when a task needs it. Tasks start as [`HostLimits`] allow, without waiting for that. Defaults to 16.
    pub per_host_max: usize,
    /// How long a connection may be silent, or bring less than a quarter of what one brought that has nothing left to
    /// do, before what it owes is asked for on another. [`Config::read_timeout`] applies where that is shorter, and
    /// where hardly anything has come since this happened last. Defaults to 5 s.
    pub stall_timeout: Duration,
}

/// Who the client is to servers that ask for a certificate. Two PEM files, which may be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate, and those between it and an authority.
    pub certificates: PathBuf,
    /// Its private key, without a passphrase.
    pub key: PathBuf,
}

/// Which certificates are believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The platform's roots, or Mozilla's where the platform has none.
    Platform,
    /// The roots in this PEM file, and no others.
    File(PathBuf),
    /// All: anybody may read and change what is fetched.
    Anything,
}

impl Default for HostLimits {
    fn default() -> Self {
        Self { total_max: 64, per_host_max: 16, per_host_rate: None, held_max: 10_000 }
    }
}

impl Default for Segments {
    fn default() -> Self {
        Self {
            count_max: 1,
            bytes_min: 64 << 20,
            piece_bytes_min: 1 << 20,
            per_host_max: 16,
            stall_timeout: Duration::from_secs(5),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            workers: 16,
            queue_max: 1_024,
            closing: Closing::Finish,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            head_timeout: Duration::from_secs(120),
            expect_timeout: Duration::from_secs(1),
            total_timeout: None,
            retries: 5,
            retry_pause: Duration::from_millis(500),
            retry_pause_max: Duration::from_secs(30),
            retry_after_max: Duration::from_secs(120),
            resume: false,
            sync: false,
            segments: Segments::default(),
            redirects_max: 10,
            allow_downgrade: false,
            compressed: false,
            decoded_ratio_max: 250,
            body_bytes_max: None,
            memory_body_bytes_max: 64 << 20,
            fail_on_status: true,
            idle_connections_max: 256,
            rate_max: None,
            rate_min: None,
            rate_min_window: Duration::from_secs(30),
            unix_socket: None,
            client_identity: None,
            cookies: None,
            proxies: Proxies::default(),
            known_hosts: Vec::new(),
            names: Names::system(),
            family: Family::Any,
            limits: Limits::default(),
            trust: Trust::Platform,
            user_agent: concat!("haul/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_hosts_are_the_documented_ones() {
        let limits = HostLimits::default();
        assert_eq!((limits.total_max, limits.per_host_max), (64, 16));
        assert_eq!((limits.per_host_rate, limits.held_max), (None, 10_000));
    }

    #[test]
    fn defaults_of_segments_are_the_documented_ones() {
        let Segments { count_max, bytes_min, piece_bytes_min, per_host_max, stall_timeout } =
            Config::default().segments;
        assert_eq!((count_max, bytes_min), (1, 64 << 20));
        assert_eq!((piece_bytes_min, per_host_max), (1 << 20, 16));
        assert_eq!(stall_timeout, Duration::from_secs(5));
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let config = Config::default();
        assert_eq!((config.workers, config.queue_max), (16, 1_024));
        assert_eq!(config.closing, Closing::Finish);
        assert_eq!(config.connect_timeout, Duration::from_secs(10));
        assert_eq!(config.read_timeout, Duration::from_secs(30));
        assert_eq!(config.head_timeout, Duration::from_secs(120));
        assert_eq!(config.expect_timeout, Duration::from_secs(1));
        assert_eq!((config.retries, config.retry_pause), (5, Duration::from_millis(500)));
        assert_eq!(config.retry_pause_max, Duration::from_secs(30));
        assert_eq!(config.retry_after_max, Duration::from_secs(120));
        assert_eq!((config.total_timeout, config.body_bytes_max), (None, None));
        assert_eq!((config.compressed, config.decoded_ratio_max), (false, 250));
        assert_eq!((config.redirects_max, config.allow_downgrade), (10, false));
        assert_eq!(config.memory_body_bytes_max, 64 << 20);
        assert!(config.fail_on_status && !config.resume && !config.sync);
        assert_eq!(config.idle_connections_max, 256);
        assert_eq!((config.proxies, config.family), (Proxies::default(), Family::Any));
        assert_eq!((config.rate_max, config.rate_min), (None, None));
        assert_eq!(config.rate_min_window, Duration::from_secs(30));
        assert!(config.unix_socket.is_none() && config.client_identity.is_none());
        assert!(config.known_hosts.is_empty() && config.cookies.is_none());
        assert!(config.user_agent.starts_with("haul/"));
    }
}
