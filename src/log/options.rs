//! How a log is written: when records reach the disk, and where their salts come from.

use std::io;

use serde::{Deserialize, Serialize};

use super::note::VerifierKey;

/// When records reach the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SyncMode {
    /// Each record by itself.
    Always,
    /// Each batch, before it is acknowledged.
    #[default]
    Group,
    /// When the system likes. A power failure may lose records that were acknowledged and even signed, which then looks
    /// like tampering.
    None,
}

/// When the first checkpoint of a process is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstCheckpoint {
    /// When it is due, as every other.
    #[default]
    Due,
    /// With the first batch, if batches are synced: whoever has no more than that has nothing left to sign.
    AtOnce,
}

/// Fills a buffer with random bytes.
pub type Salts = fn(&mut [u8]) -> io::Result<()>;

/// Random bytes of the operating system.
///
/// # Errors
/// What the operating system says when it has none.
pub fn system_salts(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|error| io::Error::other(error.to_string()))
}

/// How a log is written.
#[derive(Debug, Clone)]
pub struct Options {
    /// When records reach the disk.
    pub sync: SyncMode,
    /// Where the records' salts come from.
    pub salts: Salts,
    /// Keys besides the signer's own whose checkpoint is accepted: those it had before.
    pub earlier_keys: Vec<VerifierKey>,
    /// When the first checkpoint is signed.
    pub first: FirstCheckpoint,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sync: SyncMode::default(),
            salts: system_salts,
            earlier_keys: Vec::new(),
            first: FirstCheckpoint::default(),
        }
    }
}

/// Hands out salts, asking for 64 at a time: a system call for each would cost more than the hash.
pub(crate) struct Salter {
    source: Salts,
    bytes: [u8; 1024],
    used: usize,
}

impl Salter {
    pub(crate) fn new(source: Salts) -> Self {
        let bytes = [0; 1024];
        Self {
            source,
            bytes,
            used: bytes.len(),
        }
    }

    pub(crate) fn next(&mut self) -> io::Result<[u8; 16]> {
        if self.used >= self.bytes.len() {
            (self.source)(&mut self.bytes)?;
            self.used = 0;
        }
        let rest = self.bytes.get(self.used..).unwrap_or_default();
        self.used += 16;
        let salt = rest.first_chunk::<16>();
        salt.copied()
            .ok_or_else(|| io::Error::other("no salt left"))
    }
}
