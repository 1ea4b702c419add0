#![no_main]

#[path = "../../tests/it/bad_input/targets.rs"]
#[expect(dead_code, reason = "each target is a binary of its own")]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::aws_request(bytes));
