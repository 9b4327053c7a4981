//! SSH keys in every supported form, compared with the `age` crate where it supports the form too.

use std::io::{Read, Write};

use haul_age_format::{
    Header, HeaderError, Identity, KeyTextError, NONCE_BYTES, OpenError, Parsed, Recipient, SshIdentity,
    SshKeyError, StreamOpener, StreamSealer, open_header, seal_header,
};

const PASSPHRASE: &str = "correct horse";

/// Keys protected by [`PASSPHRASE`], one for each cipher and one of RSA.
const PROTECTED: [&str; 7] = [
    "ed25519-protected",
    "ed25519-aes256-cbc",
    "ed25519-aes128-ctr",
    "ed25519-aes192-ctr",
    "ed25519-aes256-gcm",
    "ed25519-chacha20-poly1305",
    "rsa-protected",
];

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/ssh/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn random(out: &mut [u8]) {
    aws_lc_rs::rand::fill(out).unwrap();
}

fn identity(name: &str) -> SshIdentity {
    SshIdentity::from_protected_text(&file(name), PASSPHRASE).unwrap()
}

fn seal(identity: &SshIdentity, plain: &[u8]) -> Vec<u8> {
    let recipient = Recipient::Ssh(identity.to_recipient().unwrap());
    let header = seal_header(&[recipient], &mut random).unwrap();
    let (mut sealer, mut file) = (StreamSealer::new(header.payload_key), header.bytes);
    sealer.push(plain, &mut file);
    sealer.finish(&mut file);
    file
}

fn open(file: &[u8], identity: &SshIdentity) -> Result<Vec<u8>, OpenError> {
    let Parsed::Complete { header, len } = Header::parse(file)? else { panic!("the header is complete") };
    let (nonce, payload) = file[len..].split_first_chunk::<NONCE_BYTES>().unwrap();
    let key = open_header(&header, nonce, &[Identity::Ssh(identity.clone())])?;
    let (mut opener, mut plain) = (StreamOpener::new(key), Vec::new());
    opener.push(payload, &mut plain).unwrap();
    opener.finish(&mut plain).unwrap();
    Ok(plain)
}

/// The key as the `age` crate reads it.
fn theirs(name: &str) -> age::ssh::Identity {
    let key = age::ssh::Identity::from_buffer(file(name).as_bytes(), None).unwrap();
    match key {
        age::ssh::Identity::Encrypted(key) => key.decrypt(PASSPHRASE.to_owned().into()).unwrap().into(),
        key => key,
    }
}

#[track_caller]
fn check_both_ways(name: &str) {
    let (ours, theirs) = (identity(name), theirs(name));
    let file = seal(&ours, b"Dear Ada");
    let mut plain = Vec::new();
    let decryptor = age::Decryptor::new(file.as_slice()).unwrap();
    let their_identity: &dyn age::Identity = &theirs;
    decryptor.decrypt(std::iter::once(their_identity)).unwrap().read_to_end(&mut plain).unwrap();
    assert_eq!(plain, b"Dear Ada", "{name}");
    let recipient = age::ssh::Recipient::try_from(theirs).unwrap();
    assert_eq!(recipient.to_string(), ours.to_recipient().unwrap().to_string(), "{name}");
    let recipient: &dyn age::Recipient = &recipient;
    let encryptor = age::Encryptor::with_recipients(std::iter::once(recipient)).unwrap();
    let mut writer = encryptor.wrap_output(Vec::new()).unwrap();
    writer.write_all(b"Dear Charles").unwrap();
    assert_eq!(open(&writer.finish().unwrap(), &ours).unwrap(), b"Dear Charles", "{name}");
}

#[test]
fn keys_of_every_form_agree_with_the_age_crate() {
    for name in ["ed25519", "rsa", "rsa-pem"] {
        check_both_ways(name);
    }
    // The `age` crate doesn't support ChaCha20-Poly1305 here.
    for name in PROTECTED.into_iter().filter(|name| !name.contains("chacha20")) {
        check_both_ways(name);
    }
}

#[test]
fn protected_keys_of_every_cipher_need_their_passphrase() {
    for name in PROTECTED {
        assert_eq!(SshIdentity::from_file_text(&file(name)).err(), Some(SshKeyError::Protected), "{name}");
        for wrong in ["wrong horse", "", "correct horse "] {
            let refused = SshIdentity::from_protected_text(&file(name), wrong).err();
            assert_eq!(refused, Some(SshKeyError::WrongPassphrase), "{name}");
        }
        let identity = identity(name);
        assert_eq!(open(&seal(&identity, b"x"), &identity).unwrap(), b"x", "{name}");
    }
}

#[test]
fn rsa_keys_beyond_the_age_crate_open_what_is_sealed_to_them() {
    for (name, body_bytes) in [("rsa-pkcs8", 256), ("rsa-8192", 1024)] {
        let identity = identity(name);
        let file = seal(&identity, b"Dear Ada");
        let Ok(Parsed::Complete { header, .. }) = Header::parse(&file) else { panic!("{name}") };
        assert_eq!(header.stanzas()[0].body.len(), body_bytes, "{name}");
        assert_eq!(open(&file, &identity).unwrap(), b"Dear Ada", "{name}");
        let recipient: Recipient = identity.to_recipient().unwrap().to_string().parse().unwrap();
        assert!(matches!(recipient, Recipient::Ssh(ssh) if ssh == identity.to_recipient().unwrap()));
    }
}

