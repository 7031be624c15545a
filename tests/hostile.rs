//! Files from strangers. Each one gives an error that says what is wrong, or loads as the data that it is: within a second,
//! 256 MiB, four times its size (and a little for the reader itself), without a panic.

// Counting what is allocated takes an allocator of one's own.
#![allow(unsafe_code)]

mod files;
mod processor_time;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    panic::catch_unwind,
    time::Duration,
};

use files::{Entry, Pickle, safetensors, safetensors_with_length, zip};
use processor_time::ProcessorTime;
use stylescope::checkpoint::{Checkpoint, open_bytes};

const MAX_TIME: Duration = Duration::from_secs(1);
const MAX_MEMORY: usize = 256 << 20;
/// What the reader needs for a file of no size.
const OWN_MEMORY: usize = 4 << 20;

/// Counts what each thread has allocated; tests run side by side.
struct Counting;

thread_local! {
    static CURRENT: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; the counters have no destructor and never allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let current = CURRENT.get() + layout.size();
        CURRENT.set(current);
        PEAK.set(PEAK.get().max(current));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        CURRENT.set(CURRENT.get().saturating_sub(layout.size()));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Opens the file and loads every network, within the limits.
fn read(name: &str, file: Vec<u8>) -> Result<Checkpoint, String> {
    let len = file.len();
    CURRENT.set(len);
    PEAK.set(len);
    let start = ProcessorTime::start();
    let result: std::thread::Result<Result<Checkpoint, String>> = catch_unwind(move || {
        let file = open_bytes("hostile", file).map_err(|error| chain(&error))?;
        for index in 0..file.networks().len() {
            file.load_raw(index).map_err(|error| chain(&error))?;
            if file.networks()[index].generator().is_some() {
                file.load_generator(index).map_err(|error| chain(&error))?;
            }
        }
        Ok(file)
    });
    let (time, peak) = (start.elapsed(), PEAK.get());
    let result = result.unwrap_or_else(|_| panic!("{name}: it panicked"));
    assert!(time <= MAX_TIME, "{name}: {time:?}");
    assert!(peak <= MAX_MEMORY && peak <= 4 * len + OWN_MEMORY, "{name}: {peak} bytes for a file of {len}");
    if let Err(message) = &result {
        assert!(message.len() < 2000, "{name}: a message of {} bytes", message.len());
    }
    result
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// Every file is refused with a message that has the words: by the reader, and by the program.
fn refused(cases: Vec<(&str, Vec<u8>, &str)>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hostile");
    for (name, file, words) in cases {
        std::fs::write(&path, &file).unwrap();
        match read(name, file) {
            Ok(file) => panic!("{name}: it opened: {:?}", file.details()),
            Err(message) => assert!(message.contains(words), "{name}: {message}"),
        }
        refused_by_the_program(name, &path, words);
    }
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["hostile"], "nothing was written");
}

/// Runs `stylescope info` on the file, as a user would, with little memory and no time to spare. There it is read where it
/// lies, which is another way than through memory.
#[cfg(target_os = "linux")]
fn refused_by_the_program(name: &str, path: &std::path::Path, words: &str) {
    use std::process::{Command, Stdio};
    // Address space, of which the program itself takes a part that depends on the machine's number of threads.
    const ADDRESS_SPACE_KIB: u32 = 1 << 20;
    // Seconds that it may compute, its start included; the system ends it after them.
    const SECONDS: u64 = MAX_TIME.as_secs() + 1;
    let limited = format!("ulimit -v {ADDRESS_SPACE_KIB}; ulimit -t {SECONDS}; exec \"$0\" info \"$1\"");
    let mut command = Command::new("sh");
    command.arg("-c").arg(limited).arg(env!("CARGO_BIN_EXE_stylescope")).arg(path).stdin(Stdio::null());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code().is_some_and(|code| code == 1), "{name}: {:?} {text}", output.status);
    assert!(text.contains(words) && !text.contains("panicked"), "{name}: {text}");
}

#[cfg(not(target_os = "linux"))]
fn refused_by_the_program(_: &str, _: &std::path::Path, _: &str) {}

fn p() -> Pickle {
    Pickle::new(2)
}

