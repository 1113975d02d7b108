//! Checkpoints (C2SP tlog-checkpoint): the text that says how long a log is and what its root hash is.
//!
//! Origin, size and root, one a line. Extension lines are accepted and ignored, as the specification asks.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};

use super::note::{KeyName, Note, NoteError, Signer, VerifierKey};
use super::tree::Hash;

/// How long a log is, and its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: KeyName,
    /// Its entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The signed note of this checkpoint.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] if the text cannot be a note; an origin that parsed always can.
    pub fn sign(&self, signer: &Signer) -> Result<String, NoteError> {
        signer.sign(&self.to_string())
    }

    /// Reads a checkpoint whose note one of `keys` signed, under the key's own name as origin.
    ///
    /// # Errors
    /// [`NoteError`] for a malformed note or text, or one that no key of `keys` signed.
    pub fn verify<'k>(
        bytes: &[u8],
        keys: &'k [VerifierKey],
    ) -> Result<(Self, Vec<&'k VerifierKey>), NoteError> {
        let note = Note::parse(bytes)?;
        let signers = note.verify(keys)?;
        let checkpoint = Self::from_text(note.text())?;
        // SECURITY: one key may sign several logs; its signature here must be made under this log's name.
        if !signers.iter().any(|key| *key.name() == checkpoint.origin) {
            let origin = checkpoint.origin.to_string();
            return Err(NoteError::Origin { origin });
        }
        Ok((checkpoint, signers))
    }

    /// Reads a checkpoint without looking at its signatures.
    ///
    /// # Errors
    /// [`NoteError`] for a malformed note or text.
    pub fn parse_unverified(bytes: &[u8]) -> Result<Self, NoteError> {
        Self::from_text(Note::parse(bytes)?.text())
    }

    fn from_text(text: &str) -> Result<Self, NoteError> {
        let mut lines = text.split_terminator('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next())
        else {
            return Err(NoteError::Malformed("a checkpoint has at least 3 lines"));
        };
        if lines.any(str::is_empty) {
            return Err(NoteError::Malformed("an empty extension line"));
        }
        let malformed = NoteError::Malformed("the size is not a decimal number");
        let digits = size.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || (size.len() > 1 && size.starts_with('0')) {
            return Err(malformed);
        }
        let size = size.parse().map_err(|_| malformed)?;
        let root = BASE64_STANDARD.decode(root).ok();
        let root: [u8; 32] = root
            .and_then(|root| root.try_into().ok())
            .ok_or(NoteError::Malformed("the root is not 32 bytes in base64"))?;
        Ok(Self {
            origin: origin.parse()?,
            size,
            root: Hash::from_bytes(root),
        })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = BASE64_STANDARD.encode(self.root.as_bytes());
        write!(f, "{}\n{}\n{root}\n", self.origin, self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::SecretKey;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: "acme.example/log".parse().unwrap(),
            size: 923_748,
            root: Hash::of(b"x"),
        }
    }

    #[test]
    fn round_trips_and_tlog_tiles_reads_it() {
        let signer = Signer::new(
            "acme.example/log".parse().unwrap(),
            SecretKey::from_seed(&[3; 32]),
        );
        let note = checkpoint().sign(&signer).unwrap();
        let keys = [signer.verifier().clone()];
        let (back, signers) = Checkpoint::verify(note.as_bytes(), &keys).unwrap();
        assert_eq!((back, signers.len()), (checkpoint(), 1));
        assert_eq!(
            Checkpoint::parse_unverified(note.as_bytes()),
            Ok(checkpoint())
        );
        let text = checkpoint().to_string();
        let theirs = tlog_tiles::checkpoint::Checkpoint::from_bytes(text.as_bytes()).unwrap();
        assert_eq!(
            (theirs.origin(), theirs.size()),
            ("acme.example/log", 923_748)
        );
        assert_eq!(&theirs.hash().0, Hash::of(b"x").as_bytes());
    }

    #[test]
    fn a_key_speaks_for_the_log_of_its_name_only() {
        let other = Signer::new("other".parse().unwrap(), SecretKey::from_seed(&[3; 32]));
        let note = checkpoint().sign(&other).unwrap();
        let keys = [other.verifier().clone()];
        let verified = Checkpoint::verify(note.as_bytes(), &keys);
        assert!(matches!(verified, Err(NoteError::Origin { .. })));
    }

    #[test]
    fn refuses_other_texts_and_takes_extensions() {
        let good = checkpoint().to_string();
        assert_eq!(
            Checkpoint::from_text(&format!("{good}extension\n")),
            Ok(checkpoint())
        );
        for text in [
            String::new(),
            "log\n1\n".to_owned(),
            good.replace("923748", "0923748"),
            good.replace("923748", "+923748"),
            good.replace("923748", "-1"),
            good.replace("923748", ""),
            good.replace("923748", "18446744073709551616"),
            good.replace('=', ""),
            good.replace("acme.example/log", "two words"),
            format!("{good}\nx\n"),
        ] {
            assert!(Checkpoint::from_text(&text).is_err(), "{text:?}");
        }
    }
}
