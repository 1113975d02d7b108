//! Tells the program which source it is built from, and links the stack unwinder into the released one, where the compiler has it
//! as an archive.
//!
//! The shared one, `libgcc_s`, asks the processor for its features whenever a program starts, which in a virtual machine takes
//! longer than all that `ordain --version` does. Where the archive is not found, nothing changes.
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
    if is_released() && has_archive() {
        // Before the standard library's `-lgcc_s`, which then has nothing left to give and, `--as-needed`, is left out.
        println!("cargo::rustc-link-lib=gcc_eh");
    }
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
