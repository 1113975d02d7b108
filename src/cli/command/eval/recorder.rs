//! Recording answers, and then giving them: nobody gets an answer that is not on record.

use std::sync::Arc;

use super::decide::{Answers, Asked, Decider, Ids, Notice};
use super::tally::Tally;
use crate::cli::exit::Exit;
use crate::cli::output::Writer;
use crate::cli::report::Failure;
use crate::cli::ui::Output;
use crate::engine::Cause;
use crate::log::{Log, LogError};
use crate::policy::Mode;

/// Takes answers in the order of the input.
pub(super) struct Recorder {
    pub(super) decider: Arc<Decider>,
    pub(super) log: Result<Log, Failure>,
    pub(super) out: Output,
    pub(super) writer: Writer,
    pub(super) tally: Tally,
    /// How the run ends where policy failed.
    pub(super) failed: Option<Exit>,
    pub(super) ids: Ids,
    /// Whether it was said that the policy's time has ended.
    pub(super) is_past: bool,
}

impl Recorder {
    /// Appends the answers to the log as one batch, and then prints them.
    pub(super) fn take(&mut self, batch: &mut [Answers]) -> Result<(), Failure> {
        for notice in batch
            .iter_mut()
            .flat_map(|answers| answers.notices.drain(..))
        {
            match notice {
                Notice::Unreadable(failure) => {
                    failure.print();
                    self.tally.unreadable += 1;
                }
                Notice::Past(failure) => self.close(&failure),
            }
        }
        let failure = self.record(batch).err();
        let is_binding = match &failure {
            Some(failure) => self.withhold(batch, failure)?,
            None => false,
        };
        for answers in batch.iter() {
            for about in &answers.about {
                self.tally.count(about.outcome);
                self.tally.withheld += u64::from(failure.is_some());
            }
            self.writer.rendered(&mut self.out, &answers.rendered)?;
        }
        self.out.flush()?;
        match failure {
            Some(failure) if is_binding => Err(failure),
            Some(failure) => {
                failure.print();
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// The policy decides no more; it is said once.
    fn close(&mut self, failure: &Failure) {
        if std::mem::replace(&mut self.is_past, true) {
            return;
        }
        failure.print();
        self.failed = (self.decider.mode == Mode::Enforce).then(|| failure.exit());
    }

    /// Appends the batch. A decision that is too long for the log is replaced by a denial that is not.
    fn record(&mut self, batch: &mut [Answers]) -> Result<(), Failure> {
        let now = self.decider.clock.now();
        loop {
            let log = match &mut self.log {
                Ok(log) => log,
                Err(failure) => return Err(failure.clone()),
            };
            let records = batch.iter().map(|answers| &answers.records);
            let error = match log.append_prepared(records, now) {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            let too_long = match &error {
                LogError::Record { position, .. } => at(batch, *position),
                _ => None,
            };
            // A denial without a request always fits, so each can be replaced but once.
            let Some((answers, long)) = too_long else {
                return Err(error.into());
            };
            let failure = Failure::from(error);
            failure.print();
            self.tally.unreadable += 1;
            let (decider, ids) = (&self.decider, &mut self.ids);
            answers.replace(decider.format, |position, about| {
                if position != long {
                    return Ok(None);
                }
                let cause = Cause::RecordTooLong;
                let denial = decider.instead(about, Mode::Enforce, cause, &failure, ids)?;
                Ok(Some((denial, Asked::Untold)))
            })?;
        }
    }

    /// Replaces what was decided and could not be recorded; says whether any of it binds.
    fn withhold(&mut self, batch: &mut [Answers], failure: &Failure) -> Result<bool, Failure> {
        let (decider, ids) = (&self.decider, &mut self.ids);
        let mut is_binding = false;
        // INVARIANT: no decision without a record, so what was decided is not said.
        for answers in batch {
            answers.replace(decider.format, |_, about| {
                // SECURITY: a scope below a root that only warns may enforce; what it enforced is not let go.
                let mode = decider.root_mode().max(about.mode);
                is_binding |= mode == Mode::Enforce;
                let cause = Cause::LogUnwritable;
                let instead = decider.instead(about, mode, cause, failure, ids)?;
                Ok(Some((instead, Asked::Told)))
            })?;
        }
        Ok(is_binding)
    }
}

/// The decision at this position of the batch, if its record names a request.
fn at(batch: &mut [Answers], position: u64) -> Option<(&mut Answers, usize)> {
    let mut position = usize::try_from(position).ok()?;
    for answers in batch {
        let Some(rest) = position.checked_sub(answers.about.len()) else {
            let has_request = answers.about.get(position)?.has_request;
            return has_request.then_some((answers, position));
        };
        position = rest;
    }
    None
}
