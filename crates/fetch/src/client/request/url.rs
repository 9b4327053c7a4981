//! The URLs of requests.
//!
//! Owns: which URLs can be fetched.
//! Does not own: zones in them ([`crate::client::zone`]), credentials in them ([`crate::UrlLogin`]).

use url::Url;

use crate::client::zone;

/// The URL of a request whose own isn't one. Such a request is never sent.
const NO_URL: &str = "http://invalid/";

/// The URL in `text`, or why there is none.
pub(super) fn parse(text: &str) -> Result<Url, String> {
    let text = zone::hide(text)?;
    let url = Url::parse(&text).map_err(malformed)?;
    check_url(&url)?;
    Ok(url)
}

pub(super) fn no_url() -> Url {
    Url::parse(NO_URL).expect("a constant URL")
}

/// Why a text isn't a URL. The text is not quoted: it may contain a password.
fn malformed(error: url::ParseError) -> String {
    match error {
        url::ParseError::RelativeUrlWithoutBase => "the URL has no scheme".to_owned(),
        other => other.to_string(),
    }
}

/// Checks that `url` can be fetched.
pub(crate) fn check_url(url: &Url) -> Result<(), &'static str> {
    match url.scheme() {
        "http" | "https" => {}
        // A host and a port, which read as a scheme and a path.
        _ if !url.has_host() && url.path().starts_with(|first: char| first.is_ascii_digit()) => {
            return Err("the URL has no scheme");
        }
        _ => return Err("only http and https can be fetched"),
    }
    if !url.has_host() {
        return Err("the URL has no host");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials in a URL are not supported");
    }
    Ok(())
}
