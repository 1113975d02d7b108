//! A floor: for every value of action, team, environment and client, one bit a rule that tells whether the rule admits it. The
//! rules stand in the order in which they win.
//!
//! 1. Four look-ups find four rows of bits, or the row of the rules that do not ask.
//! 2. The rows are combined a word at a time; the first rule that stays, and whose other tests hold, wins.
//!
//! It answers with the rule's number alone: no reason, no other rule that matched, nothing that explains. [`EveryMatch`] is the same
//! index, read to its end: what a decision that names every rule that matched has to do at the least.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::System;
use anyhow::Result;

use crate::model::{Answer, Effect, Request, Rule, Workload};

pub(crate) struct Bitset {
    rules: Vec<(usize, Rule)>,
    actions: Rows,
    teams: Rows,
    environments: Rows,
    clients: Rows,
}

type Row = Box<[u64]>;

/// For each value the rules that admit it, and apart those that admit every value.
struct Rows {
    values: HashMap<String, Row>,
    any: Row,
}

impl Rows {
    fn new<'a>(rules: &'a [(usize, Rule)], admitted: impl Fn(&'a Rule) -> &'a [String]) -> Self {
        let words = rules.len().div_ceil(64);
        let mut any: Row = vec![0; words].into();
        for (position, (_, rule)) in rules.iter().enumerate() {
            if admitted(rule).is_empty() {
                any[position / 64] |= 1 << (position % 64);
            }
        }
        let mut values: HashMap<String, Row> = HashMap::new();
        for (position, (_, rule)) in rules.iter().enumerate() {
            for value in admitted(rule) {
                let row = values.entry(value.clone()).or_insert_with(|| any.clone());
                row[position / 64] |= 1 << (position % 64);
            }
        }
        Self { values, any }
    }

    fn of(&self, value: &str) -> &[u64] {
        self.values.get(value).unwrap_or(&self.any)
    }
}

impl Bitset {
    /// The rules that match, in the order in which they win, until the visitor has seen enough.
    fn matching(&self, request: &Request, mut visit: impl FnMut(usize, Effect) -> ControlFlow<()>) {
        let actions = self.actions.of(&request.action);
        let teams = self.teams.of(&request.team);
        let environments = self.environments.of(&request.environment);
        let clients = self.clients.of(&request.client);
        let rows = actions.iter().zip(teams).zip(environments).zip(clients);
        for (word, (((action, team), environment), client)) in rows.enumerate() {
            let mut left = action & team & environment & client;
            while left != 0 {
                let position = word * 64 + left.trailing_zeros() as usize;
                let (number, rule) = &self.rules[position];
                if rule.rest_matches(request) && visit(*number, rule.effect).is_break() {
                    return;
                }
                left &= left - 1;
            }
        }
    }
}

impl System for Bitset {
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
        Ok(Self {
            actions: Rows::new(source, |rule| &rule.actions),
            teams: Rows::new(source, |rule| &rule.teams),
            environments: Rows::new(source, |rule| rule.environment.as_slice()),
            clients: Rows::new(source, |rule| rule.client.as_slice()),
            rules: source.clone(),
        })
    }

    fn inputs(&self, workload: &Workload) -> Result<Vec<Request>> {
        Ok(workload.requests.clone())
    }

    fn worker(&self) -> Result<()> {
        Ok(())
    }

    fn decide(&self, _: &mut (), inputs: &Vec<Request>, request: usize) -> Self::Output {
        let mut won = None;
        self.matching(&inputs[request], |number, effect| {
            won = Some((number, effect));
            ControlFlow::Break(())
        });
        won
    }

    fn answer(&self, output: Self::Output) -> Result<Answer> {
        Ok(output.map(|(number, effect)| (effect, number)))
    }
}

/// The same index, asked for every rule that matches.
pub(crate) struct EveryMatch(Bitset);

impl System for EveryMatch {
    type Source = <Bitset as System>::Source;
    type Inputs = <Bitset as System>::Inputs;
    type Worker = ();
    type Output = Vec<(usize, Effect)>;

    fn print(workload: &Workload) -> Result<Self::Source> {
        Bitset::print(workload)
    }

    fn load(source: &Self::Source) -> Result<Self> {
        Ok(Self(Bitset::load(source)?))
    }

    fn inputs(&self, workload: &Workload) -> Result<Self::Inputs> {
        self.0.inputs(workload)
    }

    fn worker(&self) -> Result<()> {
        Ok(())
    }

    fn decide(&self, _: &mut (), inputs: &Self::Inputs, request: usize) -> Self::Output {
        let mut found = Vec::new();
        self.0.matching(&inputs[request], |number, effect| {
            found.push((number, effect));
            ControlFlow::Continue(())
        });
        found
    }

    fn answer(&self, output: Self::Output) -> Result<Answer> {
        let won = output.first();
        Ok(won.map(|(number, effect)| (*effect, *number)))
    }
}
