//! Keys of every type: their texts and files, and files sealed to them, compared with the `age` crate.

use std::io::{Read, Write};

use haul_age_format::{
    FileKey, Header, HeaderError, HybridIdentity, Identity, KeyFileError, KeyTextError, NONCE_BYTES,
    OpenError, Parsed, Passphrase, Recipient, SealError, SshIdentity, Stanza, StreamOpener, StreamSealer,
    X25519Identity, check_recipients, identities_in, open_header, protected_file, protected_identities_in,
    recipients_in, seal_header, seal_header_with,
};
use proptest::prelude::*;

fn ssh_file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/ssh/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn random(out: &mut [u8]) {
    aws_lc_rs::rand::fill(out).unwrap();
}

/// A passphrase with a low work factor.
fn passphrase(text: &str) -> Passphrase {
    Passphrase::with_work_factor(text.to_owned().into(), 4)
}

fn hybrid_pair() -> (Recipient, Identity) {
    let identity = HybridIdentity::generate_with(&mut random);
    (Recipient::Hybrid(identity.to_recipient()), Identity::Hybrid(identity))
}

fn x25519_pair() -> (Recipient, Identity) {
    let identity = X25519Identity::generate_with(&mut random);
    (Recipient::X25519(identity.to_recipient()), Identity::X25519(identity))
}

fn ssh_pair(name: &str) -> (Recipient, Identity) {
    let identity = SshIdentity::from_protected_text(&ssh_file(name), "correct horse").unwrap();
    (Recipient::Ssh(identity.to_recipient().unwrap()), Identity::Ssh(identity))
}

/// A recipient of each type with its identity.
fn pairs() -> Vec<(Recipient, Identity)> {
    let passphrase = passphrase("p äss\nword");
    let mut pairs = vec![x25519_pair(), hybrid_pair()];
    pairs.push((Recipient::Passphrase(passphrase.clone()), Identity::Passphrase(passphrase)));
    if cfg!(feature = "ssh") {
        pairs.extend(["ed25519", "ed25519-protected", "rsa", "rsa-pem"].map(ssh_pair));
    }
    pairs
}

fn seal(recipients: &[Recipient], plain: &[u8]) -> Vec<u8> {
    let header = seal_header(recipients, &mut random).unwrap();
    let (mut sealer, mut file) = (StreamSealer::new(header.payload_key), header.bytes);
    sealer.push(plain, &mut file);
    sealer.finish(&mut file);
    file
}

fn open(file: &[u8], identities: &[Identity]) -> Result<Vec<u8>, OpenError> {
    let Parsed::Complete { header, len } = haul_age_format::Header::parse(file)? else {
        panic!("the header is complete")
    };
    let (nonce, payload) = file[len..].split_first_chunk::<NONCE_BYTES>().unwrap();
    let (mut opener, mut plain) = (StreamOpener::new(open_header(&header, nonce, identities)?), Vec::new());
    opener.push(payload, &mut plain).unwrap();
    opener.finish(&mut plain).unwrap();
    Ok(plain)
}

#[test]
fn every_type_opens_what_is_sealed_to_it_and_nothing_else() {
    let pairs = pairs();
    for (index, (recipient, identity)) in pairs.iter().enumerate() {
        let file = seal(std::slice::from_ref(recipient), b"Dear Ada");
        assert_eq!(open(&file, std::slice::from_ref(identity)).unwrap(), b"Dear Ada", "{recipient:?}");
        for (other_index, (_, other)) in pairs.iter().enumerate() {
            if other_index != index {
                assert_eq!(
                    open(&file, std::slice::from_ref(other)),
                    Err(OpenError::NoMatch),
                    "{recipient:?}"
                );
            }
        }
    }
}

