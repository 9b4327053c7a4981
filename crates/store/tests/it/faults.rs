//! What a store refuses: what is repeated, what is an error, and its sentence.

use std::time::{Duration, SystemTime};

use haul_store::{Credentials, Error, Fault as Blame, Kind};
use haul_testkit::{Answer, End};

use crate::fake::{Fake, Fault, object, refusal, settings, store};

#[test]
fn refusals_say_what_to_do() {
    for (status, code, kind, blame, sentence) in [
        (403, "SignatureDoesNotMatch", Kind::WrongKey, Blame::Caller, "check its ID, its secret"),
        (403, "InvalidAccessKeyId", Kind::WrongKey, Blame::Caller, "check its ID, its secret"),
        (400, "ExpiredToken", Kind::Expired, Blame::Caller, "get new credentials"),
        (403, "AccessDenied", Kind::Denied, Blame::Caller, "access denied"),
        (404, "NoSuchBucket", Kind::NoBucket, Blame::Caller, "no such bucket"),
        (301, "PermanentRedirect", Kind::Elsewhere, Blame::Caller, "AWS_REGION"),
        (400, "EntityTooSmall", Kind::InvalidPart, Blame::Server, "start over"),
    ] {
        let fake = Fake::scripted(move |_, _| Some(Fault::Instead(refusal(status, code))));
        let error = fake.store().remove(&object("k")).unwrap_err();
        assert!(matches!(&error, Error::Refused(refusal) if refusal.kind == kind), "{code}: {error:?}");
        assert!(error.to_string().contains(sentence), "{error}");
        assert_eq!(error.fault(), blame, "{code}");
        assert_eq!(fake.server.requests().len(), 1, "{code} is not repeated");
    }
}

#[test]
fn transient_failures_are_repeated_a_limited_number_of_times() {
    for (status, code, kind) in [
        (503, "SlowDown", Kind::SlowDown),
        (500, "InternalError", Kind::Server),
        (400, "BadDigest", Kind::BadDigest),
    ] {
        let fake = Fake::scripted(move |_, count| (count < 8).then(|| Fault::Instead(refusal(status, code))));
        fake.store().remove(&object("k")).unwrap();
        let fake = Fake::scripted(move |_, _| Some(Fault::Instead(refusal(status, code))));
        let error = fake.store().remove(&object("k")).unwrap_err();
        assert!(matches!(&error, Error::Refused(refusal) if refusal.kind == kind), "{error}");
        assert_eq!(fake.server.requests().len(), 9);
    }
}

#[test]
fn broken_connections_are_repeated() {
    let fake = Fake::scripted(|_, count| (count < 3).then(|| Fault::Instead(Answer::nothing(End::Reset))));
    fake.store().remove(&object("k")).unwrap();
    assert_eq!(fake.server.requests().len(), 4);
}

#[test]
fn a_wrong_clock_is_corrected_once() {
    let there = SystemTime::now() - Duration::from_secs(7200);
    let date = httpdate::fmt_http_date(there);
    let hour = humantime::format_rfc3339_seconds(there).to_string().replace(['-', ':'], "")[..11].to_owned();
    let skewed = move || Fault::Instead(refusal(403, "RequestTimeTooSkewed").header("Date", &date));
    let fake = Fake::scripted({
        let (skewed, hour) = (skewed.clone(), hour.clone());
        move |request, _| (!request.header("x-amz-date").unwrap().starts_with(&hour)).then(&skewed)
    });
    let shared = fake.store();
    shared.remove(&object("k")).unwrap();
    shared.remove(&object("l")).unwrap();
    let requests = fake.server.requests();
    assert_eq!(requests.len(), 3, "only the first request had the wrong time");
    // A store that always says so is believed once.
    let fake = Fake::scripted(move |_, _| Some(skewed()));
    let error = fake.store().remove(&object("k")).unwrap_err();
    assert!(error.to_string().contains("clock"), "{error}");
    assert_eq!(fake.server.requests().len(), 2);
}

