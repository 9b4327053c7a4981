//! Headers and chunks, sealed and opened here and by the `age` crate.

use std::io::{Read, Write};
use std::str::FromStr;

use haul_age_format::{
    CHUNK_BYTES, Header, HeaderError, Identity, KeyTextError, Layout, NONCE_BYTES, OpenError, Parsed,
    Passphrase, Recipient, SealError, TAG_BYTES, X25519Identity, X25519Recipient, open_header, seal_header,
};
use proptest::prelude::*;

/// Deterministic bytes in place of the system's randomness.
fn random(seed: u64) -> impl FnMut(&mut [u8]) {
    let mut state = seed;
    move |out| {
        for byte in out {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            *byte = (state >> 56) as u8;
        }
    }
}

fn identity(seed: u64) -> X25519Identity {
    X25519Identity::generate_with(&mut random(seed))
}

fn seal(recipients: &[Recipient], plain: &[u8]) -> Vec<u8> {
    let sealed = seal_header(recipients, &mut random(99)).unwrap();
    let layout = Layout::of_plain(plain.len() as u64);
    let mut file = sealed.bytes;
    for index in 0..layout.chunk_count() {
        let start = Layout::plain_offset(index) as usize;
        let chunk = &plain[start..start + layout.plain_bytes_of(index)];
        let mut out = vec![0; chunk.len() + TAG_BYTES];
        sealed.payload_key.seal_chunk(index, layout.is_last(index), chunk, &mut out);
        file.extend(out);
    }
    file
}

fn open(file: &[u8], identities: &[Identity]) -> Result<Option<Vec<u8>>, OpenError> {
    let (header, len) = match Header::parse(file)? {
        Parsed::Complete { header, len } => (header, len),
        Parsed::NeedMore => return Ok(None),
    };
    let Some(nonce) = file.get(len..len + NONCE_BYTES) else { return Ok(None) };
    let key = open_header(&header, nonce.try_into().unwrap(), identities)?;
    let payload = &file[len + NONCE_BYTES..];
    let Some(layout) = Layout::of_sealed(payload.len() as u64) else { return Ok(None) };
    let mut plain = vec![0; layout.plain_bytes() as usize];
    for index in 0..layout.chunk_count() {
        let start = Layout::plain_offset(index) as usize;
        let sealed_start = Layout::sealed_offset(index) as usize;
        let length = layout.plain_bytes_of(index);
        let chunk = &payload[sealed_start..sealed_start + length + TAG_BYTES];
        if key.open_chunk(index, layout.is_last(index), chunk, &mut plain[start..start + length]).is_err() {
            return Ok(None);
        }
    }
    Ok(Some(plain))
}

fn sizes() -> [usize; 8] {
    [0, 1, 100, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 17]
}

fn plain(bytes: usize) -> Vec<u8> {
    let mut plain = vec![0; bytes];
    random(bytes as u64)(&mut plain);
    plain
}

#[test]
fn what_is_sealed_opens_again_and_for_each_recipient() {
    let identities = [identity(1), identity(2), identity(3)];
    let recipients: Vec<_> =
        identities.iter().map(|identity| Recipient::X25519(identity.to_recipient())).collect();
    for bytes in sizes() {
        let file = seal(&recipients, &plain(bytes));
        for identity in &identities {
            let opened = open(&file, &[Identity::X25519(identity.clone())]).unwrap();
            assert_eq!(opened, Some(plain(bytes)), "{bytes} bytes");
        }
    }
}

#[test]
fn the_age_crate_opens_what_is_sealed_here() {
    let ours = identity(7);
    let theirs = age::x25519::Identity::from_str(&ours.to_secret_text()).unwrap();
    for bytes in sizes() {
        let file = seal(&[Recipient::X25519(ours.to_recipient())], &plain(bytes));
        let decryptor = age::Decryptor::new(file.as_slice()).unwrap();
        let mut opened = Vec::new();
        let identity: &dyn age::Identity = &theirs;
        decryptor.decrypt(std::iter::once(identity)).unwrap().read_to_end(&mut opened).unwrap();
        assert_eq!(opened, plain(bytes), "{bytes} bytes");
    }
    let passphrase = Passphrase::with_work_factor("correct horse".to_owned().into(), 10);
    let file = seal(&[Recipient::Passphrase(passphrase)], b"under a passphrase");
    let theirs = age::scrypt::Identity::new("correct horse".to_owned().into());
    let identity: &dyn age::Identity = &theirs;
    let mut opened = Vec::new();
    let decryptor = age::Decryptor::new(file.as_slice()).unwrap();
    decryptor.decrypt(std::iter::once(identity)).unwrap().read_to_end(&mut opened).unwrap();
    assert_eq!(opened, b"under a passphrase");
}

#[test]
fn what_the_age_crate_seals_opens_here() {
    let theirs = age::x25519::Identity::generate();
    let text = age::secrecy::ExposeSecret::expose_secret(&theirs.to_string()).to_owned();
    let ours = Identity::from_str(&text).unwrap();
    for bytes in sizes() {
        let recipient: &dyn age::Recipient = &theirs.to_public();
        let encryptor = age::Encryptor::with_recipients(std::iter::once(recipient)).unwrap();
        let mut file = Vec::new();
        let mut writer = encryptor.wrap_output(&mut file).unwrap();
        writer.write_all(&plain(bytes)).unwrap();
        writer.finish().unwrap();
        assert_eq!(open(&file, std::slice::from_ref(&ours)).unwrap(), Some(plain(bytes)), "{bytes} bytes");
    }
    let mut recipient = age::scrypt::Recipient::new("correct horse".to_owned().into());
    recipient.set_work_factor(10);
    let encryptor =
        age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient)).unwrap();
    let mut file = Vec::new();
    let mut writer = encryptor.wrap_output(&mut file).unwrap();
    writer.write_all(b"under a passphrase").unwrap();
    writer.finish().unwrap();
    let passphrase = |text: &str| Identity::Passphrase(Passphrase::new(text.to_owned().into()));
    assert_eq!(open(&file, &[passphrase("correct horse")]).unwrap().unwrap(), b"under a passphrase");
    assert_eq!(open(&file, &[passphrase("wrong horse")]), Err(OpenError::WrongPassphrase));
}

