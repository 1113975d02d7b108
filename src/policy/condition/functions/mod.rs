//! The functions of the language: the table by which calls are checked at load, and what they do.
//!
//! Each pays for its operands before it looks at them, and for the text or list that it makes. The interpreter's own
//! functions of the same names are out of reach: they pay for nothing, and its `matches` compiles its pattern every time.

mod field;
mod text;

use std::sync::{Arc, LazyLock};

use cel::common::functions::Function;
use cel::common::types::{CelInt, CelString, DYN_TYPE};
use cel::common::value::CowVal;
use cel::{DeclarationError, Env, ExecutionError};

use super::kind::Kind;
use super::meter::{self, Meter, failed, meter};
use super::operators;

pub(super) use text::Pattern;

/// How a function is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// `x.f(…)`
    Member,
    /// `f(x, …)`
    Global,
    Either,
}

/// A check of an argument that is written as a literal: what is wrong with it.
type Check = fn(&str) -> Result<(), String>;

/// One function with one number of arguments.
pub(super) struct Helper {
    pub(super) name: &'static str,
    pub(super) style: Style,
    /// The kinds of the arguments, what stands before the dot being the first.
    pub(super) takes: &'static [Kind],
    pub(super) gives: &'static Kind,
    pub(super) does: Does,
    /// The position of an argument that is checked at load where it is a literal.
    pub(super) literal: Option<(usize, Check)>,
}

#[derive(Clone, Copy)]
pub(super) enum Does {
    /// Ours, which takes the meter before its arguments.
    Run(Function),
    /// A conversion of the interpreter's, whose argument is paid for.
    Convert,
    /// [`text::matches`], whose pattern must be a literal and is compiled at load.
    Match,
}

const fn helper(
    name: &'static str,
    style: Style,
    takes: &'static [Kind],
    gives: &'static Kind,
    run: Function,
) -> Helper {
    let (does, literal) = (Does::Run(run), None);
    Helper {
        name,
        style,
        takes,
        gives,
        does,
        literal,
    }
}

const fn conversion(name: &'static str, gives: &'static Kind) -> Helper {
    let does = Does::Convert;
    Helper {
        does,
        ..helper(name, Style::Global, &[Kind::Any], gives, text::size)
    }
}

const fn checked(helper: Helper, argument: usize, check: Check) -> Helper {
    let literal = Some((argument, check));
    Helper { literal, ..helper }
}

use Kind::{Any, Bool, Int, List, Text};
use Style::{Either, Global, Member};

/// Every function, by name and number of arguments.
pub(super) static HELPERS: &[Helper] = &[
    helper("contains", Member, &[Text, Text], &Bool, text::contains),
    helper("endsWith", Member, &[Text, Text], &Bool, text::ends_with),
    helper("indexOf", Member, &[Text, Text], &Int, text::index_of),
    helper("join", Member, &[List], &Text, text::join),
    helper("join", Member, &[List, Text], &Text, text::join),
    helper(
        "lastIndexOf",
        Member,
        &[Text, Text],
        &Int,
        text::last_index_of,
    ),
    helper("lowerAscii", Member, &[Text], &Text, text::lower_ascii),
    Helper {
        does: Does::Match,
        ..helper("matches", Either, &[Text, Text], &Bool, text::matches)
    },
    helper("replace", Member, &[Text, Text, Text], &Text, text::replace),
    helper("size", Either, &[Any], &Int, text::size),
    helper("split", Member, &[Text, Text], &List, text::split),
    helper(
        "startsWith",
        Member,
        &[Text, Text],
        &Bool,
        text::starts_with,
    ),
    helper("substring", Member, &[Text, Int], &Text, text::substring),
    helper(
        "substring",
        Member,
        &[Text, Int, Int],
        &Text,
        text::substring,
    ),
    helper("trim", Member, &[Text], &Text, text::trim),
    helper("upperAscii", Member, &[Text], &Text, text::upper_ascii),
    helper("glob", Global, &[Text, Text], &Bool, field::glob),
    checked(
        helper("hour", Global, &[Text, Text], &Int, field::hour),
        1,
        field::check_zone,
    ),
    checked(
        helper("inCidr", Global, &[Text, Any], &Bool, field::in_cidr),
        1,
        field::check_network,
    ),
    checked(
        helper(
            "semverMatches",
            Global,
            &[Text, Text],
            &Bool,
            field::semver_matches,
        ),
        1,
        field::check_requirement,
    ),
    checked(
        helper("unixTime", Global, &[Text], &Int, field::unix_time),
        0,
        field::check_moment,
    ),
    checked(
        helper("weekday", Global, &[Text, Text], &Text, field::weekday),
        1,
        field::check_zone,
    ),
    conversion("bool", &Bool),
    conversion("double", &Kind::Double),
    conversion("int", &Int),
    conversion("string", &Text),
    conversion("type", &Kind::Type),
];

impl Helper {
    /// The name of the function in the place of a call.
    pub(super) fn internal(&self) -> String {
        match self.does {
            Does::Convert => self.name.to_owned(),
            Does::Run(_) | Does::Match => format!("@{}{}", self.name, self.takes.len()),
        }
    }
}

/// The interpreter's environment. None if it refused a declaration, which a test rules out; every condition then fails.
pub(super) fn environment() -> Option<&'static Arc<Env>> {
    static ENVIRONMENT: LazyLock<Option<Arc<Env>>> = LazyLock::new(|| build().ok().map(Arc::new));
    ENVIRONMENT.as_ref()
}

fn build() -> Result<Env, DeclarationError> {
    let mut env = Env::stdlib().with_optional_support(false);
    declare(&mut env, "@pay", 2, meter::pay)?;
    declare(&mut env, "@range", 3, meter::range)?;
    operators::register(&mut env)?;
    for helper in HELPERS {
        let run = match helper.does {
            Does::Run(run) => run,
            Does::Match => text::matches,
            Does::Convert => continue,
        };
        declare(&mut env, &helper.internal(), helper.takes.len() + 1, run)?;
    }
    Ok(env)
}

/// Declares a function of so many arguments, the meter among them.
pub(super) fn declare(
    env: &mut Env,
    name: &str,
    arguments: usize,
    run: Function,
) -> Result<(), DeclarationError> {
    let types = (0..arguments).map(|_| DYN_TYPE).collect();
    env.add_overload(name, name, types, run)
}

/// The arguments of one call, and the meter before them.
struct Call<'a, 'b, 'v> {
    meter: &'a Meter,
    arguments: &'a [CowVal<'b, 'v>],
}

impl<'a, 'b, 'v> Call<'a, 'b, 'v> {
    fn new(arguments: &'a [CowVal<'b, 'v>]) -> Result<Self, ExecutionError> {
        let meter = meter(arguments.first())?;
        let arguments = arguments.get(1..).unwrap_or_default();
        Ok(Self { meter, arguments })
    }

    /// The argument at `position`, which must be text, paid for.
    fn text(&self, position: usize) -> Result<&'a str, ExecutionError> {
        let found = self.arguments.get(position);
        let text = found
            .and_then(|value| value.downcast_ref::<CelString<'_>>())
            .ok_or_else(|| failed("no text"))?
            .inner();
        self.meter.pay_for_text(text)?;
        Ok(text)
    }

    fn int(&self, position: usize) -> Result<i64, ExecutionError> {
        let found = self.arguments.get(position);
        let int = found.and_then(|value| value.downcast_ref::<CelInt>());
        int.map(|int| *int.inner()).ok_or_else(|| failed("no int"))
    }

    fn has(&self, position: usize) -> bool {
        self.arguments.len() > position
    }
}