#[test]
fn pickle_cut_short() {
    refused(vec![
        ("no bytes after PROTO", p().0, "ends too early"),
        ("no STOP", p().raw(b"N").0, "ends too early"),
        ("STOP on an empty stack", p().stop(), "empty stack"),
        ("text cut short", p().raw(b"X\x10\0\0\0abc").0, "larger than the file"),
        ("line without an end", p().raw(b"cos").0, "ends too early"),
        ("a second pickle behind", [p().raw(b"N").stop(), p().raw(b"N").stop()].concat(), "something follows"),
    ]);
    assert!(read("empty", Vec::new()).unwrap_err().contains("no model file"));
}

#[test]
fn pickle_opcodes() {
    refused(vec![
        ("protocol 6", Pickle::new(6).raw(b"N").stop(), "protocol 6"),
        ("unknown opcode", p().raw(&[0xff]).stop(), "not an opcode"),
        ("missing memo", p().raw(b"h\x05").stop(), "memo entry 5"),
        ("LONG_BINGET 2^32-1", p().raw(b"j\xff\xff\xff\xff").stop(), "memo entry 4294967295"),
        ("LONG_BINPUT 2^32-1", p().raw(b"Nr\xff\xff\xff\xff").stop(), "memo entries"),
        ("EXT1", p().raw(&[0x82, 1]).stop(), "EXT"),
        ("EXT2", p().raw(&[0x83, 1, 0]).stop(), "EXT"),
        ("EXT4", p().raw(&[0x84, 1, 0, 0, 0]).stop(), "EXT"),
        ("PERSID", p().raw(b"Pname\n").stop(), "a reference to outside"),
        ("NEXT_BUFFER", Pickle::new(5).raw(&[0x97]).stop(), "NEXT_BUFFER"),
        ("READONLY_BUFFER", Pickle::new(5).raw(&[0x98]).stop(), "NEXT_BUFFER"),
        ("INST", p().raw(b"(ios\nsystem\n").stop(), "INST"),
        ("OBJ", p().raw(b"(cos\nsystem\no").stop(), "OBJ"),
        ("invalid UTF-8", p().raw(b"X\x02\0\0\0\xc3\x28").stop(), "UTF-8"),
        ("INT of 5000 digits", p().raw(b"I").raw(&[b'9'; 5000]).raw(b"\n").stop(), "number"),
        ("LONG of 5000 digits", p().raw(b"L").raw(&[b'9'; 5000]).raw(b"L\n").stop(), "number"),
        ("FLOAT without digits", p().raw(b"Fx\n").stop(), "number"),
        ("LONG1 of 255 bytes", p().raw(&[0x8a, 255]).raw(&[0x7f; 255]).stop(), "an integer"),
    ]);
}

#[test]
fn pickle_lengths() {
    refused(vec![
        ("BINUNICODE of 4 GiB - 1", p().raw(b"X\xff\xff\xff\xff").stop(), "larger than the file"),
        ("BINUNICODE8 of 2^63", Pickle::new(4).raw(&[0x8d, 0, 0, 0, 0, 0, 0, 0, 0x80]).stop(), "larger than the file"),
        ("BINBYTES8 of 2^40", Pickle::new(4).raw(&[0x8e, 0, 0, 0, 0, 0, 1, 0, 0]).stop(), "larger than the file"),
        ("BYTEARRAY8 of 2^64-1", Pickle::new(5).raw(&[0x96]).raw(&[0xff; 8]).stop(), "larger than the file"),
        ("FRAME of 2^60", Pickle::new(4).raw(&[0x95, 0, 0, 0, 0, 0, 0, 0, 0x10]).raw(b"N").stop(), "frame"),
        ("an opcode across a frame", Pickle::new(4).raw(&[0x95, 2, 0, 0, 0, 0, 0, 0, 0]).int(7).stop(), "frame"),
        (
            "a frame in a frame",
            Pickle::new(4).raw(&[0x95, 10, 0, 0, 0, 0, 0, 0, 0, 0x95, 1]).raw(&[0; 8]).stop(),
            "frame",
        ),
        ("LONG4 negative", p().raw(&[0x8b, 0xff, 0xff, 0xff, 0xff]).stop(), "negative"),
        ("LONG4 of 2^31-1", p().raw(&[0x8b, 0xff, 0xff, 0xff, 0x7f]).stop(), "larger than the file"),
        ("BINSTRING negative", p().raw(b"T\xff\xff\xff\xff").stop(), "negative"),
    ]);
}