#[test]
fn a_refusal_without_a_body_is_understood() {
    let there = SystemTime::now() - Duration::from_secs(7200);
    let date = httpdate::fmt_http_date(there);
    let hour = humantime::format_rfc3339_seconds(there).to_string().replace(['-', ':'], "")[..11].to_owned();
    let fake = Fake::scripted(move |request, _| {
        let is_right = request.header("x-amz-date").unwrap().starts_with(&hour);
        let answer = match request.method.as_str() {
            "HEAD" => Answer::new(403),
            _ => refusal(403, "RequestTimeTooSkewed").header("Date", &date),
        };
        (!is_right).then_some(Fault::Instead(answer))
    });
    fake.state().put("k", b"some");
    assert_eq!(fake.store().stat(&object("k")).unwrap().unwrap().bytes, 4);
    let fake = Fake::scripted(|request, _| {
        let answer = match request.method.as_str() {
            "HEAD" => Answer::new(400),
            _ => refusal(400, "ExpiredToken"),
        };
        Some(Fault::Instead(answer))
    });
    let error = fake.store().stat(&object("k")).unwrap_err();
    assert!(matches!(&error, Error::Refused(refusal) if refusal.kind == Kind::Expired), "{error}");
}

#[test]
fn expired_keys_are_fetched_again_once() {
    let dir = tempfile::tempdir().unwrap();
    let (credentials, config) = (dir.path().join("credentials"), dir.path().join("config"));
    let write = |id: &str| {
        let text =
            format!("[p]\naws_access_key_id={id}\naws_secret_access_key=s\naws_session_token=t-{id}\n");
        std::fs::write(dir.path().join("credentials"), text).unwrap();
    };
    write("OLD");
    let fake = Fake::scripted(|request, _| {
        let is_old = request.header("x-amz-security-token") == Some("t-OLD");
        is_old.then(|| Fault::Instead(refusal(400, "ExpiredToken")))
    });
    let endpoint = fake.settings().endpoint;
    let of = |name: &str| {
        let profile = Credentials::profile(&credentials, &config, name);
        store(settings(endpoint.clone(), profile))
    };
    let shared = of("p");
    let error = shared.remove(&object("k")).unwrap_err();
    assert!(matches!(&error, Error::Refused(refusal) if refusal.kind == Kind::Expired), "{error}");
    assert_eq!(fake.server.requests().len(), 2);
    write("NEW");
    shared.remove(&object("k")).unwrap();
    assert!(fake.server.requests().last().unwrap().header("authorization").unwrap().contains("=NEW/"));
}

#[test]
fn redirects_are_not_followed_with_a_signature() {
    let other = Fake::new();
    let url = other.server.url("/bucket/k");
    let text = "<Error><Code>TemporaryRedirect</Code><Message>over there</Message></Error>";
    let fake = Fake::scripted(move |_, _| Some(Fault::Instead(Answer::redirect(307, &url).body(text))));
    let error = fake.store().remove(&object("k")).unwrap_err();
    let Error::Refused(refusal) = &error else { panic!("{error}") };
    assert_eq!((refusal.kind, refusal.status, &*refusal.message), (Kind::Elsewhere, 307, "over there"));
    assert!(other.server.requests().is_empty());
}

#[test]
fn secrets_are_neither_sent_nor_printed() {
    let fake = Fake::new();
    fake.store().remove(&object("k")).unwrap();
    let head = String::from_utf8(fake.server.requests()[0].head.clone()).unwrap();
    assert!(head.contains("AWS4-HMAC-SHA256 Credential=AKID/") && !head.contains("secret"), "{head}");
    let printed = format!("{:?} {:?}", fake.settings(), fake.store());
    assert!(!printed.contains("secret"), "{printed}");
}

#[test]
fn the_words_of_a_store_do_not_control_a_terminal() {
    let fake = Fake::scripted(|_, _| {
        let text = "<Error><Code>Odd</Code><Message>a&#27;[31m&#10;b</Message></Error>";
        Some(Fault::Instead(Answer::new(400).body(text)))
    });
    let error = fake.store().remove(&object("k")).unwrap_err().to_string();
    assert!(error.contains("Odd") && !error.contains(char::is_control), "{error:?}");
}
