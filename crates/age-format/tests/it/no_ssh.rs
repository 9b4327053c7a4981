//! SSH keys in a build without them: they are recognised and refused.

use haul_age_format::{KeyTextError, Recipient, X25519Identity, identities_in, recipients_in};

#[test]
fn a_build_without_ssh_says_so() {
    let line = include_str!("../ssh/ed25519.pub").trim_end();
    assert_eq!(line.parse::<Recipient>().unwrap_err(), KeyTextError::SshNotBuilt);
    let own = X25519Identity::generate().to_recipient();
    let list = recipients_in(format!("{line}\n{own}\n").as_bytes()).unwrap();
    assert_eq!((list.recipients.len(), list.unsupported), (1, vec![1]));
    let error = identities_in(include_bytes!("../ssh/ed25519")).unwrap_err();
    assert!(error.to_string().ends_with("the feature ssh"), "{error}");
}
