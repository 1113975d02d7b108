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
        if let (Ok(log), Some(numbers)) = (&self.log, &self.decider.numbers) {
            numbers.learn(0, log.size());
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
        let index = batch.first().and_then(|answers| answers.index);
        if let (Some(index), Some(numbers)) = (index, &self.decider.numbers) {
            numbers.learn(index, appended.start);
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::slice;
    use std::sync::OnceLock;

    use jiff::Timestamp;
    use serde_json::json;

    use super::super::chunk::Chunk;
    use super::super::decide::Judge;
    use super::super::desk::Desk;
    use super::super::numbers::Numbers;
    use super::*;
    use crate::cli::output::Format;
    use crate::clock::Clock;
    use crate::diag::Code;
    use crate::engine::input::Found;
    use crate::log::{Options, Signer, SyncMode};
    use crate::trust::SecretKey;

    const REQUEST: &[u8] = br#"{"subject":{"type":"user","id":"alice"},"action":{"name":"read"},"resource":{"type":"file","id":"x"}}"#;

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn log(directory: &Path, sync: SyncMode) -> Log {
        let key = SecretKey::from_seed(&[1; 32]);
        let signer = Signer::new("acme.example/test".parse().unwrap(), key);
        let options = Options {
            sync,
            ..Options::default()
        };
        Log::open(directory, signer, options, now()).unwrap()
    }

    fn recorder(log: Result<Log, Failure>) -> Recorder {
        let decider = Decider {
            judge: Judge::Closed {
                cause: Cause::PolicyInvalid,
                reason: "for a test".to_owned(),
                mode: Mode::Enforce,
            },
            scope: "acme".parse().unwrap(),
            mode: Mode::Enforce,
            clock: Clock::Fixed(now()),
            current: "/".into(),
            format: Format::Jsonl,
            past: OnceLock::new(),
            numbers: log.as_ref().ok().and_then(Numbers::of),
        };
        let mut out = Output::stdout();
        Recorder {
            decider: Arc::new(decider),
            log,
            writer: Writer::begin(Format::Jsonl, &mut out).unwrap(),
            out,
            tally: Tally::default(),
            failed: None,
            ids: Ids::default(),
            is_past: false,
        }
    }

    impl Recorder {
        /// The answers to so many requests, after `index` others of a stream or of none.
        fn answers(&self, count: usize, index: Option<u64>) -> Answers {
            let (mut chunk, mut answers) = (Chunk::default(), Answers::default());
            for position in 0..count {
                chunk.push(Ok(Found {
                    bytes: REQUEST,
                    line: position + 1,
                    index: position,
                }));
            }
            chunk.index = index;
            let (decider, mut desk) = (&self.decider, Desk::default());
            decider.answer(&mut chunk, &mut desk, &mut answers).unwrap();
            assert_eq!(answers.records.len(), count);
            // Nobody reads them.
            answers.rendered.clear();
            answers
        }

        /// Whether the lines of the answers are those that come next.
        fn is_next(&self, answers: &Answers) -> bool {
            let size = self.log.as_ref().unwrap().size();
            answers.records.lines_from(size).is_some()
        }
    }

    #[test]
    fn who_decides_writes_no_lines_that_nobody_takes() {
        for (sync, takes) in [
            (SyncMode::Group, true),
            (SyncMode::None, true),
            (SyncMode::Always, false),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let mut recorder = recorder(Ok(log(directory.path(), sync)));
            recorder.begin_stream();
            for index in [0, 3] {
                let mut answers = recorder.answers(3, Some(index));
                assert_eq!(answers.records.is_expected(), takes, "{sync:?}");
                assert_eq!(recorder.is_next(&answers), takes, "{sync:?}");
                recorder.take(slice::from_mut(&mut answers)).unwrap();
            }
            assert_eq!(recorder.log.unwrap().size(), 7);
        }
        let failure = Failure::new(Code::OUTPUT, "there is no log");
        let recorder = recorder(Err(failure));
        recorder.begin_stream();
        assert!(!recorder.answers(3, Some(0)).records.is_expected());
    }

    #[test]
    fn the_numbers_of_a_stream_follow_the_log() {
        let directory = tempfile::tempdir().unwrap();
        let mut recorder = recorder(Ok(log(directory.path(), SyncMode::Group)));
        // What comes before a stream is no part of it.
        let mut few = recorder.answers(2, None);
        assert!(!few.records.is_expected());
        recorder.take(slice::from_mut(&mut few)).unwrap();
        recorder.begin_stream();
        let mut batch = [(3, 0), (4, 3)].map(|(count, index)| recorder.answers(count, Some(index)));
        assert!(recorder.is_next(&batch[0]));
        recorder.take(&mut batch).unwrap();
        let mut answers = recorder.answers(2, Some(7));
        assert!(recorder.is_next(&answers));
        recorder.take(slice::from_mut(&mut answers)).unwrap();

        // Whoever else writes has the numbers of what is decided already.
        let late = recorder.answers(1, Some(11));
        let mut other = log(directory.path(), SyncMode::Group);
        let records = (0..5).map(|n| json!({"kind": "test", "n": n}));
        other.append_batch(records, now()).unwrap();
        let mut batch = [recorder.answers(2, Some(9)), late];
        recorder.take(&mut batch).unwrap();
        assert_eq!(recorder.log.as_ref().unwrap().size(), 20);
        let mut answers = recorder.answers(3, Some(12));
        assert!(recorder.is_next(&answers), "it is learned");
        recorder.take(slice::from_mut(&mut answers)).unwrap();

        // Another stream begins where this one ended.
        recorder.begin_stream();
        assert!(recorder.is_next(&recorder.answers(1, Some(0))));
    }
}
