//! The addresses of a host, as the settings say.
//!
//! Owns: the precedence of overrides, the choice of a family.
//! Does not own: DNS ([`haul_io::Io::resolve`]), the order of connection attempts.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use haul_io::Io;
use url::Host;

use crate::client::zone;
use crate::route::host_override::known;
use crate::{Config, Error};

/// A lookup that failed after this time had no answer: the system's resolver has asked several times already.
const SILENCE: Duration = Duration::from_secs(2);

/// The addresses of `host`; at least one. A lookup takes at most `timeout`.
pub(crate) async fn addresses(
    io: &impl Io,
    config: &Config,
    host: &Host<String>,
    port: u16,
    timeout: Duration,
) -> Result<Vec<SocketAddr>, Error> {
    let found = match (known(&config.host_overrides, host, port), host) {
        (Some(known), _) => known.addresses.iter().map(|address| SocketAddr::new(*address, port)).collect(),
        (None, Host::Ipv4(address)) => vec![SocketAddr::new((*address).into(), port)],
        (None, Host::Ipv6(address)) => vec![zone::socket_address(*address, port)],
        (None, Host::Domain(name)) => {
            let started = io.now();
            let resolved = io.resolve(&config.names, name, port, timeout).await;
            resolved.map_err(|error| unresolved(error, io.now() - started))?
        }
    };
    let fitting: Vec<_> = found.into_iter().filter(|address| config.family.has(*address)).collect();
    if fitting.is_empty() {
        return Err(Error::Resolve(io::Error::other("no address of the requested family")));
    }
    Ok(fitting)
}

fn unresolved(error: io::Error, took: Duration) -> Error {
    if haul_io::is_cancelled(&error) {
        Error::Cancelled
    } else if haul_io::is_try_again(&error) && took >= SILENCE {
        Error::Resolve(io::Error::new(io::ErrorKind::TimedOut, "the name servers don't answer"))
    } else {
        Error::Resolve(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Family, HostOverride};
    use haul_io::{Blocking, Cancel, run_ready};

    #[test]
    fn what_is_known_is_not_asked_for() {
        let known = |host: &str, addresses: &[&str]| HostOverride {
            host: host.to_owned(),
            port: 80,
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        };
        let config = |family| Config {
            family,
            host_overrides: vec![known("a.invalid", &["10.0.0.9"]), known("A.invalid", &["10.0.0.1", "::2"])],
            ..Config::default()
        };
        let io = Blocking::new(Cancel::new().unwrap());
        let find = |family, host: &str, port| {
            let host = Host::parse(host).unwrap();
            let found =
                run_ready(addresses(&io, &config(family), &host, port, Duration::from_secs(30))).ok()?;
            Some(found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        for (family, host, port, found) in [
            (Family::Any, "a.invalid", 80, Some("10.0.0.1:80 [::2]:80")),
            (Family::V4, "a.invalid", 80, Some("10.0.0.1:80")),
            (Family::V6, "A.INVALID", 80, Some("[::2]:80")),
            (Family::Any, "127.0.0.1", 81, Some("127.0.0.1:81")),
            (Family::V6, "127.0.0.1", 81, None),
            (Family::Any, "[::1]", 81, Some("[::1]:81")),
            (Family::Any, "a.invalid", 81, None),
        ] {
            assert_eq!(find(family, host, port).as_deref(), found, "{family:?} {host}:{port}");
        }
    }
}
