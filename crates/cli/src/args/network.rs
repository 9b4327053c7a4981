//! What was typed of how `haul get` reaches servers.
//!
//! Owns: these options, their grammar and their help.
//! Does not own: the environment ([`crate::get`] reads it).

use std::path::PathBuf;

use haul_fetch::HostOverride;

/// How servers are reached.
#[derive(clap::Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArgs {
    /// Go through this proxy: http://, https://, socks5:// or socks5h://, with NAME:PASSWORD@ before the host and :PORT behind it where
    /// needed; empty for none. Otherwise http_proxy, https_proxy and all_proxy count
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// Hosts that are reached without a proxy, separated by commas (* for all). Otherwise no_proxy counts
    #[arg(long, value_name = "LIST")]
    pub(crate) noproxy: Option<String>,
    /// What a host's name stands for; repeatable
    #[arg(long, value_name = "HOST:PORT:ADDR[,ADDR]", value_parser = known)]
    pub(crate) resolve: Vec<HostOverride>,
    /// Connect to this socket in the file system, whatever the URL's host
    #[arg(long, value_name = "PATH", conflicts_with_all = ["proxy", "resolve", "ipv4", "ipv6"])]
    pub(crate) unix_socket: Option<PathBuf>,
    /// Bytes a second, over all transfers (k, M and G stand for 1000, 1000², 1000³)
    #[arg(long, value_name = "BYTES/S", value_parser = speed)]
    pub(crate) limit_rate: Option<u64>,
    /// Give up a transfer that is slower than this for 30 seconds
    #[arg(long, value_name = "BYTES/S", value_parser = speed)]
    pub(crate) min_speed: Option<u64>,
    /// The certificate to show to servers that ask for one, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// Its private key, in PEM, where --cert doesn't have it
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,
}

/// A number of bytes, as 500k.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let (digits, factor) = match text.strip_suffix(['k', 'M', 'G']) {
        None => (text, 1),
        Some(digits) if text.ends_with('k') => (digits, 1_000),
        Some(digits) if text.ends_with('M') => (digits, 1_000_000),
        Some(digits) => (digits, 1_000_000_000),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    bytes.ok_or_else(|| "a number of bytes, as 500k".to_owned())
}

fn speed(text: &str) -> Result<u64, String> {
    let speed = bytes(text).ok().filter(|speed| *speed > 0);
    speed.ok_or_else(|| "a number of bytes a second, as 500k".to_owned())
}

fn known(text: &str) -> Result<HostOverride, String> {
    parse_known(text).ok_or_else(|| "a name, a port and an address, as example.org:443:10.0.0.1".to_owned())
}

fn parse_known(text: &str) -> Option<HostOverride> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:")?,
        None => text.split_once(':')?,
    };
    let (port, addresses) = rest.split_once(':')?;
    let addresses = addresses.split(',').map(|address| address.trim_matches(['[', ']']).parse().ok());
    let addresses: Option<Vec<_>> = addresses.collect();
    (!host.is_empty()).then_some(HostOverride {
        host: host.to_owned(),
        port: port.parse().ok()?,
        addresses: addresses?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_have_units() {
        for (text, bytes) in [("1", 1), ("500k", 500_000), ("2M", 2_000_000), ("3G", 3_000_000_000)] {
            assert_eq!(speed(text), Ok(bytes));
            assert_eq!(super::bytes(text), Ok(bytes));
        }
        assert_eq!(bytes("0"), Ok(0));
        for text in ["", "0", "k", "-1", "1.5M", "1m", "99999999999999G"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_are_given_addresses() {
        for (text, host, port, count) in [
            ("a.b:80:10.0.0.1", "a.b", 80, 1),
            ("a.b:443:10.0.0.1,[::1],::2", "a.b", 443, 3),
            ("[::1]:80:::2", "::1", 80, 1),
        ] {
            let known = known(text).unwrap();
            let found = (known.host.as_str(), known.port, known.addresses.len());
            assert_eq!(found, (host, port, count), "{text}");
        }
        for text in ["", "a", "a:80", "a:80:", "a:x:10.0.0.1", "a:80:b", ":80:10.0.0.1", "a:80:10.0.0.1,"] {
            assert!(known(text).is_err(), "{text}");
        }
    }
}
