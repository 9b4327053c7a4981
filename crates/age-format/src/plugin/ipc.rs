//! The parts that both state machines share: stanzas from a pipe, and requests to the user.
//!
//! Owns: the limits on what a plugin may send, the commands known to both state machines.
//! Does not own: keys.
//!
//! Spec: C2SP age-plugin.md, "IPC protocol" and "Phases".

use zeroize::{Zeroize, Zeroizing};

use super::fault::PluginFault;
use crate::encoding::from_base64;
use crate::error::HeaderError;
use crate::header::stanza::Stanza;

/// Splits the bytes that a plugin writes into stanzas, within limits.
pub struct PluginReader {
    /// Bytes not yet taken. They may include file keys.
    bytes: Zeroizing<Vec<u8>>,
    /// How many more bytes are accepted.
    bytes_left: u64,
}

/// The next action after a stanza from the plugin.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// Send these bytes, then read the next stanza.
    Reply(Vec<u8>),
    /// Ask the user, send [`Question::reply`], then read the next stanza.
    Ask(Question),
    /// The session has ended.
    End,
}

/// A plugin's request to the user. The texts are the plugin's.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Question {
    /// Show this message; any answer acknowledges it.
    Message(String),
    /// Choose between two options: answer `"yes"` for the first, `"no"` for the second.
    Confirm {
        /// The question.
        message: String,
        /// The label of the first option.
        yes: String,
        /// The label of the second option, if there is one.
        no: Option<String>,
    },
    /// Enter a text that may be visible.
    Public(String),
    /// Enter a secret.
    Secret(String),
}

impl PluginReader {
    /// The longest stanza accepted, in bytes of its text.
    pub const STANZA_BYTES_MAX: usize = 64 * 1024;
    /// Bytes accepted in a session in addition to those per file.
    const SESSION_BYTES_MAX: u64 = 1 << 20;
    /// Bytes accepted per file.
    const ANSWER_BYTES_MAX: u64 = 16 * 1024;

    /// A reader for a session about `file_count` files.
    pub fn new(file_count: usize) -> Self {
        let bytes_left = Self::SESSION_BYTES_MAX + file_count as u64 * Self::ANSWER_BYTES_MAX;
        Self { bytes: Zeroizing::new(Vec::with_capacity(2 * Self::STANZA_BYTES_MAX)), bytes_left }
    }

    /// Adds bytes that the plugin wrote.
    ///
    /// # Errors
    /// [`PluginFault::TooLong`] if the plugin sent more than a session may hold.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), PluginFault> {
        self.bytes_left = self.bytes_left.checked_sub(bytes.len() as u64).ok_or(PluginFault::TooLong)?;
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes the next complete stanza; `None` if more bytes are needed.
    ///
    /// # Errors
    /// As soon as no continuation could be a stanza within the limit.
    pub fn take(&mut self) -> Result<Option<Stanza>, PluginFault> {
        let Some((stanza, length)) = first_stanza(&self.bytes)? else {
            return match self.bytes.len() {
                0..Self::STANZA_BYTES_MAX => Ok(None),
                _ => Err(PluginFault::TooLong),
            };
        };
        let rest = self.bytes.len() - length;
        self.bytes.copy_within(length.., 0);
        self.bytes[rest..].zeroize();
        self.bytes.truncate(rest);
        Ok(Some(stanza))
    }
}

/// The stanza at the start of `bytes` and the length of its text, if it is complete.
fn first_stanza(bytes: &[u8]) -> Result<Option<(Stanza, usize)>, PluginFault> {
    const ARROW: &[u8] = b"-> ";
    if !bytes.starts_with(&ARROW[..ARROW.len().min(bytes.len())]) {
        return Err(PluginFault::Malformed);
    }
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n').map_while(|line| line.strip_suffix(b"\n"));
    let Some(first) = lines.next() else { return Ok(None) };
    let malformed = |_: HeaderError| PluginFault::Malformed;
    let arguments = Stanza::parse_arguments(&first[ARROW.len()..]).map_err(malformed)?;
    let (mut body, mut length) = (Vec::new(), first.len() + 1);
    for line in lines {
        body.push(line);
        length += line.len() + 1;
        if !Stanza::continues_after(line).map_err(malformed)? {
            let body = Stanza::parse_body(&body).map_err(malformed)?;
            return Ok(Some((Stanza { arguments, body }, length)));
        }
    }
    Ok(None)
}

