//! The way to a server: certificates, proxies, sockets, names.

#[cfg(feature = "tls")]
mod certificates;
#[cfg(feature = "tls")]
mod identity;
mod proxies;
#[cfg(feature = "tls")]
mod secure_proxies;
mod ways;
