//! `regorus`, by its interpreter and by its virtual machine, each with rules as Rego rules and with rules as data.

use std::marker::PhantomData;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::{Arc, Mutex, PoisonError};

use ::regorus::languages::rego::compiler::Compiler;
use ::regorus::rvm::program::Program;
use ::regorus::rvm::vm::RegoVM;
use ::regorus::utils::limits::PolicyLengthConfig;
use ::regorus::{Engine, Value};

use anyhow::{Result, bail};

use super::System;
use crate::model::{Answer, Effect, Workload};
use crate::print::rego::{self, ENTRY};

/// How the policy is written.
pub(crate) trait Form: Sync {
    fn print(workload: &Workload) -> Source;
}

/// A rule is a Rego rule.
pub(crate) struct AsRules;

/// A rule is an entry of data, found by its action.
pub(crate) struct AsData;

impl Form for AsRules {
    fn print(workload: &Workload) -> Source {
        Source {
            policy: rego::rules(workload),
            data: None,
        }
    }
}

impl Form for AsData {
    fn print(workload: &Workload) -> Source {
        Source {
            policy: rego::walker(),
            data: Some(rego::data(workload).to_string()),
        }
    }
}

pub(crate) struct Source {
    pub(crate) policy: String,
    pub(crate) data: Option<String>,
}

impl Source {
    fn engine(&self) -> Result<Engine> {
        let mut engine = Engine::new();
        // The standard limits would refuse the larger policies.
        engine.set_policy_length_config(PolicyLengthConfig {
            max_col: NonZeroU32::MAX,
            max_file_bytes: NonZeroUsize::MAX,
            max_lines: NonZeroUsize::MAX,
        });
        engine.add_policy("bench.rego".to_owned(), self.policy.clone())?;
        if let Some(data) = &self.data {
            engine.add_data(Value::from_json_str(data)?)?;
        }
        Ok(engine)
    }
}

fn values(workload: &Workload) -> Result<Vec<Value>> {
    let requests = workload.requests.iter();
    let values = requests.map(|request| Value::from_json_str(&rego::request(request).to_string()));
    values.collect()
}

fn answer(output: Result<Value>) -> Result<Answer> {
    let value = output?;
    let parts = value.as_array()?;
    let (Some(effect), Some(rule)) = (parts.first(), parts.get(1)) else {
        bail!("answered {value}");
    };
    let rule = usize::try_from(rule.as_i64()?);
    match (effect.as_string()?.as_ref(), rule) {
        ("deny", Ok(rule)) => Ok(Some((Effect::Deny, rule))),
        ("allow", Ok(rule)) => Ok(Some((Effect::Allow, rule))),
        ("none", _) => Ok(None),
        _ => bail!("answered {value}"),
    }
}

/// The interpreter, prepared once and copied for each thread.
pub(crate) struct Interpreter<F> {
    engine: Mutex<Engine>,
    form: PhantomData<F>,
}

impl<F: Form> System for Interpreter<F> {
    type Source = Source;
    type Inputs = Vec<Value>;
    type Worker = Engine;
    type Output = Result<Value>;

    fn print(workload: &Workload) -> Result<Source> {
        Ok(F::print(workload))
    }

    fn load(source: &Source) -> Result<Self> {
        let mut engine = source.engine()?;
        // The first question makes it ready; this one asks nothing of any rule.
        engine.set_input(Value::new_object());
        let _ = engine.eval_rule(ENTRY.to_owned())?;
        Ok(Self {
            engine: Mutex::new(engine),
            form: PhantomData,
        })
    }

    fn inputs(&self, workload: &Workload) -> Result<Vec<Value>> {
        values(workload)
    }

    fn worker(&self) -> Result<Engine> {
        Ok(self
            .engine
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone())
    }

    fn decide(&self, engine: &mut Engine, inputs: &Vec<Value>, request: usize) -> Result<Value> {
        engine.set_input(inputs[request].clone());
        engine.eval_rule(ENTRY.to_owned())
    }

    fn answer(&self, output: Result<Value>) -> Result<Answer> {
        answer(output)
    }
}

/// The virtual machine: one program for all threads.
pub(crate) struct Rvm<F> {
    program: Arc<Program>,
    data: Option<Value>,
    form: PhantomData<F>,
}

impl<F: Form> System for Rvm<F> {
    type Source = Source;
    type Inputs = Vec<Value>;
    type Worker = RegoVM;
    type Output = Result<Value>;

    fn print(workload: &Workload) -> Result<Source> {
        Ok(F::print(workload))
    }

    fn load(source: &Source) -> Result<Self> {
        let mut engine = source.engine()?;
        let compiled = engine.compile_with_entrypoint(&ENTRY.into())?;
        let program = Compiler::compile_from_policy(&compiled, &[ENTRY])?;
        let data = source.data.is_some().then(|| engine.get_data());
        Ok(Self {
            program,
            data,
            form: PhantomData,
        })
    }

    fn inputs(&self, workload: &Workload) -> Result<Vec<Value>> {
        values(workload)
    }

    fn worker(&self) -> Result<RegoVM> {
        let mut machine = RegoVM::new();
        machine.load_program(Arc::clone(&self.program));
        machine.set_max_instructions(usize::MAX);
        if let Some(data) = &self.data {
            machine.set_data(data.clone())?;
        }
        Ok(machine)
    }

    fn decide(&self, machine: &mut RegoVM, inputs: &Vec<Value>, request: usize) -> Result<Value> {
        machine.set_input(inputs[request].clone());
        Ok(machine.execute()?)
    }

    fn answer(&self, output: Result<Value>) -> Result<Answer> {
        answer(output)
    }
}
