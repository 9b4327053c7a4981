//! User name and password in a URL.
//!
//! Owns: taking them out of a URL, finding those of a host that a redirect leads to.
//! Does not own: sending them ([`crate::Request::basic_auth`]), hiding them in messages.
//!
//! Source: RFC 3986 section 3.2.1. RFC 9110 section 4.2.4 forbids to send them within a URL.

use std::fmt;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::client::zone;

/// The user name and the password that a URL contained.
#[derive(Clone, PartialEq, Eq)]
pub struct UrlLogin {
    /// The user name, decoded.
    pub name: String,
    /// The password, decoded; empty if there was none.
    pub password: String,
}

impl UrlLogin {
    /// Splits `url` into the URL without credentials and the credentials. `None` if it isn't a URL or contains none,
    /// or if they aren't UTF-8.
    pub fn take(url: &str) -> Option<(String, Self)> {
        // Most URLs have none, and parsing one only to find that out costs as much as making its request.
        if !url.contains('@') {
            return None;
        }
        let mut url = Url::parse(&zone::hide(url).ok()?).ok()?;
        if url.username().is_empty() && url.password().is_none() {
            return None;
        }
        let decoded = |text: &str| Some(percent_decode_str(text).decode_utf8().ok()?.into_owned());
        let login =
            Self { name: decoded(url.username())?, password: decoded(url.password().unwrap_or_default())? };
        url.set_username("").ok()?;
        url.set_password(None).ok()?;
        Some((url.into(), login))
    }
}

impl fmt::Debug for UrlLogin {
    /// Neither the name, which may be a token, nor the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UrlLogin(…)")
    }
}

/// The logins of hosts that a redirect may lead to.
#[derive(Clone)]
pub struct Logins(Arc<Lookup>);

/// From the name of a host to the login for it.
type Lookup = dyn Fn(&str) -> Option<UrlLogin> + Send + Sync;

impl Logins {
    /// `login` returns the login of a host, if there is one.
    pub fn new(login: impl Fn(&str) -> Option<UrlLogin> + Send + Sync + 'static) -> Self {
        Self(Arc::new(login))
    }

    /// The login of the host of `url`.
    pub(crate) fn of(&self, url: &Url) -> Option<UrlLogin> {
        (self.0)(url.host_str()?)
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Logins(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_taken_out_of_urls() {
        for (url, parts) in [
            ("http://ada:s%40cret@h:81/p@q?r@s#t", Some(("http://h:81/p@q?r@s#t", "ada", "s@cret"))),
            ("https://token@h", Some(("https://h/", "token", ""))),
            ("http://:pass@h/", Some(("http://h/", "", "pass"))),
            ("http:ada:b@h/", Some(("http://h/", "ada", "b"))),
            ("http://a:b:c@h/", Some(("http://h/", "a", "b:c"))),
            ("http://h/a@b", None),
            ("http://%ff:x@h/", None),
            ("h/a", None),
        ] {
            let found = UrlLogin::take(url);
            let found = found.as_ref().map(|(url, login)| (url.as_str(), &*login.name, &*login.password));
            assert_eq!(found, parts, "{url}");
        }
    }
}
