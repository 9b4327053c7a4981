//! Keys from the machine's surroundings: a container's agent, or the instance metadata service (IMDSv2).
//!
//! Owns: both protocols, and which hosts a container's token may be sent to.
//! Does not own: when keys are fetched ([`super::credentials`]).
//!
//! Source: AWS SDKs and Tools Reference Guide, "Container credential provider", "IMDS credential provider".

use std::net::IpAddr;
use std::time::Duration;

use haul_fetch::{Client, Config, Method, Request, RequestBody, Response};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::Error;
use crate::access::keys::Keys;

/// Agents of containers that listen beyond the loopback interface: ECS, EKS.
const AGENTS: [&str; 3] = ["169.254.170.2", "169.254.170.23", "fd00:ec2::23"];

/// The answer of both services.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Document {
    access_key_id: Option<String>,
    secret_access_key: Option<Zeroizing<String>>,
    token: Option<Zeroizing<String>>,
    expiration: Option<String>,
}

/// Whether a container's token may be sent to `url`: over TLS, to this machine, or to a known agent.
pub(super) fn is_trusted(url: &str) -> bool {
    let Ok(url) = url::Url::parse(url) else { return false };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let address: Option<IpAddr> = host.parse().ok();
    let is_near = address.is_some_and(|address| {
        address.is_loopback() || AGENTS.iter().any(|agent| agent.parse() == Ok(address))
    });
    url.scheme() == "https" || is_near || host == "localhost"
}

/// Asks the agent of a container.
pub(super) fn from_container(url: &str, token: Option<&str>) -> Result<Keys, Error> {
    let mut request = Request::get(url);
    if let Some(token) = token {
        request = request.header("Authorization", token.trim());
    }
    parse(&ask(request)?)
}

/// Asks the instance metadata service at `base`; none if nothing answers there.
pub(super) fn from_instance(base: &str) -> Result<Option<Keys>, Error> {
    let base = base.trim_end_matches('/');
    let request = Request::new(Method::PUT, format!("{base}/latest/api/token"));
    let request = request.header("X-aws-ec2-metadata-token-ttl-seconds", "21600");
    let Ok(session) = ask(request.body(RequestBody::bytes(""))) else { return Ok(None) };
    let session = text(&session)?;
    let get = |path: &str| {
        let request = Request::get(format!("{base}/latest/meta-data/iam/security-credentials/{path}"));
        ask(request.header("X-aws-ec2-metadata-token", session))
    };
    let roles = get("")?;
    let role = text(&roles)?.lines().next().unwrap_or_default().trim().to_owned();
    if role.is_empty() || role.contains(['/', '?', '#', '%']) {
        return Err(Error::Credentials { reason: "this instance has no role".to_owned() });
    }
    parse(&get(&role)?).map(Some)
}

fn ask(request: Request) -> Result<Zeroizing<Vec<u8>>, Error> {
    // Both services answer at once, or not at all.
    let config = Config {
        connect_timeout: Duration::from_secs(1),
        total_timeout: Some(Duration::from_secs(5)),
        redirects_max: 0,
        memory_body_bytes_max: 64 << 10,
        ..Config::default()
    };
    let client = Client::new(config)
        .map_err(|error| Error::Credentials { reason: haul_io::reason(&error).to_string() })?;
    let Response { body, .. } = client.fetch(request).map_err(unavailable)?;
    Ok(Zeroizing::new(body))
}

fn parse(body: &[u8]) -> Result<Keys, Error> {
    let malformed = || Error::Credentials { reason: "the metadata service gave no keys".to_owned() };
    // The error of the parser may quote a secret.
    let document: Document = serde_json::from_slice(body).map_err(|_| malformed())?;
    let expires = document.expiration.as_deref().map(humantime::parse_rfc3339_weak);
    Ok(Keys {
        id: document.access_key_id.ok_or_else(malformed)?,
        secret: document.secret_access_key.ok_or_else(malformed)?,
        token: document.token,
        expires: expires.transpose().map_err(|_| malformed())?,
    })
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    let malformed = |_| Error::Credentials { reason: "the metadata service gave no text".to_owned() };
    std::str::from_utf8(bytes).map_err(malformed)
}

fn unavailable(error: haul_fetch::Error) -> Error {
    Error::Credentials { reason: format!("the metadata service gave no keys: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_containers_go_to_agents_only() {
        for url in ["http://169.254.170.2/x", "http://[fd00:ec2::23]/x", "http://127.0.0.1:1/", "https://h/"]
        {
            assert!(is_trusted(url), "{url}");
        }
        for url in ["http://h/", "http://169.254.169.254/", "http://10.0.0.1/", "x"] {
            assert!(!is_trusted(url), "{url}");
        }
    }
}
