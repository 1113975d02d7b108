//! The memory of this process, as the system tells it.

use std::fs;

use serde::Serialize;

/// What the system counts as this process's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// By how much it grew when policy was loaded and compiled.
    pub policy_bytes: u64,
    /// What it was with the policy, before anything was measured.
    pub resident_bytes: u64,
}

impl Memory {
    /// What it is now, against what [`resident`] said before.
    #[must_use]
    pub fn since(before: Option<u64>) -> Option<Self> {
        let (before, now) = (before?, resident()?);
        Some(Self {
            policy_bytes: now.saturating_sub(before),
            resident_bytes: now,
        })
    }
}

/// What of this process's memory is in the machine's; none where the system has no `/proc`.
#[must_use]
pub fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    kibibytes(&status, "VmRSS:").map(|kibibytes| kibibytes * 1024)
}

fn kibibytes(status: &str, field: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_is_found() {
        let status = "Name:\tordain\nVmHWM:\t   99 kB\nVmRSS:\t   1234 kB\n";
        assert_eq!(kibibytes(status, "VmRSS:"), Some(1234));
        assert_eq!(kibibytes(status, "VmSwap:"), None);
        assert_eq!(kibibytes("VmRSS:\tmany kB", "VmRSS:"), None);
    }
}
