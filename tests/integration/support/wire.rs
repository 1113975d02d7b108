//! A Git server that says whatever a test wants: protocol version 2 by hand, and packs that no Git would make.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use super::servers::Server;

/// The kinds of a pack's entries.
pub(crate) const COMMIT: u8 = 1;
pub(crate) const TREE: u8 = 2;
pub(crate) const BLOB: u8 = 3;
const OFFSET_DELTA: u8 = 6;
const REFERENCE_DELTA: u8 = 7;

/// The id of an object.
pub(crate) fn id(kind: &str, data: &[u8]) -> [u8; 20] {
    let head = format!("{kind} {}\0", data.len());
    sha1(&[head.as_bytes(), data].concat())
}

pub(crate) fn sha1(bytes: &[u8]) -> [u8; 20] {
    sha1dc::digest(bytes).unwrap().to_bytes()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A zlib stream without compression.
pub(crate) fn zlib(data: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut chunks = data.chunks(0xffff).peekable();
    if chunks.peek().is_none() {
        out.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(chunk) = chunks.next() {
        let length = u16::try_from(chunk.len()).unwrap();
        out.push(u8::from(chunks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(chunk);
    }
    let (mut low, mut high) = (1u32, 0u32);
    for byte in data {
        low = (low + u32::from(*byte)) % 65521;
        high = (high + low) % 65521;
    }
    out.extend((high << 16 | low).to_be_bytes());
    out
}

/// The lowest bits of a number.
fn low(number: usize, mask: u8) -> u8 {
    number.to_le_bytes()[0] & mask
}

/// A pack, entry by entry.
#[derive(Default)]
pub(crate) struct Pack {
    entries: Vec<u8>,
    count: u32,
    last: usize,
}

impl Pack {
    fn head(&mut self, kind: u8, size: usize) {
        self.count += 1;
        self.last = self.entries.len();
        let (mut rest, mut byte) = (size >> 4, kind << 4 | low(size, 15));
        while rest > 0 {
            self.entries.push(byte | 0x80);
            byte = low(rest, 0x7f);
            rest >>= 7;
        }
        self.entries.push(byte);
    }

    /// A whole object.
    pub(crate) fn object(&mut self, kind: u8, data: &[u8]) {
        self.object_of(kind, data, data.len());
    }

    /// An object whose entry states another size.
    pub(crate) fn object_of(&mut self, kind: u8, data: &[u8], size: usize) {
        self.head(kind, size);
        self.entries.extend(zlib(data));
    }

    /// A delta against the entry before.
    pub(crate) fn delta(&mut self, delta: &[u8]) {
        let before = self.last;
        self.head(OFFSET_DELTA, delta.len());
        let mut distance = self.last - before;
        let mut bytes = vec![low(distance, 0x7f)];
        while distance > 0x7f {
            distance = (distance >> 7) - 1;
            bytes.push(low(distance, 0x7f) | 0x80);
        }
        bytes.reverse();
        self.entries.extend(bytes);
        self.entries.extend(zlib(delta));
    }

    /// A delta against the object of this id, wherever it is.
    pub(crate) fn delta_of(&mut self, base: &[u8; 20], delta: &[u8]) {
        self.head(REFERENCE_DELTA, delta.len());
        self.entries.extend(base);
        self.entries.extend(zlib(delta));
    }

    /// A delta against an entry that lies so far back that there is none.
    pub(crate) fn delta_from_nowhere(&mut self, delta: &[u8]) {
        self.head(OFFSET_DELTA, delta.len());
        self.entries.extend([0xff, 0xff, 0xff, 0x7f]);
        self.entries.extend(zlib(delta));
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.bytes_of(self.count)
    }

    /// With another number of objects in the header.
    pub(crate) fn bytes_of(&self, count: u32) -> Vec<u8> {
        let mut pack = [&b"PACK"[..], &[0, 0, 0, 2], &count.to_be_bytes()].concat();
        pack.extend(&self.entries);
        pack.extend(sha1(&pack));
        pack
    }
}

/// A delta that copies the whole of a base of 64 KiB this many times.
pub(crate) fn copies(base: usize, times: usize) -> Vec<u8> {
    let mut delta = Vec::new();
    for mut size in [base, times * 0x1_0000] {
        loop {
            let more = size > 0x7f;
            delta.push(low(size, 0x7f) | if more { 0x80 } else { 0 });
            size >>= 7;
            if !more {
                break;
            }
        }
    }
    delta.extend(std::iter::repeat_n(0x80, times));
    delta
}

/// What the server says.
#[derive(Clone)]
pub(crate) struct Script {
    /// Lines of the answer to `ls-refs`, without line ends.
    pub(crate) refs: Vec<String>,
    /// What it sends as the pack.
    pub(crate) pack: Vec<u8>,
    /// The shallow commit.
    pub(crate) shallow: String,
}

impl Script {
    /// One branch `main` at a commit, and this pack.
    pub(crate) fn new(commit: &[u8; 20], pack: Vec<u8>) -> Self {
        let commit = hex(commit);
        Self {
            refs: vec![
                format!("{commit} HEAD symref-target:refs/heads/main"),
                format!("{commit} refs/heads/main"),
            ],
            pack,
            shallow: commit,
        }
    }

    pub(crate) fn serve(self) -> Server {
        Server::start(move |stream, _| {
            // The client may hang up at any point: that is what is tried.
            let _ = self.talk(&stream);
            let _ = stream.shutdown(Shutdown::Write);
            let _ = (&stream).read_to_end(&mut Vec::new());
        })
    }

    fn talk(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        read_line(stream)?;
        for line in [
            "version 2\n",
            "ls-refs=unborn\n",
            "fetch=shallow\n",
            "object-format=sha1\n",
        ] {
            stream.write_all(&packet(line.as_bytes()))?;
        }
        stream.write_all(b"0000")?;
        loop {
            let mut lines = Vec::new();
            while let Some(line) = read_line(stream)? {
                lines.push(line);
            }
            if lines.iter().any(|line| line.starts_with("command=ls-refs")) {
                for line in &self.refs {
                    stream.write_all(&packet(format!("{line}\n").as_bytes()))?;
                }
                stream.write_all(b"0000")?;
                continue;
            }
            stream.write_all(&packet(b"shallow-info\n"))?;
            stream.write_all(&packet(format!("shallow {}\n", self.shallow).as_bytes()))?;
            stream.write_all(b"0001")?;
            stream.write_all(&packet(b"packfile\n"))?;
            for chunk in self.pack.chunks(60_000) {
                stream.write_all(&packet(&[&[1], chunk].concat()))?;
            }
            return stream.write_all(b"0000");
        }
    }
}

fn packet(data: &[u8]) -> Vec<u8> {
    [format!("{:04x}", data.len() + 4).as_bytes(), data].concat()
}

/// One line; none at a flush. A delimiter is an empty one.
fn read_line(mut stream: &TcpStream) -> std::io::Result<Option<String>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = usize::from_str_radix(std::str::from_utf8(&length).unwrap(), 16).unwrap();
    match length {
        0 => Ok(None),
        1..=4 => Ok(Some(String::new())),
        _ => {
            let mut line = vec![0; length - 4];
            stream.read_exact(&mut line)?;
            Ok(Some(String::from_utf8_lossy(&line).into_owned()))
        }
    }
}