#[test]
fn every_key_survives_conversion_to_a_line() {
    for (recipient, identity) in pairs() {
        let (recipient_text, identity_text) = (recipient.to_secret_text(), identity.to_secret_text());
        assert!(!recipient_text.contains('\n') && !identity_text.contains('\n'));
        let recipient = Recipient::from_secret_text(&recipient_text).unwrap();
        let identity = Identity::from_secret_text(&identity_text).unwrap();
        assert_eq!(recipient.to_secret_text(), recipient_text);
        assert_eq!(identity.to_secret_text(), identity_text);
        assert_eq!(open(&seal(&[recipient], b"x"), &[identity]).unwrap(), b"x", "{}", &recipient_text[..12]);
    }
    let text = Recipient::Passphrase(passphrase("secret")).to_secret_text();
    assert_eq!(text.as_str(), "HAUL-PASSPHRASE-4-22-c2VjcmV0");
    assert!(text.parse::<Recipient>().is_err(), "no passphrase comes from a command line");
    assert!(text.parse::<Identity>().is_err());
}

#[test]
fn malformed_secret_texts_are_refused() {
    for rest in [
        "",
        "4",
        "4-22-=",
        "0-22-c2VjcmV0",
        "23-22-c2VjcmV0",
        "4-23-c2VjcmV0",
        "x-22-c2VjcmV0",
        "4-22-c2VjcmV0\n",
        "4-22-/w",
        "4-c2VjcmV0",
    ] {
        let text = format!("HAUL-PASSPHRASE-{rest}");
        assert_eq!(Recipient::from_secret_text(&text).unwrap_err(), KeyTextError::InvalidKey, "{text}");
        assert!(Identity::from_secret_text(&text).is_err(), "{text}");
    }
    for text in ["HAUL-SSH-", "HAUL-SSH-c2VjcmV0", "HAUL-SSH-c2VjcmV0-c2VjcmV0", "HAUL-SSH-!"] {
        assert!(Identity::from_secret_text(text).is_err(), "{text}");
    }
}

#[test]
fn debug_output_has_no_secrets() {
    for (_, identity) in pairs() {
        let text = identity.to_secret_text();
        let shown = format!("{identity:?}");
        assert!(!shown.contains(&text[text.len() - 8..]) && shown.len() < 200, "{shown}");
    }
}

#[test]
#[cfg_attr(not(feature = "ssh"), ignore = "needs the feature `ssh`")]
fn post_quantum_recipients_are_not_combined_with_others() {
    let (hybrid, _) = hybrid_pair();
    let (second, _) = hybrid_pair();
    let (classic, _) = x25519_pair();
    assert_eq!(check_recipients(&[hybrid.clone(), second.clone()]), Ok(()));
    for mixed in [[hybrid.clone(), classic], [ssh_pair("ed25519").0, hybrid.clone()]] {
        assert_eq!(check_recipients(&mixed), Err(SealError::PostQuantumMixed));
        assert_eq!(seal_header(&mixed, &mut random).err(), Some(SealError::PostQuantumMixed));
    }
    let mixed = [hybrid, Recipient::Passphrase(passphrase("p"))];
    assert_eq!(check_recipients(&mixed), Err(SealError::PassphraseNotAlone));
    // Such files open, though: see the vector hybrid_and_x25519.
}

#[test]
fn post_quantum_texts_are_strict() {
    let identity = HybridIdentity::generate_with(&mut random);
    let (secret, public) = (identity.to_secret_text(), identity.to_recipient().to_string());
    assert!(
        secret.starts_with("AGE-SECRET-KEY-PQ-1") && public.starts_with("age1pq1") && public.len() > 1900
    );
    assert_eq!(secret.parse::<HybridIdentity>().unwrap().to_recipient(), identity.to_recipient());
    let refused = |text: &str| text.parse::<Recipient>().unwrap_err();
    assert_eq!(refused(&public.to_uppercase()), KeyTextError::WrongPrefix);
    assert_eq!(refused(&public[..public.len() - 1]), KeyTextError::NotBech32);
    assert_eq!(refused(&secret), KeyTextError::Identity);
    assert!(secret.to_lowercase().parse::<Identity>().is_err());
    let text =
        |bytes: &[u8]| bech32::encode::<bech32::NoChecksum>(bech32::Hrp::parse("age1pq").unwrap(), bytes);
    assert!(text(&[0; 100]).is_ok_and(|text| refused(&text) == KeyTextError::NotBech32));
}

