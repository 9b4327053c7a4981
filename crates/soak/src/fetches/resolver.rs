//! A name server that misbehaves: it is silent, answers garbage, refuses, or answers late.
//!
//! It serves the runs whose `/etc/resolv.conf` names it; that takes root and a mount namespace.
//!
//! Owns: the socket, the answers.
//! Does not own: what haul makes of them.
//!
//! Source: RFC 1035, section 4.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use haul_testkit::{is_root, peer};

use crate::choice::Choice;
use crate::fault::Checked;

/// A running name server.
pub(super) struct Resolver {
    /// A `resolv.conf` that names it.
    pub(super) config: PathBuf,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Resolver {
    /// Starts one. None where runs can't be made to use it.
    pub(super) fn start(choice: &mut Choice, dir: &Path) -> Checked<Option<Self>> {
        if !is_root() || peer("unshare").is_none() {
            return Ok(None);
        }
        // Only port 53 can be named in resolv.conf, so each process has an address of its own.
        let [a, b] = (std::process::id() as u16).to_be_bytes();
        let Ok(socket) = UdpSocket::bind((Ipv4Addr::new(127, 53, a, b.max(1)), 53)) else { return Ok(None) };
        socket.set_read_timeout(Some(Duration::from_millis(20)))?;
        let config = dir.join("resolv.conf");
        fs::write(
            &config,
            format!("nameserver {}\noptions timeout:1 attempts:2\n", socket.local_addr()?.ip()),
        )?;
        let ends = Arc::new(AtomicBool::new(false));
        let (stop, mut choice) = (ends.clone(), choice.clone());
        let thread = std::thread::spawn(move || {
            let mut question = [0; 512];
            while !stop.load(Ordering::SeqCst) {
                let Ok((len, from)) = socket.recv_from(&mut question) else { continue };
                if let Some(answer) = answer(&mut choice, &question[..len]) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        });
        Ok(Some(Self { config, ends, thread: Some(thread) }))
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// An answer to a question; none for silence.
fn answer(choice: &mut Choice, question: &[u8]) -> Option<Vec<u8>> {
    let mut answer = question.get(..12)?.to_vec();
    // The question section: labels up to an empty one, then type and class.
    let name_len = question[12..].iter().position(|byte| *byte == 0)? + 1;
    let asked = question.get(12..12 + name_len + 4)?;
    let is_a = asked[name_len..] == [0, 1, 0, 1];
    answer.extend(asked);
    // An answer, recursion available; one question and no records yet.
    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0]);
    match choice.below(10) {
        0 | 1 => return None,
        2 => answer[3] |= 2,
        3 => answer.truncate(answer.len() / 2),
        4 => answer[0] ^= 0xff,
        _ if is_a => {
            answer[7] = 1;
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
        }
        _ => {}
    }
    Some(answer)
}
