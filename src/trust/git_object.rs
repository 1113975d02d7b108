//! Git's objects as far as a signature needs them: read strictly from raw bytes, and hashed from the files up.
//!
//! Git is lenient where this is not: it takes a second `tree` line, a signature of either hash, headers in any order. Of an
//! object that two readers may read differently, nothing is believed.
//!
//! Lacks: everything that no check needs, such as authors and dates. A date in a signed object is the signer's word.

mod tree;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

pub(super) use tree::{has_directory, tree_of};

/// Bytes of the longest signature block. Those of ed25519 have some 300.
const MAX_SIGNATURE: usize = 16 << 10;
/// Headers of a commit, its parents and merged tags among them.
const MAX_HEADERS: usize = 256;
/// How the lines begin with which Git's kinds of signatures do.
const ARMOURS: [&[u8]; 4] = [
    SSH_ARMOUR,
    b"-----BEGIN PGP SIGNATURE-----",
    b"-----BEGIN PGP MESSAGE-----",
    b"-----BEGIN SIGNED MESSAGE-----",
];
/// How a signature of SSH's begins.
pub(super) const SSH_ARMOUR: &[u8] = b"-----BEGIN SSH SIGNATURE-----";

/// Why bytes are not the object that they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GitObjectError {
    /// Not what Git writes.
    #[error("the {0} object is malformed")]
    Malformed(&'static str),
    /// More than one signature.
    #[error("the {0} object carries more than one signature")]
    SecondSignature(&'static str),
    /// A signature block longer than any.
    #[error("the signature in the {0} object is too long")]
    LongSignature(&'static str),
    /// More headers than any merge needs.
    #[error("the {0} object has more than {MAX_HEADERS} headers")]
    ManyHeaders(&'static str),
    /// A signature made over the other of Git's two hashes.
    #[error("the signature in the {0} object is for the other of Git's two hashes")]
    OtherHash(&'static str),
    /// The file was made to collide under SHA-1.
    #[error("an object carries a SHA-1 collision attack")]
    Collision,
}

/// The hash of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha1,
    Sha256,
}

/// The id of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Id(Vec<u8>);

impl Id {
    pub(super) fn to_hex(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    fn from_hex(hex: &[u8]) -> Option<Self> {
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        matches!(hex.len(), 40 | 64).then_some(())?;
        hex.chunks_exact(2)
            .map(|pair| match pair {
                [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
                _ => None,
            })
            .collect::<Option<Vec<u8>>>()
            .map(Self)
    }

    fn hash(&self) -> Hash {
        match self.0.len() {
            20 => Hash::Sha1,
            _ => Hash::Sha256,
        }
    }
}

impl Hash {
    /// The id of an object of this kind.
    pub(super) fn id(self, kind: &str, data: &[u8]) -> Result<Id, GitObjectError> {
        let head = format!("{kind} {}\0", data.len());
        match self {
            Self::Sha1 => {
                let mut hasher = sha1dc::Hasher::new();
                hasher.update(head.as_bytes());
                hasher.update(data);
                let digest = hasher.finalize().map_err(|_| GitObjectError::Collision)?;
                Ok(Id(digest.as_ref().to_vec()))
            }
            Self::Sha256 => {
                let digest = Sha256::new().chain_update(head).chain_update(data);
                Ok(Id(digest.finalize().to_vec()))
            }
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

/// A commit, read from its raw bytes. Nothing of it is checked but its shape.
#[derive(Debug)]
pub struct GitCommit {
    pub(super) tree: Id,
    pub(super) hash: Hash,
    /// What was signed, and the signature's lines, where there is one.
    pub(super) signed: Option<Signed>,
}

/// What a signature in an object is over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) payload: Vec<u8>,
    pub(super) signature: Vec<u8>,
}

impl GitCommit {
    /// Reads `tree`, `parent`…, `author`, `committer`, then any other headers, each once, a blank line, and any message.
    ///
    /// # Errors
    /// [`GitObjectError`] for what Git would not write, or carries two signatures.
    pub fn parse(data: &[u8]) -> Result<Self, GitObjectError> {
        const KIND: &str = "commit";
        let malformed = || GitObjectError::Malformed(KIND);
        let (head, message) = split_head(data).ok_or_else(malformed)?;
        let mut headers = Headers::new(head).peekable();
        let tree = headers.next().and_then(Result::ok).ok_or_else(malformed)?;
        let tree = tree.id(b"tree").ok_or_else(malformed)?;
        let hash = tree.hash();
        let mut payload = format!("tree {}\n", tree.to_hex()).into_bytes();
        let (mut stage, mut signature, mut seen) = (0, None, BTreeSet::new());
        for (index, header) in headers.enumerate() {
            if index >= MAX_HEADERS {
                return Err(GitObjectError::ManyHeaders(KIND));
            }
            let header = header.map_err(|()| malformed())?;
            match (header.key, stage) {
                (b"parent", 0) => {
                    let parent = header.id(b"parent").ok_or_else(malformed)?;
                    if parent.hash() != hash {
                        return Err(malformed());
                    }
                }
                (b"author", 0) => stage = 1,
                (b"committer", 1) => stage = 2,
                (b"tree" | b"parent" | b"author" | b"committer", _) | (_, 0 | 1) => {
                    return Err(malformed());
                }
                (key, _) if key.starts_with(b"gpgsig") => {
                    if signature.is_some() {
                        return Err(GitObjectError::SecondSignature(KIND));
                    }
                    let expected: &[u8] = match hash {
                        Hash::Sha1 => b"gpgsig",
                        Hash::Sha256 => b"gpgsig-sha256",
                    };
                    if key != expected {
                        return Err(GitObjectError::OtherHash(KIND));
                    }
                    signature = Some(header.value());
                    continue;
                }
                // Git writes one for each merged tag.
                (b"mergetag", _) => {}
                (key, _) if !seen.insert(key) => return Err(malformed()),
                _ => {}
            }
            payload.extend_from_slice(header.lines);
        }
        if stage != 2 {
            return Err(malformed());
        }
        payload.push(b'\n');
        payload.extend_from_slice(message);
        let signed = match signature {
            Some(signature) if signature.len() > MAX_SIGNATURE => {
                return Err(GitObjectError::LongSignature(KIND));
            }
            Some(signature) => Some(Signed { payload, signature }),
            None => None,
        };
        Ok(Self { tree, hash, signed })
    }

    /// What its signature is over, and the signature; none where it is not signed.
    #[must_use]
    pub fn signed(&self) -> Option<(&[u8], &[u8])> {
        let signed = self.signed.as_ref()?;
        Some((&signed.payload, &signed.signature))
    }
}

/// An annotated tag, read from its raw bytes. Nothing of it is checked but its shape.
#[derive(Debug)]
pub struct GitTag {
    pub(super) object: Id,
    pub(super) kind: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) signed: Option<Signed>,
}

impl GitTag {
    /// Reads `object`, `type`, `tag`, `tagger`, and no other header, a blank line, a message, and a signature at its end.
    ///
    /// # Errors
    /// [`GitObjectError`] for what Git would not write, or carries two signatures.
    pub fn parse(data: &[u8]) -> Result<Self, GitObjectError> {
        const KIND: &str = "tag";
        let malformed = || GitObjectError::Malformed(KIND);
        let (head, message) = split_head(data).ok_or_else(malformed)?;
        let mut headers = Headers::new(head);
        let mut next = || match headers.next() {
            Some(Ok(header)) if !header.is_continued() => Ok(header),
            _ => Err(malformed()),
        };
        let object = next()?.id(b"object").ok_or_else(malformed)?;
        let (kind, name, tagger) = (next()?, next()?, next()?);
        if (kind.key, name.key, tagger.key) != (b"type", b"tag", b"tagger") {
            return Err(malformed());
        }
        match headers.next() {
            None => {}
            // Where a repository keeps both hashes, the other one's signature stands here.
            Some(Ok(header)) if header.key.starts_with(b"gpgsig") => {
                return Err(GitObjectError::SecondSignature(KIND));
            }
            Some(_) => return Err(malformed()),
        }
        Ok(Self {
            object,
            kind: kind.value(),
            name: name.value(),
            signed: signed_message(data, message, KIND)?,
        })
    }

    /// What its signature is over, and the signature; none where it is not signed.
    #[must_use]
    pub fn signed(&self) -> Option<(&[u8], &[u8])> {
        let signed = self.signed.as_ref()?;
        Some((&signed.payload, &signed.signature))
    }
}

/// The signature at the end of a message, and all of `data` before it.
fn signed_message(
    data: &[u8],
    message: &[u8],
    kind: &'static str,
) -> Result<Option<Signed>, GitObjectError> {
    let mut begins = Vec::new();
    let mut at = data.len() - message.len();
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if ARMOURS.iter().any(|armour| line.starts_with(armour)) {
            begins.push(at);
        }
        at += line.len();
    }
    match *begins {
        [] => Ok(None),
        [at] => {
            let (payload, signature) = data
                .split_at_checked(at)
                .ok_or(GitObjectError::Malformed(kind))?;
            if signature.len() > MAX_SIGNATURE {
                return Err(GitObjectError::LongSignature(kind));
            }
            Ok(Some(Signed {
                payload: payload.to_vec(),
                signature: signature.to_vec(),
            }))
        }
        _ => Err(GitObjectError::SecondSignature(kind)),
    }
}

/// The headers with their line ends, and what follows the blank line.
fn split_head(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = data.windows(2).position(|pair| pair == b"\n\n")?;
    let (head, rest) = data.split_at_checked(end + 1)?;
    (!head.contains(&0)).then_some((head, rest.get(1..)?))
}

/// One header: its first line, and those that begin with a space.
struct Header<'a> {
    key: &'a [u8],
    /// With the key and every line end.
    lines: &'a [u8],
}

impl Header<'_> {
    fn is_continued(&self) -> bool {
        self.lines.iter().filter(|byte| **byte == b'\n').count() > 1
    }

    /// The value, without the spaces before its further lines.
    fn value(&self) -> Vec<u8> {
        let value = self.lines.get(self.key.len() + 1..).unwrap_or_default();
        let mut text = Vec::with_capacity(value.len());
        for (index, line) in value.split_inclusive(|byte| *byte == b'\n').enumerate() {
            text.extend_from_slice(match (index, line) {
                (1.., [b' ', rest @ ..]) => rest,
                _ => line,
            });
        }
        text.pop();
        text
    }

    /// The one id that a header of this key holds.
    fn id(&self, key: &[u8]) -> Option<Id> {
        (self.key == key && !self.is_continued()).then(|| Id::from_hex(&self.value()))?
    }
}

struct Headers<'a> {
    rest: &'a [u8],
}

impl<'a> Headers<'a> {
    fn new(head: &'a [u8]) -> Self {
        Self { rest: head }
    }
}

impl<'a> Iterator for Headers<'a> {
    type Item = Result<Header<'a>, ()>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let mut end = 0;
        for (index, line) in self.rest.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if index > 0 && !line.starts_with(b" ") {
                break;
            }
            end += line.len();
        }
        let (lines, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let space = lines.iter().position(|byte| matches!(byte, b' ' | b'\n'))?;
        let key = lines.get(..space).unwrap_or_default();
        let is_header = lines.get(space) == Some(&b' ') && !key.is_empty();
        Some(if is_header {
            Ok(Header { key, lines })
        } else {
            Err(())
        })
    }
}

#[cfg(test)]
mod tests;
