# The daily commands; `.ci/run` is the whole of what must hold.

# What there is
default:
    @just --list

# Format, lint, test
check:
    cargo fmt --check
    cargo clippy --all-targets --all-features -- -D warnings
    cargo test

# One test, or those of one module: `just test architecture`
test *FILTER:
    cargo test {{ FILTER }}

# Look at changed snapshots, then accept them
snapshots:
    INSTA_UPDATE=new cargo test
    cargo insta review

# The benchmarks
bench *FILTER:
    cargo bench {{ FILTER }}

# Other policy engines on equal policies and requests; writes docs/performance.md. `just peers --quick` tries it
peers *OPTIONS:
    cargo run --profile peers -p peers -- report {{ OPTIONS }}

# The library's documentation
doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --open

# Licences, sources, duplicates
deny:
    cargo deny check bans licenses sources

# Everything
ci:
    bash .ci/run