#[test]
fn rsa_keys_of_up_to_16384_bits_open_what_is_sealed_to_them() {
    for (name, body_bytes) in [("rsa-9216", 1152), ("rsa-16384", 2048)] {
        let identity = identity(name);
        let recipient: Recipient = file(&format!("{name}.pub")).parse().unwrap();
        assert_eq!(recipient.to_secret_text().trim(), identity.to_recipient().unwrap().to_string());
        let sealed = seal(&identity, b"Dear Ada");
        let Ok(Parsed::Complete { header, .. }) = Header::parse(&sealed) else { panic!("{name}") };
        assert_eq!(header.stanzas()[0].body.len(), body_bytes, "{name}");
        assert_eq!(open(&sealed, &identity).unwrap(), b"Dear Ada", "{name}");
        // Every bit of the stanza counts.
        let changed = [&sealed[..100], &[sealed[100] ^ 1], &sealed[101..]].concat();
        assert!(open(&changed, &identity).is_err(), "{name}");
    }
}

#[test]
fn keys_of_other_types_forms_and_sizes_are_unsupported() {
    for name in ["ecdsa", "ecdsa-protected", "ed25519-pkcs8", "rsa-short", "rsa-pem-protected"] {
        let refused = SshIdentity::from_protected_text(&file(name), PASSPHRASE).err();
        assert_eq!(refused, Some(SshKeyError::Unsupported), "{name}");
    }
    let protected = file("rsa-pkcs8-protected");
    assert_eq!(SshIdentity::from_file_text(&protected).err(), Some(SshKeyError::Unsupported));
}

#[test]
fn key_files_may_differ_in_their_lines() {
    let text = file("ed25519");
    let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
    let (begin, end) = (text.lines().next().unwrap(), text.lines().last().unwrap());
    let wrapped: Vec<_> = body.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line)).collect();
    let recipient = identity("ed25519").to_recipient().unwrap();
    for other in [
        text.replace('\n', "\r\n"),
        format!("\n  {}", text.trim_end()),
        format!("{text}\nssh-ed25519 AAAA a note\n"),
        format!("{begin}\n{}\n{end}\n", wrapped.join("\n")),
        format!("{begin}\n{body}\n{end}\n"),
    ] {
        assert_eq!(
            SshIdentity::from_file_text(&other).unwrap().to_recipient().unwrap(),
            recipient,
            "{other}"
        );
    }
    for damaged in [
        text.replace("-----END OPENSSH", "-----END RSA"),
        text.replace("OPENSSH", "RSA"),
        text.replace("OPENSSH ", ""),
        format!("{begin}\n{body}=\n{end}\n"),
        format!("{begin}\n{end}\n"),
        begin.to_owned(),
        "no key".to_owned(),
    ] {
        let refused = SshIdentity::from_file_text(&damaged).err();
        assert_eq!(refused, Some(SshKeyError::Malformed), "{damaged}");
    }
}