/// Appends a command to the bytes to send.
pub(super) fn push_command(command: &[&str], body: &[u8], out: &mut Zeroizing<Vec<u8>>) {
    let arguments = command.iter().map(|word| (*word).to_owned()).collect();
    let mut stanza = Stanza { arguments, body: body.to_vec() };
    // Room for all of it at once, so that growing leaves no copy of a secret behind.
    let text_bytes = stanza.arguments.iter().map(String::len).sum::<usize>() + 2 * body.len() + 64;
    let mut text = Zeroizing::new(Vec::with_capacity(text_bytes));
    stanza.encode(&mut text);
    stanza.body.zeroize();
    if out.capacity() - out.len() < text.len() {
        let mut larger = Zeroizing::new(Vec::with_capacity((out.len() + text.len()).max(4096) * 2));
        larger.extend_from_slice(out);
        *out = larger;
    }
    out.extend_from_slice(&text);
}

/// Appends the command that ends the first phase.
pub(super) fn push_done(out: &mut Zeroizing<Vec<u8>>) {
    push_command(&["done"], &[], out);
}

/// The reply to a command that was understood.
pub(super) fn ok() -> Turn {
    Turn::Reply(b"-> ok\n\n".to_vec())
}

/// The action for a command that both state machines know, or neither.
pub(super) fn common_turn(stanza: &Stanza) -> Turn {
    let text = String::from_utf8_lossy(&stanza.body).into_owned();
    match (stanza.tag(), &stanza.arguments[1..]) {
        ("done", _) => Turn::End,
        ("msg", _) => Turn::Ask(Question::Message(text)),
        ("request-public", _) => Turn::Ask(Question::Public(text)),
        ("request-secret", _) => Turn::Ask(Question::Secret(text)),
        ("confirm", [yes, rest @ ..]) => confirm(text, yes, rest.first()),
        ("confirm", []) => fail(),
        // Grease, or a command of a later version ("Phases").
        _ => Turn::Reply(b"-> unsupported\n\n".to_vec()),
    }
}

