//! Recording answers, and then giving them: nobody gets an answer that is not on record.

use std::sync::Arc;

use super::decide::{Answers, Decider, Notice};
use super::desk::Ids;
use super::tally::Tally;
use crate::cli::exit::Exit;
use crate::cli::output::Writer;
use crate::cli::report::Failure;
use crate::cli::ui::Output;
use crate::engine::Cause;
use crate::log::Log;
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

    /// A stream begins: its first record will be the next.
    pub(super) fn begin_stream(&self) {
        if let Ok(log) = &self.log {
            self.decider.numbers.learn(0, log.size());
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

    /// Appends the batch.
    fn record(&mut self, batch: &[Answers]) -> Result<(), Failure> {
        let now = self.decider.clock.now();
        let log = match &mut self.log {
            Ok(log) => log,
            Err(failure) => return Err(failure.clone()),
        };
        let records = batch.iter().map(|answers| &answers.records);
        let appended = log.append_prepared(records, now)?;
        if let Some(index) = batch.first().and_then(|answers| answers.index) {
            self.decider.numbers.learn(index, appended.start);
        }
        Ok(())
    }

    /// Replaces what was decided and could not be recorded; says whether any of it binds.
    fn withhold(&mut self, batch: &mut [Answers], failure: &Failure) -> Result<bool, Failure> {
        let (decider, ids) = (&self.decider, &mut self.ids);
        let mut is_binding = false;
        // INVARIANT: no decision without a record, so what was decided is not said.
        for answers in batch {
            answers.replace(decider.format, |about| {
                // SECURITY: a scope below a root that only warns may enforce; what it enforced is not let go.
                let mode = decider.root_mode().max(about.mode);
                is_binding |= mode == Mode::Enforce;
                let cause = Cause::LogUnwritable;
                decider.instead(about, mode, cause, failure, ids)
            })?;
        }
        Ok(is_binding)
    }
}
