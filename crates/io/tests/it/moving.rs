//! Bytes that the kernel moves from a socket to a file.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use haul_io::{Blocking, Buf, Cancel, Io, Pipe, Socket, move_arrived, run_ready};

use super::executions::on_ring;

/// Bytes without a short period.
fn content(bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|index| (index * index / 251) as u8).collect()
}

/// Both ends of a connection.
fn connected() -> (TcpStream, Socket) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let near = OwnedFd::from(listener.accept().unwrap().0);
    (far, near.into())
}

/// Receives seven bytes, and moves everything after them.
async fn take_all(io: &impl Io, socket: &Socket, file: &haul_io::File) -> Vec<Option<usize>> {
    let pipe = Pipe::default();
    let mut at = 0;
    let mut moves = Vec::new();
    loop {
        let (received, buf) = io.recv(socket, Buf::with_capacity(7), Duration::from_secs(5)).await;
        let count = received.unwrap();
        if count == 0 {
            moves.push(move_arrived(io, socket, &pipe, file, at, 1000).await.unwrap());
            return moves;
        }
        io.write_all(file, buf, haul_io::Offset::At(at)).await.0.unwrap();
        at += count as u64;
        while let Some(count @ 1..) = move_arrived(io, socket, &pipe, file, at, Pipe::BYTES).await.unwrap() {
            moves.push(Some(count));
            at += count as u64;
        }
    }
}

/// Sends `content`, closes, and takes it all into `file` on both executions.
fn on_each(content: &[u8], file: impl Fn() -> (File, std::path::PathBuf)) {
    for ring in [false, true] {
        let (mut far, near) = connected();
        let (file, path) = file();
        let file: haul_io::File = file.into();
        let sent = content.to_vec();
        let sender = std::thread::spawn(move || far.write_all(&sent).unwrap());
        let moves = if ring {
            on_ring(Cancel::new().unwrap(), async |io| take_all(io, &near, &file).await)
        } else {
            let io = Blocking::new(Cancel::new().unwrap());
            run_ready(take_all(&io, &near, &file))
        };
        sender.join().unwrap();
        assert!(std::fs::read(path).unwrap() == content, "ring: {ring}");
        assert!(moves.iter().all(|moved| moved.is_none_or(|count| count <= Pipe::BYTES)));
    }
}

#[test]
fn what_arrives_is_moved_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("moved");
    on_each(&content(5_000_001), || (File::create(&path).unwrap(), path.clone()));
    on_each(b"", || (File::create(&path).unwrap(), path.clone()));
}

#[test]
fn what_cannot_be_moved_into_a_file_is_copied_once_and_then_refused() {
    // Pages can't be moved into a file that is appended to.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("appended");
    on_each(&content(700_000), || {
        let _ = std::fs::remove_file(&path);
        (OpenOptions::new().create(true).append(true).open(&path).unwrap(), path.clone())
    });
    let (mut far, near) = connected();
    far.write_all(&[7; 3000]).unwrap();
    let io = Blocking::new(Cancel::new().unwrap());
    let file = OpenOptions::new().append(true).open(&path).unwrap().into();
    let pipe = Pipe::default();
    let move_one = || run_ready(move_arrived(&io, &near, &pipe, &file, 0, 1000)).unwrap();
    assert_eq!((move_one(), move_one()), (Some(1000), None));
}

#[test]
fn nothing_arrived_is_no_error_and_a_file_that_takes_nothing_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("read-only");
    std::fs::write(&path, "old").unwrap();
    let (mut far, near) = connected();
    let io = Blocking::new(Cancel::new().unwrap());
    let file = File::open(&path).unwrap().into();
    let pipe = Pipe::default();
    let move_some = || run_ready(move_arrived(&io, &near, &pipe, &file, 0, 1000));
    assert_eq!(move_some().unwrap(), Some(0));
    far.write_all(b"new").unwrap();
    assert!(move_some().is_err());
    assert_eq!(move_some().unwrap(), None, "what it held is gone");
    assert_eq!(std::fs::read(&path).unwrap(), b"old");
}