fn confirm(message: String, yes: &str, no: Option<&String>) -> Turn {
    let decoded = |text: &str| {
        let bytes = from_base64(text.as_bytes())?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    match (decoded(yes), no.map(|no| decoded(no))) {
        (Some(yes), None) => Turn::Ask(Question::Confirm { message, yes, no: None }),
        (Some(yes), Some(Some(no))) => Turn::Ask(Question::Confirm { message, yes, no: Some(no) }),
        _ => fail(),
    }
}

fn fail() -> Turn {
    Turn::Reply(b"-> fail\n\n".to_vec())
}

impl Question {
    /// The longest answer that is sent to the plugin, in bytes. A longer one counts as none.
    pub const ANSWER_BYTES_MAX: usize = 32 * 1024;

    /// The bytes to send to the plugin for the user's `answer`. `None` means that the user didn't or couldn't answer.
    pub fn reply(&self, answer: Option<&str>) -> Zeroizing<Vec<u8>> {
        let answer = answer.filter(|answer| answer.len() <= Self::ANSWER_BYTES_MAX);
        let mut out = Zeroizing::new(Vec::new());
        match (self, answer) {
            (Self::Message(_), Some(_)) => push_command(&["ok"], &[], &mut out),
            (Self::Confirm { .. }, Some(answer @ ("yes" | "no"))) => {
                push_command(&["ok", answer], &[], &mut out)
            }
            (Self::Public(_) | Self::Secret(_), Some(answer)) => {
                push_command(&["ok"], answer.as_bytes(), &mut out)
            }
            _ => push_command(&["fail"], &[], &mut out),
        }
        out
    }
}

/// Parses an argument that is an index.
pub(super) fn index(text: &str) -> Result<usize, PluginFault> {
    text.parse().map_err(|_| PluginFault::Malformed)
}

/// The text of an `error` command; a description of its kind if the text is empty.
pub(super) fn error_text(stanza: &Stanza) -> String {
    let text = String::from_utf8_lossy(&stanza.body).trim().to_owned();
    match (text.is_empty(), stanza.arguments.get(1)) {
        (false, _) => text,
        (true, Some(kind)) => format!("an error of kind {kind}"),
        (true, None) => "an error".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::to_base64;

    fn read(text: &[u8], piece_bytes: usize) -> Result<Vec<Stanza>, PluginFault> {
        let mut reader = PluginReader::new(1);
        let mut stanzas = Vec::new();
        for piece in text.chunks(piece_bytes) {
            reader.push(piece)?;
            while let Some(stanza) = reader.take()? {
                stanzas.push(stanza);
            }
        }
        Ok(stanzas)
    }

    fn stanza(arguments: &[&str], body: &[u8]) -> Stanza {
        Stanza { arguments: arguments.iter().map(|word| (*word).to_owned()).collect(), body: body.to_vec() }
    }

    #[test]
    fn pieces_make_no_difference() {
        let mut text = Zeroizing::new(Vec::new());
        let sent =
            [stanza(&["msg"], b"touch it"), stanza(&["x", "1", "2"], &[7; 48]), stanza(&["done"], b"")];
        for stanza in &sent {
            let words: Vec<_> = stanza.arguments.iter().map(String::as_str).collect();
            push_command(&words, &stanza.body, &mut text);
        }
        for piece_bytes in 1..text.len() {
            assert_eq!(read(&text, piece_bytes).unwrap(), sent, "{piece_bytes}");
        }
    }

    #[test]
    fn malformed_stanzas_are_refused_early() {
        for text in [&b"hello"[..], b"->x\n", b"-> \n", b"-> msg  x\n", b"-> msg\n====\n", b"\n"] {
            assert_eq!(read(text, 1), Err(PluginFault::Malformed), "{text:?}");
        }
        let line = [&[b'A'; 64][..], b"\n"].concat();
        let endless = [b"-> msg\n", line.repeat(2_000).as_slice()].concat();
        assert_eq!(read(&endless, 4096), Err(PluginFault::TooLong));
        let chatter = b"-> grease\n\n".repeat(200_000);
        assert_eq!(read(&chatter, 4096), Err(PluginFault::TooLong));
    }

    #[test]
    fn questions_reach_the_user_and_answers_the_plugin() {
        let secret = Question::Secret("PIN".to_owned());
        assert_eq!(common_turn(&stanza(&["request-secret"], b"PIN")), Turn::Ask(secret.clone()));
        assert_eq!(*secret.reply(Some("123456")), b"-> ok\nMTIzNDU2\n");
        assert_eq!(*secret.reply(None), b"-> fail\n\n");
        assert_eq!(*secret.reply(Some(&"1".repeat(40_000))), b"-> fail\n\n");
        let (yes, no) = (to_base64(b"skip"), to_base64(b"wait"));
        let Turn::Ask(choice) = common_turn(&stanza(&["confirm", &yes, &no], b"No key")) else { panic!() };
        let (message, no) = ("No key".to_owned(), Some("wait".to_owned()));
        assert_eq!(choice, Question::Confirm { message, yes: "skip".to_owned(), no });
        assert_eq!(*choice.reply(Some("no")), b"-> ok no\n\n");
        assert_eq!(*choice.reply(Some("maybe")), b"-> fail\n\n");
        assert_eq!(*Question::Message(String::new()).reply(Some("")), b"-> ok\n\n");
        assert_eq!(common_turn(&stanza(&["confirm", "="], b"")), fail());
        assert_eq!(common_turn(&stanza(&["confirm"], b"")), fail());
        let unsupported = Turn::Reply(b"-> unsupported\n\n".to_vec());
        assert_eq!(common_turn(&stanza(&["grease-7"], b"x")), unsupported);
    }
}
