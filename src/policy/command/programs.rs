//! Programs that run other programs, as data.

/// Shells: `-c` takes shell text, a file is a script, and without either they read their input.
pub(super) const SHELLS: &[&str] = &[
    "sh", "bash", "zsh", "dash", "ash", "ksh", "ksh93", "mksh", "rbash", "fish", "csh", "tcsh",
    "yash", "posh", "lksh", "bosh", "osh", "ysh", "pdksh", "oksh", "loksh", "rksh", "rzsh",
    "pbosh",
];
/// Interpreters of other languages.
pub(super) const INTERPRETERS: &[&str] = &[
    "python", "python2", "python3", "perl", "ruby", "node", "nodejs", "php", "lua", "tclsh", "awk",
    "gawk", "mawk", "nawk", "deno", "bun", "pypy", "pypy3", "ipython", "luajit", "jruby",
];
/// What else runs the text that it reads.
pub(super) const READERS: &[&str] = &[
    "source",
    ".",
    "eval",
    "at",
    "batch",
    "ssh",
    "parallel",
    "crontab",
    "make",
    "gmake",
    "pwsh",
    "powershell",
];
/// Programs whose recipes are shell text.
pub(super) const MAKES: &[&str] = &["make", "gmake", "bmake"];
/// Letters of the interpreters' flags that take code.
pub(super) const CODE_FLAGS: &[char] = &['c', 'e', 'E', 'r', 'p', 'n'];
/// Programs with a flag whose value is shell text.
pub(super) const TAKES_COMMAND: &[&str] = &[
    "su", "runuser", "script", "flock", "env", "tar", "rsync", "sg",
];
/// Programs that hand their words to a shell elsewhere.
pub(super) const REMOTES: &[&str] = &["ssh", "rsh", "mosh", "autossh", "dbclient"];
/// Programs that hand their words, or the values of some of their flags, to shells in ways of their own.
pub(super) const HANDLERS: &[&str] = &[
    "vim",
    "vi",
    "nvim",
    "ex",
    "view",
    "tmux",
    "screen",
    "ansible",
    "salt",
    "gcloud",
    "vagrant",
    "machinectl",
    "gdb",
    "expect",
];
/// Programs of containers.
pub(super) const CONTAINERS: &[&str] = &[
    "docker",
    "podman",
    "nerdctl",
    "docker-compose",
    "buildah",
    "crictl",
];
/// Programs that hand their words to shells on many machines.
pub(super) const HOSTS: &[&str] = &["pssh", "parallel-ssh", "pdsh", "clush", "dsh"];
/// Clients of clusters and machines with an `exec` of their own.
pub(super) const KUBECTL: &[&str] = &[
    "kubectl",
    "oc",
    "k3s",
    "microk8s",
    "lxc",
    "incus",
    "multipass",
    "pct",
    "nomad",
];

/// Programs that start a shell where no command is given, and that shell reads their input.
pub(super) const DEFAULT_SHELL: &[&str] = &[
    "unshare",
    "nsenter",
    "chroot",
    "script",
    "run0",
    "lxc-attach",
    "systemd-nspawn",
    "chpst",
    "proot",
    "fakeroot",
];

/// A shell's or interpreter's name without the version behind it: `bash5.2`, `python3.11`.
pub(super) fn without_version(name: &str) -> &str {
    let plain = name.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '-');
    let is_known = |name: &str| SHELLS.contains(&name) || INTERPRETERS.contains(&name);
    if !is_known(name) && is_known(plain) {
        plain
    } else {
        name
    }
}

/// Which flags of a program take the next word as their value.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    /// Short ones with a value.
    pub(super) valued: &'static str,
    /// Long ones with a value, which may also stand behind `=`.
    pub(super) valued_long: &'static [&'static str],
    /// Short ones without.
    pub(super) plain: &'static str,
}