/// The example of the specification: an identity and its recipient.
#[test]
fn the_post_quantum_key_of_the_specification_has_its_recipient() {
    let identity: HybridIdentity =
        "AGE-SECRET-KEY-PQ-1XX76JRALNLXDMEW0CRK45QMCCH4X06SE84UN3VPM33W6HWDX0H3SK3ZQFR".parse().unwrap();
    let recipient = identity.to_recipient().to_string();
    assert!(
        recipient.starts_with("age1pq1x34nzsvr0rxjsgdn8zgyhfe8j7ceq5r9rdelkjuh3y235jzxshfg87pzf5zrqtzdxz95p")
    );
    assert!(recipient.ends_with("pfqdkmhh6gjtqmwze9pyyzk3tlhl53k2ykx3qheyty7saeq0d3fzv49zc0k"));
}

#[test]
#[cfg_attr(not(feature = "ssh"), ignore = "needs the feature `ssh`")]
fn ssh_stanzas_are_checked_before_they_are_tried() {
    let (recipient, identity) = ssh_pair("ed25519");
    let file = seal(&[recipient], b"x");
    let text = String::from_utf8_lossy(&file).into_owned();
    let line = text.lines().nth(1).unwrap();
    let words: Vec<_> = line.split(' ').collect();
    for changed in [
        format!("-> {} {}", words[1], words[2]),
        format!("{line} x"),
        format!("-> ssh-ed25519 {}A {}", words[2], words[3]),
        format!("-> ssh-ed25519 {} {}", words[2], &words[3][..40]),
        format!("-> ssh-rsa {} {}", words[2], words[3]),
    ] {
        let start = b"age-encryption.org/v1\n".len();
        let mut other = file[..start].to_vec();
        other.extend_from_slice(changed.as_bytes());
        other.extend_from_slice(&file[start + line.len()..]);
        let result = open(&other, std::slice::from_ref(&identity));
        assert_eq!(result, Err(OpenError::Header(HeaderError::MalformedSsh)), "{changed}");
    }
}

#[test]
#[cfg_attr(not(feature = "ssh"), ignore = "needs the feature `ssh`")]
fn the_age_crate_opens_what_is_sealed_to_ssh_keys_and_the_reverse() {
    for name in ["ed25519", "rsa"] {
        let theirs = age::ssh::Identity::from_buffer(ssh_file(name).as_bytes(), None).unwrap();
        let (recipient, identity) = ssh_pair(name);
        let file = seal(&[recipient], b"Dear Ada");
        let decryptor = age::Decryptor::new(file.as_slice()).unwrap();
        let mut opened = Vec::new();
        let their_identity: &dyn age::Identity = &theirs;
        decryptor.decrypt(std::iter::once(their_identity)).unwrap().read_to_end(&mut opened).unwrap();
        assert_eq!(opened, b"Dear Ada");
        let recipient = age::ssh::Recipient::try_from(theirs).unwrap();
        let recipient: &dyn age::Recipient = &recipient;
        let encryptor = age::Encryptor::with_recipients(std::iter::once(recipient)).unwrap();
        let mut writer = encryptor.wrap_output(Vec::new()).unwrap();
        writer.write_all(b"Dear Charles").unwrap();
        assert_eq!(open(&writer.finish().unwrap(), &[identity]).unwrap(), b"Dear Charles");
    }
}