#[test]
fn pickle_stack() {
    refused(vec![
        ("TUPLE without MARK", p().raw(b"Nt").stop(), "mark"),
        ("POP_MARK without MARK", p().raw(b"1").stop(), "mark"),
        ("POP on nothing", p().raw(b"0").stop(), "empty stack"),
        ("DUP below a mark", p().raw(b"N(2").stop(), "empty stack"),
        ("odd SETITEMS", p().raw(b"}(NNNu").stop(), "key without a value"),
        ("odd DICT", p().raw(b"(NNNd").stop(), "key without a value"),
        ("APPEND to an int", p().raw(b"K\x01Na").stop(), "APPEND on an integer"),
        ("SETITEM of a list", p().raw(b"]NNs").stop(), "SETITEM on a list"),
        ("unhashable key", p().raw(b"}]Ns").stop(), "key"),
        ("BUILD on a number", p().raw(b"K\x01Nb").stop(), "BUILD on an integer"),
        ("REDUCE on a text", p().str("f").raw(b")R").stop(), "REDUCE on a text"),
        ("REDUCE without a tuple", p().global("os", "system").raw(b"NR").stop(), "REDUCE on None"),
        ("STACK_GLOBAL of numbers", Pickle::new(4).raw(b"K\x01K\x02\x93").stop(), "STACK_GLOBAL on an integer"),
    ]);
}

#[test]
fn pickle_nesting() {
    let many = |byte: u8, count: usize| vec![byte; count];
    let nested = p().raw(&many(b']', 100_000)).raw(&many(b'a', 99_999)).stop();
    let tuples = p().raw(b"N").raw(&many(0x85, 1_000_000)).stop();
    let reduces = (0..100_000).fold(p().global("a", "b"), |p, _| p.raw(b")R")).stop();
    let own = p().raw(b"]q\0h\0a").stop();
    refused(vec![
        ("lists nested 10^5", nested, "more than"),
        ("lists nested 10^4", p().raw(&many(b']', 10_000)).raw(&many(b'a', 9_999)).stop(), "a pickle of a list"),
        ("TUPLE1 x 10^6", tuples, "more than"),
        ("10^5 chained REDUCE", reduces, "REDUCE on an object"),
        ("a list in itself", own, "a pickle of a list"),
        ("a dictionary in itself", p().raw(b"}q\0").str("G").raw(b"h\0s").stop(), "a dictionary with G"),
        ("10^6 marks", p().raw(&many(b'(', 1_000_000)).stop(), "nested marks"),
        ("10^6 None", p().raw(&many(b'N', 1_000_000)).stop(), "more than"),
        ("10^6 empty lists", p().raw(&many(b']', 1_000_000)).stop(), "more than"),
        ("10^6 MEMOIZE", Pickle::new(4).raw(b"N").raw(&many(0x94, 1_000_000)).stop(), "more than"),
        ("10^7 NONE and POP", (0..5_000_000).fold(p(), |p, _| p.raw(b"N0")).raw(b"N").stop(), "opcodes"),
    ]);
}

