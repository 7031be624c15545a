//! Holds the direction of dependencies that `ARCHITECTURE.md` draws, by reading the sources.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Each layer (a folder of `src`) with the layers that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("data", &["base"]),
    ("gpu", &["base"]),
    ("ops", &["base", "gpu"]),
    ("grad", &["base", "gpu", "ops"]),
    ("model", &["base", "gpu", "ops", "grad"]),
    ("checkpoint", &["base", "model"]),
    ("latent", &["base", "model"]),
    ("training", &["base", "data", "gpu", "ops", "grad", "model", "checkpoint", "latent"]),
    ("session", &["base", "model", "latent"]),
    ("engine", &["base", "gpu", "ops", "model", "checkpoint", "latent", "training", "session"]),
    ("cli", &["base", "data", "gpu", "model", "checkpoint", "latent", "training", "session", "engine", "ui"]),
    ("ui", &["base", "data", "gpu", "model", "checkpoint", "latent", "training", "session", "engine"]),
];

/// Parts of a layer that another layer may not see although it may use the rest: (user, forbidden path).
const NOT_BEYOND: &[(&str, &[&str])] = &[
    // The window shows networks, it never runs them: numbers about layers, no tensors.
    ("ui", &["model::generator", "model::Generator", "model::state_dict", "model::StateDict"]),
];

/// External crates that only some layers may name.
const CRATES: &[(&[&str], &[&str])] = &[
    (&["egui", "eframe", "egui_wgpu", "egui_winit", "epaint", "rfd"], &["ui"]),
    (&["burn", "burn_wgpu", "burn_flex", "cubecl"], &["gpu", "ops", "grad", "model", "training", "engine", "cli"]),
    (&["wgpu"], &["gpu", "engine", "ui"]),
    (&["tiny_skia", "rawzip"], &["data"]),
    (&["clap"], &["cli", "gpu"]),
];

/// A use of a path: the file's layer, and the path without `crate`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Use {
    layer: String,
    path: Vec<String>,
    external: bool,
}

#[test]
fn sources_keep_the_direction() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&src);
    assert!(files.len() > MAY_USE.len(), "only {} files under {}", files.len(), src.display());
    let mut broken = Vec::new();
    let mut edges = 0;
    for file in files {
        let Some(layer) = layer_of(file.strip_prefix(&src).unwrap()) else { continue };
        assert!(
            MAY_USE.iter().any(|(name, _)| *name == layer),
            "src/{layer} is a new layer: say in MAY_USE what it may use"
        );
        let depth = file.strip_prefix(&src).unwrap().components().count();
        let source = fs::read_to_string(&file).unwrap();
        for found in uses(&source, &layer, depth) {
            edges += 1;
            if let Err(why) = allowed(&found) {
                broken.push(format!("{}: {why}", file.display()));
            }
        }
    }
    assert!(edges > 0, "the reader of the sources found no edge at all");
    assert!(broken.is_empty(), "forbidden dependencies:\n{}", broken.join("\n"));
}

#[test]
fn the_binary_only_calls_the_command_line() {
    let main = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs")).unwrap();
    let layers: BTreeSet<_> =
        paths_after(&tokens(&main), "stylescope").into_iter().map(|path| path[0].clone()).collect();
    assert_eq!(layers, BTreeSet::from(["cli".to_owned()]));
}

#[test]
fn the_table_has_no_cycle() {
    let table: BTreeMap<_, _> = MAY_USE.iter().copied().collect();
    fn visit<'a>(layer: &'a str, table: &BTreeMap<&'a str, &'a [&'a str]>, path: &mut Vec<&'a str>) {
        assert!(!path.contains(&layer), "a cycle: {path:?} -> {layer}");
        path.push(layer);
        for next in table[layer] {
            visit(next, table, path);
        }
        path.pop();
    }
    for (layer, _) in MAY_USE {
        visit(layer, &table, &mut Vec::new());
    }
}