/// The flags of a container program before its subcommand.
pub(super) const CONTAINER: Flags = Flags {
    valued: "cHlfp",
    valued_long: &[
        "context",
        "host",
        "log-level",
        "config",
        "file",
        "project-name",
    ],
    plain: "D",
};
/// The flags of `exec`, `run` and `create`.
#[rustfmt::skip]
pub(super) const CONTAINER_RUN: Flags = Flags {
    valued: "eluvwpahmc",
    valued_long: &[
        "env", "env-file", "user", "workdir", "name", "volume", "mount", "network", "net", "publish", "entrypoint", "label",
        "hostname", "memory", "cpus", "restart", "platform", "pull", "add-host", "cap-add", "cap-drop", "security-opt",
        "device", "dns", "expose", "ip", "ipc", "pid", "uts", "userns", "runtime", "shm-size", "tmpfs", "ulimit",
        "log-driver", "log-opt", "gpus", "volumes-from", "detach-keys", "index", "stop-signal", "stop-timeout", "cidfile",
        "link", "sysctl", "attach",
    ],
    plain: "ditTqP",
};

/// The flags of `exec` in a client of a cluster.
pub(super) const POD_EXEC: Flags = Flags {
    valued: "cnfs",
    valued_long: &[
        "container",
        "namespace",
        "filename",
        "context",
        "kubeconfig",
        "cluster",
        "user",
        "as",
        "as-group",
        "token",
        "server",
        "shell",
        "timeout",
        "request-timeout",
        "pod-running-timeout",
        "env",
        "cwd",
    ],
    plain: "itqT",
};
/// The flags of what runs a command on many machines.
pub(super) const HOST_FLAGS: Flags = Flags {
    valued: "hHlpoetOxXwgfRumM",
    valued_long: &[
        "hosts",
        "host",
        "user",
        "par",
        "outdir",
        "errdir",
        "timeout",
        "options",
        "extra-args",
    ],
    plain: "AivPIbBqSaLNk",
};

/// A program that runs its operands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wrapper {
    pub(super) flags: Flags,
    /// How many operands stand before the command.
    pub(super) skip: usize,
}

type Row = (
    &'static [&'static str],
    &'static str,
    &'static [&'static str],
    &'static str,
    usize,
);

