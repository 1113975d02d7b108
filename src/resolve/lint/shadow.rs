//! Finds the rule that covers another without holding every rule against every other.
//!
//! A rule covers another where its conditions are among the other's. Each condition gets a number, each rule is the rising
//! list of its numbers, and the lists are kept as a tree that shares their beginnings (a set-trie). The rules whose
//! conditions are among those of one rule are then found by walking only the branches that its own numbers open.

use std::collections::HashMap;

use serde_json::Value;

use super::{EffectiveRule, Rules, covers};

/// The rules of one layer that were looked at so far, by their conditions.
#[derive(Debug)]
pub(super) struct Earlier<'a> {
    rules: &'a Rules,
    numbers: HashMap<(String, Value), usize>,
    nodes: Vec<Node>,
}

#[derive(Debug, Default)]
struct Node {
    next: HashMap<usize, usize>,
    /// Positions of the rules whose conditions are those on the way here.
    rules: Vec<usize>,
}

impl<'a> Earlier<'a> {
    /// None yet of `rules`, the layer's in their order.
    pub(super) fn new(rules: &'a Rules) -> Self {
        let (numbers, nodes) = (HashMap::new(), vec![Node::default()]);
        Self {
            rules,
            numbers,
            nodes,
        }
    }

    /// The first rule so far that covers the one at `position`, which is then looked at as well. To cover is transitive, so a
    /// covered rule need not be kept: whoever covers it covers what it covers.
    pub(super) fn covering(&mut self, position: usize) -> Option<&'a EffectiveRule> {
        let rule = self.rules.get(position)?;
        let conditions = conditions(rule);
        let found = self.find(rule, &conditions);
        if found.is_none() && !rule.disabled {
            self.keep(position, conditions);
        }
        found
    }

    fn find(
        &self,
        rule: &EffectiveRule,
        conditions: &[(String, Value)],
    ) -> Option<&'a EffectiveRule> {
        let known = conditions.iter();
        let known = known.filter_map(|condition| self.numbers.get(condition).copied());
        let mut numbers: Vec<usize> = known.collect();
        numbers.sort_unstable();
        let mut first: Option<usize> = None;
        let mut open = vec![(0, &*numbers)];
        while let Some((node, mut left)) = open.pop() {
            let Some(node) = self.nodes.get(node) else {
                continue;
            };
            for position in &node.rules {
                let earlier = first.is_none_or(|first| *position < first);
                if earlier
                    && self
                        .rules
                        .get(*position)
                        .is_some_and(|other| covers(other, rule))
                {
                    first = Some(*position);
                }
            }
            while let Some((number, after)) = left.split_first() {
                open.extend(node.next.get(number).map(|next| (*next, after)));
                left = after;
            }
        }
        self.rules.get(first?)
    }

    fn keep(&mut self, position: usize, conditions: Vec<(String, Value)>) {
        let mut numbers = Vec::new();
        for condition in conditions {
            let next = self.numbers.len();
            numbers.push(*self.numbers.entry(condition).or_insert(next));
        }
        numbers.sort_unstable();
        let mut at = 0;
        for number in numbers {
            let fresh = self.nodes.len();
            let Some(node) = self.nodes.get_mut(at) else {
                return;
            };
            at = *node.next.entry(number).or_insert(fresh);
            if at == fresh {
                self.nodes.push(Node::default());
            }
        }
        if let Some(node) = self.nodes.get_mut(at) {
            node.rules.push(position);
        }
    }
}

fn conditions(rule: &EffectiveRule) -> Vec<(String, Value)> {
    match rule.written.matcher.source().value() {
        Value::Object(entries) => entries.into_iter().collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::resolve::{EffectiveLayer, LoadedBundle, resolve};

    /// A layer of rules that are made of few words, so that they meet.
    fn layer(rules: &[(usize, usize, usize, usize)]) -> EffectiveLayer {
        let rules: Vec<Value> = rules
            .iter()
            .enumerate()
            .map(|(number, (keys, word, effect, window))| {
                let names = ["action", "resource", "subject", "context.a"];
                let chosen = names
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| keys >> bit & 1 == 1);
                let value = |bit: usize| ["x", "y"][word >> bit & 1];
                let conditions = chosen.map(|(bit, name)| ((*name).to_owned(), value(bit).into()));
                let effect = ["allow", "audit", "require_approval", "deny"][*effect];
                let mode = ["enforce", "warn"][number % 5 / 4];
                let mut rule = json!({
                    "id": format!("r{number}"),
                    "effect": effect,
                    "reason": "because",
                    "precedence": number % 3,
                    "mode": mode,
                    "match": conditions.collect::<serde_json::Map<_, _>>(),
                });
                if *window > 0 {
                    let until = format!("203{window}-01-01T00:00:00Z");
                    rule["valid"] = json!({"until": until});
                }
                rule
            })
            .collect();
        let policy = json!({
            "apiVersion": "ordain/v1", "kind": "Policy", "scope": "acme", "rules": rules,
        });
        let file = (
            "policies/a.yaml".parse().unwrap(),
            policy.to_string().into_bytes().into(),
        );
        let bundle = LoadedBundle::unsigned(
            "acme".parse().unwrap(),
            None,
            &[file].into(),
            &crate::bundle::Limits::default(),
        )
        .unwrap();
        let now = "2026-11-01T00:00:00Z".parse().unwrap();
        let policy = resolve(&[bundle], &"acme".parse().unwrap(), now, None).unwrap();
        policy.layers()[0].clone()
    }

    proptest! {
        #[test]
        fn it_finds_what_looking_at_every_pair_finds(
            rules in prop::collection::vec((0..16_usize, 0..16_usize, 0..4_usize, 0..3_usize), 1..24),
        ) {
            let layer = layer(&rules);
            let mut earlier = Earlier::new(&layer.rules);
            for (position, rule) in layer.rules.iter().enumerate() {
                let mut before = layer.rules.iter().take(position);
                let among = |first: &EffectiveRule| {
                    let all = conditions(rule);
                    conditions(first).iter().all(|condition| all.contains(condition))
                };
                let naive = before.find(|first| among(first) && covers(first, rule));
                let name = |rule: &EffectiveRule| rule.written.name.clone();
                prop_assert_eq!(earlier.covering(position).map(name), naive.map(name));
            }
        }
    }
}