#[test]
#[cfg_attr(not(feature = "ssh"), ignore = "needs the feature `ssh`")]
fn key_files_have_comments_and_numbered_lines() {
    let (x25519, hybrid, ssh) = (x25519_pair(), hybrid_pair(), ssh_pair("ed25519"));
    let lines = [&x25519.0, &hybrid.0, &ssh.0].map(|recipient| recipient.to_secret_text().to_string());
    let file = format!("# friends\r\n\n{}\r\n{}  \n{} a comment\n", lines[0], lines[1], lines[2]);
    let read: Vec<_> = recipients_in(file.as_bytes())
        .unwrap()
        .recipients
        .iter()
        .map(|one| one.to_secret_text().to_string())
        .collect();
    assert_eq!(read, lines);
    let line = |number, error| Some(KeyFileError::Line { number, error });
    assert_eq!(recipients_in(b"# x\n\nage1x\n").err(), line(3, KeyTextError::NotBech32));
    assert_eq!(recipients_in(b"# x\n\n").err(), Some(KeyFileError::Empty));
    assert_eq!(recipients_in(b"\xff").err(), Some(KeyFileError::NotText));
    let secrets = [&x25519.1, &hybrid.1].map(|identity| identity.to_secret_text().to_string());
    let identities = identities_in(secrets.join("\n").as_bytes()).unwrap();
    assert_eq!(identities.len(), 2);
    assert_eq!(identities_in(lines[0].as_bytes()).err(), line(1, KeyTextError::Recipient));
    assert_eq!(identities_in(lines[2].as_bytes()).err(), line(1, KeyTextError::Recipient));
    for secret in &secrets {
        let lower = secret.to_ascii_lowercase();
        assert_eq!(recipients_in(secret.as_bytes()).err(), line(1, KeyTextError::Identity));
        assert_eq!(recipients_in(lower.as_bytes()).err(), line(1, KeyTextError::Identity));
    }
    assert_eq!(recipients_in(ssh_file("rsa").as_bytes()).err(), line(1, KeyTextError::Identity));
    assert_eq!(identities_in(ssh_file("rsa").as_bytes()).unwrap().len(), 1);
}

#[test]
#[cfg_attr(not(feature = "ssh"), ignore = "needs the feature `ssh`")]
fn key_files_may_have_a_byte_order_mark_and_utf16_is_named() {
    let (recipient, identity) = x25519_pair();
    let marked = |text: &str| format!("\u{feff}{text}\r\n").into_bytes();
    assert_eq!(recipients_in(&marked(&recipient.to_secret_text())).unwrap().recipients.len(), 1);
    assert_eq!(identities_in(&marked(&identity.to_secret_text())).unwrap().len(), 1);
    assert_eq!(identities_in(&marked(&ssh_file("rsa"))).unwrap().len(), 1);
    let sealed = protected_file(&identity.to_secret_text(), &passphrase("p"), &mut random).unwrap();
    let sealed = [b"\xef\xbb\xbf", sealed.as_slice()].concat();
    assert_eq!(protected_identities_in(&sealed, &passphrase("p")).unwrap().len(), 1);
    for mark in [b"\xff\xfe", b"\xfe\xff"] {
        let wide = [mark.as_slice(), b"A\0G\0E\0"].concat();
        assert_eq!(identities_in(&wide).err(), Some(KeyFileError::Utf16));
        assert_eq!(recipients_in(&wide).err(), Some(KeyFileError::Utf16));
        assert_eq!(Header::parse(&wide).err(), Some(HeaderError::Converted));
    }
    assert_eq!(Header::parse(b"\xef\xbb\xbfage-encryption.org/v1\n").err(), Some(HeaderError::Converted));
    assert_eq!(Header::parse(b"nonsense").err(), Some(HeaderError::NotAge));
}

