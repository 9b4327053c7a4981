//! The settings of a client.
//!
//! Owns: limits, timeouts, trust; their defaults.
//! Does not own: settings of a single request ([`crate::Request`]).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use haul_engine::Closing;
use haul_http1::Limits;
use haul_io::{ChunkedFormat, Names};
use http::StatusCode;

use crate::{Family, HostOverride, Logins, Observer, Proxies};

/// The settings of a client. Every limit is finite.
#[derive(Clone, Debug)]
pub struct Config {
    /// The most worker threads of [`Client::fetch_async`](crate::Client::fetch_async) and its like. Each starts when it
    /// is needed, and ends when it was idle for 10 s. Defaults to 16.
    pub workers: usize,
    /// Requests that may wait for a worker; another one is refused. Defaults to 1024.
    pub queue_max: usize,
    /// Requests that a [`Client`](crate::Client) has under way at one host (scheme, name and port), until their bodies
    /// are complete; others wait for their turn on their threads. A thread that reads several bodies at once, by
    /// [`Client::stream`](crate::Client::stream), must not need more. Defaults to no limit besides
    /// [`Config::workers`]. Lists have limits of their own: see [`HostLimits`].
    pub per_host_max: Option<usize>,
    /// What dropping the client does with submitted requests, without waiting for them: see
    /// [`Client::close`](crate::Client::close). Defaults to finishing them, while the program runs.
    pub closing: Closing,
    /// Time limit for connecting, TLS included. Defaults to 10 s.
    pub connect_timeout: Duration,
    /// Longest time without progress while the peer should send or accept data. Defaults to 30 s.
    pub read_timeout: Duration,
    /// Time limit from the request to the end of the response's head, however slowly it arrives. Defaults to 120 s.
    pub head_timeout: Duration,
    /// How long to wait for 100 (Continue) before the body is sent anyway: see
    /// [`Request::expect_continue`](crate::Request::expect_continue). Defaults to 1 s.
    pub expect_timeout: Duration,
    /// Time limit for a whole request, including redirects, retries and pauses. Defaults to none.
    pub total_timeout: Option<Duration>,
    /// Retries of a [`FetchJob`](crate::FetchJob) after a transient failure. Defaults to 5.
    pub retries: u32,
    /// Statuses that are retried besides those that are transient by their meaning; their Retry-After counts too.
    /// Defaults to none.
    pub retry_statuses: Vec<StatusCode>,
    /// The longest pause before the first retry; it doubles with each. The actual pause is a random part of it.
    /// Defaults to 500 ms.
    pub retry_pause: Duration,
    /// The longest pause before any retry. Defaults to 30 s.
    pub retry_pause_max: Duration,
    /// Upper bound applied to Retry-After. Defaults to 120 s.
    pub retry_after_max: Duration,
    /// Whether a [`FetchJob`](crate::FetchJob) keeps incomplete files in `NAME.haul-part`, with a record in
    /// `NAME.haul-part.from`, and continues those of earlier runs; and whether a file that exists and is complete
    /// counts as a success. Defaults to false.
    pub resume: bool,
    /// Whether a [`FetchJob`](crate::FetchJob) fetches only what has changed since an earlier run, which it remembers
    /// in `NAME.haul-from`. Only a file with such a record of the same URL is replaced, whatever the task says of
    /// existing files; any other is left as it is, and the task fails with [`Error::Exists`](crate::Error::Exists).
    /// Any status but success is an error. Defaults to false.
    pub sync: bool,
    /// The format that a [`FetchJob`](crate::FetchJob) stores bodies in, for instance sealed; checksums and lengths are
    /// those of the bodies. Records beside the files then hold URLs as salted hashes only. Defaults to none: bodies are
    /// stored as they are.
    pub format: Option<Arc<dyn ChunkedFormat>>,
    /// How a [`FetchJob`](crate::FetchJob) fetches large files over several connections, to a
    /// [`Destination::File`](crate::Destination) or [`Destination::Named`](crate::Destination), and without
    /// [`Config::resume`]. Defaults to not at all: see [`Segments`].
    pub segments: Segments,
    /// Redirects that are followed; one more is an error. With 0 and without [`Config::fail_on_status`], a redirect is
    /// the response. Defaults to 10.
    pub redirects_max: u32,
    /// Whether to follow redirects from https to http. Defaults to false.
    pub allow_downgrade: bool,
    /// Whether to ask servers to compress bodies, and to decompress them; never for parts. If false, bodies are taken
    /// as they are. Needs the feature `codings`. Defaults to false.
    pub compressed: bool,
    /// Whether [`Config::compressed`] includes archives, which are files that are meant to stay compressed, as their
    /// names or media types say. Defaults to false.
    pub decode_archives: bool,
    /// How many times its encoded length a body may grow to; checked beyond the first 16 MiB. Defaults to 250.
    pub decoded_ratio_max: u32,
    /// Longest body in bytes, after decompression; a longer one is an error. Defaults to none for files.
    pub body_bytes_max: Option<u64>,
    /// Longest body in bytes that is kept in memory. Defaults to 64 MiB.
    pub memory_body_bytes_max: u64,
    /// Whether a status of 400 or above is an error. Defaults to true.
    pub fail_on_status: bool,
    /// Idle connections that are kept open, over all hosts; beyond that the oldest is closed. Defaults to 256.
    pub idle_connections_max: usize,
    /// Upper limit on bytes per second, over all transfers of the client; each gets an equal share. Defaults to no
    /// limit.
    pub rate_max: Option<u64>,
    /// Lower limit on bytes per second of each body, measured over [`Config::rate_min_window`]; a slower body is an
    /// error. Defaults to none.
    pub rate_min: Option<u64>,
    /// How long a body may be slower than [`Config::rate_min`]. Defaults to 30 s.
    pub rate_min_window: Duration,
    /// The Unix domain socket to connect to, instead of the URL's host; no proxy is used then. Defaults to none.
    pub unix_socket: Option<PathBuf>,
    /// The certificate to present to origins that ask for one; never to proxies. Defaults to none.
    pub client_identity: Option<ClientIdentity>,
    /// The jar for the cookies of all requests; a request with its own Cookie field uses none of them. Clients may
    /// share a jar. Defaults to none: cookies are ignored.
    #[cfg(feature = "cookies")]
    pub cookies: Option<Arc<crate::CookieJar>>,
    /// The logins for hosts that redirects lead to. Defaults to none.
    pub logins: Option<Logins>,
    /// The proxies to use. Defaults to none.
    pub proxies: Proxies,
    /// Fixed addresses for host names; these override DNS. Defaults to none.
    pub host_overrides: Vec<HostOverride>,
    /// The resolver for all other names. It looks up each name once for all requests that need it, and caches the
    /// answers; clones share the cache. Defaults to the system's resolver and [`NamesLimits`](crate::NamesLimits).
    pub names: Names,
    /// The address family to use. Defaults to any.
    pub family: Family,
    /// The limits of the HTTP parser.
    pub limits: Limits,
    /// Which certificates are trusted, including those of proxies.
    pub trust: Trust,
    /// What is called with the events of transfers. Defaults to nothing.
    pub observer: Observer,
    /// The value of User-Agent. Defaults to "haul/" and the version.
    pub user_agent: String,
}

