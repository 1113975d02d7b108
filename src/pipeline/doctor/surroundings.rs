//! The program, its configuration, the variables that change what it does, and the programs that transports need.

use std::ffi::OsStr;
use std::path::Path;

use super::{Finding, FoundConfig, Id, Surroundings, shown};
use crate::config::Config;
use crate::diag::Code;
use crate::source::{GitUrl, InsecureHttp, Need};

pub(super) fn findings(surroundings: &Surroundings<'_>) -> Vec<Finding> {
    let version = env!("CARGO_PKG_VERSION");
    let mut findings = vec![
        Finding::new(Id::VERSION, "ordain", version),
        config(surroundings.config),
    ];
    for (code, message) in surroundings.unusable {
        findings.push(Finding::new(Id::ENVIRONMENT_UNUSABLE, "environment", message).code(*code));
    }
    if surroundings.is_ci {
        let text = "this is a CI job: `--locked` is the default, and nothing is asked";
        findings.push(Finding::new(Id::CI, "CI", text));
    }
    for variable in surroundings.variables {
        let value = match &variable.shown {
            Some(value) => format!("`{}`", value.escape_debug()),
            None => "(not shown)".to_owned(),
        };
        findings.push(match variable.changes {
            Some(changes) => {
                Finding::new(Id::VARIABLE, &variable.name, format!("{value}: {changes}"))
            }
            None => Finding::new(
                Id::VARIABLE_UNKNOWN,
                &variable.name,
                "is not known, and changes nothing",
            )
            .remedy("correct its name, or unset it"),
        });
    }
    if let FoundConfig::Valid { config, .. } = surroundings.config {
        findings.extend(programs(config, surroundings));
    }
    findings
}

fn config(found: &FoundConfig) -> Finding {
    match found {
        FoundConfig::Valid { config, how } => {
            let mode = config.mode.map_or_else(
                || "mode as the policy says".to_owned(),
                |mode| format!("mode {} at most", mode.as_str()),
            );
            let text = format!("scope {}, {mode}; {how}", config.scope);
            Finding::new(Id::CONFIG, config.file.display().to_string(), text)
        }
        FoundConfig::Invalid { file, problem } => {
            let finding = Finding::new(
                Id::CONFIG_INVALID,
                file.display().to_string(),
                problem.to_string(),
            );
            let hint = problem.hint.clone();
            let finding = match hint {
                Some(hint) => finding.remedy(hint),
                None => finding,
            };
            finding.code(problem.code)
        }
        FoundConfig::Missing { looked } => {
            let looked: Vec<String> = looked.iter().map(|path| shown(path)).collect();
            let text = format!("none; looked for {}", looked.join(", "));
            Finding::new(Id::CONFIG_MISSING, crate::config::CONFIG_FILE, text)
                .remedy("write one (docs/cli.md), or name it with `--config`")
                .code(Code::CONFIG_MISSING)
        }
    }
}

/// What the URLs of the configuration need.
fn programs(config: &Config, surroundings: &Surroundings<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for source in &config.bundles {
        // A URL that is refused is told of with its bundle.
        let Ok(url) = GitUrl::parse(&source.repository.git, InsecureHttp::Allow) else {
            continue;
        };
        let Some(need) = url.need() else { continue };
        let program = need.program();
        if findings.iter().any(|finding| finding.subject == program) {
            continue;
        }
        let found = find(program, surroundings.search_path.map(AsRef::as_ref));
        let is_replaced = need == Need::Ssh
            && surroundings
                .variables
                .iter()
                .any(|variable| variable.name == "ORDAIN_SSH_COMMAND");
        findings.push(match (found, need) {
            (Some(path), _) => Finding::new(Id::PROGRAM, program, format!("at {}", shown(&path))),
            (None, Need::CredentialHelper) => Finding::new(
                Id::HELPER_MISSING,
                program,
                "is not on the search path: credentials come from `ORDAIN_GIT_PASSWORD` only",
            ),
            (None, _) if is_replaced => {
                Finding::new(Id::PROGRAM, program, "is replaced by `ORDAIN_SSH_COMMAND`")
            }
            (None, _) => {
                let text = format!(
                    "is not on the search path, and bundle `{}` needs it",
                    source.name
                );
                Finding::new(Id::PROGRAM_MISSING, program, text)
                    .remedy(format!("install `{program}`, or use another transport"))
                    .code(Code::SOURCE_PROGRAM_MISSING)
            }
        });
    }
    findings
}

/// The first file of this name on the search path that somebody may execute.
fn find(program: &str, search_path: Option<&OsStr>) -> Option<std::path::PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let is_program = |path: &Path| {
        path.metadata()
            .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(search_path?)
        .map(|dir| dir.join(program))
        .find(|path| is_program(path))
}
