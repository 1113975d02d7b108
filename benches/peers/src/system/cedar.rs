//! `cedar-policy`: one policy a rule; entities and requests are built beforehand, and no schema is asked for.

use std::collections::{BTreeSet, HashMap, HashSet};

use anyhow::{Result, bail};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, Policy,
    PolicyId, PolicySet, Request, Response, RestrictedExpression,
};

use super::{System, lowest};
use crate::model::{self, Answer, Effect, Workload, rule_number};
use crate::print;

pub(crate) struct Cedar {
    policies: PolicySet,
    authorizer: Authorizer,
}

pub(crate) struct Inputs {
    entities: Entities,
    requests: Vec<Request>,
}

impl System for Cedar {
    type Source = Vec<(String, String)>;
    type Inputs = Inputs;
    type Worker = ();
    type Output = Response;

    fn print(workload: &Workload) -> Result<Self::Source> {
        Ok(print::cedar::policies(workload))
    }

    fn load(source: &Self::Source) -> Result<Self> {
        let mut policies = PolicySet::new();
        for (id, text) in source {
            policies.add(Policy::parse(Some(PolicyId::new(id)), text)?)?;
        }
        Ok(Self {
            policies,
            authorizer: Authorizer::new(),
        })
    }

    fn inputs(&self, workload: &Workload) -> Result<Inputs> {
        let types = Types::new()?;
        let teams: BTreeSet<&str> = workload
            .people
            .iter()
            .map(|person| person.team.as_str())
            .collect();
        let mut entities: Vec<Entity> = teams
            .into_iter()
            .map(|team| Entity::new_no_attrs(uid(&types.team, team), HashSet::new()))
            .collect();
        for person in &workload.people {
            let capabilities = person
                .capabilities
                .iter()
                .cloned()
                .map(RestrictedExpression::new_string);
            let attributes = [(
                "capabilities".to_owned(),
                RestrictedExpression::new_set(capabilities),
            )];
            entities.push(Entity::new(
                uid(&types.user, &person.name),
                HashMap::from(attributes),
                HashSet::from([uid(&types.team, &person.team)]),
            )?);
        }
        let requests = workload
            .requests
            .iter()
            .map(|request| types.request(request));
        Ok(Inputs {
            entities: Entities::from_entities(entities, None)?,
            requests: requests.collect::<Result<_>>()?,
        })
    }

    fn worker(&self) -> Result<()> {
        Ok(())
    }

    fn decide(&self, _: &mut (), inputs: &Inputs, request: usize) -> Response {
        self.authorizer
            .is_authorized(&inputs.requests[request], &self.policies, &inputs.entities)
    }

    fn answer(&self, response: Response) -> Result<Answer> {
        if let Some(error) = response.diagnostics().errors().next() {
            bail!("{error}");
        }
        let effect = match response.decision() {
            Decision::Allow => Effect::Allow,
            Decision::Deny => Effect::Deny,
        };
        let said = response.diagnostics().reason();
        let numbers = said.filter_map(|id| rule_number(id.as_ref()));
        Ok(lowest(effect, numbers))
    }
}

struct Types {
    user: EntityTypeName,
    team: EntityTypeName,
    action: EntityTypeName,
    server: EntityTypeName,
}

impl Types {
    fn new() -> Result<Self> {
        Ok(Self {
            user: "User".parse()?,
            team: "Team".parse()?,
            action: "Action".parse()?,
            server: "Server".parse()?,
        })
    }

    fn request(&self, request: &model::Request) -> Result<Request> {
        let text = |name: &str, value: &str| {
            (
                name.to_owned(),
                RestrictedExpression::new_string(value.to_owned()),
            )
        };
        let context = Context::from_pairs([
            text("client", &request.client),
            text("environment", &request.environment),
            text("path", &request.path),
            // A name of an entity is no text that `like` could look at.
            text("server", &request.server),
            (
                "replicas".to_owned(),
                RestrictedExpression::new_long(request.replicas),
            ),
        ])?;
        Ok(Request::new(
            uid(&self.user, &request.user),
            uid(&self.action, &request.action),
            uid(&self.server, &request.server),
            context,
            None,
        )?)
    }
}

fn uid(kind: &EntityTypeName, name: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(name))
}
