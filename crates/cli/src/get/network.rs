//! The way to servers: proxies, client certificates and address families, from options, variables and settings.
//!
//! Owns: which of them wins, the names of the variables that other programs read too.
//! Does not own: the rules of proxies ([`haul_fetch::Proxies`]).
//!
//! Source: curl's manual, "Environment". http_proxy counts in lower case only, because a CGI program gets HTTP_PROXY
//! from the client's request. The other variables count in both cases, lower case first.

use haul_fetch::{Bypass, ClientIdentity, Family, Proxies, Proxy};

use crate::args::NetworkArgs;
use crate::report::exit::Problem;
use crate::run::environment::Environment;
use crate::settings::values::{Origin, Setting};

const HTTP: [&str; 1] = ["http_proxy"];
const HTTPS: [&str; 2] = ["https_proxy", "HTTPS_PROXY"];
const ALL: [&str; 2] = ["all_proxy", "ALL_PROXY"];
const NONE: [&str; 2] = ["no_proxy", "NO_PROXY"];

/// The kinds of URLs that may have different proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// The proxy of such URLs unless an option names another: of `HAUL_PROXY`, else of the variables that curl reads, else
/// of the configuration file.
pub(crate) fn proxy_in_force(environment: &Environment, scheme: Scheme) -> Option<Setting<String>> {
    let variables = match scheme {
        Scheme::Http => HTTP.as_slice(),
        Scheme::Https => HTTPS.as_slice(),
    };
    in_force(environment, environment.settings.proxy.as_ref(), &[variables, &ALL].concat())
}

/// The hosts to reach without a proxy, unless an option names them; from the same origins.
pub(crate) fn noproxy_in_force(environment: &Environment) -> Option<Setting<String>> {
    in_force(environment, environment.settings.noproxy.as_ref(), &NONE)
}

fn in_force(
    environment: &Environment,
    setting: Option<&Setting<String>>,
    variables: &[&'static str],
) -> Option<Setting<String>> {
    let of_variable = |name: &&'static str| {
        let value = environment.text(name).filter(|value| !value.is_empty())?.to_owned();
        Some(Setting { value, origin: Origin::Variable(name) })
    };
    match setting {
        Some(setting) if matches!(setting.origin, Origin::Variable(_)) => Some(setting.clone()),
        _ => variables.iter().find_map(of_variable).or_else(|| setting.cloned()),
    }
}

/// The proxies of the options, or else those in force without them.
pub(super) fn proxies(args: &NetworkArgs, environment: &Environment) -> Result<Proxies, Problem> {
    chosen(args.proxy.as_deref(), args.noproxy.as_deref(), environment)
}

/// The proxies where no option names any.
pub(crate) fn default_proxies(environment: &Environment) -> Result<Proxies, Problem> {
    chosen(None, None, environment)
}

fn chosen(proxy: Option<&str>, bypass: Option<&str>, environment: &Environment) -> Result<Proxies, Problem> {
    let of = |scheme| match proxy_in_force(environment, scheme).filter(|proxy| !proxy.value.is_empty()) {
        None => Ok(None),
        Some(Setting { value, origin: Origin::Variable(name) }) => {
            parse_proxy(&format!("the variable {name}"), &value).map(Some)
        }
        Some(Setting { value, origin: Origin::Line(line) }) => {
            parse_proxy(&format!("line {line} of the configuration file"), &value).map(Some)
        }
    };
    let (http, https) = match proxy {
        None => (of(Scheme::Http)?, of(Scheme::Https)?),
        Some("") => (None, None),
        Some(text) => {
            let proxy = parse_proxy("--proxy", text)?;
            (Some(proxy.clone()), Some(proxy))
        }
    };
    let bypass = bypass.map(str::to_owned).or_else(|| noproxy_in_force(environment).map(|hosts| hosts.value));
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

    fn found(args: &[&str], environment: &Environment) -> Result<[Option<String>; 3], Problem> {
        let command = NetworkArgs::augment_args(clap::Command::new("get").no_binary_name(true));
        let args = NetworkArgs::from_arg_matches(&command.get_matches_from(args)).unwrap();
        let proxies = proxies(&args, environment)?;
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
            assert_eq!(found(args, &Environment::of(variables)).unwrap(), expected, "{args:?} {variables:?}");
        }
        let problem = found(&[], &Environment::of(&[("https_proxy", "gopher://me:hush@p")])).unwrap_err();
        assert_eq!(problem.message, "the variable https_proxy isn't a valid proxy URL");
        assert!(
            found(&["--proxy", "p"], &Environment::of(&[("https_proxy", "gopher://p")])).is_ok(),
            "the variable isn't parsed"
        );
    }

    #[test]
    fn the_variable_of_a_setting_counts_before_those_of_curl_and_the_file_after_them() {
        let setting = |origin| Some(Setting { value: "s:1".to_owned(), origin });
        let of = |proxy: Option<Setting<String>>, variables: &[(&str, &str)]| {
            let mut environment = Environment::of(variables);
            environment.settings.proxy = proxy;
            found(&[], &environment).unwrap()
        };
        let both = |http: &str, https: &str| [http, https, http].map(|proxy| Some(proxy.to_owned()));
        let variables = [("http_proxy", "h:1")];
        assert_eq!(of(setting(Origin::Variable("HAUL_PROXY")), &variables), both("s:1", "s:1"));
        assert_eq!(of(setting(Origin::Line(1)), &variables), both("h:1", "s:1"));
        let mut environment = Environment::of(&[]);
        environment.settings.proxy =
            Some(Setting { value: "gopher://p".to_owned(), origin: Origin::Line(7) });
        let problem = found(&[], &environment).unwrap_err();
        assert_eq!(problem.message, "line 7 of the configuration file isn't a valid proxy URL");
    }
}
