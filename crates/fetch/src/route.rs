//! The route room: from an origin to a connection that carries HTTP.
//!
//! Enters: the URL of a request, the client's settings for proxies, addresses and trust.
//! Leaves: a [`connection::Connection`], new or reused from the [`pool::Pool`].
//! Not to be touched from outside: how a connection is set up (DNS, sockets, TLS handshakes, CONNECT, SOCKS).

mod addresses;
pub(crate) mod connection;
pub(crate) mod hops;
pub(crate) mod host_override;
pub(crate) mod host_pause;
pub(crate) mod origin;
pub(crate) mod pool;
pub(crate) mod proxy;
pub(crate) mod proxy_error;
#[cfg(feature = "socks")]
mod socks;
pub(crate) mod tls;
mod tunnel;
pub(crate) mod wire;
