//! A concurrent HTTP/1.1 client: single requests, streams, async, and whole lists of URLs into files.
//!
//! ```
//! # #[cfg(feature = "json")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use haul_fetch::serde_json::Value;
//! use haul_fetch::{Client, Config, Request};
//!
//! # let server = haul_testkit::Server::start(|_| haul_testkit::Answer::ok("{\"a\": 1}"));
//! # let url = server.url("/");
//! let client = Client::new(Config::default())?;
//! let data: Value = client.fetch(Request::get(url).query("q", "x"))?.json()?;
//! # assert_eq!(data["a"], 1);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "json"))]
//! # fn main() {}
//! ```
//!
//! | to | use |
//! |---|---|
//! | fetch into memory | [`Client::fetch`]; [`Client::fetch_retrying`] tries again after transient failures |
//! | download many URLs into a directory | [`Downloads`] |
//! | read a body as it arrives | [`Client::stream`], [`Client::fetch_into`] |
//! | fetch one file | [`Client::fetch_to_file`] |
//! | await a response in any async runtime | [`Client::submit`], after [`Client::ready`] |
//! | be called back | [`Client::fetch_async`] |
//! | fetch many into memory, each as it completes | [`Client::fetch_each`] |
//! | run a list on another engine than threads | [`FetchJob`] and [`HostSource`], with the crate `haul-engine` |
//!
//! Every limit is finite, and every default is safe: certificates are checked, a status of 400 or above is an
//! [`Error`], credentials go to the host that they are for, and redirects from https to http are refused.
//!
//! Features, all on by default, and each only adds: `tls` (https), `socks` (SOCKS proxies), `json` (`Request::json`,
//! `Response::json`), `cookies` (`CookieJar`), `codings` ([`Config::compressed`] understands gzip, deflate, br and
//! zstd). What a build lacks is an error that names the feature ([`Error::NotBuilt`]).
//!
//! # Programs
//!
//! Sends JSON, and looks at the status itself. Whatever is wrong with a request is told when it is sent:
//!
//! ```
//! # #[cfg(feature = "json")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use haul_fetch::{Client, Config, Request, StatusCode, serde_json};
//! # use std::time::Duration;
//! # let server = haul_testkit::Server::start(|_| haul_testkit::Answer::new(409));
//! # let (url, client) = (server.url("/"), Client::new(Config::default())?);
//! let value = serde_json::json!({ "name": "haul" });
//! let request = Request::post(url).json(&value).timeout(Duration::from_secs(5)).any_status();
//! let made = client.fetch(request)?;
//! # assert_eq!(made.status, StatusCode::CONFLICT);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "json"))]
//! # fn main() {}
//! ```
//!
//! Downloads a list into a directory. A later run continues what this one leaves, and skips what is complete:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use haul_fetch::{Client, Config, Downloads};
//! # let server = haul_testkit::Server::start(|_| haul_testkit::Answer::ok("hello"));
//! # let (dir, urls) = (tempfile::tempdir()?, [server.url("/a"), server.url("/b")]);
//! # let client = Client::new(Config::default())?;
//! let report = Downloads::new(&client).into_dir(dir.path()).per_host(4).run(urls)?.all()?;
//! println!("{} files, {} bytes", report.succeeded, report.bytes);
//! # assert_eq!(std::fs::read(dir.path().join("b"))?, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! Reads a body as it arrives, and copies one into a writer, which may be one that seals it:
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use haul_fetch::{Client, Config, Request};
//! # let server = haul_testkit::Server::start(|_| haul_testkit::Answer::ok("hello"));
//! # let (url, client) = (server.url("/"), Client::new(Config::default())?);
//! let (head, mut body) = client.stream(Request::get(&url))?;
//! let bytes = std::io::copy(&mut body, &mut std::io::sink())?;
//! # assert_eq!((head.status.as_u16(), bytes), (200, 5));
//! let mut receiver = Vec::new();
//! client.fetch_into(Request::get(&url), &mut receiver)?;
//! # assert_eq!(receiver, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! Awaits a response, in any async runtime or none:
//!
//! ```
//! # use haul_fetch::{Client, Config, Request, Response};
//! # struct Unparks(std::thread::Thread);
//! # impl std::task::Wake for Unparks {
//! #     fn wake(self: std::sync::Arc<Self>) {
//! #         self.0.unpark();
//! #     }
//! # }
//! async fn program(client: &Client, request: Request) -> Result<Response, Box<dyn std::error::Error>> {
//!     client.ready().await;
//!     Ok(client.submit(request)?.await?)
//! }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let server = haul_testkit::Server::start(|_| haul_testkit::Answer::ok("hello"));
//! # let client = Client::new(Config::default())?;
//! # let mut future = std::pin::pin!(program(&client, Request::get(server.url("/"))));
//! # let waker = std::task::Waker::from(std::sync::Arc::new(Unparks(std::thread::current())));
//! # let response = loop {
//! #     match future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
//! #         std::task::Poll::Ready(response) => break response?,
//! #         std::task::Poll::Pending => std::thread::park(),
//! #     }
//! # };
//! # assert_eq!(response.body, b"hello");
//! # Ok(())
//! # }
//! ```
//!
//! The folder `examples` has these as whole programs.
//!
//! # The rooms
//!
//! A URL goes from `downloads` through `list`, or from `client`, to `transfer`, on a connection from `route`, into
//! `body`. On its way `kept` tells what an earlier run left on disk, and a large file may take several connections in
//! `segments`. Results that don't become files go to `uploads` or `packs`. `cookies` and `names` are on the side.
//!
//! Owns: connections and their reuse, TLS, cookies, redirects, timeouts, retries, limits of hosts, where bodies are
//! written.
//! Does not own: the protocol's grammar ([`haul_http1`]), system calls ([`haul_io`]), engines ([`haul_engine`]).
#![forbid(unsafe_code)]

