//! A concurrent HTTP/1.1 client.
//!
//! The ways in: [`Client::fetch`] waits for the response, [`Client::stream`] only for its head; [`Client::submit`] returns at once, and its [`Pending`] is waited
//! for, looked at or awaited; with [`Client::fetch_async`] a worker calls back; [`Client::fetch_each`] gives many responses in the
//! order of their completion. For programs that run whole lists through an engine there is [`FetchJob`]: it tries again what may
//! pass, and with [`HostSource`] keeps to the limits of each host.
//!
//! ```no_run
//! use haul_fetch::{Client, Config, Request};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(Config::default())?;
//! let response = client.fetch(Request::get("https://example.org/")?)?;
//! println!("{} bytes", response.body.len());
//! # Ok(())
//! # }
//! ```
//!
//! Owns: connections and their reuse, TLS, cookies, redirects, timeouts, further attempts, limits of hosts, where bodies go.
//! Does not own: the protocol's grammar ([`haul_http1`]), system calls ([`haul_io`]), engines.
#![forbid(unsafe_code)]

mod addresses;
mod answered;
mod body;
mod certificate;
mod claims;
mod client;
mod coding;
mod condition;
mod config;
mod connection;
mod cookies;
mod crowd;
mod digest;
mod disposition;
mod error;
mod exchange;
mod existing;
mod file_sink;
mod job;
mod joining;
mod landing;
mod lane;
mod name;
mod pace;
mod part_sink;
mod partial;
mod patience;
mod pending;
mod pool;
mod proxy;
mod proxy_error;
mod reader;
mod receive;
mod record;
mod redirect;
mod request;
mod resting;
mod resume;
mod retry;
mod route;
mod scheduler;
mod segmented;
mod send;
mod sink;
mod socks;
mod source;
mod spans;
mod sync;
mod task;
mod tls;
mod trace;
mod transfer;
mod tunnel;
mod validator;
mod wire;

pub use addresses::{Family, HostOverride};
pub use body::RequestBody;
pub use certificate::CertificateFault;
pub use client::{Callback, Client, Each, NoRoom, NotSubmitted};
pub use coding::CodingError;
pub use config::{ClientIdentity, Config, HostLimits, Segments, Trust};
pub use cookies::{BadCookieLine, CookieJar};
pub use digest::{Algorithm, BadChecksum, Checksum};
pub use disposition::disposition_name;
pub use error::{Error, Failed, Fault, Phase};
pub use haul_engine::Closing;
pub use haul_io::{Names, NamesLimits};
pub use http::{HeaderMap, Method, StatusCode};
pub use job::FetchJob;
pub use name::{basename, path_name};
pub use pending::Pending;
pub use proxy::{BadProxy, Bypass, Proxies, Proxy, ProxyKind};
pub use proxy_error::ProxyError;
pub use reader::BodyReader;
pub use request::{Request, Response};
pub use segmented::Segmented;
pub use source::HostSource;
pub use task::{Destination, Expected, FetchTask, Fetched};
pub use trace::Times;
