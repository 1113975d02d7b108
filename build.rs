//! Tells the program which source it is built from, and how the released one is linked: with the stack unwinder in it, where the
//! compiler has that as an archive, and with the functions of a one-shot `eval` side by side, where the linker can do that.
//!
//! The shared unwinder, `libgcc_s`, asks the processor for its features whenever a program starts, which in a virtual machine takes
//! longer than all that `ordain --version` does. Functions that are scattered over the program are as many pages that each process
//! waits for; `link/order` finds out which those are. Where the one or the other cannot be had, nothing changes.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a build script takes its input from variables and answers on standard output"
)]

use std::env;
use std::fs;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rustc-env=ORDAIN_SOURCE={:016x}", source());
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    println!("cargo::rerun-if-changed={ORDER}");
    if !is_released() {
        return;
    }
    if has_archive() {
        // Before the standard library's `-lgcc_s`, which then has nothing left to give and, `--as-needed`, is left out.
        println!("cargo::rustc-link-lib=gcc_eh");
    }
    for argument in order().into_iter().flatten() {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}

/// A linker script that says which functions come first.
const ORDER: &str = "link/order.ld";

/// What has the linker put functions in order; none where it does not take a small program with that. Not every linker knows scripts.
fn order() -> Option<[String; 2]> {
    let script = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?).join(ORDER);
    let arguments = ["-T".to_owned(), script.to_str()?.to_owned()];
    let directory = PathBuf::from(env::var_os("OUT_DIR")?);
    let source = directory.join("empty.rs");
    fs::write(&source, "fn main() {}\n").ok()?;
    let mut rustc = Command::new(env::var_os("RUSTC")?);
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    rustc.args(flags.split('\x1f').filter(|flag| !flag.is_empty()));
    if let Ok(linker) = env::var("RUSTC_LINKER") {
        rustc.arg(format!("-Clinker={linker}"));
    }
    rustc.arg("--target").arg(env::var_os("TARGET")?);
    for argument in &arguments {
        rustc.arg(format!("-Clink-arg={argument}"));
    }
    rustc.arg("-o").arg(directory.join("empty")).arg(&source);
    let output = rustc.output().ok()?;
    output.status.success().then_some(arguments)
}

/// What tells this source from another: what one program keeps for itself, another must not take for its own.
fn source() -> u64 {
    let mut files = vec![PathBuf::from("Cargo.lock")];
    let mut directories = vec![PathBuf::from("src")];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        // A package may come without its lockfile.
        (&file, fs::read(&file).unwrap_or_default()).hash(&mut hasher);
    }
    hasher.finish()
}

/// Whether this is a release build for a Linux with GNU's C library.
fn is_released() -> bool {
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|found| found == value);
    is("PROFILE", "release")
        && is("CARGO_CFG_TARGET_OS", "linux")
        && is("CARGO_CFG_TARGET_ENV", "gnu")
}

/// Whether the linker finds `libgcc_eh.a`. A compiler that does not know the file repeats its name, without a directory.
fn has_archive() -> bool {
    let linker = env::var_os("RUSTC_LINKER").or_else(|| {
        let is_native = env::var_os("HOST") == env::var_os("TARGET");
        is_native.then(|| "cc".into())
    });
    let asked = linker.map(|linker| {
        let mut command = Command::new(linker);
        command.arg("-print-file-name=libgcc_eh.a").output()
    });
    asked.and_then(Result::ok).is_some_and(|output| {
        let found = String::from_utf8_lossy(&output.stdout);
        let found = Path::new(found.trim());
        found.is_absolute() && found.is_file()
    })
}
