//! Opening a large file takes little more memory than its network: measured in processes of their own, on files of the size of
//! the real ones. The files have holes where the weights are, so that they take no room on the disk.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may stop where it likes, its helpers too")]

mod files;

use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    path::Path,
    process::{Command, Stdio},
};

use files::Pickle;
use stylescope::{
    checkpoint,
    model::{Generator, Placement},
};

/// Names the file that a copy of this test opens.
const OPEN: &str = "STYLESCOPE_TEST_OPEN";
/// What the program takes by itself, before it opens anything.
const PROGRAM: u64 = 64 << 20;

/// Arrays of the generator of configuration F at 1024 pixels, with their shapes.
fn generator() -> Vec<(String, Vec<usize>)> {
    let mut arrays = vec![("mapping.w_avg".to_owned(), vec![512]), ("synthesis.b4.const".to_owned(), vec![512, 4, 4])];
    for i in 0..8 {
        arrays.push((format!("mapping.fc{i}.weight"), vec![512, 512]));
        arrays.push((format!("mapping.fc{i}.bias"), vec![512]));
    }
    for r in (2..=10).map(|log2| 1usize << log2) {
        let outputs = (32768 / r).min(512);
        let inputs = if r == 4 { outputs } else { (65536 / r).min(512) };
        let layers: &[(&str, usize, usize)] = match r {
            4 => &[("conv1", inputs, 3), ("torgb", outputs, 1)],
            _ => &[("conv0", inputs, 3), ("conv1", outputs, 3), ("torgb", outputs, 1)],
        };
        for (layer, inputs, kernel) in layers {
            let name = format!("synthesis.b{r}.{layer}");
            let outputs = if *kernel == 1 { 3 } else { outputs };
            arrays.push((format!("{name}.weight"), vec![outputs, *inputs, *kernel, *kernel]));
            arrays.push((format!("{name}.bias"), vec![outputs]));
            arrays.push((format!("{name}.affine.weight"), vec![*inputs, 512]));
            arrays.push((format!("{name}.affine.bias"), vec![*inputs]));
            if *kernel == 3 {
                arrays.push((format!("{name}.noise_strength"), vec![]));
                arrays.push((format!("{name}.noise_const"), vec![r, r]));
            }
        }
    }
    arrays
}

/// A safetensors file of the generator under each of the prefixes.
fn safetensors(path: &Path, prefixes: &[&str]) {
    let mut header = serde_json::Map::new();
    let mut position = 0;
    for prefix in prefixes {
        for (name, shape) in generator() {
            let end = position + 4 * shape.iter().product::<usize>();
            let entry = serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [position, end] });
            header.insert(format!("{prefix}{name}"), entry);
            position = end;
        }
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = File::create(path).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(&header).unwrap();
    file.set_len((8 + header.len() + position) as u64).unwrap();
}

