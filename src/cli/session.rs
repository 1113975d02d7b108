//! A pipeline with the user's flags, progress on a terminal, and Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::command::Context;
use super::report::Failure;
use super::ui;
use crate::bundle::Limits;
use crate::diag::Code;
use crate::digest::Sha256Digest;
use crate::engine::Freshness;
use crate::pipeline::{
    Confirmation, Credentials, Directories, InsecureHttp, Locking, Network, Pipeline, Progress,
    Pulled,
};
use crate::trust::{VerifiedStatement, whole_second};

/// Flags of every command that may fetch.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct FetchFlags {
    /// Take exactly what `ordain.lock` says, or fail; the default under CI.
    #[arg(long)]
    pub(crate) locked: bool,
    /// Never open a connection.
    #[arg(long)]
    pub(crate) offline: bool,
    /// Both --locked and --offline.
    #[arg(long)]
    pub(crate) frozen: bool,
    /// Allow http:// to other machines.
    #[arg(long)]
    pub(crate) insecure_http: bool,
}

impl FetchFlags {
    /// What the lockfile means, where `usual` is what it means without flags.
    pub(crate) fn locking(&self, context: &Context, usual: Locking) -> Locking {
        if self.locked || self.frozen || context.env.ci {
            Locking::Locked
        } else {
            usual
        }
    }
}

/// Runs `work` with a pipeline that shows progress and stops at Ctrl-C.
pub(crate) fn with_pipeline<T>(
    context: &Context,
    flags: &FetchFlags,
    work: impl FnOnce(&Pipeline<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let interrupt = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // A signal ends the program at once when the flag is up: the second one, and every one after the work is done.
        let flag = Arc::clone(&interrupt);
        let registered = signal_hook::flag::register_conditional_shutdown(signal, 130, flag)
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&interrupt)));
        if registered.is_err() {
            ui::note("warning: Ctrl-C cannot be caught here, and ends the program wherever it is");
        }
    }
    // Made when there is something to show, which for most calls there never is.
    let bar = OnceLock::new();
    let watch = |progress: &Progress| {
        if context.env.terminal {
            let bar = bar.get_or_init(|| {
                let bar = spinner();
                ui::show(&bar);
                bar
            });
            bar.set_message(describe(progress));
        }
    };
    let first_use = |fingerprint: &Sha256Digest| {
        ui::note(&format!(
            "the trust root {fingerprint} is trusted from now on, and nobody has confirmed it"
        ));
    };
    let directories = Directories {
        cache: context.env.cache.clone(),
        state: context.env.state.clone(),
    };
    let limits = Limits::default();
    let credentials = context.env.git_password.as_ref().map(|password| {
        Credentials::new(
            context
                .env
                .git_username
                .clone()
                .unwrap_or_else(|| "git".to_owned()),
            password.clone(),
        )
    });
    let pipeline = Pipeline {
        directories: &directories,
        limits: &limits,
        clock: context.env.clock,
        network: if flags.offline || flags.frozen {
            Network::Forbidden
        } else {
            Network::Allowed
        },
        insecure_http: if flags.insecure_http {
            InsecureHttp::Allow
        } else {
            InsecureHttp::LoopbackOnly
        },
        credentials: credentials.as_ref(),
        ssh: context.env.ssh_command.as_deref(),
        watch: &watch,
        first_use: &first_use,
        interrupt: &interrupt,
    };
    let result = work(&pipeline);
    ui::hide();
    let was_interrupted = interrupt.swap(true, Ordering::Relaxed);
    if was_interrupted {
        return Err(Failure::new(Code::INTERRUPTED, "interrupted"));
    }
    result
}

/// What the caller should know of a policy that decides, or is shown.
pub(crate) fn tell_policy(context: &Context, pulled: &Pulled) {
    let statements = pulled.bundles.iter();
    let statements = statements.map(|pulled| pulled.bundle.statement());
    tell_statements(context, pulled.confirmation, statements);
}

/// The same of what decides without its bundles.
pub(crate) fn tell_statements<'a>(
    context: &Context,
    confirmation: Confirmation,
    statements: impl IntoIterator<Item = &'a VerifiedStatement>,
) {
    if let Some(warning) = confirmation.warning() {
        ui::note(&format!("warning: {warning}"));
    }
    let now = context.env.clock.now();
    for bundle in statements {
        let validity = bundle.validity();
        if validity.at(now) != Some(Freshness::Fresh) {
            ui::note(&format!(
                "warning: bundle `{}` is past its time since {}; it decides until {}, each decision marked stale",
                bundle.predicate().bundle,
                whole_second(validity.fresh_until()),
                whole_second(validity.serves_until())
            ));
        }
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn describe(progress: &Progress) -> String {
    let Progress {
        stage,
        bytes,
        objects,
        total,
    } = progress;
    let total = total.map(|total| format!("/{total}")).unwrap_or_default();
    let counted = if *objects > 0 {
        format!(", {objects}{total} objects")
    } else {
        String::new()
    };
    let size = if *bytes > 0 {
        format!(", {}", indicatif::HumanBytes(*bytes))
    } else {
        String::new()
    };
    ui::escape(&format!("{stage}{counted}{size}"))
}
