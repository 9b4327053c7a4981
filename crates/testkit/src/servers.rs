//! Servers and proxies on the loopback interface that do exactly what a test tells them.
//!
//! Enters: a handler from request to answer, and the faults to produce.
//! Leaves: addresses, the requests that arrived, the order of events.
//! Private to this room: sockets, threads, the framing of answers (`head`), the stop that ends a server.

pub(crate) mod answer;
pub(crate) mod connection;
pub(crate) mod fake_store;
pub(crate) mod gate;
mod head;
pub(crate) mod nginx;
mod ranged;
pub(crate) mod redis;
pub(crate) mod refused;
pub(crate) mod request;
pub(crate) mod server;
pub(crate) mod socks;
pub(crate) mod tls;
pub(crate) mod weed;
