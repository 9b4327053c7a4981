//! Zones of link-local IPv6 addresses in URLs: `http://[fe80::1%25eth0]/`.
//!
//! The URL standard knows no zones. So the number of the interface takes the place of bits that are always zero in a
//! link-local address (RFC 4291, section 2.5.6, says 54 of them), as in the kernels that descend from KAME: URLs with
//! different zones are of different hosts then, wherever hosts are compared. It is taken out again for the connection.
//! Servers don't see it: RFC 6874, section 1, forbids to send zones.
//!
//! Owns: both directions, the spellings of zones.
//! Does not own: the numbers of interfaces ([`haul_io::interface_index`]).
//!
//! Source: RFC 6874 (`%25` before the zone; a bare `%` is common too), RFC 4007, section 11 (zones).

use std::borrow::Cow;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};

use url::{Host, Url};

/// `url`, its zone hidden in the address if it has one.
///
/// # Errors
/// If the zone isn't an interface of this machine, or the address isn't link-local.
pub(crate) fn hide(url: &str) -> Result<Cow<'_, str>, &'static str> {
    let Some((from, host)) = bracketed(url).filter(|(_, host)| host.contains('%')) else {
        return Ok(Cow::Borrowed(url));
    };
    let (address, zone) = host.split_once('%').unwrap_or((host, ""));
    let zone = zone.strip_prefix("25").filter(|zone| !zone.is_empty()).unwrap_or(zone);
    let address: Ipv6Addr = address.parse().map_err(|_| "malformed IPv6 address")?;
    if !is_link_local(address) || zone_of(address) != 0 {
        return Err("only link-local addresses have a zone");
    }
    let index = index_of(zone).ok_or("no network interface has the name of the zone")?;
    let (before, after) = (&url[..from], &url[from + host.len()..]);
    Ok(Cow::Owned(format!("{before}{}{after}", with_zone(address, index))))
}

/// `url`, in the zone of `base` if both are link-local and it has none of its own: a server doesn't know the zone that
/// its client reaches it by.
pub(crate) fn inherit(url: &mut Url, base: &Url) {
    let (Some(Host::Ipv6(address)), Some(Host::Ipv6(base))) = (url.host(), base.host()) else { return };
    if is_link_local(address) && zone_of(address) == 0 && is_link_local(base) {
        // It can't fail for a URL that has a host already.
        let _ = url.set_ip_host(with_zone(address, zone_of(base)).into());
    }
}

/// The address to connect to.
pub(crate) fn socket_address(address: Ipv6Addr, port: u16) -> SocketAddr {
    let zone = if is_link_local(address) { zone_of(address) } else { 0 };
    let address = if zone == 0 { address } else { with_zone(address, 0) };
    SocketAddrV6::new(address, port, 0, zone).into()
}

/// `host`, as a URL has it, without its zone.
pub(crate) fn visible(host: &str) -> Cow<'_, str> {
    let bare =
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).and_then(|host| host.parse().ok());
    match bare {
        Some(address) if is_link_local(address) && zone_of(address) != 0 => {
            Cow::Owned(format!("[{}]", with_zone(address, 0)))
        }
        _ => Cow::Borrowed(host),
    }
}

/// What stands in brackets in the host of `url`, and where.
fn bracketed(url: &str) -> Option<(usize, &str)> {
    let start = if url.starts_with("//") { 2 } else { url.find("://")? + 3 };
    let end = url[start..].find(['/', '?', '#', '\\']).map_or(url.len(), |end| start + end);
    let authority = &url[start..end];
    let host = start + authority.rfind('@').map_or(0, |at| at + 1);
    let inside = url[host..end].strip_prefix('[')?;
    Some((host + 1, &inside[..inside.find(']')?]))
}

/// The number of the interface `zone`, which is a number or a name.
fn index_of(zone: &str) -> Option<u32> {
    let zone = percent_encoding::percent_decode_str(zone).decode_utf8().ok()?;
    let index = zone.parse().ok().or_else(|| haul_io::interface_index(&zone).ok());
    index.filter(|index| *index != 0)
}

