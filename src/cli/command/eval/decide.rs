//! Deciding a chunk of requests, and everything about it that does not depend on its place in the log.
//!
//! Any thread does it; a decision depends on the policy, its request and the time only.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Instant;

use jiff::Timestamp;

use super::chunk::{Chunk, Place};
use super::desk::{Desk, Ids};
use super::numbers::Numbers;
use super::spare::Reusable;
use crate::cli::output::Format;
use crate::cli::report::Failure;
use crate::clock::Clock;
use crate::diag::Code;
use crate::digest::Sha256Digest;
use crate::engine::request::{Memory, Request, RequestError, RequestLimits};
use crate::engine::{Cause, Decision, Freshness, Occasion, Outcome, Record};
use crate::log::{LogError, Prepared, RecordError};
use crate::name::Scope;
use crate::pipeline::{PipelineError, Served, project_identity};
use crate::policy::Mode;
use crate::trust::whole_second;

/// What decides.
pub(super) enum Judge {
    /// A policy.
    Policy(Box<Served>),
    /// Nothing can be read: the cause, and the consumer's mode.
    Closed {
        cause: Cause,
        reason: String,
        mode: Mode,
    },
}

/// What decides, and what it has to know for that. Threads share it.
pub(super) struct Decider {
    pub(super) judge: Judge,
    pub(super) scope: Scope,
    /// The mode in which requests are answered without a policy.
    pub(super) mode: Mode,
    pub(super) clock: Clock,
    /// The directory that paths of projects are relative to.
    pub(super) current: PathBuf,
    pub(super) format: Format,
    /// Set once the policy's time has ended. A run that lasts does not outlive its policy, and no clock brings it back.
    pub(super) past: OnceLock<Failure>,
    /// Which numbers the records of a stream are expected to have; none where nobody takes the lines that are written for them.
    pub(super) numbers: Option<Numbers>,
}

/// What people are told of a request beside its decision.
pub(super) enum Notice {
    /// It cannot be read.
    Unreadable(Failure),
    /// The policy's time has ended, or its bundles cannot be had after all.
    Past(Failure),
}

/// What is left to know of a decision once it is written.
pub(super) struct About {
    pub(super) time: Timestamp,
    pub(super) fingerprint: Sha256Digest,
    pub(super) duration_ns: u64,
    pub(super) mode: Mode,
    pub(super) outcome: Outcome,
    /// What the format says of the request.
    pub(super) asked: Option<String>,
}

/// A chunk's decisions, ready for the log and for whoever asked.
#[derive(Default)]
pub(super) struct Answers {
    /// The records.
    pub(super) records: Prepared,
    /// What is printed.
    pub(super) rendered: Vec<u8>,
    /// One for each decision.
    pub(super) about: Vec<About>,
    /// In the order of the input.
    pub(super) notices: Vec<Notice>,
    /// How many requests of the stream come before, if these are of one.
    pub(super) index: Option<u64>,
}

impl Reusable for Answers {
    fn capacity(&self) -> usize {
        self.records.capacity() + self.rendered.capacity()
    }
}

impl Answers {
    /// Forgets everything, and keeps the memory for others.
    fn clear(&mut self) {
        self.records.clear();
        self.rendered.clear();
        self.about.clear();
        self.notices.clear();
        self.index = None;
    }

    fn push(
        &mut self,
        format: Format,
        decision: &Decision,
        request: Option<&Request>,
        about: About,
        salt: Option<[u8; 16]>,
    ) -> Result<(), LogError> {
        let record = Record::new(decision, request);
        let position = self.about.len() as u64;
        let members = self
            .records
            .push_decision(&record, salt.as_ref())
            .map_err(|source| LogError::Record { position, source })?;
        let asked = about.asked.as_deref();
        format.render(&mut self.rendered, decision, members, asked);
        self.about.push(about);
        Ok(())
    }

    /// Puts the decisions that `other` gives in the place of all of these: their records name no request.
    pub(super) fn replace(
        &mut self,
        format: Format,
        mut other: impl FnMut(&About) -> Result<Decision, Failure>,
    ) -> Result<(), Failure> {
        self.records.clear();
        self.rendered.clear();
        for about in std::mem::take(&mut self.about) {
            let decision = other(&about)?;
            let asked = about.asked;
            let about = About::of(&decision, about.fingerprint, asked);
            self.push(format, &decision, None, about, None)?;
        }
        Ok(())
    }
}

impl About {
    fn of(decision: &Decision, fingerprint: Sha256Digest, asked: Option<String>) -> Self {
        Self {
            time: decision.time,
            fingerprint,
            duration_ns: decision.duration_ns,
            mode: decision.mode,
            outcome: decision.outcome,
            asked,
        }
    }
}

impl Decider {
    /// Decides every request of `chunk`, each at the time at which its turn comes; `answers` holds the answers to these alone then.
    pub(super) fn answer(
        &self,
        chunk: &mut Chunk,
        desk: &mut Desk,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        answers.clear();
        answers.index = chunk.index;
        if let (Some(index), Some(numbers)) = (chunk.index, &self.numbers) {
            answers.records.expect(numbers.at(index));
        }
        chunk.drain(|place| self.decide(place, desk, answers))
    }