#[test]
#[cfg_attr(not(feature = "ssh"), ignore = "needs the feature `ssh`")]
fn ssh_keys_of_other_types_are_listed_apart() {
    let good = ssh_pair("ed25519").0.to_secret_text().to_string();
    let blob = "AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY=";
    let other = format!("ecdsa-sha2-nistp256 {blob} ada");
    let list = recipients_in(format!("{other}\n{good}\n\n{other}\n").as_bytes()).unwrap();
    assert_eq!((list.recipients.len(), list.unsupported), (1, vec![1, 4]));
    let unsupported = KeyFileError::Line { number: 2, error: KeyTextError::Unsupported };
    assert_eq!(recipients_in(format!("# x\n{other}\n").as_bytes()).err(), Some(unsupported));
    let damaged = recipients_in(format!("{good}\nssh-ed25519 AAAA\n").as_bytes()).err();
    assert_eq!(damaged, Some(KeyFileError::Line { number: 2, error: KeyTextError::InvalidKey }));
}

#[test]
#[cfg_attr(not(feature = "ssh"), ignore = "needs the feature `ssh`")]
fn identity_files_are_sealed_with_a_passphrase_and_open_with_it_alone() {
    let secret = x25519_pair().1.to_secret_text();
    let file = protected_file(&secret, &passphrase("correct horse"), &mut random).unwrap();
    assert!(file.starts_with(b"-----BEGIN AGE ENCRYPTED FILE-----\n"));
    assert_eq!(identities_in(&file).err(), Some(KeyFileError::Protected));
    let opened = protected_identities_in(&file, &passphrase("correct horse")).unwrap();
    assert_eq!(opened[0].to_secret_text(), secret);
    let refused = |file: &[u8], text: &str| protected_identities_in(file, &passphrase(text)).err();
    assert_eq!(refused(&file, "wrong horse"), Some(KeyFileError::WrongPassphrase));
    for length in 1..file.len() - 1 {
        assert!(refused(&file[..length], "correct horse").is_some(), "cut to {length} bytes");
    }
    let for_somebody = seal(&[x25519_pair().0], secret.as_bytes());
    assert_eq!(refused(&for_somebody, "correct horse"), Some(KeyFileError::NotUnderPassphrase));
    let binary = seal(&[Recipient::Passphrase(passphrase("correct horse"))], secret.as_bytes());
    assert_eq!(refused(&binary, "correct horse"), None);
    let nested = String::from_utf8(file).unwrap();
    let nested = protected_file(&nested, &passphrase("correct horse"), &mut random).unwrap();
    assert_eq!(refused(&nested, "correct horse"), Some(KeyFileError::Protected));
    let ssh = ssh_file("ed25519-protected");
    assert_eq!(identities_in(ssh.as_bytes()).err(), Some(KeyFileError::Protected));
    assert_eq!(refused(ssh.as_bytes(), "wrong horse"), Some(KeyFileError::WrongPassphrase));
    assert_eq!(refused(ssh.as_bytes(), "correct horse"), None);
}

proptest! {
    #[test]
    fn arbitrary_texts_are_no_keys_and_never_panic(text in "(age1|age1pq1|age1tag1|age1tagpq1|AGE-SECRET-KEY-PQ-1|ssh-rsa |ssh-ed25519 |-----BEGIN OPENSSH PRIVATE KEY-----\n|HAUL-SSH-|)[ -~\n]{0,120}") {
        prop_assert!(text.parse::<Recipient>().is_err() && text.parse::<Identity>().is_err());
        prop_assert!(Identity::from_secret_text(&text).is_err());
        let _ = identities_in(text.as_bytes());
        let _ = recipients_in(text.as_bytes());
    }
}

