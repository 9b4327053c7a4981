//! The head of a scripted response and the framing of its body.
//!
//! Owns: encoding both, valid or not.
//! Does not own: when and how far they are sent (see [`crate::Answer`]).
//!
//! Source: RFC 9112, sections 6 and 7.

#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) framing: Framing,
    pub(crate) trailers: Vec<(String, String)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Framing {
    /// Content-Length: the body's real length unless another is given.
    Length(Option<u64>),
    /// Chunks of these sizes in turn, the rest in chunks of the last size.
    Chunked(Vec<usize>),
    UntilClose,
}

impl Head {
    pub(crate) fn encode(&self, body_bytes: usize) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            text += &format!("{name}: {value}\r\n");
        }
        // RFC 9110, 8.6: no Content-Length in these without a body.
        let bodiless = matches!(self.status, 100..=199 | 204 | 304) && body_bytes == 0;
        match &self.framing {
            Framing::Length(Some(lie)) => text += &format!("Content-Length: {lie}\r\n"),
            Framing::Length(None) if bodiless => {}
            Framing::Length(None) => text += &format!("Content-Length: {body_bytes}\r\n"),
            Framing::Chunked(_) => text += "Transfer-Encoding: chunked\r\n",
            Framing::UntilClose => {}
        }
        text += "\r\n";
        text.into_bytes()
    }

    pub(crate) fn encode_body(&self, body: &[u8], out: &mut Vec<u8>) {
        let Framing::Chunked(sizes) = &self.framing else {
            out.extend(body);
            return;
        };
        let mut sizes = sizes.iter().copied();
        let (mut size, mut rest) = (body.len(), body);
        while !rest.is_empty() {
            size = sizes.next().unwrap_or(size);
            let (chunk, left) = rest.split_at(size.min(rest.len()));
            out.extend(format!("{:x}\r\n", chunk.len()).bytes());
            out.extend(chunk);
            out.extend(b"\r\n");
            rest = left;
        }
        out.extend(b"0\r\n");
        for (name, value) in &self.trailers {
            out.extend(format!("{name}: {value}\r\n").bytes());
        }
        out.extend(b"\r\n");
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        301 => "Moved Permanently",
        302 => "Found",
        304 => "Not Modified",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Scripted",
    }
}
