#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| stylescope::targets::dataset_labels(bytes));
