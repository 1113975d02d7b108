//! What a thread that decides has for itself, from one request to the next.

use jiff::Timestamp;
use uuid::{Builder, Uuid};

use crate::cli::report::Failure;
use crate::engine::Hold;
use crate::engine::request::Memory;
use crate::log::{LogError, Salter, system_salts};

/// What nobody else has, so that nobody waits for it.
#[derive(Default)]
pub(super) struct Desk {
    pub(super) ids: Ids,
    /// Memory that the next request is read into.
    pub(super) memory: Memory,
    /// The policy that the last decision rested on.
    pub(super) hold: Hold,
}

/// Ids of decisions, and whatever else is random about them.
pub(super) struct Ids(Salter);

impl Default for Ids {
    fn default() -> Self {
        Self(Salter::new(system_salts))
    }
}

impl Ids {
    /// A UUIDv7 of this time.
    pub(super) fn next(&mut self, time: Timestamp) -> Result<Uuid, Failure> {
        let random = self.salt()?;
        let milliseconds = u64::try_from(time.as_millisecond()).unwrap_or(0);
        let [a, b, c, d, e, f, g, h, i, j, ..] = random;
        let random = [a, b, c, d, e, f, g, h, i, j];
        Ok(Builder::from_unix_timestamp_millis(milliseconds, &random).into_uuid())
    }

    /// Random bytes: what keeps a record from being guessed.
    pub(super) fn salt(&mut self) -> Result<[u8; 16], Failure> {
        Ok(self.0.next().map_err(LogError::Random)?)
    }
}
