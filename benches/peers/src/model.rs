//! The one abstract policy and the one abstract request that every system is given in its own words.
//!
//! A rule is a conjunction; what it leaves out, it does not ask. Rules are numbered in the order in which they win: a `deny` that
//! matches beats every `allow`, the lower number beats the higher, and where nothing matches the answer is no. All systems can say
//! that, so their answers can be compared rule by rule.

use serde::{Deserialize, Serialize};

/// What a rule asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Effect {
    Allow,
    Deny,
}

impl Effect {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }
}

/// A test of the server's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Server {
    Exactly(String),
    /// The glob `prefix*suffix`; no server's name is so short that the two overlap.
    Between {
        prefix: String,
        suffix: String,
    },
}

impl Server {
    pub(crate) fn matches(&self, server: &str) -> bool {
        match self {
            Self::Exactly(name) => server == name,
            Self::Between { prefix, suffix } => {
                server.len() >= prefix.len() + suffix.len()
                    && server.starts_with(prefix.as_str())
                    && server.ends_with(suffix.as_str())
            }
        }
    }
}

/// What takes an expression to say: negation and disjunction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum When {
    /// More replicas than this, asked for by none of these.
    Unexempted { above: i64, users: Vec<String> },
    /// A path outside the root, unless this client asks.
    Outside { root: String, client: String },
}

impl When {
    fn holds(&self, request: &Request) -> bool {
        match self {
            Self::Unexempted { above, users } => {
                request.replicas > *above && !users.contains(&request.user)
            }
            Self::Outside { root, client } => {
                !request.path.starts_with(root.as_str()) && request.client != *client
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rule {
    pub(crate) effect: Effect,
    /// Any of them; never empty.
    pub(crate) actions: Vec<String>,
    /// Any of them; empty where it does not ask.
    pub(crate) teams: Vec<String>,
    pub(crate) environment: Option<String>,
    pub(crate) client: Option<String>,
    pub(crate) server: Option<Server>,
    /// The subject has it.
    pub(crate) capability: Option<String>,
    /// More replicas than this.
    pub(crate) above: Option<i64>,
    pub(crate) when: Option<When>,
}

impl Rule {
    /// What the rule means: the reference that all printers and systems are held against.
    pub(crate) fn matches(&self, request: &Request) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == found)
        };
        self.actions.contains(&request.action)
            && (self.teams.is_empty() || self.teams.contains(&request.team))
            && is(&self.environment, &request.environment)
            && is(&self.client, &request.client)
            && self.rest_matches(request)
    }

    /// What is left to ask once action, team, environment and client are known to fit.
    pub(crate) fn rest_matches(&self, request: &Request) -> bool {
        let server = self.server.as_ref();
        server.is_none_or(|server| server.matches(&request.server))
            && self
                .capability
                .as_ref()
                .is_none_or(|wanted| request.capabilities.contains(wanted))
            && self.above.is_none_or(|above| request.replicas > above)
            && self.when.as_ref().is_none_or(|when| when.holds(request))
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Request {
    pub(crate) user: String,
    pub(crate) team: String,
    pub(crate) capabilities: Vec<String>,
    pub(crate) action: String,
    pub(crate) server: String,
    pub(crate) client: String,
    pub(crate) environment: String,
    pub(crate) replicas: i64,
    pub(crate) path: String,
}

/// The answer, and the rule that made it; without one, the answer is no.
pub(crate) type Answer = Option<(Effect, usize)>;

/// A policy, the people it speaks of, and what they ask.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    pub(crate) rules: Vec<Rule>,
    pub(crate) people: Vec<Person>,
    pub(crate) requests: Vec<Request>,
}

impl Workload {
    /// The rules in the order in which they win: every `deny`, then every `allow`, each by number.
    pub(crate) fn winning_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.rules.len()).collect();
        // Stable: numbers stay ascending within an effect.
        order.sort_by_key(|&rule| {
            self.rules
                .get(rule)
                .map(|rule| rule.effect == Effect::Allow)
        });
        order
    }

    /// How many rules match the request.
    pub(crate) fn matching(&self, request: &Request) -> usize {
        let rules = self.rules.iter();
        rules.filter(|rule| rule.matches(request)).count()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) team: String,
    pub(crate) capabilities: Vec<String>,
}

/// A rule's id, which sorts as its number does.
pub(crate) fn rule_id(number: usize) -> String {
    format!("r{number:06}")
}

/// The number in a rule's id.
pub(crate) fn rule_number(id: &str) -> Option<usize> {
    id.strip_prefix('r')?.parse().ok()
}
