#![no_main]

#[path = "../entry.rs"]
#[allow(dead_code, reason = "one target runs one function")]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    entry::stored::stored(bytes);
});