#[test]
fn pickle_billion_laughs() {
    // Each list holds the one before ten times.
    let memo = (0u8..40).fold(p().str("lol").raw(b"q\0"), |p, level| {
        (0..10).fold(p.raw(b"]("), |p, _| p.raw(&[b'h', level])).raw(b"e").raw(&[b'q', level + 1])
    });
    let dup = (0..60).fold(p().str("lol"), |p, _| p.raw(b"2\x86"));
    // The same in the place of a network, whose modules are walked.
    let module = |p: Pickle, children: &dyn Fn(Pickle) -> Pickle| {
        let description =
            |p: Pickle| p.str("class_name").str("Generator").str("state").dict(|p| p.str("_modules").dict(children));
        p.global("torch_utils.persistence", "_reconstruct_persistent_obj").tuple(|p| p.dict(description)).raw(b"R")
    };
    let leaf = module(p().raw(b"}").str("G_ema"), &|p| p);
    let bomb = (0u8..12).fold(leaf.raw(b"q\0"), |p, level| {
        let children = |p: Pickle| (0..10).fold(p, |p, i| p.str(&format!("m{i}")).raw(&[b'h', level]));
        module(p.raw(b"0"), &children).raw(&[b'q', level + 1])
    });
    let endless = p()
        .raw(b"}")
        .str("G")
        .global("torch_utils.persistence", "_reconstruct_persistent_obj")
        .raw(b"(}q\0(")
        .str("class_name")
        .str("Generator")
        .str("state")
        .dict(|p| p.str("_modules").raw(b"}q\x01"))
        .raw(b"utRq\x02h\x01")
        .str("again")
        .raw(b"h\x02s0s");
    refused(vec![
        ("by the memo", memo.stop(), "a pickle of a list"),
        ("by DUP", dup.stop(), "a pickle of a tuple"),
        ("of modules", bomb.raw(b"s").stop(), "more parts"),
        ("a module in itself", endless.stop(), "nested deeper"),
    ]);
}

#[test]
fn pickle_names_are_never_called() {
    let marker = std::env::temp_dir().join(format!("stylescope-hostile-{}", std::process::id()));
    let command = format!("touch {}", marker.display());
    let call = |module: &str, name: &str| p().global(module, name).tuple(|p| p.str(&command)).raw(b"R").stop();
    refused(vec![
        ("os.system", call("os", "system"), "a pickle of a os.system"),
        ("posix.system", call("posix", "system"), "a pickle of a posix.system"),
        ("builtins.eval", call("builtins", "eval"), "a pickle of a builtins.eval"),
        (
            "dotted STACK_GLOBAL",
            Pickle::new(4).str("os").str("path.os.system").raw(b"\x93").tuple(|p| p.str(&command)).raw(b"R").stop(),
            "path.os.system",
        ),
        (
            "multiplication of a text",
            p().global("operator", "mul").tuple(|p| p.str("aaaaaaaa").int(1 << 40)).raw(b"R").stop(),
            "operator.mul",
        ),
        (
            "NEWOBJ",
            p().global("subprocess", "Popen").tuple(|p| p.str(&command)).raw(b"\x81").stop(),
            "subprocess.Popen",
        ),
        ("NEWOBJ_EX", Pickle::new(4).global("a", "b").raw(b")}\x92").stop(), "NEWOBJ_EX"),
        ("BUILD on a name", p().global("os", "environ").raw(b"}b").stop(), "BUILD on a name"),
    ]);
    assert!(!marker.exists());
}

/// A tensor with its data inside, as official snapshots have them.
fn embedded(p: Pickle, values: &[f32], shape: &[i64], strides: &[i64]) -> Pickle {
    let magic = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, b'.'];
    let reference =
        p_none(|p| p.str("storage").global("torch", "FloatStorage").str("7").str("cpu").int(values.len() as i64));
    let parts = [
        magic.to_vec(),
        Pickle::new(2).int(1001).stop(),
        Pickle::new(2).dict(|p| p.str("little_endian").raw(&[0x88])).stop(),
        reference,
        Pickle::new(2).list(|p| p.str("7")).stop(),
        (values.len() as i64).to_le_bytes().to_vec(),
        values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    ];
    let bytes = parts.concat();
    p.tensor(|p| p.global("torch.storage", "_load_from_bytes").tuple(|p| p.bytes(&bytes)).raw(b"R"), 0, shape, strides)
}

fn p_none(fill: impl FnOnce(Pickle) -> Pickle) -> Vec<u8> {
    Pickle::new(2).tuple(|p| fill(p).raw(b"N")).raw(b"Q").stop()
}