fn is_link_local(address: Ipv6Addr) -> bool {
    address.is_unicast_link_local()
}

fn zone_of(address: Ipv6Addr) -> u32 {
    let [_, _, high, low, ..] = address.segments();
    u32::from(high) << 16 | u32::from(low)
}

fn with_zone(address: Ipv6Addr, zone: u32) -> Ipv6Addr {
    let mut segments = address.segments();
    (segments[2], segments[3]) = ((zone >> 16) as u16, zone as u16);
    segments.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_hidden_in_link_local_addresses() {
        let lo = haul_io::interface_index("lo").unwrap();
        let hidden = with_zone("fe80::1".parse().unwrap(), lo);
        for (url, expected) in [
            ("http://[fe80::1%25lo]:81/x?y#z".to_owned(), Some(format!("http://[{hidden}]:81/x?y#z"))),
            ("http://[fe80::1%lo]".to_owned(), Some(format!("http://[{hidden}]"))),
            (format!("//u:p@[fe80::1%25{lo}]/[a%b]"), Some(format!("//u:p@[{hidden}]/[a%b]"))),
            ("http://[fe80::1%2525]/".to_owned(), Some("http://[fe80:0:0:19::1]/".to_owned())),
            ("http://[fe80::1]/%25lo".to_owned(), Some("http://[fe80::1]/%25lo".to_owned())),
            ("/[fe80::1%25lo]".to_owned(), Some("/[fe80::1%25lo]".to_owned())),
            ("http://h/[::1%25lo]".to_owned(), Some("http://h/[::1%25lo]".to_owned())),
            ("http://[fe80::1%25no-such-interface]/".to_owned(), None),
            ("http://[fe80::1%25]/".to_owned(), Some("http://[fe80:0:0:19::1]/".to_owned())),
            ("http://[fe80::1%250]/".to_owned(), None),
            ("http://[::1%25lo]/".to_owned(), None),
            ("http://[fe80:0:0:1::1%25lo]/".to_owned(), None),
            ("http://[nonsense%25lo]/".to_owned(), None),
        ] {
            assert_eq!(hide(&url).ok().map(Cow::into_owned), expected, "{url}");
        }
    }

    #[test]
    fn a_zone_is_for_the_connection_and_not_for_the_server() {
        let hidden: Ipv6Addr = "fe80:0:0:7::1".parse().unwrap();
        let expected = SocketAddrV6::new("fe80::1".parse().unwrap(), 80, 0, 7);
        assert_eq!(socket_address(hidden, 80), SocketAddr::V6(expected));
        assert_eq!(
            socket_address("2001:db8::7:0:0:1".parse().unwrap(), 80).to_string(),
            "[2001:db8::7:0:0:1]:80"
        );
        assert_eq!(socket_address("fe80::1".parse().unwrap(), 80).to_string(), "[fe80::1]:80");
        for (host, expected) in
            [("[fe80:0:0:7::1]", "[fe80::1]"), ("[2001:db8:0:7::1]", "[2001:db8:0:7::1]"), ("h", "h")]
        {
            assert_eq!(visible(host), expected);
        }
    }

    #[test]
    fn a_location_without_a_zone_is_in_that_of_its_server() {
        for (base, url, expected) in [
            ("http://[fe80:0:0:7::1]/", "http://[fe80::2]/x", "http://[fe80:0:0:7::2]/x"),
            ("http://[fe80:0:0:7::1]/", "http://[fe80:0:0:8::2]/x", "http://[fe80:0:0:8::2]/x"),
            ("http://[2001:db8:0:7::1]/", "http://[fe80::2]/x", "http://[fe80::2]/x"),
            ("http://[fe80:0:0:7::1]/", "http://[2001:db8::2]/x", "http://[2001:db8::2]/x"),
            ("http://[fe80:0:0:7::1]/", "http://h/x", "http://h/x"),
        ] {
            let mut url = Url::parse(url).unwrap();
            inherit(&mut url, &Url::parse(base).unwrap());
            assert_eq!(url.as_str(), expected);
        }
    }
}