#[test]
fn a_forbidden_edge_is_detected() {
    let verdict = |layer: &str, source: &str| uses(source, layer, 2).iter().filter_map(|u| allowed(u).err()).count();
    // However it is written.
    assert_eq!(verdict("model", "use crate::ui::state::AppState;"), 1);
    assert_eq!(verdict("model", "use crate::{base::paths, ui::{self, state}};"), 2);
    assert_eq!(verdict("model", "fn f() { let x = crate :: ui::state::AppState::new(); }"), 1);
    assert_eq!(verdict("model", "pub(crate) use crate::{ops::a, {engine}};"), 1);
    assert_eq!(verdict("model", "use super::super::ui;"), 1);
    assert_eq!(verdict("base", "macro_rules! m { () => { $crate::gpu::f() } }"), 1);
    assert_eq!(
        verdict("session", "fn f(_: &'static str, c: char) -> bool { c == '\"' || crate::engine::is(c) } // \""),
        1
    );
    assert_eq!(verdict("ui", "use crate::model::{layer::LayerInfo, generator::Generator};"), 1);
    assert_eq!(verdict("checkpoint", "use burn::tensor::Tensor;"), 1);
    assert_eq!(verdict("checkpoint", "fn f(t: ::burn::tensor::Tensor<2>) {}"), 1);
    assert_eq!(verdict("latent", "use egui;"), 1);
    assert_eq!(verdict("session", "use eframe as frame;"), 1);
    // What is allowed, or only looks like an edge.
    assert_eq!(verdict("ui", "use crate::{engine::message::Frame, model::layer::LayerInfo, session::Pose};"), 0);
    assert_eq!(
        verdict(
            "model",
            "// use crate::ui::x;\n/* crate::ui /* nested */ crate::ui */ const A: &str = \"crate::ui::x\";"
        ),
        0
    );
    assert_eq!(
        verdict(
            "model",
            "const A: &str = r#\"use crate::ui \" crate::ui\"#; const B: u8 = b'\\''; const C: &[u8] = b\"crate::ui\";"
        ),
        0
    );
    assert_eq!(verdict("model", "use crate::ops::conv; use super::config; use super::super::super::nothing;"), 0);
    assert_eq!(verdict("latent", "let egui = 1; let burn = egui + 1; x::burn::y();"), 0);
}

/// Whether `found` keeps the direction; else why not.
fn allowed(found: &Use) -> Result<(), String> {
    let Use { layer, path, external } = found;
    let path_text = path.join("::");
    if *external {
        let banned =
            CRATES.iter().any(|(names, layers)| names.contains(&path[0].as_str()) && !layers.contains(&layer.as_str()));
        return if banned { Err(format!("`{layer}` names the crate `{}`", path[0])) } else { Ok(()) };
    }
    let target = path[0].as_str();
    let may_use = MAY_USE.iter().find(|(name, _)| name == layer).map_or(&[][..], |(_, used)| used);
    let is_layer = MAY_USE.iter().any(|(name, _)| *name == target);
    if is_layer && target != layer && !may_use.contains(&target) {
        return Err(format!("`{layer}` uses `crate::{path_text}`"));
    }
    let beyond = NOT_BEYOND.iter().filter(|(user, _)| user == layer).flat_map(|(_, paths)| *paths);
    match beyond.into_iter().find(|b| path_text == **b || path_text.starts_with(&format!("{b}::"))) {
        Some(b) => Err(format!("`{layer}` uses `crate::{path_text}`, and `{b}` is not for it")),
        None => Ok(()),
    }
}

/// All uses in a source of `layer` whose file lies `depth` modules deep (`src/ui/app.rs` is 2).
fn uses(source: &str, layer: &str, depth: usize) -> Vec<Use> {
    let tokens = tokens(source);
    let internal = paths_after(&tokens, "crate").into_iter().chain(paths_beyond_root(&tokens, depth));
    let mut found: Vec<Use> = internal.map(|path| Use { layer: layer.to_owned(), path, external: false }).collect();
    for (i, token) in tokens.iter().enumerate() {
        let known = CRATES.iter().any(|(names, _)| names.contains(&token.as_str()));
        let rooted = i >= 2 && tokens[i - 1] == "::" && is_ident(&tokens[i - 2]) && tokens[i - 2] != "use";
        let is_path = tokens.get(i + 1).is_some_and(|t| t == "::");
        let imported = i >= 1 && tokens[i - 1] == "use";
        if known && !rooted && (is_path || imported) {
            found.push(Use { layer: layer.to_owned(), path: vec![token.clone()], external: true });
        }
    }
    found
}

/// The paths that follow `root ::`, groups taken apart.
fn paths_after(tokens: &[String], root: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        if token == root && tokens.get(i + 1).is_some_and(|t| t == "::") {
            tree(tokens, i + 2, &mut Vec::new(), &mut found);
        }
    }
    found
}