/// Names, short flags with a value, long flags with a value, short flags without, operands before the command.
#[rustfmt::skip]
const WRAPPERS: &[Row] = &[
    (&["sudo", "sudoedit"], "ugpCTRhrtDU", &["user", "group", "prompt", "close-from", "host", "role", "type", "chdir", "chroot", "command-timeout", "other-user"], "AbEeHiKklnPSsvVN", 0),
    (&["doas"], "uCa", &[], "Lns", 0),
    (&["env"], "uCSa", &["unset", "chdir", "split-string", "argv0"], "i0v-", 0),
    (&["nohup", "builtin", "busybox", "toybox", "fakeroot", "unbuffer", "dumb-init", "tini", "noglob", "nocorrect", "rlwrap", "torsocks", "proxychains", "proxychains4", "dbus-run-session", "linux32", "linux64", "ssh-agent", "winpty", "catchsegv", "firejail", "caffeinate", "eatmydata"], "", &[], "", 0),
    (&["time"], "fo", &["format", "output"], "pvaqV", 0),
    (&["command"], "", &[], "p", 0),
    (&["exec"], "a", &[], "cl", 0),
    (&["nice"], "n", &["adjustment"], "", 0),
    (&["ionice"], "cnpPu", &["class", "classdata", "pid"], "t", 0),
    (&["timeout"], "ks", &["kill-after", "signal"], "vfp", 1),
    (&["setsid"], "", &[], "cfw", 0),
    (&["stdbuf"], "ioe", &["input", "output", "error"], "", 0),
    (&["chroot"], "", &["userspec", "groups"], "", 1),
    (&["unshare"], "SGRwl", &["setuid", "setgid", "root", "wd", "propagation", "map-user", "map-group"], "muinpUCTrcf", 0),
    (&["nsenter"], "tSGWZ", &["target", "setuid", "setgid", "wdns"], "amuinpCUTrwFe", 0),
    (&["systemd-run"], "uptHMEdG", &["unit", "property", "slice", "uid", "gid", "nice", "setenv", "working-directory", "on-active", "on-boot", "on-calendar", "timer-property", "description", "host", "machine"], "rqPSG", 0),
    (&["systemd-inhibit"], "", &["what", "who", "why", "mode"], "", 0),
    (&["chrt", "taskset"], "", &[], "abfroidvcpm", 1),
    (&["strace", "ltrace"], "eopsuaEbIOPSX", &[], "fqvydtTrcCiknxwzZF", 0),
    (&["pkexec"], "u", &["user"], "", 0),
    (&["runuser"], "ugGs", &["user", "group", "shell"], "lpm", 0),
    (&["gosu", "su-exec", "setarch", "setuidgid"], "", &[], "R", 1),
    (&["cgexec"], "g", &[], "", 0),
    (&["sshpass"], "pfdP", &[], "evhV", 0),
    (&["run0"], "ugDM", &["unit", "property", "user", "group", "nice", "chdir", "setenv", "slice", "machine", "background", "description"], "", 0),
    (&["systemd-cat"], "tp", &["identifier", "priority", "stderr-priority", "level-prefix", "namespace"], "", 0),
    (&["systemd-nspawn"], "DiMubEPxSLpUZnjlt", &["directory", "image", "machine", "user", "bind", "bind-ro", "chdir", "setenv", "uuid", "slice", "property", "hostname", "capability", "template"], "qabxn", 0),
    (&["lxc-attach"], "nsfPuogvl", &["name", "namespaces", "rcfile", "lxcpath", "set-var", "keep-var", "logfile", "logpriority"], "eqR", 0),
    (&["cpulimit"], "lpePm", &["limit", "pid", "exe", "path"], "zbfviks", 0),
    (&["choom"], "np", &["adjust", "pid"], "", 0),
    (&["uclampset"], "mMp", &["pid"], "aRsv", 0),
    (&["softlimit"], "mdsltaofpcr", &[], "", 0),
    (&["faketime"], "p", &["date-prog"], "fm", 1),
    (&["chronic", "ifne", "flatpak-spawn"], "", &["env", "directory", "sandbox-expose"], "evn", 0),
    (&["setpriv"], "", &["reuid", "regid", "groups", "inh-caps", "ambient-caps", "bounding-set", "securebits"], "d", 0),
    (&["prlimit"], "p", &["pid"], "", 0),
    (&["numactl"], "imNpC", &["interleave", "membind", "cpunodebind", "physcpubind", "preferred"], "l", 0),
    (&["xvfb-run"], "nesfwp", &["server-args", "server-num"], "a", 0),
    (&["watch"], "n", &["interval"], "dtbecgxpw", 0),
    (&["flock"], "wE", &["timeout", "conflict-exit-code", "wait"], "eFnosux", 1),
    (&["xargs"], "adEILnPs", &["arg-file", "delimiter", "max-lines", "max-args", "max-procs", "max-chars", "process-slot-var"], "0oprtxeil", 0),
    (&["entr"], "", &[], "acdnprsz", 0),
    (&["script"], "IOBTmEo", &["log-in", "log-out", "log-io", "log-timing", "logging-format", "echo", "output-limit"], "aefqt", 99),
    (&["su"], "gGsw", &["group", "supp-group", "shell"], "lmpPf", 99),
    (&["sem"], "jn", &["id", "jobs"], "u", 0),
    (&["chpst"], "uUbemdofcrtPnl", &[], "PvV012", 0),
    (&["start-stop-daemon"], "pxnusgcdrNPIkmRv", &["pidfile", "user", "chuid", "chdir"], "SKTHVtoqbBmv", 0),
    (&["proot"], "rbwqkR", &["rootfs", "bind", "cwd"], "0", 0),
    (&["perf"], "eop", &[], "agv", 1),
    (&["valgrind", "gdb", "lldb"], "", &[], "q", 0),
    (&["poetry", "pipenv", "uv", "bundle"], "", &[], "", 1),
];

/// What is known of a wrapper of this name.
pub(super) fn wrapper(name: &str) -> Option<Wrapper> {
    let (_, valued, valued_long, plain, skip) =
        *WRAPPERS.iter().find(|(names, ..)| names.contains(&name))?;
    Some(Wrapper {
        flags: Flags {
            valued,
            valued_long,
            plain,
        },
        skip,
    })
}
