//! What went wrong, in one shape, rendered in one place.

use std::fmt::Write as _;

use super::exit::Exit;
use super::ui;
use crate::diag::{Code, Diagnostic, Severity};
use crate::digest::Sha256Digest;
use crate::engine::input::InputError;
use crate::engine::request::RequestError;
use crate::lockfile::LockError;
use crate::log::LogError;
use crate::pipeline::PipelineError;
use crate::trust::{
    AllowedSignersError, DraftError, EditError, PrivateKeyError, RootError, SignError, VerifyError,
};

/// A failed command.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    code: Option<Code>,
    message: String,
    details: Vec<String>,
    hints: Vec<String>,
    diagnostics: Vec<Diagnostic>,
}

impl Failure {
    /// A failure with its code. The message is lower case, without a final period, and escaped by whoever made it.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        let message = message.into();
        Self {
            code: Some(code),
            message,
            details: Vec::new(),
            hints: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    /// The reader of our output went away: nothing to say, nobody to say it to.
    pub(crate) fn closed_pipe() -> Self {
        Self {
            code: None,
            message: String::new(),
            details: Vec::new(),
            hints: Vec::new(),
            diagnostics: Vec::new(),
        }
    }

    /// Several problems of one kind of input.
    pub(crate) fn diagnostics(diagnostics: Vec<Diagnostic>) -> Self {
        let code = diagnostics
            .iter()
            .find(|d| d.severity == Severity::Error)
            .or(diagnostics.first())
            .map(|d| d.code);
        Self {
            code,
            message: String::new(),
            details: Vec::new(),
            hints: Vec::new(),
            diagnostics,
        }
    }

    /// Adds a line of detail.
    pub(crate) fn detail(mut self, line: impl Into<String>) -> Self {
        self.details.push(line.into());
        self
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Says what the command was about, in front of the message.
    pub(crate) fn about(mut self, subject: &str) -> Self {
        if !self.message.is_empty() {
            self.message = format!("{subject}: {}", self.message);
        }
        self
    }

    /// The code, unless there is nothing to say.
    pub(crate) fn code(&self) -> Option<Code> {
        self.code
    }

    /// The exit code. Output that nobody read is no answer, so it must not end like an allowed one.
    pub(crate) fn exit(&self) -> Exit {
        self.code.map_or(Exit::Internal, |code| code.kind.into())
    }

    /// The message on one line, for the decision log.
    pub(crate) fn summary(&self) -> String {
        match self.diagnostics.first() {
            Some(diagnostic) if self.message.is_empty() => diagnostic.to_string(),
            _ => self.message.clone(),
        }
    }

    /// Prints the failure on standard error.
    pub(crate) fn print(&self) {
        let mut text = String::new();
        for diagnostic in &self.diagnostics {
            render_diagnostic(&mut text, diagnostic);
        }
        if let Some(code) = self.code.filter(|_| !self.message.is_empty()) {
            let _ = writeln!(text, "{RED}error[{code}]{PLAIN}: {}", self.message);
            for detail in &self.details {
                let _ = writeln!(text, "  {detail}");
            }
            let help: Option<&str> = self.hints.is_empty().then_some(code.help);
            for hint in self.hints.iter().map(String::as_str).chain(help) {
                let _ = writeln!(text, "{CYAN}hint{PLAIN}: {hint}");
            }
        }
        if !text.is_empty() {
            ui::note(text.trim_end());
        }
    }
}

const RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[1;33m";
const CYAN: &str = "\u{1b}[1;36m";
const PLAIN: &str = "\u{1b}[0m";

/// Prints a diagnostic on standard error.
pub(crate) fn print_diagnostic(diagnostic: &Diagnostic) {
    let mut text = String::new();
    render_diagnostic(&mut text, diagnostic);
    ui::note(text.trim_end());
}

fn render_diagnostic(text: &mut String, diagnostic: &Diagnostic) {
    let (colour, severity) = match diagnostic.severity {
        Severity::Error => (RED, "error"),
        Severity::Warning => (YELLOW, "warning"),
    };
    let _ = writeln!(
        text,
        "{colour}{severity}[{}]{PLAIN}: {}",
        diagnostic.code, diagnostic.message
    );
    if let Some(location) = &diagnostic.location {
        let path = diagnostic
            .path
            .as_ref()
            .map(|path| format!(" (`{}`)", path.escape_debug()));
        let _ = writeln!(text, "  at {location}{}", path.unwrap_or_default());
    }
    if let Some(hint) = &diagnostic.hint {
        let _ = writeln!(text, "{CYAN}hint{PLAIN}: {hint}");
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::diagnostics(vec![diagnostic])
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::diagnostics(diagnostics)
    }
}

/// Errors whose message and code say it all.
macro_rules! plain {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::new(error.code(), error.to_string())
            }
        }
    )*};
}

