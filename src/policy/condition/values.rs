//! What an expression sees: the request, the data and the risk, as values of the interpreter.

use std::collections::HashMap;

use cel::common::types::{
    CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString,
};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use serde_json::Value;

use super::Condition;
use super::compile::{METER, PATTERN};
use super::meter::Meter;
use crate::policy::Facts;

/// A JSON value as the interpreter's. Whole numbers become `int`: its own conversion makes `uint` of them, with which no
/// arithmetic on a literal works.
pub(in crate::policy) fn view(value: &Value) -> Box<dyn Val> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Box::new(CelInt::from(whole)),
            None => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(text) => Box::new(CelString::from(text.clone())),
        Value::Array(items) => {
            let items: Vec<Box<dyn Val>> = items.iter().map(view).collect();
            Box::new(CelList::from(items))
        }
        Value::Object(members) => {
            let members: HashMap<CelMapKey<'static>, Box<dyn Val>> = members
                .iter()
                .map(|(key, value)| (CelMapKey::from(key.clone()), view(value)))
                .collect();
            Box::new(CelMap::from(members))
        }
    }
}

/// The variables of one evaluation.
pub(super) struct Scope<'a, 'r> {
    pub(super) condition: &'a Condition,
    pub(super) facts: &'a Facts<'r>,
    pub(super) risk: Option<CelString<'static>>,
    pub(super) meter: Meter,
}

static NULL: CelNull = CelNull;

impl VariableResolver for Scope<'_, '_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        if let Some(root) = self.facts.view(name) {
            return Some(CowVal::Borrowed(root));
        }
        let value: &dyn Val = match name {
            METER => &self.meter,
            "data" => self.condition.0.data.view(),
            "risk" => match &self.risk {
                Some(risk) => risk,
                None => &NULL,
            },
            _ => {
                let index = name.strip_prefix(PATTERN)?.parse::<usize>().ok()?;
                self.condition.0.patterns.get(index)?
            }
        };
        Some(CowVal::Borrowed(value))
    }
}