/// A changed bit is detected, or lies in a part of the file that doesn't affect the key, such as its comment.
#[test]
fn no_key_file_with_a_changed_bit_gives_another_key() {
    use base64::prelude::{BASE64_STANDARD, Engine};
    for name in ["ed25519", "rsa"] {
        let (text, expected) = (file(name), identity(name).to_recipient().unwrap());
        let (begin, end) = (text.lines().next().unwrap(), text.lines().last().unwrap());
        let body: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        let mut content = BASE64_STANDARD.decode(body).unwrap();
        for bit in (0..content.len() * 8).step_by(if name == "rsa" { 97 } else { 1 }) {
            content[bit / 8] ^= 1 << (bit % 8);
            let changed = format!("{begin}\n{}\n{end}\n", BASE64_STANDARD.encode(&content));
            if let Ok(identity) = SshIdentity::from_file_text(&changed) {
                assert_eq!(identity.to_recipient().unwrap(), expected, "{name}: bit {bit}");
                assert_eq!(open(&seal(&identity, b"x"), &identity).unwrap(), b"x", "{name}: bit {bit}");
            }
            content[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn nothing_opens_whose_ssh_stanza_was_changed() {
    for name in ["ed25519", "rsa"] {
        let identity = identity(name);
        let mut file = seal(&identity, b"x");
        let mac_line = file.windows(5).position(|window| window == b"\n--- ").unwrap() + 1;
        for bit in 0..mac_line * 8 {
            file[bit / 8] ^= 1 << (bit % 8);
            assert!(open(&file, &identity).is_err(), "{name}: bit {} of byte {}", bit % 8, bit / 8);
            file[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(open(&file, &identity).unwrap(), b"x", "{name}");
    }
}

#[test]
fn shares_of_low_order_are_malformed() {
    let identity = identity("ed25519");
    let file = String::from_utf8_lossy(&seal(&identity, b"x")).into_owned();
    let share = file.lines().nth(1).unwrap().split(' ').nth(3).unwrap();
    let end = file.find("\n--- ").unwrap() + "\n--- ".len();
    let mac = "A".repeat(43);
    let changed = format!("{}{mac}\n{}", file[..end].replace(share, &mac), "n".repeat(16));
    assert_eq!(open(changed.as_bytes(), &identity), Err(OpenError::Header(HeaderError::MalformedSsh)));
}

#[test]
fn unsafe_public_keys_are_refused() {
    use base64::prelude::{BASE64_STANDARD, Engine};
    let line = |tag: &str, parts: &[&[u8]]| {
        let encoded = [&[tag.as_bytes()], parts].concat();
        let encoded = encoded.iter().flat_map(|part| [&(part.len() as u32).to_be_bytes()[..], part].concat());
        format!("{tag} {}", BASE64_STANDARD.encode(encoded.collect::<Vec<_>>()))
    };
    let refused = |line: String| line.parse::<Recipient>().err();
    let mut identity_point = [0; 32];
    identity_point[0] = 1;
    assert_eq!(refused(line("ssh-ed25519", &[&identity_point])), Some(KeyTextError::InvalidKey));
    assert_eq!(refused(line("ssh-ed25519", &[&[0; 32]])), Some(KeyTextError::InvalidKey), "order four");
    assert_eq!(refused(line("ssh-ed25519", &[&[9; 31]])), Some(KeyTextError::InvalidKey));
    let modulus = |bytes: usize| [&[0, 0x80][..], &vec![1; bytes - 1]].concat();
    assert_eq!(refused(line("ssh-rsa", &[&[1, 0, 1], &modulus(256)])), None);
    assert_eq!(refused(line("ssh-rsa", &[&[1], &modulus(256)])), Some(KeyTextError::InvalidKey));
    assert_eq!(refused(line("ssh-rsa", &[&[1, 0, 0], &modulus(256)])), Some(KeyTextError::InvalidKey));
    assert_eq!(refused(line("ssh-rsa", &[&[], &modulus(256)])), Some(KeyTextError::InvalidKey));
    assert_eq!(refused(line("ssh-rsa", &[&[0x80, 1], &modulus(256)])), Some(KeyTextError::InvalidKey));
    assert_eq!(refused(line("ssh-rsa", &[&[1, 0, 1], &modulus(255)])), Some(KeyTextError::WrongLength));
    for bytes in [1024, 1025, 2048] {
        assert_eq!(refused(line("ssh-rsa", &[&[1, 0, 1], &modulus(bytes)])), None);
    }
    assert_eq!(refused(line("ssh-rsa", &[&[1, 0, 1], &modulus(2049)])), Some(KeyTextError::WrongLength));
    assert_eq!(refused(line("sk-ssh-ed25519@openssh.com", &[&[9; 32]])), Some(KeyTextError::Unsupported));
    assert_eq!(refused("ssh-dss AAAA".to_owned()), Some(KeyTextError::InvalidKey));
}

#[test]
fn ssh_public_keys_are_strict() {
    for name in ["ed25519", "rsa"] {
        let line = file(&format!("{name}.pub"));
        let recipient: Recipient = line.trim_end().parse().unwrap();
        let two_words: Vec<_> = line.split(' ').take(2).collect();
        assert_eq!(recipient.to_secret_text().as_str(), two_words.join(" "));
        let refused = |line: &str| line.parse::<Recipient>().unwrap_err();
        assert_eq!(refused(&two_words[0][..7]), KeyTextError::InvalidKey);
        assert_eq!(refused(&two_words.join(" ")[..60]), KeyTextError::InvalidKey);
        assert_eq!(refused(&two_words.join("  ")), KeyTextError::InvalidKey);
        assert_eq!(refused(&format!("{}AA", two_words.join(" "))), KeyTextError::InvalidKey);
    }
    assert_eq!(file("ecdsa.pub").parse::<Recipient>().unwrap_err(), KeyTextError::Unsupported);
    assert_eq!(file("rsa-short.pub").parse::<Recipient>().unwrap_err(), KeyTextError::WrongLength);
}

#[test]
fn ssh_private_keys_ask_for_their_passphrase() {
    let protected = file("ed25519-protected");
    assert_eq!(SshIdentity::from_file_text(&protected).unwrap_err(), SshKeyError::Protected);
    let wrong = SshIdentity::from_protected_text(&protected, "wrong horse").unwrap_err();
    assert_eq!(wrong, SshKeyError::WrongPassphrase);
    assert!(SshIdentity::from_protected_text(&protected, "correct horse").is_ok());
    let refused = |text: &str| SshIdentity::from_protected_text(text, "correct horse").unwrap_err();
    assert_eq!(refused(&file("ecdsa")), SshKeyError::Unsupported);
    assert_eq!(refused(&file("rsa-pem-protected")), SshKeyError::Unsupported);
    assert_eq!(refused(&protected[..200]), SshKeyError::Malformed);
    assert_eq!(refused(&format!("{protected}{}", "x".repeat(70_000))), SshKeyError::Malformed);
}
