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
    match find(context) {
        Ok((file, _)) => Ok(Config::load(&file)?),
        Err(looked) => {
            let looked: Vec<String> = looked
                .iter()
                .map(|file| ui::escape(&file.display().to_string()))
                .collect();
            Err(report::no_config(&looked))
        }
    }
}

/// The configuration's file and how it was found; else where it was looked for.
pub(crate) fn find(context: &Context) -> Result<(PathBuf, &'static str), Vec<PathBuf>> {
    let env = &context.env;
    if let Some(file) = &context.config {
        return Ok((env.resolve(file), "named by `--config`"));
    }
    if let Some(file) = &env.config_file {
        return Ok((env.resolve(file), "named by `ORDAIN_CONFIG`"));
    }
    // SECURITY: outside a repository nothing above is looked at: in a shared directory such as /tmp it may be anyone's.
    let above = env.current.ancestors();
    let depth = above
        .clone()
        .position(|dir| dir.join(".git").exists())
        .unwrap_or(0);
    let mut candidates: Vec<(PathBuf, &'static str)> = above
        .take(depth + 1)
        .map(|dir| (dir.join(CONFIG_FILE), "found here or above"))
        .collect();
    // Without a home there is no user's configuration, and no relative path stands in for it.
    if env.config.is_absolute() {
        candidates.push((env.config.join(CONFIG_FILE), "the user's"));
    }
    let system = PathBuf::from("/etc/ordain").join(CONFIG_FILE);
    candidates.push((system, "the system's"));
    match candidates.iter().position(|(file, _)| file.is_file()) {
        Some(at) => Ok(candidates.swap_remove(at)),
        None => Err(candidates.into_iter().map(|(file, _)| file).collect()),
    }
}

/// Signed times are whole seconds, so that people can read and repeat them.
pub(crate) fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}
