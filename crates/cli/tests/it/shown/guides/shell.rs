//! The shell in which the commands of a page run.
//!
//! Owns: its environment, telling the outputs of commands apart, ending it.
//! Does not own: the commands.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use haul_testkit::peer;

use super::page::recipient_in;
use super::world::World;

/// What surrounds the exit status after a command's output.
const MARK: char = '\u{1e}';
/// How long a command may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Programs in the guides that a machine may lack.
const PEERS: [&str; 4] = ["age", "curl", "gpg", "jq"];

/// A running shell. Dropping it ends it.
pub(super) struct Shell<'a> {
    world: &'a World,
    child: Child,
    stdin: ChildStdin,
    output: Receiver<Vec<u8>>,
    /// What `age1…` stands for.
    recipient: Option<String>,
}

impl<'a> Shell<'a> {
    pub(super) fn start(world: &'a World) -> Self {
        let mut command = Command::new("bash");
        command.env_clear().envs(world.variables()).current_dir(world.home());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("a shell");
        let (mut stdin, mut stdout) =
            (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
        stdin.write_all(b"exec 2>&1\n").expect("the shell reads");
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut piece = [0; 8_192];
            while let Ok(count @ 1..) = stdout.read(&mut piece) {
                if sender.send(piece[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self { world, child, stdin, output, recipient: None }
    }

    /// The output of `command`, on both streams, and whether it succeeded.
    ///
    /// # Errors
    /// The name of a program that isn't there.
    ///
    /// # Panics
    /// If it takes too long.
    pub(super) fn run(&mut self, command: &str) -> Result<(String, bool), &'static str> {
        // A program begins at the start, or behind a pipe or another command.
        let programs = command.split(['|', '&', ';']).filter_map(|part| part.split_whitespace().next());
        let is_missing = |name: &&str| PEERS.contains(name) && peer(name).is_none();
        if let Some(missing) = programs.into_iter().find(is_missing) {
            return Err(PEERS.into_iter().find(|name| *name == missing).unwrap_or_default());
        }
        let mut text = command.to_owned();
        if text.contains("age1…") {
            let recipient =
                self.recipient.as_deref().unwrap_or_else(|| panic!("{command}: no recipient was printed"));
            text = text.replace("age1…", recipient);
        }
        let script = format!("{{ {text}\n}} </dev/null\ns=$?; printf '\\036%d\\036' $s; (exit $s)\n");
        self.stdin.write_all(script.as_bytes()).expect("the shell reads");
        let mut bytes = Vec::new();
        let (output, status) = loop {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let mut parts = text.split(MARK);
            if let (Some(output), Some(status), Some(_)) = (parts.next(), parts.next(), parts.next()) {
                break (output.to_owned(), status.to_owned());
            }
            match self.output.recv_timeout(TIMEOUT) {
                Ok(piece) => bytes.extend(piece),
                Err(_) => panic!("{command}: the shell ended, or it took too long; it printed:\n{text}"),
            }
        };
        if let Some(recipient) = recipient_in(&output) {
            self.recipient = Some(recipient.to_owned());
        }
        Ok((self.world.named(&output), status == "0"))
    }
}

impl Drop for Shell<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