#[test]
fn snapshot_with_hostile_source_loads_as_data() {
    // The real snapshots have no source text; here is one where each would have some.
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pkl/sg3repo_t215.p4.nosrc.pkl");
    let file = std::fs::read(path).unwrap();
    let honest = open_bytes("honest", file.clone()).unwrap();
    // The source text is empty there: X, a length of 0, and MEMOIZE. It is outside of all arrays.
    let at = file.windows(16).position(|w| w == b"module_src\x94X\0\0\0\0").expect("the source text");
    let source = b"import os; os.system('touch /tmp/stylescope-hostile')";
    let mut hostile = file[..at + 12].to_vec();
    hostile.extend_from_slice(&(source.len() as u32).to_le_bytes());
    hostile.extend_from_slice(source);
    hostile.extend_from_slice(&file[at + 16..]);
    // The first frame holds the text and grows with it.
    assert_eq!(hostile[2], 0x95);
    let frame = u64::from_le_bytes(hostile[3..11].try_into().unwrap()) + source.len() as u64;
    hostile[3..11].copy_from_slice(&frame.to_le_bytes());
    let opened = read("hostile source", hostile).unwrap();
    let best = |file: &Checkpoint| file.load_generator(file.preferred_generator().unwrap()).unwrap();
    assert_eq!(best(&opened), best(&honest));
    assert!(!std::path::Path::new("/tmp/stylescope-hostile").exists());
}

#[test]
fn snapshot_tensors() {
    let snapshot = |tensor: &dyn Fn(Pickle) -> Pickle| {
        let state = |p: Pickle| p.str("_parameters").dict(|p| tensor(p.str("weight")));
        let description = |p: Pickle| p.str("class_name").str("Generator").str("state").dict(state);
        p().dict(|p| {
            p.str("G_ema")
                .global("torch_utils.persistence", "_reconstruct_persistent_obj")
                .tuple(|p| p.dict(description))
                .raw(b"R")
        })
        .stop()
    };
    refused(vec![
        ("an unknown network", snapshot(&|p| embedded(p, &[1.0], &[1], &[1])), "G_ema (class Generator)"),
        ("a shape past the data", snapshot(&|p| embedded(p, &[1.0], &[2], &[1])), "past the end"),
        ("a text for a tensor", snapshot(&|p| p.str("x")), "no tensor"),
        (
            "a save that is none",
            snapshot(&|p| {
                p.tensor(
                    |p| p.global("torch.storage", "_load_from_bytes").tuple(|p| p.bytes(b"x")).raw(b"R"),
                    0,
                    &[1],
                    &[1],
                )
            }),
            "magic number",
        ),
    ]);
}

/// A PyTorch zip with one tensor `w`.
fn torch_zip(tensor: impl FnOnce(Pickle) -> Pickle) -> Vec<u8> {
    zip(&torch_entries(tensor))
}

fn torch_entries(tensor: impl FnOnce(Pickle) -> Pickle) -> Vec<Entry> {
    let pickle = tensor(p().raw(b"}").str("w")).raw(b"s").stop();
    vec![Entry::new("a/data.pkl", pickle), Entry::new("a/data/0", vec![0; 64])]
}

fn one(offset: i64, shape: &'static [i64], strides: &'static [i64]) -> Vec<u8> {
    torch_zip(|p| p.tensor(|p| p.storage("0", 16), offset, shape, strides))
}

#[test]
fn torch_zip_tensors() {
    refused(vec![
        ("honest, but no network", one(0, &[4, 4], &[4, 1]), "no network that is known; it holds w"),
        ("numel 2^62", torch_zip(|p| p.tensor(|p| p.storage("0", 1 << 62), 0, &[4], &[1])), "is shorter"),
        ("shape [2^20, 2^20]", one(0, &[1 << 20, 1 << 20], &[1 << 20, 1]), "past the end"),
        ("shape [2^20, 2^20] without strides", one(0, &[1 << 20, 1 << 20], &[0, 0]), "past the end"),
        ("a product that overflows", one(0, &[1 << 31, 1 << 31, 1 << 31], &[0, 0, 0]), "overflow"),
        ("negative shape", one(0, &[-4], &[1]), "negative"),
        ("negative stride", one(0, &[4], &[-1]), "negative"),
        ("negative offset", one(-4, &[4], &[1]), "negative"),
        ("stride 2^40", one(0, &[4], &[1 << 40]), "past the end"),
        ("offset past the end", one(13, &[4], &[1]), "past the end"),
        ("more strides than axes", one(0, &[4], &[1, 1]), "do not belong together"),
        ("60 axes", one(0, &[1; 60], &[1; 60]), "8 axes"),
        ("no arguments", torch_zip(|p| p.global("torch._utils", "_rebuild_tensor_v2").raw(b")R")), "too few"),
        (
            "a storage elsewhere",
            torch_zip(|p| p.tensor(|p| p.storage("../../etc/passwd", 4), 0, &[4], &[1])),
            "does not have it",
        ),
        (
            "an unknown type",
            torch_zip(|p| {
                p.tensor(
                    |p| {
                        let storage =
                            |p: Pickle| p.str("storage").global("torch", "QInt8Storage").str("0").str("cpu").int(1);
                        p.tuple(storage).raw(b"Q")
                    },
                    0,
                    &[1],
                    &[1],
                )
            }),
            "QInt8Storage",
        ),
        (
            "a sparse tensor",
            torch_zip(|p| p.global("torch._utils", "_rebuild_sparse_tensor").raw(b")R")),
            "_rebuild_sparse_tensor",
        ),
    ]);
}

