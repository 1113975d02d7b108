//! Policies and requests of a growing organisation, the same on every machine for the same seed.
//!
//! 1. Size. An organisation with N rules has about N^0.6 teams, 8 + √N actions, four servers and five people a team; clients,
//!    environments and capabilities stay few. So rules per team grow slowly: 2.5, 6, 16, 40 and 100 from 10 to 100 000 rules.
//! 2. Rules. About √N are the organisation's own guards, mostly `deny`, each for one action and one more thing (an environment,
//!    a client, a capability, a number, a condition). The rest belong to teams, mostly `allow`: one to three actions of which some
//!    are far more used than others, and for some of them an environment, a server, a glob of servers, a client, a capability,
//!    a number of replicas or, for one in fifty, a condition. One in twenty speaks for two teams.
//! 3. Requests. Three of four are asked by somebody who read a rule: they fit it, up to a detail or two that may differ. The
//!    others ask for whatever.

use crate::model::{Effect, Person, Request, Rule, Server, When, Workload};

const CLIENTS: [&str; 6] = ["cursor", "claude", "vscode", "zed", "ci", "cli"];
const ENVIRONMENTS: [&str; 4] = ["production", "staging", "development", "test"];
const CAPABILITIES: [&str; 12] = [
    "read",
    "write",
    "deploy",
    "restore",
    "remote-exec",
    "ssh-linux",
    "local-sudo",
    "service-control",
    "database",
    "network",
    "secrets",
    "billing",
];
const KINDS: [&str; 4] = ["api", "db", "queue", "worker"];
const VERBS: [&str; 8] = [
    "configure",
    "remove",
    "restore",
    "apply",
    "restart",
    "read",
    "exec",
    "migrate",
];

