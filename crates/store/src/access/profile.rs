//! Keys from shared files with profiles: `~/.aws/credentials` and `~/.aws/config`.
//!
//! Owns: reading both files, sections and settings.
//! Does not own: profiles that name other sources (SSO, roles, programs), which are refused with a reason.
//!
//! Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".

use std::path::Path;

use zeroize::Zeroizing;

use crate::Error;
use crate::access::keys::Keys;

/// Settings of sources that aren't supported.
const FOREIGN: [&str; 4] = ["sso_session", "sso_start_url", "role_arn", "credential_process"];

/// The keys of `profile`; none if neither file has that section.
pub(super) fn read(credentials: &Path, config: &Path, profile: &str) -> Result<Option<Keys>, Error> {
    let config_section =
        if profile == "default" { "default".to_owned() } else { format!("profile {profile}") };
    let mut is_known = false;
    for (path, section) in [(credentials, profile), (config, &config_section)] {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                let reason = format!("cannot read {path:?}: {}", haul_io::reason(&error));
                return Err(Error::Credentials { reason });
            }
        };
        let Some(settings) = settings(&text, section) else { continue };
        is_known = true;
        let find = |name: &str| settings.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        if let Some((id, secret)) = find("aws_access_key_id").zip(find("aws_secret_access_key")) {
            let token = find("aws_session_token").map(|token| Zeroizing::new(token.to_owned()));
            return Ok(Some(Keys::new(id, Zeroizing::new(secret.to_owned()), token)));
        }
        if let Some(name) = FOREIGN.into_iter().find(|name| find(name).is_some()) {
            let reason = format!(
                "the profile {profile:?} uses {name}, which haul doesn't support; \
                 run `aws configure export-credentials --profile {profile} --format env` and use its output"
            );
            return Err(Error::Credentials { reason });
        }
    }
    if is_known {
        return Err(Error::Credentials { reason: format!("the profile {profile:?} has no access key") });
    }
    Ok(None)
}

/// The settings of `[section]`; a later one of the same name is ignored.
fn settings<'a>(text: &'a str, section: &str) -> Option<Vec<(&'a str, &'a str)>> {
    let mut found = None;
    let mut is_inside = false;
    for line in text.lines() {
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            is_inside = name.split_whitespace().eq(section.split_whitespace());
            if is_inside && found.is_none() {
                found = Some(Vec::new());
            }
        } else if let Some((name, value)) = line.split_once('=')
            && is_inside
            && !is_nested
            && let Some(found) = &mut found
        {
            found.push((name.trim(), value.trim()));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = "# comment\n[default]\naws_access_key_id = AKID\naws_secret_access_key=a/b=+c\n\
        [work]\naws_access_key_id=W\naws_secret_access_key=S\naws_session_token = T==\n[half]\naws_access_key_id=x\n";
    const CONFIG: &str = "[default]\nregion=x\n[profile conf]\ns3 =\n  aws_access_key_id = nested\n\
        aws_access_key_id=C\naws_secret_access_key=D\n[profile sso]\nsso_session = s\n";

    /// The ID, the secret and the token.
    type Expected<'a> = Option<(&'a str, &'a str, Option<&'a str>)>;

    #[track_caller]
    fn check(profile: &str, expected: Result<Expected<'_>, &str>) {
        let dir = tempfile::tempdir().unwrap();
        let (credentials, config) = (dir.path().join("credentials"), dir.path().join("config"));
        std::fs::write(&credentials, CREDENTIALS).unwrap();
        std::fs::write(&config, CONFIG).unwrap();
        match (read(&credentials, &config, profile), expected) {
            (Ok(found), Ok(expected)) => {
                let token = |keys: &Keys| keys.token.as_ref().map(|token| token.to_string());
                let found = found.map(|keys| (keys.id.clone(), keys.secret.to_string(), token(&keys)));
                let expected =
                    expected.map(|(id, secret, token)| (id.into(), secret.into(), token.map(str::to_owned)));
                assert_eq!(found, expected, "{profile}");
            }
            (Err(error), Err(expected)) => assert!(error.to_string().contains(expected), "{error}"),
            (found, _) => panic!("{profile}: {found:?}"),
        }
    }

    #[test]
    fn profiles_are_sections_of_both_files() {
        check("default", Ok(Some(("AKID", "a/b=+c", None))));
        check("work", Ok(Some(("W", "S", Some("T==")))));
        check("conf", Ok(Some(("C", "D", None))));
        check("absent", Ok(None));
        check("half", Err("has no access key"));
        check("sso", Err("uses sso_session"));
    }
}
