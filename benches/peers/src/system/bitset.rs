//! A floor: for every value of action, team, environment and client, one bit a rule that tells whether the rule admits it. The
//! rules stand in the order in which they win.
//!
//! 1. Four look-ups find four rows of bits, or the row of the rules that do not ask.
//! 2. The rows are combined a word at a time; the first rule that stays, and whose other tests hold, wins.
//!
//! It answers with the rule's number alone: no reason, no other rule that matched, nothing that explains.

use std::collections::HashMap;

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
        let request = &inputs[request];
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
                if rule.rest_matches(request) {
                    return Some((*number, rule.effect));
                }
                left &= left - 1;
            }
        }
        None
    }

    fn answer(&self, output: Self::Output) -> Result<Answer> {
        Ok(output.map(|(number, effect)| (effect, number)))
    }
}
