//! What a run decided: its summary and its exit code.

use crate::cli::exit::Exit;
use crate::cli::ui::note;
use crate::config::LogConfig;
use crate::engine::Outcome;

/// What was decided, for the summary and the exit code.
#[derive(Debug, Default)]
pub(super) struct Tally {
    allowed: u64,
    denied: u64,
    pending: u64,
    pub(super) unreadable: u64,
    /// Of all, those that are not on record.
    pub(super) withheld: u64,
}

impl Tally {
    pub(super) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Allowed => self.allowed += 1,
            Outcome::Denied => self.denied += 1,
            Outcome::Pending => self.pending += 1,
        }
    }

    pub(super) fn tell(&self, log: &LogConfig) {
        let Self {
            allowed,
            denied,
            pending,
            withheld,
            ..
        } = self;
        let total = allowed + denied + pending;
        let path = crate::cli::ui::escape(&log.path.display().to_string());
        note(&format!(
            "{total} decisions: {allowed} allowed, {denied} denied, {pending} need approval; on record in `{path}`"
        ));
        if *withheld > 0 {
            note(&format!("warning: {withheld} of them are not on record"));
        }
    }

    pub(super) fn exit(&self, exit_zero: bool) -> Exit {
        match self {
            Self {
                unreadable: 1.., ..
            } => Exit::Invalid,
            _ if exit_zero => Exit::Success,
            Self { denied: 1.., .. } => Exit::Denied,
            Self { pending: 1.., .. } => Exit::ApprovalRequired,
            _ => Exit::Success,
        }
    }
}
