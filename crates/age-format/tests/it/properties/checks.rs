//! Properties that hold for arbitrary bytes. Property tests and the fuzz targets in `fuzz/` run the same functions.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use haul_age_format::{
    ArmorDecoder, ArmorEncoder, CHUNK_BYTES, FileKey, Header, HeaderError, HybridIdentity, Identity,
    NONCE_BYTES, Parsed, PluginFault, PluginReader, Recipient, StreamError, StreamOpener, StreamSealer, Turn,
    Unwrapping, Wrapping, X25519Identity, open_header, seal_header,
};

const VERSION_LINE: &[u8] = b"age-encryption.org/v1\n";

/// Constant bytes instead of the system's randomness.
fn random(out: &mut [u8]) {
    out.fill(7);
}

fn identities() -> &'static [Identity] {
    static IDENTITIES: OnceLock<Vec<Identity>> = OnceLock::new();
    let ssh = include_str!("../../ssh/ed25519");
    IDENTITIES.get_or_init(|| {
        let mut identities = vec![
            Identity::X25519(X25519Identity::generate_with(&mut random)),
            Identity::Hybrid(HybridIdentity::generate_with(&mut random)),
        ];
        // A build without SSH keys refuses it.
        identities.extend(haul_age_format::identities_in(ssh.as_bytes()).unwrap_or_default());
        identities
    })
}

/// A longer input never changes a result that a shorter one gave, and an accepted header has only one text.
pub fn header(input: &[u8]) {
    let whole = Header::parse(input);
    let shorter = (0..input.len()).rev().step_by(1 + input.len() / 64);
    for length in shorter {
        match Header::parse(&input[..length]) {
            Ok(Parsed::NeedMore) => {}
            // Why it isn't one may show later: a mark of a text file has two or three bytes.
            Err(HeaderError::NotAge) if whole == Err(HeaderError::Converted) => {}
            decided => assert_eq!(decided, whole, "{length} bytes decide"),
        }
    }
    if let Ok(Parsed::Complete { header, len }) = whole {
        let text = text_of(&header);
        assert!(input.starts_with(&text), "the text is canonical");
        let closing = &input[text.len()..len];
        assert!(closing.starts_with(b" ") && closing.ends_with(b"\n") && closing.len() == 45);
    }
}

/// The text that the header's MAC covers, encoded again.
fn text_of(header: &Header) -> Vec<u8> {
    let mut text = VERSION_LINE.to_vec();
    for stanza in header.stanzas() {
        text.extend_from_slice(format!("-> {}\n", stanza.arguments.join(" ")).as_bytes());
        let body = STANDARD_NO_PAD.encode(&stanza.body);
        let full_lines = body.len() / 64;
        for index in 0..=full_lines {
            let line = &body[index * 64..body.len().min(index * 64 + 64)];
            text.extend_from_slice(format!("{line}\n").as_bytes());
        }
    }
    text.extend_from_slice(b"---");
    text
}

/// No identity opens a header with an arbitrary stanza, and none panics.
pub fn stanza(after_the_arrow: &[u8]) {
    let mut text = [VERSION_LINE, b"-> ", after_the_arrow].concat();
    text.extend_from_slice(b"\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");
    if let Ok(Parsed::Complete { header, .. }) = Header::parse(&text) {
        assert!(open_header(&header, &[0; NONCE_BYTES], identities()).is_err());
    }
}

/// The division into pieces doesn't affect armor, and accepted armor has one text apart from white space and CR.
pub fn armor(input: &[u8]) {
    let Some((&piece_bytes, text)) = input.split_first() else { return };
    let whole = decode(text, usize::MAX);
    assert_eq!(decode(text, 1 + usize::from(piece_bytes)), whole);
    if let (bytes, Ok(())) = whole {
        let (mut encoder, mut again) = (ArmorEncoder::default(), Vec::new());
        encoder.push(&bytes, &mut again);
        encoder.finish(&mut again);
        let lines: Vec<_> = text.iter().copied().filter(|byte| *byte != b'\r').collect();
        assert_eq!(lines.trim_ascii(), again.trim_ascii());
    }
}

fn decode(text: &[u8], piece_bytes: usize) -> (Vec<u8>, Result<(), haul_age_format::ArmorError>) {
    let (mut decoder, mut bytes) = (ArmorDecoder::default(), Vec::new());
    let pushed = text.chunks(piece_bytes).try_for_each(|piece| decoder.push(piece, &mut bytes));
    let result = pushed.and_then(|()| decoder.finish(&mut bytes));
    (bytes, result)
}

