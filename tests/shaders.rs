//! Every shader of the program, through the validator.

use stylescope::gpu::shader;

/// Each shader file by name, as the program compiles it; `common.wgsl` is a part, not a shader.
fn sources() -> Vec<(&'static str, String)> {
    vec![("pair.wgsl", shader::pair()), ("present.wgsl", shader::present())]
}

#[test]
fn every_shader_is_valid() {
    for (name, source) in sources() {
        let module = naga::front::wgsl::parse_str(&source)
            .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string_with_path(&source, name)));
        naga::valid::Validator::new(naga::valid::ValidationFlags::all(), naga::valid::Capabilities::default())
            .validate(&module)
            .unwrap_or_else(|error| panic!("{name}: {}", error.emit_to_string_with_path(&source, name)));
        assert!(!module.entry_points.is_empty(), "{name} has no entry point");
    }
}

#[test]
fn every_shader_file_is_compiled_by_the_program() {
    let mut found: Vec<String> = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".wgsl") && name != "common.wgsl")
        .collect();
    found.sort();
    let known: Vec<&str> = sources().iter().map(|(name, _)| *name).collect();
    assert_eq!(found, known);
}