#[cfg(not(target_os = "linux"))]
compile_error!("haul-fetch works on Linux only");

/// The examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod body;
mod client;
#[cfg(feature = "cookies")]
mod cookies;
mod downloads;
mod error;
mod kept;
mod list;
mod names;
mod packs;
mod route;
mod segments;
mod transfer;
mod uploads;

pub use body::checksum::{Algorithm, BadChecksum, Checksum};
pub use body::coding::error::CodingError;
pub use body::expectation::Expected;
pub use client::config::{ClientIdentity, Config, HostLimits, Segments, Trust};
pub use client::each::Each;
pub use client::handle::{Callback, Client, NoRoom, NotSubmitted, Ready};
pub use client::observer::{Detail, Observer, TransferEvent};
pub use client::pending::Pending;
pub use client::reader::BodyReader;
pub use client::request::Request;
pub use client::request::body::RequestBody;
pub use client::response::Response;
pub use client::url_login::{Logins, UrlLogin};
#[cfg(feature = "cookies")]
pub use cookies::jar::{BadCookieLine, CookieJar};
pub use downloads::builder::Downloads;
pub use downloads::event::DownloadEvent;
pub use downloads::item::{DownloadItem, stays_inside};
pub use downloads::report::{DownloadFailure, DownloadReport, SomeFailed};
pub use error::certificate_fault::CertificateFault;
pub use error::failed::Failed;
pub use error::tls::TlsError;
pub use error::{Error, Fault, Phase};
pub use haul_engine::Closing;
pub use haul_http1::{Limits, ProtocolError, RequestError};
pub use haul_io::{
    Cancel, ChunkedFormat, Durability, Existing, File, Names, NamesLimits, Preserve, Publish, Shortfalls,
};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
pub use list::job::FetchJob;
pub use list::progress::Retry;
pub use list::shared_limits::{Begin, HostChange, HostShare, LimitChange, SharedLimits};
pub use list::source::HostSource;
pub use list::task::{Destination, FetchTask, Fetched};
pub use names::checksum_list::{BadChecksumList, ChecksumList};
pub use names::disposition::disposition_name;
pub use names::reserved::unreserved;
pub use names::url_name::{basename, path_and_query_name, path_name};
pub use packs::name::PackName;
pub use route::host_override::{Family, HostOverride};
pub use route::proxy::{BadProxy, Bypass, Proxies, Proxy, ProxyKind};
pub use route::proxy_error::ProxyError;
#[doc(hidden)]
pub use segments::segmented::Segmented;
/// JSON values, for [`Request::json`] and [`Response::json`].
#[cfg(feature = "json")]
pub use serde_json;
pub use transfer::times::Times;
pub use uploads::uploader::{Upload, UploadAbout, UploadName, Uploaded, Uploader};
pub use url::Url;