/// An official snapshot with three generators, whose tensors carry their data inside. Modules are written flat: each has the
/// arrays of its name's first part.
fn snapshot(path: &Path) {
    let mut file = File::create(path).unwrap();
    let mut put = |bytes: Vec<u8>, hole: usize| {
        file.write_all(&bytes).unwrap();
        file.seek(SeekFrom::Current(hole as i64)).unwrap();
    };
    let module = |p: Pickle| p.global("torch_utils.persistence", "_reconstruct_persistent_obj").raw(b"(}(");
    put(Pickle::new(3).raw(b"}(").0, 0);
    for key in ["G", "D", "G_ema"] {
        let start = module(Pickle::default().str(key)).str("class_name").str("Generator").str("state").raw(b"}(");
        put(start.str("_parameters").raw(b"}(").0, 0);
        for (name, shape) in generator() {
            let len: usize = shape.iter().product();
            // What stands before the data in a legacy save of one storage.
            let reference = Pickle::new(2)
                .tuple(|p| {
                    let p = p.str("storage").global("torch", "FloatStorage").str("7").str("cpu");
                    p.int(len as i64).raw(b"N")
                })
                .raw(b"Q");
            let head = [
                vec![0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'],
                Pickle::new(2).int(1001).stop(),
                Pickle::new(2).dict(|p| p.str("little_endian").raw(&[0x88])).stop(),
                reference.stop(),
                Pickle::new(2).list(|p| p.str("7")).stop(),
                (len as i64).to_le_bytes().to_vec(),
            ]
            .concat();
            let before = Pickle::default().str(&name).global("torch._utils", "_rebuild_tensor_v2").raw(b"(");
            let before = before.global("torch.storage", "_load_from_bytes").raw(b"(B");
            let before = before.raw(&((head.len() + 4 * len) as u32).to_le_bytes()).raw(&head);
            put(before.0, 4 * len);
            let shape: Vec<i64> = shape.iter().map(|&length| length as i64).collect();
            let mut strides = vec![1i64; shape.len()];
            for axis in (1..shape.len()).rev() {
                strides[axis - 1] = strides[axis] * shape[axis];
            }
            let after = Pickle::default().raw(b"tR").int(0).ints(&shape).ints(&strides).raw(&[0x89]);
            put(after.global("collections", "OrderedDict").raw(b")RtR").0, 0);
        }
        // The ends of the parameters, the state, the description and the call.
        put(b"uuutR".to_vec(), 0);
    }
    put(b"u.".to_vec(), 0);
}

/// The part of `child_opens` that runs in a process of its own.
#[test]
fn child_opens() {
    let Some(path) = std::env::var_os(OPEN) else { return };
    let file = checkpoint::open(Path::new(&path), &()).unwrap();
    let (config, weights) = file.load_generator(file.preferred_generator().unwrap()).unwrap();
    drop(file);
    println!("loaded {}", peak());
    let generator = Generator::from_state_dict(config, weights, &Placement::cpu()).unwrap();
    println!("built {}", peak());
    assert_eq!(generator.config().resolution(), 1024);
}

/// The highest resident memory of this process so far, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

/// Peaks of a process that opens the file: with its weights on the host, and with the network built.
fn peaks_of(path: &Path) -> [u64; 2] {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child_opens", "--nocapture", "--test-threads=1"]).env(OPEN, path);
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    ["loaded ", "built "].map(|word| {
        let number = text.split(word).nth(1).and_then(|rest| rest.lines().next());
        number.unwrap_or_else(|| panic!("{text}")).trim().parse().unwrap()
    })
}

#[test]
fn a_large_snapshot_opens_in_half_as_much_again() {
    let folder = tempfile::tempdir().unwrap();
    for (name, write) in [
        ("snapshot.pkl", &(|path: &Path| snapshot(path)) as &dyn Fn(&Path)),
        ("three.safetensors", &|path| safetensors(path, &["G.", "D.", "G_ema."])),
    ] {
        let path = folder.path().join(name);
        write(&path);
        let len = std::fs::metadata(&path).unwrap().len();
        assert!(len > 350_000_000, "{name}: {len}");
        let [loaded, built] = peaks_of(&path);
        println!("{name}: {len} bytes, {loaded} loaded, {built} built");
        assert!(loaded <= len / 2 + PROGRAM && built <= len * 3 / 2, "{name}: {len}, {loaded}, {built}");
    }
}

#[test]
fn a_generator_alone_opens_in_half_as_much_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("generator.safetensors");
    safetensors(&path, &[""]);
    let len = std::fs::metadata(&path).unwrap().len();
    let [loaded, built] = peaks_of(&path);
    println!("{len} bytes, {loaded} loaded, {built} built");
    assert!(loaded.max(built) <= len * 3 / 2 + PROGRAM, "{len}, {loaded}, {built}");
}

/// `stylescope info` reads the index alone, however large the file.
#[test]
fn info_takes_no_more_for_a_large_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("snapshot.pkl");
    snapshot(&path);
    // The system ends a program that computes longer. The program's threads reserve address space that they never use.
    let limited = "ulimit -v 2097152; ulimit -t 3; exec \"$0\" info \"$1\"";
    let mut command = Command::new("sh");
    command.args(["-c", limited]).arg(env!("CARGO_BIN_EXE_stylescope")).arg(&path);
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1024x1024 RGB"), "{text} {output:?}");
}
