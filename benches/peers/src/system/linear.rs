//! A floor: every rule in the order in which they win, up to the first that matches. It answers with the rule's number alone.

use super::System;
use anyhow::Result;

use crate::model::{Answer, Effect, Request, Rule, Workload};

pub(crate) struct Linear(Vec<(usize, Rule)>);

impl System for Linear {
    type Source = Vec<(usize, Rule)>;
    type Inputs = Vec<Request>;
    type Worker = ();
    type Output = Option<(usize, Effect)>;

    fn print(workload: &Workload) -> Result<Self::Source> {
        let order = workload.winning_order().into_iter();
        Ok(order
            .map(|number| (number, workload.rules[number].clone()))
            .collect())
    }

    fn load(source: &Self::Source) -> Result<Self> {
        Ok(Self(source.clone()))
    }

    fn inputs(&self, workload: &Workload) -> Result<Vec<Request>> {
        Ok(workload.requests.clone())
    }

    fn worker(&self) -> Result<()> {
        Ok(())
    }

    fn decide(&self, _: &mut (), inputs: &Vec<Request>, request: usize) -> Self::Output {
        let request = &inputs[request];
        let found = self.0.iter().find(|(_, rule)| rule.matches(request));
        found.map(|(number, rule)| (*number, rule.effect))
    }

    fn answer(&self, output: Self::Output) -> Result<Answer> {
        Ok(output.map(|(number, effect)| (effect, number)))
    }
}