    fn decide(
        &self,
        place: Place<'_>,
        desk: &mut Desk,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        let started = Instant::now();
        let time = self.clock.now();
        let past = self.past(time);
        if let Some(failure) = past
            && !answers
                .notices
                .iter()
                .any(|notice| matches!(notice, Notice::Past(_)))
        {
            answers.notices.push(Notice::Past(failure.clone()));
        }
        let decision_id = desk.ids.next(time)?;
        let occasion = |fingerprint: Sha256Digest| Occasion {
            decision_id,
            time,
            request_fingerprint: fingerprint,
            freshness: Freshness::Fresh,
            duration_ns: u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        };
        let (failure, fingerprint) = match place {
            Place::Request { bytes, line } => match self.read(bytes, &mut desk.memory) {
                Ok(request) => {
                    let fingerprint = request.fingerprint();
                    let closed = |mode, cause, reason: &str| {
                        Decision::fail_closed(
                            &self.scope,
                            mode,
                            cause,
                            reason,
                            occasion(fingerprint),
                        )
                    };
                    let decision = match (&self.judge, past) {
                        (Judge::Policy(served), None) => {
                            let decided = served.with_engine(&request, time, |engine| {
                                let verdict = engine.evaluate(&request, time);
                                desk.hold.decide(engine, verdict, occasion(fingerprint))
                            });
                            decided.unwrap_or_else(|error| {
                                let lasts = matches!(error, PipelineError::Lasting(_));
                                let failure = Failure::from(error);
                                let cause = failure.code().map(super::cause_of);
                                let cause = cause.unwrap_or(Cause::PolicyInvalid);
                                let decision = closed(self.mode, cause, &failure.summary());
                                if lasts || cause != Cause::PolicyInvalid {
                                    answers.notices.push(Notice::Past(failure));
                                }
                                decision
                            })
                        }
                        (Judge::Policy(_), Some(failure)) => {
                            closed(self.mode, Cause::PolicyNotTrusted, &failure.summary())
                        }
                        (
                            Judge::Closed {
                                cause,
                                reason,
                                mode,
                            },
                            _,
                        ) => closed(*mode, *cause, reason),
                    };
                    let asked = self.format.asked(&request);
                    let about = Some((&request, asked));
                    self.add(answers, &decision, about, &mut desk.ids)?;
                    desk.hold.take_back(decision);
                    desk.memory.take_back(request);
                    return Ok(());
                }
                Err(error) => {
                    let failure = Failure::from(error).about(&format!("line {line}"));
                    (failure, Sha256Digest::of(bytes))
                }
            },
            Place::Bad(error) => (Failure::from(error), Sha256Digest::of(b"")),
        };
        // A denial whatever the mode: what cannot be read is no request of this policy's.
        let decision = Decision::fail_closed(
            &self.scope,
            Mode::Enforce,
            Cause::InvalidRequest,
            &failure.summary(),
            occasion(fingerprint),
        );
        answers.notices.push(Notice::Unreadable(failure));
        self.add(answers, &decision, None, &mut desk.ids)
    }

    /// Adds a decision, and what its format says of its request. One that is too long for the log is replaced by a denial that is
    /// not: it says nothing of the request.
    fn add(
        &self,
        answers: &mut Answers,
        decision: &Decision,
        request: Option<(&Request, Option<String>)>,
        ids: &mut Ids,
    ) -> Result<(), Failure> {
        let fingerprint = decision.request_fingerprint;
        let (request, asked) = request.unzip();
        let about = About::of(decision, fingerprint, asked.flatten());
        let salt = if answers.records.is_expected() {
            Some(ids.salt()?)
        } else {
            None
        };
        let error = match answers.push(self.format, decision, request, about, salt) {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let is_too_long = matches!(
            error,
            LogError::Record {
                source: RecordError::TooLarge { .. },
                ..
            }
        );
        let failure = Failure::from(error);
        if !is_too_long {
            return Err(failure);
        }
        let about = About::of(decision, fingerprint, None);
        let cause = Cause::RecordTooLong;
        let denial = self.instead(&about, Mode::Enforce, cause, &failure, ids)?;
        answers.notices.push(Notice::Unreadable(failure));
        let about = About::of(&denial, fingerprint, None);
        Ok(answers.push(self.format, &denial, None, about, salt)?)
    }

    fn read(&self, bytes: &[u8], memory: &mut Memory) -> Result<Request, RequestError> {
        let project = |path: &str| project_identity(&self.current, path);
        Request::from_json_within(bytes, &RequestLimits::default(), &project, memory)
    }

    /// How the policy's time ended, if it has.
    fn past(&self, time: Timestamp) -> Option<&Failure> {
        let Judge::Policy(served) = &self.judge else {
            return None;
        };
        if let Some(failure) = self.past.get() {
            return Some(failure);
        }
        let validity = served.validity();
        if validity.at(time).is_some() {
            return None;
        }
        Some(self.past.get_or_init(|| {
            let message = format!(
                "the policy's time ended at {}",
                whole_second(validity.serves_until())
            );
            Failure::new(Code::EXPIRED, message)
                .hint("run `ordain bundle pull`; if it stays, its signers must renew it")
        }))
    }

    /// The decision that stands in for one, whose answer is not given.
    pub(super) fn instead(
        &self,
        about: &About,
        mode: Mode,
        cause: Cause,
        failure: &Failure,
        ids: &mut Ids,
    ) -> Result<Decision, Failure> {
        let occasion = Occasion {
            decision_id: ids.next(about.time)?,
            time: about.time,
            request_fingerprint: about.fingerprint,
            freshness: Freshness::Fresh,
            duration_ns: about.duration_ns,
        };
        let reason = failure.summary();
        Ok(Decision::fail_closed(
            &self.scope,
            mode,
            cause,
            &reason,
            occasion,
        ))
    }

    /// The mode in which what cannot be recorded is answered.
    pub(super) fn root_mode(&self) -> Mode {
        match &self.judge {
            Judge::Policy(_) if self.past.get().is_some() => self.mode,
            Judge::Policy(served) => served.root_mode(),
            Judge::Closed { mode, .. } => *mode,
        }
    }
}