/// The division into pieces doesn't affect the result of a session with a plugin, and no input panics.
pub fn plugin(input: &[u8]) {
    let Some((&piece_bytes, text)) = input.split_first() else { return };
    let recipient: Recipient = "age1test1wdhk6etzdaj8j58wj93".parse().expect("a constant");
    let file_keys = [FileKey::generate_with(&mut random), FileKey::generate_with(&mut random)];
    let wrap = |piece_bytes: usize| {
        let (mut wrapping, _) = Wrapping::new(&[&recipient], &file_keys);
        let turns = converse(text, piece_bytes, |stanza| wrapping.receive(stanza));
        (turns, wrapping.finish())
    };
    let whole = wrap(usize::MAX);
    assert_eq!(wrap(1 + usize::from(piece_bytes)), whole);
    if let (_, Ok(wrapped)) = whole {
        assert!(wrapped.stanzas.len() == 2 && wrapped.stanzas.iter().all(|stanzas| stanzas.len() == 1));
    }
    let unwrap = |piece_bytes: usize| {
        let (mut unwrapping, _) = Unwrapping::new(&[], &[]);
        (converse(text, piece_bytes, |stanza| unwrapping.receive(stanza)), unwrapping.finish().len())
    };
    assert_eq!(unwrap(1 + usize::from(piece_bytes)), unwrap(usize::MAX));
}

/// The turns of a session, up to its end or an error.
fn converse(
    text: &[u8],
    piece_bytes: usize,
    mut receive: impl FnMut(haul_age_format::Stanza) -> Result<Turn, PluginFault>,
) -> (Vec<Turn>, Result<(), PluginFault>) {
    let (mut reader, mut turns) = (PluginReader::new(2), Vec::new());
    let mut pieces = text.chunks(piece_bytes);
    let result = (|| {
        loop {
            match reader.take()? {
                Some(stanza) => turns.push(receive(stanza)?),
                None => match pieces.next() {
                    Some(piece) => reader.push(piece)?,
                    None => return Ok(()),
                },
            }
            if turns.last() == Some(&Turn::End) {
                return Ok(());
            }
        }
    })();
    (turns, result)
}

/// A payload opens if and only if it is the one that was sealed; the plaintext released from any other is a prefix of
/// the original. `edits` holds the piece size (2 bytes), a length to cut to (2 bytes), and changes of 3 bytes each: a
/// position and a mask.
pub fn stream(edits: &[u8]) {
    let [a, b, c, d, changes @ ..] = edits else { return };
    let (plain, sealed) = sealed();
    let mut changed = sealed.to_vec();
    for change in changes.chunks_exact(3) {
        // Two bytes, times three, reach every position of the payload.
        let position = usize::from(u16::from_le_bytes([change[0], change[1]])) * 3 % changed.len();
        changed[position] ^= change[2];
    }
    let cut = usize::from(u16::from_le_bytes([*c, *d]));
    if cut > 0 {
        changed.resize(cut * 3, 0);
    }
    let piece_bytes = 1 + usize::from(u16::from_le_bytes([*a, *b]));
    let (released, result) = open(&changed, piece_bytes);
    assert_eq!(result.is_ok(), changed == sealed);
    assert!(plain.starts_with(&released) && (result.is_err() || released.len() == plain.len()));
}

/// A plaintext of more than two chunks and its payload.
fn sealed() -> (&'static [u8], &'static [u8]) {
    static SEALED: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    let (plain, sealed) = SEALED.get_or_init(|| {
        let plain: Vec<u8> = (0..2 * CHUNK_BYTES + 100).map(|index| (index * 7) as u8).collect();
        let mut sealed = Vec::new();
        let mut sealer = StreamSealer::new(key());
        sealer.push(&plain, &mut sealed);
        sealer.finish(&mut sealed);
        (plain, sealed)
    });
    (plain, sealed)
}

/// The same key each time, as `random` is constant.
fn key() -> haul_age_format::PayloadKey {
    let recipient = Recipient::X25519(X25519Identity::generate_with(&mut random).to_recipient());
    seal_header(&[recipient], &mut random).expect("one recipient is enough").payload_key
}

fn open(payload: &[u8], piece_bytes: usize) -> (Vec<u8>, Result<(), StreamError>) {
    let (mut opener, mut plain) = (StreamOpener::new(key()), Vec::new());
    let pushed = payload.chunks(piece_bytes).try_for_each(|piece| opener.push(piece, &mut plain));
    let result = pushed.and_then(|()| opener.finish(&mut plain));
    (plain, result)
}