#[test]
fn keys_of_plugins_name_their_program() {
    let recipient: Recipient = "age1test1wdhk6etzdaj8j58wj93".parse().unwrap();
    let Recipient::Plugin(plugin) = &recipient else { panic!("{recipient:?}") };
    assert_eq!(
        (plugin.program(), plugin.to_string().as_str()),
        ("age-plugin-test", "age1test1wdhk6etzdaj8j58wj93")
    );
    assert_eq!(recipient.to_secret_text().as_str(), "age1test1wdhk6etzdaj8j58wj93");
    let identity: Identity = "AGE-PLUGIN-TEST-1D45KUEG4U0PPA".parse().unwrap();
    let Identity::Plugin(plugin) = &identity else { panic!("{identity:?}") };
    assert_eq!(plugin.program(), "age-plugin-test");
    assert!(!format!("{identity:?}").contains("D45K"));
    assert_eq!(identity.to_secret_text().as_str(), "AGE-PLUGIN-TEST-1D45KUEG4U0PPA");
    let of_identity = identity.to_recipient().unwrap();
    assert_eq!(of_identity.plugin(), recipient.plugin());
    let handed_on = Recipient::from_secret_text(&of_identity.to_secret_text()).unwrap();
    assert!(matches!(handed_on, Recipient::PluginIdentity(_)), "{handed_on:?}");
    assert!(of_identity.to_secret_text().parse::<Recipient>().is_err(), "a secret is nothing to type");
    let refused = |text: &str| text.parse::<Recipient>().err().or_else(|| text.parse::<Identity>().err());
    // A name with a path, and the other letter case for both kinds of key.
    for text in ["age1../x10qhh6u7k", "AGE1TEST1WDHK6ETZDAJ8J58WJ93"] {
        assert_eq!(refused(text), Some(KeyTextError::WrongPrefix), "{text}");
    }
    assert_eq!(refused("age1test1wdhk6etzdaj8j58wj94"), Some(KeyTextError::NotBech32));
    for text in
        ["AGE-PLUGIN-TEST-1D45KUEG4U0PPA", "AGE-PLUGIN-TEST-1D45KUEG4U0PPQ", "age-plugin-test-1d45kueg4u0ppa"]
    {
        assert_eq!(refused(text), Some(KeyTextError::Identity), "{text}");
    }
    let identity = |text: &str| text.parse::<Identity>().err();
    assert_eq!(identity("age-plugin-test-1d45kueg4u0ppa"), Some(KeyTextError::WrongPrefix));
    assert_eq!(identity("AGE-PLUGIN-TEST-1D45KUEG4U0PPQ"), Some(KeyTextError::NotBech32));
}

#[test]
fn a_file_sealed_anew_under_one_file_key_has_another_payload_key() {
    let recipients = [Recipient::X25519(X25519Identity::generate_with(&mut random).to_recipient())];
    let file_key = FileKey::generate_with(&mut random);
    let chunks = [(); 2].map(|()| {
        let sealed = seal_header_with(&recipients, &[], &file_key, &mut random).unwrap();
        let mut chunk = [0; 17];
        sealed.payload_key.seal_chunk(0, true, b"x", &mut chunk);
        chunk
    });
    assert_ne!(chunks[0], chunks[1]);
    let plugin: Recipient = "age1test1wdhk6etzdaj8j58wj93".parse().unwrap();
    let refused = seal_header(&[recipients[0].clone(), plugin], &mut random).err();
    assert_eq!(refused, Some(SealError::PluginNotAsked));
}

#[test]
fn a_header_that_could_not_be_opened_again_is_not_made() {
    let recipients = [Recipient::X25519(X25519Identity::generate_with(&mut random).to_recipient())];
    let file_key = FileKey::generate_with(&mut random);
    // In base64 and lines, each stanza takes some 1.354 times its body.
    let sealed = |body_bytes: usize| {
        let stanza = Stanza { arguments: vec!["x".to_owned()], body: vec![7; body_bytes] };
        seal_header_with(&recipients, &[stanza], &file_key, &mut random)
    };
    let longest = (700_000..800_000).step_by(100).rev().find_map(|bytes| sealed(bytes).ok()).unwrap().bytes;
    assert!(longest.len() > Header::BYTES_MAX - 200, "{}", longest.len());
    assert!(matches!(Header::parse(&longest), Ok(Parsed::Complete { .. })));
    assert_eq!(sealed(800_000).err(), Some(SealError::HeaderTooLong));
}
