//! Settings for the addresses of hosts.
//!
//! Owns: fixed addresses for a host, the choice of an address family.
//! Does not own: looking addresses up ([`crate::route::addresses`]).

use std::net::{IpAddr, SocketAddr};

use url::Host;

/// The address family to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Family {
    /// Any.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// Fixed addresses for a host; these override DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostOverride {
    /// The name of the host; without brackets if it is an IPv6 address.
    pub host: String,
    /// The port that the override applies to.
    pub port: u16,
    /// The addresses, in the order in which they are tried.
    pub addresses: Vec<IpAddr>,
}

impl Family {
    pub(crate) fn has(self, address: SocketAddr) -> bool {
        match self {
            Self::Any => true,
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
        }
    }
}

pub(crate) fn known<'a>(all: &'a [HostOverride], host: &Host<String>, port: u16) -> Option<&'a HostOverride> {
    let name = host.to_string();
    let name = name.trim_matches(['[', ']']);
    // The last one counts, as for every option that is given twice.
    all.iter().rev().find(|known| known.port == port && known.host.eq_ignore_ascii_case(name))
}
