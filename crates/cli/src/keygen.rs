//! `haul keygen`: identities in the files that age-keygen makes.
//!
//! Owns: the file's form.
//! Does not own: keys, passphrases.

use std::path::Path;
use std::time::SystemTime;

use haul_seal::{HybridIdentity, Identity, KeyTextError, Recipient, X25519Identity, protected_file};

use crate::args::KeygenArgs;
use crate::exit::{Exit, Problem};
use crate::keys;
use crate::passphrase::{self, Asked};
use crate::voice::{Voice, quoted};

pub(crate) fn run(args: &KeygenArgs, voice: &Voice) -> Result<Exit, Problem> {
    if let Some(path) = &args.recipient_of {
        return print_recipients(path, args, voice);
    }
    let mut random = crate::plan::system_random();
    let identity = match args.pq {
        true => Identity::Hybrid(HybridIdentity::generate_with(&mut random)),
        false => Identity::X25519(X25519Identity::generate_with(&mut random)),
    };
    let recipient = recipient_text(&identity).expect("a new identity has a recipient");
    let created = humantime::format_rfc3339_seconds(SystemTime::now());
    let mut file = identity.to_secret_text();
    file.insert_str(0, &format!("# created: {created}\n# public key: {recipient}\n"));
    file.push('\n');
    let protected = passphrase::for_files(&args.secret, Asked::Twice)?
        .map(|passphrase| protected_file(&file, &passphrase, &mut random));
    let bytes = protected.as_deref().unwrap_or(file.as_bytes());
    match &args.output {
        Some(path) => {
            keys::create_private(path, bytes).map_err(|error| {
                let reason = haul_io::reason(&error);
                Problem::usage(format!("cannot create key file {}: {reason}", quoted(path)))
            })?;
            voice.data(recipient);
        }
        None => {
            voice.data(String::from_utf8_lossy(bytes).trim_end());
            // What is sealed doesn't tell.
            if protected.is_some() {
                voice.note(format!("the recipient is {recipient}"));
            }
        }
    }
    Ok(Exit::Success)
}

fn print_recipients(path: &Path, args: &KeygenArgs, voice: &Voice) -> Result<Exit, Problem> {
    for identity in keys::identities_in_file(path, &args.secret)? {
        let recipient = recipient_text(&identity)
            .map_err(|error| Problem::usage(format!("{} holds a key that is {error}", quoted(path))))?;
        voice.data(recipient);
    }
    Ok(Exit::Success)
}

/// The recipient of an identity out of a file, which is no passphrase.
fn recipient_text(identity: &Identity) -> Result<String, KeyTextError> {
    match identity.to_recipient()? {
        Recipient::PluginIdentity(_) => Err(KeyTextError::OfPlugin),
        recipient => Ok(recipient.to_secret_text().to_string()),
    }
}
