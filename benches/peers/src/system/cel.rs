//! A loop of CEL expressions in the order in which rules win, up to the first that is true. Variables are bound beforehand.

use std::sync::Arc;

use anyhow::{Error, Result, bail};
use cel::{Context, Env, Program, Value};

use super::System;
use crate::model::{Answer, Effect, Request, Workload};
use crate::print;

pub(crate) struct Cel {
    programs: Vec<(usize, Effect, Program)>,
    environment: Arc<Env>,
}

impl System for Cel {
    type Source = Vec<(usize, Effect, String)>;
    type Inputs = Vec<Context<'static, 'static>>;
    type Worker = ();
    type Output = Result<Answer>;

    fn print(workload: &Workload) -> Result<Self::Source> {
        let order = workload.winning_order().into_iter();
        let printed = order.map(|number| {
            let rule = &workload.rules[number];
            (number, rule.effect, print::cel::expression(rule))
        });
        Ok(printed.collect())
    }

    fn load(source: &Self::Source) -> Result<Self> {
        let programs = source.iter().map(|(number, effect, text)| {
            let program =
                Program::compile(text).map_err(|errors| Error::msg(errors.to_string()))?;
            Ok((*number, *effect, program))
        });
        Ok(Self {
            programs: programs.collect::<Result<_>>()?,
            environment: Arc::new(Env::stdlib()),
        })
    }

    fn inputs(&self, workload: &Workload) -> Result<Self::Inputs> {
        let requests = workload.requests.iter();
        requests.map(|request| self.bind(request)).collect()
    }

    fn worker(&self) -> Result<()> {
        Ok(())
    }

    fn decide(&self, _: &mut (), inputs: &Self::Inputs, request: usize) -> Result<Answer> {
        for (number, effect, program) in &self.programs {
            match program.execute(&inputs[request])? {
                Value::Bool(true) => return Ok(Some((*effect, *number))),
                Value::Bool(false) => {}
                other => bail!("rule {number} answered {other:?}"),
            }
        }
        Ok(None)
    }

    fn answer(&self, output: Result<Answer>) -> Result<Answer> {
        output
    }
}

impl Cel {
    fn bind(&self, request: &Request) -> Result<Context<'static, 'static>> {
        let mut context = Context::with_env(Arc::clone(&self.environment));
        for (name, value) in [
            ("user", &request.user),
            ("team", &request.team),
            ("action", &request.action),
            ("server", &request.server),
            ("client", &request.client),
            ("environment", &request.environment),
            ("path", &request.path),
        ] {
            context.add_variable(name, value.clone())?;
        }
        context.add_variable("capabilities", request.capabilities.clone())?;
        context.add_variable("replicas", request.replicas)?;
        Ok(context)
    }
}
