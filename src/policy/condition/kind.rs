//! The types of expressions, as far as they are known before a request is.

use cel::common::ast::{LiteralValue, operators};
use serde_json::Value;

/// What is known of an expression's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing: the request decides.
    Any,
    Bool,
    Int,
    Double,
    Text,
    List,
    Map,
    Null,
    Type,
    /// `subject` or `resource`.
    Party(&'static str),
    /// `action`
    Action,
    /// `risk`: one of four words, or null.
    Risk,
    /// A directory of the data, by its path.
    Data(Vec<String>),
}

use Kind::{Any, Bool, Double, Int, List, Null, Text};

impl Kind {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Bool => "a boolean",
            Self::Int => "an int",
            Self::Double => "a double",
            Self::Text => "text",
            Self::List => "a list",
            Self::Map | Self::Party(_) | Self::Action | Self::Data(_) => "a map",
            Self::Null => "null",
            Self::Type => "a type",
            Self::Risk => "a risk",
        }
    }

    /// Whether a value of this kind may be one of `wanted`.
    pub(super) fn may_be(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Any, _) | (_, Self::Any) => true,
            (Self::Risk, Self::Text | Self::Null) | (Self::Text | Self::Null, Self::Risk) => true,
            _ => self.name() == wanted.name(),
        }
    }

    fn is_number(&self) -> bool {
        matches!(self, Self::Any | Self::Int | Self::Double)
    }

    /// Whether it has a value that ranges, members or items can be taken of.
    pub(super) fn is_many(&self) -> bool {
        self.may_be(&Self::List) || self.may_be(&Self::Map)
    }

    pub(super) fn of_literal(literal: &LiteralValue) -> Option<Self> {
        Some(match literal {
            LiteralValue::Boolean(_) => Self::Bool,
            LiteralValue::Double(_) => Self::Double,
            LiteralValue::Int(_) => Self::Int,
            LiteralValue::Null => Self::Null,
            LiteralValue::String(_) => Self::Text,
            LiteralValue::Bytes(_) | LiteralValue::UInt(_) => return None,
        })
    }

    /// The kind of a value of the data.
    pub(super) fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(number) if number.as_i64().is_some() => Self::Int,
            Value::Number(_) => Self::Double,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::List,
            Value::Object(_) => Self::Map,
        }
    }
}

/// The kind of what an operator of two operands makes, or what is wrong.
pub(super) fn of_operator(operator: &str, left: &Kind, right: &Kind) -> Result<Kind, String> {
    let sign = sign(operator);
    let both = |kind: &Kind| left.may_be(kind) && right.may_be(kind);
    let mismatch = || {
        let (left, right) = (left.name(), right.name());
        format!("`{sign}` cannot join {left} and {right}")
    };
    match operator {
        operators::LOGICAL_AND | operators::LOGICAL_OR => {
            let wrong = [left, right].into_iter().find(|kind| !kind.may_be(&Bool));
            match wrong {
                Some(kind) => Err(format!("`{sign}` wants booleans, found {}", kind.name())),
                None => Ok(Bool),
            }
        }
        operators::ADD
        | operators::SUBSTRACT
        | operators::MULTIPLY
        | operators::DIVIDE
        | operators::MODULO => {
            let kinds: &[Kind] = match operator {
                operators::ADD => &[Int, Double, Text, List],
                operators::MODULO => &[Int],
                _ => &[Int, Double],
            };
            let possible: Vec<&Kind> = kinds.iter().filter(|kind| both(kind)).collect();
            match possible.as_slice() {
                [] => Err(mismatch()),
                [one] => Ok((*one).clone()),
                _ => Ok(Any),
            }
        }
        operators::LESS
        | operators::LESS_EQUALS
        | operators::GREATER
        | operators::GREATER_EQUALS => {
            let ordered = (left.is_number() && right.is_number()) || both(&Text) || both(&Bool);
            if ordered { Ok(Bool) } else { Err(mismatch()) }
        }
        operators::EQUALS | operators::NOT_EQUALS => {
            if left.may_be(right) || (left.is_number() && right.is_number()) {
                Ok(Bool)
            } else {
                let (left, right) = (left.name(), right.name());
                Err(format!("{left} and {right} are never equal"))
            }
        }
        operators::IN => {
            if right.is_many() {
                Ok(Bool)
            } else {
                Err(format!("`in` wants a list or map, found {}", right.name()))
            }
        }
        operators::INDEX => {
            let fits = (left.may_be(&List) && right.is_number())
                || (left.may_be(&Kind::Map) && !matches!(right, List | Kind::Map | Null));
            if fits {
                Ok(Any)
            } else {
                let (left, right) = (left.name(), right.name());
                Err(format!("{left} has no index that is {right}"))
            }
        }
        _ => Ok(Any),
    }
}

/// An operator as it is written.
pub(super) fn sign(operator: &str) -> &str {
    match operator {
        operators::IN => "in",
        other => other.trim_matches('_'),
    }
}
