//! The systems, behind one interface, so that all are measured by the same code.
//!
//! Printing a policy and preparing requests are never measured. What is: [`System::load`] from the printed policy to readiness,
//! and [`System::decide`] from a request in the system's own parsed form to its own form of an answer.

pub(crate) mod bitset;
pub(crate) mod cedar;
pub(crate) mod cel;
pub(crate) mod kept;
pub(crate) mod linear;
pub(crate) mod ordain;
pub(crate) mod regorus;

use std::time::Duration;

use anyhow::Result;

use crate::model::{Answer, Effect, Request, Workload};

pub(crate) trait System: Sized + Sync {
    /// The policy in the system's language.
    type Source;
    /// The requests, and whatever else it looks at, as it likes them best.
    type Inputs: Sync;
    /// What one thread needs of its own.
    type Worker;
    /// What it answers.
    type Output;

    fn print(workload: &Workload) -> Result<Self::Source>;

    fn load(source: &Self::Source) -> Result<Self>;

    /// What part of loading was compiling; none where that is no step of its own.
    fn compiled_in(&self) -> Option<Duration> {
        None
    }

    fn inputs(&self, workload: &Workload) -> Result<Self::Inputs>;

    fn worker(&self) -> Result<Self::Worker>;

    fn decide(
        &self,
        worker: &mut Self::Worker,
        inputs: &Self::Inputs,
        request: usize,
    ) -> Self::Output;

    fn answer(&self, output: Self::Output) -> Result<Answer>;
}

/// What the rules mean, by looking at every one of them in the order in which they win.
pub(crate) struct Reference<'a> {
    workload: &'a Workload,
    order: Vec<usize>,
}

impl<'a> Reference<'a> {
    pub(crate) fn new(workload: &'a Workload) -> Self {
        Self {
            workload,
            order: workload.winning_order(),
        }
    }

    pub(crate) fn answer(&self, request: usize) -> Answer {
        let request = &self.workload.requests[request];
        let rules = &self.workload.rules;
        let won = self
            .order
            .iter()
            .find(|&&rule| rules[rule].matches(request))?;
        Some((rules[*won].effect, *won))
    }

    pub(crate) fn request(&self, request: usize) -> &Request {
        &self.workload.requests[request]
    }

    pub(crate) fn answers(&self) -> impl Iterator<Item = Answer> {
        (0..self.workload.requests.len()).map(|request| self.answer(request))
    }
}

/// The answer of a system that tells every rule that had a say.
fn lowest(effect: Effect, rules: impl Iterator<Item = usize>) -> Answer {
    Some((effect, rules.min()?))
}
