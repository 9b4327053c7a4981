//! The options of `haul get` for the way to servers.
//!
//! Owns: their grammar and help.
//! Does not own: the variables that apply without them ([`crate::get::network`]).

use std::path::PathBuf;

use haul_fetch::HostOverride;

use super::units::speed;

/// The way to servers.
#[derive(clap::Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArgs {
    /// The proxy: an http://, https://, socks5:// or socks5h:// URL, with NAME:PASSWORD@ and :PORT if needed; empty for
    /// none. Default: http_proxy, https_proxy and all_proxy
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// Hosts to reach without a proxy, separated by commas (* for all). Default: no_proxy
    #[arg(long, value_name = "LIST")]
    pub(crate) noproxy: Option<String>,
    /// Fixed addresses for a host, which override DNS; repeatable
    #[arg(long, value_name = "HOST:PORT:ADDR[,ADDR]", value_parser = host_override)]
    pub(crate) resolve: Vec<HostOverride>,
    /// Connect to this Unix domain socket, whatever the URL's host
    #[arg(long, value_name = "PATH", conflicts_with_all = ["proxy", "resolve", "ipv4", "ipv6"])]
    pub(crate) unix_socket: Option<PathBuf>,
    /// Maximum bytes per second over all transfers, such as 500k, 1.5M or 1MiB
    #[arg(long, value_name = "BYTES/S", value_parser = speed)]
    pub(crate) limit_rate: Option<u64>,
    /// Abort a transfer that is slower than this for 30 seconds
    #[arg(long, value_name = "BYTES/S", value_parser = speed)]
    pub(crate) min_speed: Option<u64>,
    /// The client certificate, in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// Its private key, in PEM, if the file of --cert doesn't hold it
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(crate) key: Option<PathBuf>,
    /// Use IPv4 only
    #[arg(short = '4', long, conflicts_with = "ipv6")]
    pub(crate) ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long)]
    pub(crate) ipv6: bool,
}

fn host_override(text: &str) -> Result<HostOverride, String> {
    parse_host_override(text)
        .ok_or_else(|| "expected a host, a port and addresses, such as example.org:443:10.0.0.1".to_owned())
}

fn parse_host_override(text: &str) -> Option<HostOverride> {
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
    fn hosts_are_given_addresses() {
        for (text, host, port, count) in [
            ("a.b:80:10.0.0.1", "a.b", 80, 1),
            ("a.b:443:10.0.0.1,[::1],::2", "a.b", 443, 3),
            ("[::1]:80:::2", "::1", 80, 1),
        ] {
            let known = host_override(text).unwrap();
            let found = (known.host.as_str(), known.port, known.addresses.len());
            assert_eq!(found, (host, port, count), "{text}");
        }
        for text in ["", "a", "a:80", "a:80:", "a:x:10.0.0.1", "a:80:b", ":80:10.0.0.1", "a:80:10.0.0.1,"] {
            assert!(host_override(text).is_err(), "{text}");
        }
    }
}