#[test]
fn nothing_opens_that_was_cut_or_changed() {
    let owner = identity(4);
    let file = seal(&[Recipient::X25519(owner.to_recipient())], &plain(CHUNK_BYTES + 40));
    let identities = [Identity::X25519(owner)];
    let opens = |file: &[u8]| matches!(open(file, &identities), Ok(Some(_)));
    assert!(opens(&file));
    let header_end = file.len() - Layout::of_plain(CHUNK_BYTES as u64 + 40).sealed_bytes() as usize;
    let cuts = (0..header_end + 20).chain(file.len() - 100..file.len());
    for cut in cuts.chain([header_end + CHUNK_BYTES + TAG_BYTES]) {
        assert!(!opens(&file[..cut]), "cut to {cut} bytes");
    }
    let mut changed = file.clone();
    for position in (0..header_end).chain([header_end, header_end + 60_000, file.len() - 1]) {
        for bit in 0..8 {
            changed[position] ^= 1 << bit;
            assert!(!opens(&changed), "bit {bit} of byte {position} flipped");
            changed[position] ^= 1 << bit;
        }
    }
    let longer: Vec<_> = file.iter().copied().chain([0]).collect();
    assert!(!opens(&longer));
}

#[test]
fn chunks_open_only_under_their_own_number_and_flag() {
    let sealed = seal_header(&[Recipient::X25519(identity(1).to_recipient())], &mut random(5)).unwrap();
    let mut chunk = [0; 3 + TAG_BYTES];
    sealed.payload_key.seal_chunk(7, false, b"abc", &mut chunk);
    let mut plain = *b"xyz";
    for (index, last) in [(6, false), (8, false), (7, true), (7 << 8, false)] {
        assert!(sealed.payload_key.open_chunk(index, last, &chunk, &mut plain).is_err(), "{index} {last}");
        assert_eq!(plain, [0; 3], "nothing unauthenticated is left behind");
    }
    sealed.payload_key.open_chunk(7, false, &chunk, &mut plain).unwrap();
    assert_eq!(&plain, b"abc");
}

#[test]
fn recipients_that_do_not_combine_are_refused() {
    let passphrase = Recipient::Passphrase(Passphrase::with_work_factor("p".to_owned().into(), 1));
    let key = Recipient::X25519(identity(1).to_recipient());
    let refusal = |recipients: &[Recipient]| seal_header(recipients, &mut random(1)).err();
    assert_eq!(refusal(&[]), Some(SealError::NoRecipient));
    assert_eq!(refusal(&[passphrase.clone(), key]), Some(SealError::PassphraseNotAlone));
    assert_eq!(refusal(&[passphrase.clone(), passphrase]), Some(SealError::PassphraseNotAlone));
    let prefix = bech32::Hrp::parse("age").unwrap();
    let low_order = bech32::encode::<bech32::Bech32>(prefix, &[0; 32]).unwrap();
    assert_eq!(refusal(&[low_order.parse().unwrap()]), Some(SealError::InvalidRecipient));
}

#[test]
fn key_texts_are_strict() {
    let identity = identity(1);
    let (secret, public) = (identity.to_secret_text(), identity.to_recipient().to_string());
    assert_eq!(X25519Recipient::from_str(&public), Ok(identity.to_recipient()));
    assert_eq!(X25519Identity::from_str(&secret).unwrap().to_recipient(), identity.to_recipient());
    let refused = |text: &str| X25519Recipient::from_str(text).unwrap_err();
    assert_eq!(refused(&secret), KeyTextError::WrongPrefix);
    assert_eq!(refused(&public.to_uppercase()), KeyTextError::WrongPrefix);
    assert_eq!(refused(&public[..public.len() - 1]), KeyTextError::NotBech32);
    assert_eq!(refused(&format!(" {public}")), KeyTextError::NotBech32);
    assert!(X25519Identity::from_str(&secret.to_lowercase()).is_err());
    assert!(!format!("{identity:?}").contains(&secret[16..]), "debug output keeps the secret");
}

#[test]
fn a_header_longer_than_the_limit_is_refused() {
    let mut text = b"age-encryption.org/v1\n".to_vec();
    while text.len() < Header::BYTES_MAX {
        text.extend_from_slice(b"-> a\n\n");
    }
    assert_eq!(Header::parse(&text), Err(HeaderError::TooLong));
    assert_eq!(Header::parse(b"age-encryption.org/v2\n"), Err(HeaderError::NotAge));
    assert_eq!(Header::parse(b"P"), Err(HeaderError::NotAge));
    assert_eq!(Header::parse(b"age-enc"), Ok(Parsed::NeedMore));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), valid_start in any::<bool>()) {
        let mut input = if valid_start { b"age-encryption.org/v1\n-> X25519 ".to_vec() } else { Vec::new() };
        input.extend(bytes);
        let _ = Header::parse(&input);
    }
}
