//! The consumer's project: its configuration, found as the manual says.

use std::path::PathBuf;

use jiff::Timestamp;

use super::command::Context;
use super::report::{self, Failure};
use super::ui;
use crate::config::{CONFIG_FILE, Config};

/// Finds and reads the configuration: `--config`, `ORDAIN_CONFIG`, upwards to the repository's root, the user's, the
/// system's.
pub(crate) fn config(context: &Context) -> Result<Config, Failure> {
    let env = &context.env;
    if let Some(file) = context.config.as_ref().or(env.config_file.as_ref()) {
        return Ok(Config::load(&env.resolve(file))?);
    }
    // SECURITY: outside a repository nothing above is looked at: in a shared directory such as /tmp it may be anyone's.
    let above = env.current.ancestors();
    let depth = above
        .clone()
        .position(|dir| dir.join(".git").exists())
        .unwrap_or(0);
    let mut candidates: Vec<PathBuf> = above
        .take(depth + 1)
        .map(|dir| dir.join(CONFIG_FILE))
        .collect();
    candidates.push(env.config.join(CONFIG_FILE));
    candidates.push(PathBuf::from("/etc/ordain").join(CONFIG_FILE));
    match candidates.iter().find(|file| file.is_file()) {
        Some(file) => Ok(Config::load(file)?),
        None => {
            let looked: Vec<String> = candidates
                .iter()
                .map(|file| ui::escape(&file.display().to_string()))
                .collect();
            Err(report::no_config(&looked))
        }
    }
}

/// Signed times are whole seconds, so that people can read and repeat them.
pub(crate) fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