#[test]
fn torch_zip_containers() {
    let entries = || torch_entries(|p| p.tensor(|p| p.storage("0", 16), 0, &[4, 4], &[4, 1]));
    let honest = zip(&entries());
    let change = |index: usize, change: &dyn Fn(&mut Entry)| {
        let mut entries = entries();
        change(&mut entries[index]);
        zip(&entries)
    };
    let mut with = entries();
    with.push(Entry::new("b/data.pkl", p().raw(b"N").stop()));
    let mut twice = entries();
    twice.push(twice[1].clone());
    let mut many = entries();
    many.extend((0..60_000).map(|i| Entry::new(&i.to_string(), "")));
    // A zip whose first bytes are those of a tar and a pickle, with the archive behind them.
    let mut three_at_once = Pickle::new(2).raw(b"N").stop();
    three_at_once.resize(257, 0);
    three_at_once.extend_from_slice(b"ustar\x0000");
    three_at_once.extend_from_slice(&honest);
    let mut before = b"PK\x03\x04".to_vec();
    before.extend_from_slice(&honest);
    refused(vec![
        ("no end record", honest[..honest.len() - 22].to_vec(), "directory is not there"),
        ("half of a file", honest[..honest.len() / 2].to_vec(), "directory is not there"),
        ("two data.pkl", zip(&with), "two data.pkl"),
        ("no data.pkl", zip(&entries()[1..]), "without a PyTorch checkpoint"),
        ("an entry twice", zip(&twice), "twice"),
        ("storage missing", zip(&entries()[..1]), "does not have it"),
        ("storage short", change(1, &|entry| entry.data.truncate(60)), "is shorter"),
        ("bad CRC of a storage", change(1, &|entry| entry.crc = Some(1)), "checksum"),
        ("bad CRC of the pickle", change(0, &|entry| entry.crc = Some(1)), "checksum"),
        ("encrypted", change(1, &|entry| entry.flags = 1), "encrypted"),
        (
            "1 GiB of zeros in 1 MB",
            change(1, &|entry| {
                (entry.method, entry.size, entry.data) = (8, Some(1 << 30), vec![0; 1 << 20]);
            }),
            "compressed",
        ),
        (
            "an entry that reaches into the next",
            {
                let mut entries = entries();
                entries[0].size = Some(entries[0].data.len() as u32 + 40);
                zip(&entries)
            },
            "two entries overlap",
        ),
        ("overlapping entries", change(1, &|entry| entry.offset = Some(0)), "disagree"),
        ("an entry past the end", change(1, &|entry| entry.size = Some(1 << 30)), "past the end"),
        ("an offset past the end", change(1, &|entry| entry.offset = Some(1 << 30)), "not where"),
        ("something before the archive", before, "zip directory"),
        ("zip, tar and pickle at once", three_at_once, "something follows"),
        ("60000 empty entries", zip(&many), "no network that is known"),
        ("something behind the pickle", change(0, &|entry| entry.data.push(b'N')), "something follows"),
    ]);
}

