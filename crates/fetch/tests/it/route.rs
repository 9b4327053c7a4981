//! The way to a server: certificates, proxies, sockets, names.

mod certificates;
mod identity;
mod proxies;
mod secure_proxies;
mod ways;