/// A stream of numbers from a seed (`SplitMix64`): its sequence is fixed for ever, which no random number crate promises.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `bound`, which it never is.
    fn below(&mut self, bound: usize) -> usize {
        let bound = bound.max(1) as u64;
        usize::try_from(self.next() % bound).unwrap_or(0)
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// The smaller positions far more often than the greater: the cube of a uniform number.
    fn skewed(&mut self, bound: usize) -> usize {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        let position = (unit * unit * unit * bound as f64) as usize;
        position.min(bound.saturating_sub(1))
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn word(&mut self, from: &[&str]) -> String {
        (*self.pick(from)).to_owned()
    }
}

/// What there is in an organisation of so many rules.
struct Organisation {
    actions: Vec<String>,
    teams: Vec<String>,
    people: Vec<Person>,
}

impl Organisation {
    fn new(rules: usize, dice: &mut Dice) -> Self {
        let size = rules as f64;
        let teams = (size.powf(0.6).round() as usize).max(2);
        let actions = 8 + size.sqrt().round() as usize;
        let teams: Vec<String> = (0..teams).map(|team| format!("team-{team:04}")).collect();
        let people = (0..teams.len() * 5)
            .map(|number| {
                // Everybody reads; who they are decides on the rest.
                let mut capabilities = vec!["read".to_owned()];
                capabilities.extend((0..dice.below(5)).map(|_| dice.word(&CAPABILITIES)));
                capabilities.sort();
                capabilities.dedup();
                Person {
                    name: format!("user-{number:05}"),
                    team: teams[number / 5].clone(),
                    capabilities,
                }
            })
            .collect();
        let actions = (0..actions)
            .map(|number| {
                format!(
                    "{}-{:03}",
                    VERBS[number % VERBS.len()],
                    number / VERBS.len()
                )
            })
            .collect();
        Self {
            actions,
            teams,
            people,
        }
    }

    fn server(team: &str, dice: &mut Dice) -> String {
        format!("{team}-{}-{}", dice.word(&KINDS), dice.below(2))
    }

    fn action(&self, dice: &mut Dice) -> String {
        self.actions[dice.skewed(self.actions.len())].clone()
    }

    /// A rule of the organisation itself.
    fn guard(&self, dice: &mut Dice) -> Rule {
        let effect = if dice.percent(80) {
            Effect::Deny
        } else {
            Effect::Allow
        };
        let mut rule = Rule {
            effect,
            // Guards are for rare actions as much as for frequent ones.
            actions: vec![dice.pick(&self.actions).clone()],
            teams: Vec::new(),
            environment: Some(dice.word(&ENVIRONMENTS)),
            client: None,
            server: None,
            capability: None,
            above: None,
            when: None,
        };
        match dice.below(6) {
            0 => rule.client = Some(dice.word(&CLIENTS)),
            1 => rule.capability = Some(dice.word(&CAPABILITIES)),
            2 => rule.above = Some(3 + dice.below(6) as i64),
            3 => {
                rule.server = Some(Server::Between {
                    prefix: "team-".to_owned(),
                    suffix: format!("-{}-{}", dice.word(&KINDS), dice.below(2)),
                });
            }
            4 => rule.when = Some(self.condition(&self.teams[0], dice)),
            _ => {
                let team = dice.pick(&self.teams).clone();
                rule.server = Some(Server::Exactly(Self::server(&team, dice)));
            }
        }
        rule
    }

    /// A rule of one team, or of two.
    fn own(&self, dice: &mut Dice) -> Rule {
        let team = dice.pick(&self.teams).clone();
        let effect = if dice.percent(15) {
            Effect::Deny
        } else {
            Effect::Allow
        };
        let mut actions: Vec<String> = (0..=dice.skewed(3)).map(|_| self.action(dice)).collect();
        actions.sort();
        actions.dedup();
        let mut teams = vec![team.clone()];
        if dice.percent(5) {
            teams.push(dice.pick(&self.teams).clone());
            teams.sort();
            teams.dedup();
        }
        let server = match dice.below(10) {
            0..3 => Some(Server::Exactly(Self::server(&team, dice))),
            3..6 => Some(Server::Between {
                prefix: format!("{team}-{}-", dice.word(&KINDS)),
                suffix: String::new(),
            }),
            6 => Some(Server::Between {
                prefix: format!("{team}-"),
                suffix: format!("-{}", dice.below(2)),
            }),
            _ => None,
        };
        Rule {
            effect,
            actions,
            teams,
            environment: dice.percent(50).then(|| dice.word(&ENVIRONMENTS)),
            client: dice.percent(15).then(|| dice.word(&CLIENTS)),
            server,
            capability: dice.percent(15).then(|| dice.word(&CAPABILITIES)),
            above: dice.percent(10).then(|| 1 + dice.below(6) as i64),
            when: dice.percent(2).then(|| self.condition(&team, dice)),
        }
    }

    fn condition(&self, team: &str, dice: &mut Dice) -> When {
        if dice.percent(50) {
            let users = (0..=dice.below(3)).map(|_| dice.pick(&self.people).name.clone());
            let mut users: Vec<String> = users.collect();
            users.sort();
            users.dedup();
            When::Unexempted {
                above: 1 + dice.below(5) as i64,
                users,
            }
        } else {
            When::Outside {
                root: format!("/srv/{team}/"),
                client: dice.word(&CLIENTS),
            }
        }
    }

    fn request(&self, rules: &[Rule], dice: &mut Dice) -> Request {
        let fitted = dice.percent(75).then(|| dice.pick(rules));
        let team = match fitted {
            Some(rule) if !rule.teams.is_empty() => dice.pick(&rule.teams),
            _ => dice.pick(&self.teams),
        };
        let first = 5 * self.teams.binary_search(team).unwrap_or(0);
        let person = &self.people[first + dice.below(5)];
        let kept = |dice: &mut Dice| fitted.filter(|_| dice.percent(92));
        let action = kept(dice).map(|rule| dice.pick(&rule.actions).clone());
        let environment = kept(dice).and_then(|rule| rule.environment.clone());
        let client = kept(dice).and_then(|rule| rule.client.clone());
        let server = kept(dice).and_then(|rule| match rule.server.as_ref()? {
            Server::Exactly(name) => Some(name.clone()),
            Server::Between { prefix, suffix } => {
                let kind = KINDS
                    .iter()
                    .find(|kind| prefix.ends_with(&format!("-{kind}-")));
                Some(match (kind, suffix.is_empty()) {
                    (Some(_), _) => format!("{prefix}{}", dice.below(2)),
                    (None, _) if prefix == "team-" => format!("{team}{suffix}"),
                    (None, _) => format!("{prefix}{}{suffix}", dice.word(&KINDS)),
                })
            }
        });
        let elsewhere = dice.percent(10).then(|| dice.pick(&self.teams).clone());
        let home = elsewhere.unwrap_or_else(|| team.clone());
        Request {
            user: person.name.clone(),
            team: team.clone(),
            capabilities: person.capabilities.clone(),
            action: action.unwrap_or_else(|| self.action(dice)),
            server: server.unwrap_or_else(|| Self::server(&home, dice)),
            client: client.unwrap_or_else(|| dice.word(&CLIENTS)),
            environment: environment.unwrap_or_else(|| dice.word(&ENVIRONMENTS)),
            replicas: dice.below(10) as i64,
            path: format!("/srv/{home}/app-{}.yaml", dice.below(20)),
        }
    }
}

/// A policy of `rules` rules, and `requests` requests.
pub(crate) fn workload(rules: usize, requests: usize) -> Workload {
    let dice = &mut Dice(0x6F72_6461_696E ^ rules as u64);
    let organisation = Organisation::new(rules, dice);
    let guards = (rules as f64).sqrt().round() as usize;
    // Spread, since who writes a policy does not sort it.
    let every = rules / guards.max(1);
    let rules: Vec<Rule> = (0..rules)
        .map(|number| {
            if number % every.max(1) == 0 {
                organisation.guard(dice)
            } else {
                organisation.own(dice)
            }
        })
        .collect();
    let requests = (0..requests)
        .map(|_| organisation.request(&rules, dice))
        .collect();
    Workload {
        rules,
        people: organisation.people,
        requests,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::Reference;

    #[test]
    fn the_same_seed_gives_the_same_policy_and_requests() {
        let (one, other) = (workload(100, 50), workload(100, 50));
        assert_eq!(one.rules, other.rules);
        assert_eq!(one.requests, other.requests);
        assert_eq!(one.rules.len(), 100);
        assert_eq!(one.requests.len(), 50);
        // More requests are more of the same.
        assert_eq!(workload(100, 60).requests[..50], one.requests);
    }

    #[test]
    fn every_kind_of_test_occurs() {
        let rules = workload(1_000, 0).rules;
        let has = |what: fn(&Rule) -> bool| rules.iter().any(what);
        assert!(has(|rule| rule.teams.len() == 2));
        assert!(has(|rule| rule.actions.len() == 3));
        assert!(has(|rule| rule.environment.is_some()));
        assert!(has(|rule| rule.client.is_some()));
        assert!(has(|rule| rule.capability.is_some()));
        assert!(has(|rule| rule.above.is_some()));
        assert!(has(|rule| matches!(rule.server, Some(Server::Exactly(_)))));
        assert!(has(|rule| matches!(
            rule.server,
            Some(Server::Between { .. })
        )));
        assert!(has(|rule| matches!(
            rule.when,
            Some(When::Unexempted { .. })
        )));
        assert!(has(|rule| matches!(rule.when, Some(When::Outside { .. }))));
    }

    /// However many rules there are, a request meets a handful, and is answered in each of the three ways.
    #[test]
    fn requests_match_a_handful_of_rules() {
        for rules in [10, 1_000, 10_000] {
            let workload = workload(rules, 1_000);
            let matching: Vec<usize> = workload
                .requests
                .iter()
                .map(|request| workload.matching(request))
                .collect();
            let mean = matching.iter().sum::<usize>() as f64 / 1_000.0;
            assert!((0.3..8.0).contains(&mean), "{rules} rules: {mean}");
            let answers: Vec<_> = Reference::new(&workload).answers().collect();
            let share = |wanted: Option<Effect>| {
                let alike = answers
                    .iter()
                    .filter(|answer| answer.map(|(effect, _)| effect) == wanted);
                alike.count()
            };
            for wanted in [Some(Effect::Allow), Some(Effect::Deny), None] {
                assert!(
                    share(wanted) > 50,
                    "{rules} rules: {wanted:?}, {}",
                    share(wanted)
                );
            }
        }
    }
}