/// `super::super::x` where the chain reaches the crate's root.
fn paths_beyond_root(tokens: &[String], depth: usize) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let mut supers = 0;
        while tokens.get(i).is_some_and(|t| t == "super") && tokens.get(i + 1).is_some_and(|t| t == "::") {
            supers += 1;
            i += 2;
        }
        if supers > 0 && supers >= depth {
            tree(tokens, i, &mut Vec::new(), &mut found);
        }
        i += 1;
    }
    found
}

/// Reads a use tree (`a::b`, `{a, b::{c}}`) at `at`; returns the position after it.
fn tree(tokens: &[String], mut at: usize, prefix: &mut Vec<String>, found: &mut Vec<Vec<String>>) -> usize {
    let length = prefix.len();
    loop {
        match tokens.get(at).map(String::as_str) {
            Some("{") => {
                at += 1;
                while tokens.get(at).is_some_and(|t| t != "}") {
                    let next = if tokens[at] == "," { at } else { tree(tokens, at, prefix, found) };
                    at = next.max(at + usize::from(next == at));
                }
                at += 1;
                break;
            }
            Some(token) if is_ident(token) => {
                prefix.push(token.to_owned());
                at += 1;
                if tokens.get(at).is_some_and(|t| t == "::") {
                    at += 1;
                    continue;
                }
                // `ui::{self}` names ui itself.
                let path: Vec<_> = prefix.iter().filter(|p| *p != "self").cloned().collect();
                found.extend((!path.is_empty()).then_some(path));
                break;
            }
            // `a::*`, `a::<T>` and whatever else ends a path.
            _ => {
                found.extend((!prefix.is_empty()).then(|| prefix.clone()));
                break;
            }
        }
    }
    prefix.truncate(length);
    at
}

/// Identifiers, `::` and single signs, without comments, strings and character literals.
fn tokens(source: &str) -> Vec<String> {
    let chars: Vec<char> = source.chars().collect();
    let mut found = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let next = chars.get(i + 1).copied();
        match chars[i] {
            '/' if next == Some('/') => i += chars[i..].iter().take_while(|c| **c != '\n').count(),
            '/' if next == Some('*') => i = after_block_comment(&chars, i),
            '"' => i = after_string(&chars, i),
            '\'' => i = after_quote(&chars, i),
            ':' if next == Some(':') => {
                found.push("::".to_owned());
                i += 2;
            }
            c if c.is_alphabetic() || c == '_' => {
                let word: String = chars[i..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
                i += word.chars().count();
                let hashes = chars[i..].iter().take_while(|c| **c == '#').count();
                let raw = matches!(word.as_str(), "r" | "br" | "cr") && chars.get(i + hashes) == Some(&'"');
                if raw {
                    i = after_raw_string(&chars, i + hashes + 1, hashes);
                } else {
                    found.push(word);
                }
            }
            c => {
                found.extend((!c.is_whitespace()).then(|| c.to_string()));
                i += 1;
            }
        }
    }
    found
}

fn after_block_comment(chars: &[char], mut i: usize) -> usize {
    let mut depth = 0;
    while i + 1 < chars.len() {
        match (chars[i], chars[i + 1]) {
            ('/', '*') => (depth, i) = (depth + 1, i + 2),
            ('*', '/') => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    chars.len()
}

fn after_string(chars: &[char], mut i: usize) -> usize {
    i += 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn after_raw_string(chars: &[char], mut i: usize, hashes: usize) -> usize {
    while i < chars.len() {
        if chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return i + 1 + hashes;
        }
        i += 1;
    }
    i
}

/// A character literal, or the mark of a lifetime.
fn after_quote(chars: &[char], i: usize) -> usize {
    match (chars.get(i + 1), chars.get(i + 2)) {
        (Some('\\'), _) => {
            // Past the escaped sign, which may itself be a quote.
            let start = (i + 3).min(chars.len());
            start + chars[start..].iter().take_while(|c| **c != '\'').count() + 1
        }
        (Some(_), Some('\'')) => i + 3,
        _ => i + 1,
    }
}

fn is_ident(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// The folder under `src`, or the file's own name for `src/ui.rs`; `None` for the roots of the crate.
fn layer_of(relative: &Path) -> Option<String> {
    let first = relative.components().next()?.as_os_str().to_str()?;
    let layer = first.strip_suffix(".rs").unwrap_or(first);
    (!matches!(layer, "lib" | "main")).then(|| layer.to_owned())
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}
