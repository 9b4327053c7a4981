//! The way to servers: proxies, client certificates and address families, from the options and the environment.
//!
//! Owns: which of the two wins, the names of the variables.
//! Does not own: the rules of proxies ([`haul_fetch::Proxies`]).
//!
//! Source: curl's manual, "Environment". http_proxy counts in lower case only, because a CGI program gets HTTP_PROXY
//! from the client's request. The other variables count in both cases, lower case first.

use haul_fetch::{Bypass, ClientIdentity, Family, Proxies, Proxy};

use crate::args::NetworkArgs;
use crate::report::exit::Problem;

const HTTP: [&str; 1] = ["http_proxy"];
const HTTPS: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
const ALL: [&str; 2] = ["all_proxy", "ALL_PROXY"];
const NONE: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The variables that name proxies.
pub(crate) const PROXY_VARIABLES: [&str; 7] = [HTTP[0], HTTPS[0], HTTPS[1], ALL[0], ALL[1], NONE[0], NONE[1]];

/// The proxies of the environment. `variable` looks a variable up.
pub(crate) fn variable_proxies(variable: impl Fn(&str) -> Option<String>) -> Result<Proxies, Problem> {
    chosen_proxies(None, None, variable)
}

/// The proxies of the options, or else of the environment. `variable` looks a variable up.
pub(super) fn proxies(
    args: &NetworkArgs,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Proxies, Problem> {
    chosen_proxies(args.proxy.as_deref(), args.noproxy.as_deref(), variable)
}

fn chosen_proxies(
    proxy: Option<&str>,
    bypass: Option<&str>,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Proxies, Problem> {
    let first = |names: &[&'static str]| {
        let mut set = names.iter().filter_map(|name| Some((*name, variable(name)?)));
        set.find(|(_, value)| !value.is_empty())
    };
    let of = |names: &[&'static str]| match first(names).or_else(|| first(&ALL)) {
        None => Ok(None),
        Some((name, value)) => parse_proxy(&format!("the variable {name}"), &value).map(Some),
    };
    let (http, https) = match proxy {
        None => (of(&HTTP)?, of(&HTTPS)?),
        Some("") => (None, None),
        Some(text) => {
            let proxy = parse_proxy("--proxy", text)?;
            (Some(proxy.clone()), Some(proxy))
        }
    };
    let bypass = bypass.map(str::to_owned).or_else(|| first(&NONE).map(|(_, value)| value));
    Ok(Proxies { http, https, bypass: Bypass::parse(&bypass.unwrap_or_default()) })
}

/// Parses a proxy. The message doesn't quote `value`, which may hold a password. `source` says where it comes from.
fn parse_proxy(source: &str, value: &str) -> Result<Proxy, Problem> {
    let proxy: Proxy = value.parse().map_err(|error: haul_fetch::BadProxy| {
        Problem::usage(format!("{source} isn't a valid proxy URL")).hint(error.to_string())
    })?;
    Ok(proxy.set_by(source))
}

/// The client certificate for servers that ask for one.
pub(super) fn identity(args: &NetworkArgs) -> Option<ClientIdentity> {
    let certificates = args.cert.clone()?;
    let key = args.key.clone().unwrap_or_else(|| certificates.clone());
    Some(ClientIdentity { certificates, key })
}

/// The address family to use.
pub(super) fn family(args: &NetworkArgs) -> Family {
    match (args.ipv4, args.ipv6) {
        (true, _) => Family::V4,
        (_, true) => Family::V6,
        _ => Family::Any,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{Args, FromArgMatches};

    fn found(args: &[&str], variables: &[(&str, &str)]) -> Result<[Option<String>; 3], Problem> {
        let command = NetworkArgs::augment_args(clap::Command::new("get").no_binary_name(true));
        let args = NetworkArgs::from_arg_matches(&command.get_matches_from(args)).unwrap();
        let variable = |name: &str| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        };
        let proxies = proxies(&args, variable)?;
        Ok(["http://a/", "https://a/", "http://exempt/"].map(|url| {
            let url = url::Url::parse(url).unwrap();
            proxies.of(&url).map(|proxy| format!("{proxy:?}").rsplit(' ').next().unwrap().to_owned())
        }))
    }

    #[test]
    fn options_override_the_environment() {
        let both =
            [("http_proxy", "h:1"), ("https_proxy", "s:2"), ("HTTPS_PROXY", "x:3"), ("no_proxy", "exempt")];
        for (args, variables, http, https, exempt) in [
            (&[][..], &[][..], None, None, None),
            (&[], &both, Some("h:1"), Some("s:2"), None),
            (&["--proxy", "p:9"], &both, Some("p:9"), Some("p:9"), None),
            (&["--proxy", "p:9", "--noproxy", "b"], &both, Some("p:9"), Some("p:9"), Some("p:9")),
            (&["--proxy", ""], &both, None, None, None),
            (&["--noproxy", "*"], &both, None, None, None),
            (&["--noproxy", ""], &both, Some("h:1"), Some("s:2"), Some("h:1")),
            (&[], &[("HTTP_PROXY", "x:1")], None, None, None),
            (&[], &[("HTTPS_PROXY", "x:1")], None, Some("x:1"), None),
            (&[], &[("ALL_PROXY", "x:1"), ("https_proxy", "s:2")], Some("x:1"), Some("s:2"), Some("x:1")),
            (&[], &[("all_proxy", "x:1"), ("http_proxy", "")], Some("x:1"), Some("x:1"), Some("x:1")),
            (&[], &[("all_proxy", "x:1"), ("NO_PROXY", "a, exempt")], None, None, None),
        ] {
            let expected = [http, https, exempt].map(|proxy| proxy.map(str::to_owned));
            assert_eq!(found(args, variables).unwrap(), expected, "{args:?} {variables:?}");
        }
        let problem = found(&[], &[("https_proxy", "gopher://me:hush@p")]).unwrap_err();
        assert_eq!(problem.message, "the variable https_proxy isn't a valid proxy URL");
        assert!(
            found(&["--proxy", "p"], &[("https_proxy", "gopher://p")]).is_ok(),
            "the variable isn't parsed"
        );
    }
}
