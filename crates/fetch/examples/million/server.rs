//! The smallest server that keeps connections open and stores nothing.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// Listens until the program ends.
pub(crate) fn start() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    Ok(address)
}

fn serve(stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut stream) = (BufReader::new(stream.try_clone()?), stream);
    let (mut line, mut missing) = (String::new(), false);
    while reader.read_line(&mut line)? > 0 {
        if line.starts_with("GET ") {
            missing = line.contains("0 HTTP/1.1");
        }
        if line == "\r\n" {
            let answer: &[u8] = if missing {
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
            } else {
                b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
            };
            stream.write_all(answer)?;
        }
        line.clear();
    }
    Ok(())
}