/// Limits on active tasks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostLimits {
    /// Active tasks, over all hosts. Defaults to 64.
    pub total_max: usize,
    /// Active tasks for one host (scheme, name and port). Defaults to 16.
    pub per_host_max: usize,
    /// Requests per second to one host, on average. Defaults to no limit. A task that needs more than one request, or
    /// none, is accounted for when it ends.
    pub per_host_rate: Option<f64>,
    /// Tasks that are held while they wait, plus hosts that are remembered. Defaults to 10 000.
    pub held_max: usize,
}

/// How a large file is fetched over several connections. This requires that the server supports ranges and sends a
/// strong validator; otherwise the file is fetched over one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// Connections for one file. Defaults to 1: files aren't split.
    pub count_max: usize,
    /// Shorter files aren't split. Unit: bytes. Defaults to 64 MiB.
    pub bytes_min: u64,
    /// The shortest segment in bytes. When other lanes have finished, a slow connection keeps less than twice as much
    /// to fetch. Defaults to 1 MiB.
    pub piece_bytes_min: u64,
    /// Connections for one host, over all tasks. A file gets additional ones only while fewer are in use, and returns
    /// them when tasks need them. Tasks start as [`HostLimits`] allow, without waiting for that. Defaults to 16.
    pub per_host_max: usize,
    /// When to give up on a segment connection that has stalled, or is slower than a quarter of one that has finished.
    /// Its missing bytes are then requested on another. [`Config::read_timeout`] applies if that is shorter, or if
    /// hardly any byte has arrived since the last time this happened. Defaults to 5 s.
    pub stall_timeout: Duration,
}

/// The client's certificate, for servers that ask for one: two PEM files, which may be the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The certificate, and those that connect it to an authority.
    pub certificates: PathBuf,
    /// The private key, without a passphrase.
    pub key: PathBuf,
}

/// Which certificates are trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trust {
    /// Those signed by the platform's authorities, or Mozilla's if the platform has none.
    Platform,
    /// Those signed by the authorities in this PEM file, and no others.
    File(PathBuf),
    /// Any certificate: others may read and change what is fetched.
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
            per_host_max: None,
            closing: Closing::Finish,
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            head_timeout: Duration::from_secs(120),
            expect_timeout: Duration::from_secs(1),
            total_timeout: None,
            retries: 5,
            retry_statuses: Vec::new(),
            retry_pause: Duration::from_millis(500),
            retry_pause_max: Duration::from_secs(30),
            retry_after_max: Duration::from_secs(120),
            resume: false,
            sync: false,
            format: None,
            segments: Segments::default(),
            redirects_max: 10,
            allow_downgrade: false,
            compressed: false,
            decode_archives: false,
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
            #[cfg(feature = "cookies")]
            cookies: None,
            logins: None,
            proxies: Proxies::default(),
            host_overrides: Vec::new(),
            names: Names::system(),
            family: Family::Any,
            limits: Limits::default(),
            trust: Trust::Platform,
            observer: Observer::default(),
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
        assert_eq!((config.workers, config.queue_max, config.per_host_max), (16, 1_024, None));
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
        assert!(!config.decode_archives && config.logins.is_none());
        assert_eq!((config.redirects_max, config.allow_downgrade), (10, false));
        assert_eq!(config.memory_body_bytes_max, 64 << 20);
        assert!(config.fail_on_status && !config.resume && !config.sync);
        assert_eq!(config.idle_connections_max, 256);
        assert_eq!((config.proxies, config.family), (Proxies::default(), Family::Any));
        assert_eq!((config.rate_max, config.rate_min), (None, None));
        assert_eq!(config.rate_min_window, Duration::from_secs(30));
        assert!(config.unix_socket.is_none() && config.client_identity.is_none());
        assert!(config.host_overrides.is_empty());
        #[cfg(feature = "cookies")]
        assert!(config.cookies.is_none());
        assert!(config.user_agent.starts_with("haul/"));
        assert_eq!(format!("{:?}", config.observer), "Observer(none)");
    }
}
