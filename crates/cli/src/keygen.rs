//! `haul keygen`: identities in the files that age-keygen makes.
//!
//! Owns: the file's form.
//! Does not own: keys.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::SystemTime;

use haul_seal::X25519Identity;

use crate::args::KeygenArgs;
use crate::exit::{Exit, Problem};
use crate::keys;
use crate::voice::{Voice, quoted};

pub(crate) fn run(args: &KeygenArgs, voice: &Voice) -> Result<Exit, Problem> {
    if let Some(path) = &args.recipient_of {
        for identity in keys::x25519_identities(path)? {
            voice.data(identity.to_recipient());
        }
        return Ok(Exit::Success);
    }
    let mut random = crate::plan::system_random();
    let identity = X25519Identity::generate(&mut random);
    let recipient = identity.to_recipient();
    let created = humantime::format_rfc3339_seconds(SystemTime::now());
    let secret = identity.to_secret_text();
    let head = format!("# created: {created}\n# public key: {recipient}");
    match &args.output {
        None => {
            voice.data(head);
            voice.data(secret.as_str());
        }
        Some(path) => {
            let refused = |error: std::io::Error| {
                Problem::usage(format!(
                    "cannot create key file {}: {}",
                    quoted(path),
                    haul_io::reason(&error)
                ))
            };
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(refused)?;
            let written = writeln!(file, "{head}\n{}", secret.as_str()).and_then(|()| file.sync_all());
            if let Err(error) = written {
                let _ = std::fs::remove_file(path);
                return Err(refused(error));
            }
            voice.data(&recipient);
        }
    }
    Ok(Exit::Success)
}
