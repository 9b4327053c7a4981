//! The sources of keys that are asked over HTTP, by the variables that name them.

use haul_store::{Credentials, Object};
use haul_testkit::{Answer, Server};

use crate::fake::{Fake, settings, store};

const KEYS: &str =
    r#"{"AccessKeyId":"ROLE","SecretAccessKey":"s","Token":"session","Expiration":"2999-01-01T00:00:00Z"}"#;
/// Keys that are due at once, and have not expired by the clock of the distant past.
const DUE: &str =
    r#"{"AccessKeyId":"ROLE","SecretAccessKey":"s","Token":"session","Expiration":"2001-01-01T00:00:00Z"}"#;

/// Removes an object with the credentials of this environment; the number of requests that asked for keys.
fn try_with(variables: &[(&str, String)], removals: usize) -> (Result<(), haul_store::Error>, Fake) {
    let find = |name: &str| Some(variables.iter().find(|(key, _)| *key == name)?.1.clone());
    let fake = Fake::new();
    let result = Credentials::from_environment(&find).and_then(|credentials| {
        let store = store(settings(fake.settings().endpoint, credentials));
        let object: Object = "s3://bucket/k".parse()?;
        (0..removals).try_for_each(|_| store.remove(&object))
    });
    (result, fake)
}

fn signed_by(fake: &Fake) -> (String, Option<String>) {
    let request = fake.server.requests().pop().unwrap();
    let authorization = request.header("authorization").unwrap();
    let id = authorization.split_once("Credential=").unwrap().1.split('/').next().unwrap().to_owned();
    (id, request.header("x-amz-security-token").map(str::to_owned))
}

#[test]
fn variables_come_first() {
    let pairs = [
        ("AWS_ACCESS_KEY_ID", "VARS".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "s".to_owned()),
        ("AWS_SESSION_TOKEN", "t".to_owned()),
    ];
    let (result, fake) = try_with(&pairs, 1);
    result.unwrap();
    assert_eq!(signed_by(&fake), ("VARS".to_owned(), Some("t".to_owned())));
    let (result, _) = try_with(&pairs[..1], 1);
    assert!(result.unwrap_err().to_string().contains("AWS_SECRET_ACCESS_KEY is not set"));
}

#[test]
fn a_container_is_asked_with_its_token() {
    for (document, asked) in [(KEYS, 1), (DUE, 2)] {
        let agent = Server::start(move |request| match request.header("authorization") {
            Some("Bearer x") => Answer::ok(document),
            _ => Answer::new(401),
        });
        let token = ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "Bearer x".to_owned());
        let url = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", agent.url("/keys"));
        let (result, fake) = try_with(&[token, url.clone()], 2);
        result.unwrap();
        assert_eq!(signed_by(&fake), ("ROLE".to_owned(), Some("session".to_owned())));
        assert_eq!(agent.requests().len(), asked, "keys that are due are fetched again");
        let (result, _) = try_with(&[url], 1);
        assert!(result.unwrap_err().to_string().contains("the metadata service gave no keys"));
    }
    let elsewhere = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://example.com/".to_owned());
    assert!(try_with(&[elsewhere], 1).0.unwrap_err().to_string().contains("neither https nor an agent"));
}

#[test]
fn an_instance_is_asked_by_version_two_only() {
    let service = Server::start(|request| {
        let has_session = request.header("x-aws-ec2-metadata-token") == Some("T");
        match (request.method.as_str(), request.path()) {
            ("PUT", "/latest/api/token") => Answer::ok("T"),
            ("GET", "/latest/meta-data/iam/security-credentials/") if has_session => Answer::ok("role\n"),
            ("GET", "/latest/meta-data/iam/security-credentials/role") if has_session => Answer::ok(KEYS),
            _ => Answer::new(401),
        }
    });
    let base = ("AWS_EC2_METADATA_SERVICE_ENDPOINT", service.url("/"));
    let (result, fake) = try_with(std::slice::from_ref(&base), 3);
    result.unwrap();
    assert_eq!(signed_by(&fake), ("ROLE".to_owned(), Some("session".to_owned())));
    assert_eq!(service.requests().len(), 3, "the keys are kept");
    let (result, _) = try_with(&[base, ("AWS_EC2_METADATA_DISABLED", "true".to_owned())], 1);
    assert!(result.unwrap_err().to_string().contains("no credentials found"));
}