plain!(
    AllowedSignersError,
    LockError,
    PrivateKeyError,
    RequestError,
    InputError,
    LogError
);

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        match error {
            PipelineError::Policy(diagnostics) => diagnostics.into(),
            PipelineError::Root(error) => error.into(),
            PipelineError::RootFile { file, error } => match *error {
                RootError::Envelope(error) => {
                    envelope_of_root(Self::new(error.code(), error.to_string()))
                }
                error => error.into(),
            }
            .about(&file),
            PipelineError::Confirm { said, remembered } => confirm_mismatch(&said, &remembered),
            PipelineError::Lock(error) => error.into(),
            PipelineError::Verify { bundle, error } => {
                Self::from(*error).about(&format!("bundle `{}`", ui::escape(&bundle)))
            }
            PipelineError::Directory(error) if error.is_no_directory() => {
                Self::new(error.code(), error.to_string())
                    .hint("name the bundle's directory, which holds `bundle.yaml`")
            }
            error => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<SignError> for Failure {
    fn from(error: SignError) -> Self {
        match error {
            SignError::Manifest(diagnostic) => (*diagnostic).into(),
            SignError::Expired { .. } => Self::new(error.code(), error.to_string())
                .hint("begin a new revision: `ordain bundle sign --renew --expires 90d`"),
            SignError::CoSign { .. } => Self::new(error.code(), error.to_string())
                .hint("leave the option out to co-sign what is there, or begin a new revision with `--renew`"),
            SignError::Unasked { revision } => Self::new(error.code(), error.to_string()).hint(format!(
                "find out who wrote that file; if the number is meant, give `--revision {revision}`"
            )),
            error => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<RootError> for Failure {
    fn from(error: RootError) -> Self {
        let failure = Self::new(error.code(), error.to_string());
        match &error {
            RootError::Unsigned { shortfall, .. } => who_signed(failure, shortfall),
            RootError::Envelope(_) => {
                envelope_of_root(failure).about("a `N.root.json` of the trust root")
            }
            _ => failure,
        }
    }
}

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        match error {
            EditError::Root(error) => error.into(),
            error => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<DraftError> for Failure {
    fn from(error: DraftError) -> Self {
        match error {
            DraftError::Root(error) => error.into(),
            error => Self::new(error.code(), error.to_string()),
        }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        let failure = Self::new(error.code(), error.to_string());
        match error {
            VerifyError::Manifest(diagnostic) => (*diagnostic).into(),
            VerifyError::Threshold(shortfall) => who_signed(failure, &shortfall)
                .hint("ask a missing member to run `ordain bundle sign` on this revision, then pull again"),
            // `bundle sign` knows the last statement, not the trust root: by itself it goes on in the old epoch.
            VerifyError::Epoch {
                expected, found, ..
            } if expected > found => failure.hint(format!(
                "its signers begin the new epoch: `ordain bundle sign --renew --epoch {expected} --expires 90d`"
            )),
            VerifyError::Namespace { signed_by, .. } => {
                let roles: Vec<String> = signed_by.iter().map(ToString::to_string).collect();
                failure.detail(format!("signed as  {}", roles.join(", ")))
            }
            _ => failure,
        }
    }
}

/// The envelope's own help is about bundles.
fn envelope_of_root(failure: Failure) -> Failure {
    failure.hint("restore the file, or get it again from whoever runs the trust root")
}

fn confirm_mismatch(said: &Sha256Digest, remembered: &Sha256Digest) -> Failure {
    Failure::new(
        Code::CONFIRM_MISMATCH,
        "the trust root in use has another fingerprint",
    )
    .detail(format!("you gave   {said}"))
    .detail(format!("in use is  {remembered}"))
}

fn who_signed(failure: Failure, shortfall: &crate::trust::Shortfall) -> Failure {
    let signed: Vec<String> = shortfall
        .signed
        .iter()
        .map(|s| format!("{} ({})", s.principal, s.keyid))
        .collect();
    let missing: Vec<&str> = shortfall.missing.iter().map(|name| name.as_str()).collect();
    let none = || "nobody".to_owned();
    let signed = if signed.is_empty() {
        none()
    } else {
        signed.join(", ")
    };
    failure
        .detail(format!("signed by  {signed}"))
        .detail(format!(
            "missing    {} of: {}",
            shortfall.threshold as usize - shortfall.signed.len(),
            missing.join(", ")
        ))
}

/// The hint for a missing configuration names where one was looked for.
pub(crate) fn no_config(looked: &[String]) -> Failure {
    Failure::new(
        Code::CONFIG_MISSING,
        format!("there is no `{}`", crate::config::CONFIG_FILE),
    )
    .detail(format!("looked for {}", looked.join(", ")))
    .hint("write one (see `ordain help eval` and docs/cli.md), or name it with `--config`")
}
