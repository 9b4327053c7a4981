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

mod body;
mod client;
mod cookies;
mod error;
mod kept;
mod list;
mod names;
mod route;
mod segments;
mod transfer;

pub use body::checksum::{Algorithm, BadChecksum, Checksum};
pub use body::coding::error::CodingError;
pub use body::expectation::Expected;
pub use client::config::{ClientIdentity, Config, HostLimits, Segments, Trust};
pub use client::each::Each;
pub use client::handle::{Callback, Client, NoRoom, NotSubmitted};
pub use client::pending::Pending;
pub use client::reader::BodyReader;
pub use client::request::{Request, Response};
pub use client::request_body::RequestBody;
pub use cookies::jar::{BadCookieLine, CookieJar};
pub use error::{Error, Failed, Fault, Phase};
pub use haul_engine::Closing;
pub use haul_io::{Names, NamesLimits};
pub use http::{HeaderMap, Method, StatusCode};
pub use list::job::FetchJob;
pub use list::source::HostSource;
pub use list::task::{Destination, FetchTask, Fetched};
pub use names::disposition::disposition_name;
pub use names::reserved::unreserved;
pub use names::url_name::{basename, path_name};
pub use route::certificate::CertificateFault;
pub use route::host_override::{Family, HostOverride};
pub use route::proxy::{BadProxy, Bypass, Proxies, Proxy, ProxyKind};
pub use route::proxy_error::ProxyError;
pub use segments::segmented::Segmented;
pub use transfer::trace::Times;
