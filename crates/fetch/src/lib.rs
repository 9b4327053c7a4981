//! A concurrent HTTP/1.1 client.
//!
//! | entry point | what it does |
//! |---|---|
//! | [`Client::fetch`] | waits for the response |
//! | [`Client::stream`] | waits for the head; the body is read from a [`BodyReader`] |
//! | [`Client::submit`] | returns a [`Pending`] to wait for, poll or await |
//! | [`Client::fetch_async`] | calls a callback from a worker |
//! | [`Client::fetch_each`] | yields many responses in the order of completion |
//! | [`FetchJob`] | runs lists through an engine and retries transient failures; see also [`HostSource`] |
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
//! A URL goes from `list` (or `client`) through `transfer`, on a connection from `route`, into `body`. On its way
//! `kept` tells what an earlier run left on disk, and a large file may take several connections in `segments`.
//! `cookies` and `names` are on the side.
//!
//! Owns: connections and their reuse, TLS, cookies, redirects, timeouts, retries, limits of hosts, where bodies are
//! written.
//! Does not own: the protocol's grammar ([`haul_http1`]), system calls ([`haul_io`]), engines ([`haul_engine`]).
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
pub use client::observer::{Detail, Observer, TransferEvent};
pub use client::pending::Pending;
pub use client::reader::BodyReader;
pub use client::request::{Request, Response};
pub use client::request_body::RequestBody;
pub use client::url_login::{Logins, UrlLogin};
pub use cookies::jar::{BadCookieLine, CookieJar};
pub use error::{Error, Failed, Fault, Phase};
pub use haul_engine::Closing;
pub use haul_io::{Names, NamesLimits};
pub use http::{HeaderMap, Method, StatusCode};
pub use list::job::FetchJob;
pub use list::progress::Retry;
pub use list::source::HostSource;
pub use list::task::{Destination, FetchTask, Fetched};
pub use names::disposition::disposition_name;
pub use names::reserved::unreserved;
pub use names::url_name::{basename, path_and_query_name, path_name};
pub use route::certificate::CertificateFault;
pub use route::host_override::{Family, HostOverride};
pub use route::proxy::{BadProxy, Bypass, Proxies, Proxy, ProxyKind};
pub use route::proxy_error::ProxyError;
pub use segments::segmented::Segmented;
pub use transfer::times::Times;