#[test]
fn safetensors_headers() {
    let entry = |shape: &str, begin: u64, end: u64| {
        format!(r#"{{"dtype":"F32","shape":{shape},"data_offsets":[{begin},{end}]}}"#)
    };
    let file = |header: String, data: usize| safetensors(&header, &vec![0; data]);
    let honest = format!(r#"{{"a":{}}}"#, entry("[2]", 0, 8));
    let eight: Vec<String> = (0..8u64)
        .map(|i| {
            format!(
                r#""t{i}":{}"#,
                entry("[2305843009213693951]", i.wrapping_mul(1 << 61), (i + 1).wrapping_mul((1 << 61) - 1))
            )
        })
        .collect();
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    let axes = format!("[{}1]", "1,".repeat(100_000));
    refused(vec![
        ("honest, but no network", file(honest.clone(), 8), "without a network"),
        ("length 2^64-1", safetensors_with_length(u64::MAX, b"{}", b""), "more than the file"),
        ("length past the end", safetensors_with_length(100, b"{}", b""), "more than the file"),
        ("a hole at the start", file(format!(r#"{{"a":{}}}"#, entry("[1]", 4, 8)), 8), "should begin at 0"),
        (
            "a hole between",
            file(format!(r#"{{"a":{},"b":{}}}"#, entry("[1]", 0, 4), entry("[1]", 8, 12)), 12),
            "begin at 4",
        ),
        ("overlap", file(format!(r#"{{"a":{},"b":{}}}"#, entry("[2]", 0, 8), entry("[2]", 4, 12)), 12), "begin at 8"),
        ("reversed offsets", file(format!(r#"{{"a":{}}}"#, entry("[1]", 8, 0)), 8), "begin at 0"),
        ("trailing byte", file(honest.clone(), 9), "the file has 9"),
        ("data cut short", file(honest.clone(), 7), "the file has 7"),
        ("duplicate keys", file(format!(r#"{{"a":{0},"a":{0}}}"#, entry("[2]", 0, 8)), 8), "twice"),
        ("duplicate metadata", file(r#"{"__metadata__":{},"__metadata__":{}}"#.into(), 0), "twice"),
        ("duplicate keys in metadata", file(r#"{"__metadata__":{"a":"1","a":"2"}}"#.into(), 0), "twice"),
        (
            "duplicate fields",
            file(r#"{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}"#.into(), 4),
            "duplicate",
        ),
        ("sizes that sum to 2^64-8", file(format!("{{{}}}", eight.join(",")), 0), "array"),
        ("shape [0, 2^63]", file(format!(r#"{{"a":{}}}"#, entry("[0,9223372036854775808]", 0, 0)), 0), "array"),
        ("a shape past 2^64", file(format!(r#"{{"a":{}}}"#, entry("[18446744073709551616]", 0, 0)), 0), "header"),
        ("100000 axes", file(format!(r#"{{"a":{}}}"#, entry(&axes, 0, 4)), 4), "8 axes"),
        ("non-string metadata", file(r#"{"__metadata__":{"a":1}}"#.into(), 0), "header"),
        ("byte order mark", safetensors(&format!("\u{feff}{honest}"), &[0; 8]), "brace"),
        ("two documents", file(format!("{honest}{honest}"), 8), "trailing"),
        (
            "an unknown field",
            file(r#"{"a":{"dtype":"F32","shape":[],"data_offsets":[0,4],"x":1}}"#.into(), 4),
            "unknown field",
        ),
        ("an unknown type", file(r#"{"a":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}}"#.into(), 4), "F8_E4M3"),
        ("negative length", file(format!(r#"{{"a":{}}}"#, entry("[-1]", 0, 4)), 4), "header"),
        ("10^5 brackets", file(deep, 0), "header"),
        ("an array", safetensors("{]", b""), "header"),
    ]);
}

#[test]
fn own_files_with_other_configurations() {
    let file = |config: &str| {
        let metadata = format!(r#"{{"format":"stylescope generator","format_version":"1","config":{config}}}"#);
        let header = format!(
            r#"{{"__metadata__":{metadata},"synthesis.b4.const":{{"dtype":"F32","shape":[1,4,4],"data_offsets":[0,64]}}}}"#
        );
        safetensors(&header, &[0; 64])
    };
    refused(vec![
        ("not JSON", file(r#""{""#), "configuration in the metadata"),
        ("weights missing", file(r#""{\"family\":\"stylegan2\"}""#), "configuration in the metadata"),
    ]);
}

#[cfg(target_os = "linux")]
#[test]
fn an_empty_file_is_refused_by_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.pkl");
    std::fs::write(&path, "").unwrap();
    refused_by_the_program("empty", &path, "is empty");
}

/// A module of an official snapshot with the class and the modules that `fill` puts.
fn module(p: Pickle, class: &str, fill: &dyn Fn(Pickle) -> Pickle) -> Pickle {
    let description = |p: Pickle| p.str("class_name").str(class).str("state").dict(|p| p.str("_modules").dict(fill));
    p.global("torch_utils.persistence", "_reconstruct_persistent_obj").tuple(|p| p.dict(description)).raw(b"R")
}

#[test]
fn networks_of_other_families_are_named() {
    let none = |p: Pickle| p;
    let input = |p: Pickle| module(p.str("input"), "SynthesisInput", &none);
    let synthesis = |p: Pickle| module(p.str("synthesis"), "SynthesisNetwork", &input);
    let stylegan3 = p().dict(|p| module(p.str("G").raw(b"N").str("G_ema"), "Generator", &synthesis));
    let eg3d = p().dict(|p| module(p.str("G_ema"), "TriPlaneGenerator", &none));
    let dict = |name: &str| torch_zip_of(name);
    let plain = |name: &str| {
        let header = format!(r#"{{"{name}":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#);
        safetensors(&header, &[0; 4])
    };
    refused(vec![
        ("StyleGAN3 snapshot", stylegan3.stop(), "G_ema (StyleGAN3)"),
        ("EG3D snapshot", eg3d.stop(), "G_ema (class TriPlaneGenerator)"),
        ("StyleGAN3 state dict", dict("synthesis.input.freqs"), "a StyleGAN3 network"),
        ("StyleGAN3 safetensors", plain("G_ema.synthesis.input.freqs"), "a StyleGAN3 network"),
        ("diffusion", plain("model.diffusion_model.input_blocks.0.0.weight"), "a diffusion model"),
        ("language model", plain("lm_head.weight"), "a language model"),
        ("an unknown state dict", dict("layer1.0.conv1.weight"), "it holds layer1.0.conv1.weight"),
    ]);
}

fn torch_zip_of(name: &str) -> Vec<u8> {
    let pickle = p().raw(b"}").str(name).tensor(|p| p.storage("0", 16), 0, &[4], &[1]).raw(b"s").stop();
    zip(&[Entry::new("a/data.pkl", pickle), Entry::new("a/data/0", vec![0; 64])])
}

#[test]
fn files_of_other_kinds_are_named() {
    let mut tar = vec![0; 512];
    tar[257..262].copy_from_slice(b"ustar");
    refused(vec![
        ("PNG", b"\x89PNG\r\n\x1a\n0000000000".to_vec(), "a PNG picture"),
        ("LFS", b"version https://git-lfs.github.com/spec/v1\n".to_vec(), "Git LFS"),
        ("HTML", b"<!DOCTYPE html><html></html>".to_vec(), "web page"),
        ("HDF5", b"\x89HDF\r\n\x1a\n".to_vec(), "HDF5"),
        ("tar", tar, "a tar archive"),
        ("text", "caf\u{e9} ".repeat(200).into_bytes(), "a text file"),
        ("text and a zero", b"text\0text".to_vec(), "no model file that is known"),
        ("images", zip(&[Entry::new("00/a.png", vec![1; 9])]), "a zip archive of images"),
        ("packed images", zip(&[Entry { method: 8, ..Entry::new("a.jpg", vec![1; 9]) }]), "a zip archive of images"),
        ("packed papers", zip(&[Entry { method: 8, ..Entry::new("a/b.doc", vec![1; 9]) }]), "it has a/b.doc"),
        ("an empty zip", zip(&[]), "an empty zip archive"),
        ("zeros", vec![0; 1000], "no model file that is known"),
    ]);
}
