//! Files made to do harm, and files that harm was done to.

use std::{
    fs,
    io::{Cursor, Read, Write},
    path::Path,
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

use super::given;
use crate::{error::Result, saved::SavedModel};

// --- pickles, by hand ------------------------------------------------------------------------

fn text(text: &str) -> Vec<u8> {
    [b"X", (text.len() as u32).to_le_bytes().as_slice(), text.as_bytes()].concat()
}

fn int(n: i32) -> Vec<u8> {
    [b"J".as_slice(), &n.to_le_bytes()].concat()
}

fn long(n: i64) -> Vec<u8> {
    [b"\x8a\x08".as_slice(), &n.to_le_bytes()].concat()
}

fn global(module: &str, name: &str) -> Vec<u8> {
    format!("c{module}\n{name}\n").into_bytes()
}

fn tuple(entries: &[Vec<u8>]) -> Vec<u8> {
    [b"(".as_slice(), &entries.concat(), b"t"].concat()
}

fn dict(items: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let items: Vec<u8> = items.iter().flat_map(|(k, v)| [text(k), v.clone()].concat()).collect();
    [b"}(".as_slice(), &items, b"u"].concat()
}

fn call(function: Vec<u8>, args: &[Vec<u8>]) -> Vec<u8> {
    [function, tuple(args), b"R".to_vec()].concat()
}

fn tensor(storage: Vec<u8>, offset: i64, shape: &[i64], strides: &[i64]) -> Vec<u8> {
    let numbers = |of: &[i64]| tuple(&of.iter().map(|n| long(*n)).collect::<Vec<_>>());
    let args =
        [storage, long(offset), numbers(shape), numbers(strides), b"\x89".to_vec(), b"N".to_vec()];
    call(global("torch._utils", "_rebuild_tensor_v2"), &args)
}

fn storage(kind: &str, key: &str, location: &str) -> Vec<u8> {
    let entries = [text("storage"), global("torch", kind), text(key), text(location), int(4)];
    [tuple(&entries), b"Q".to_vec()].concat()
}

/// A model with one weight, and one attribute that scvi-tools does not know.
fn model(weight: Vec<u8>, attribute: Vec<u8>) -> Vec<u8> {
    let registry = dict(&[("model_name", text("SCVI"))]);
    let names = [b"](".as_slice(), &text("gene"), b"e"].concat();
    let parts = dict(&[
        ("model_state_dict", dict(&[("w", weight)])),
        ("var_names", names),
        ("attr_dict", dict(&[("registry_", registry), ("evil_", attribute)])),
    ]);
    [b"\x80\x02".as_slice(), &parts, b"."].concat()
}

fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in entries {
        zip.start_file(*name, stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

const NUMBERS: [f32; 4] = [1.0, 2.0, 3.0, 4.0];

fn read_file(bytes: &[u8]) -> Result<SavedModel> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    fs::write(&path, bytes).unwrap();
    crate::saved::read(&path)
}

fn read_pickle(pickle: &[u8]) -> Result<SavedModel> {
    let numbers: Vec<u8> = NUMBERS.iter().flat_map(|x| x.to_le_bytes()).collect();
    read_file(&archive(&[("model/data.pkl", pickle), ("model/data/0", &numbers)]))
}

fn sound() -> Vec<u8> {
    tensor(storage("FloatStorage", "0", "cuda:0"), 0, &[2, 2], &[2, 1])
}

#[track_caller]
fn check_error(pickle: &[u8], expected: &str) {
    let error = read_pickle(pickle).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
    assert!(
        error.contains("model.pt: expected a model saved by scvi-tools 0.15 or later"),
        "{error}"
    );
}

#[track_caller]
fn check_note(attribute: Vec<u8>, expected: &str) {
    let saved = read_pickle(&model(sound(), attribute)).unwrap();
    assert_eq!(saved.meta.notes, [format!("left out: attr_dict.evil_, {expected}")]);
    assert_eq!(saved.weights["w"].values.to_f64(), [1.0, 2.0, 3.0, 4.0]);
}

// --- tests -----------------------------------------------------------------------------------

#[test]
fn functions_are_never_called() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("executed");
    let command = text(&format!("touch {}", trace.display()));
    let system = call(global("posix", "system"), std::slice::from_ref(&command));
    check_note(system.clone(), "of type posix.system");
    let code = text(&format!("open({trace:?}, 'w')"));
    let eval = call(global("builtins", "eval"), &[code]);
    check_note(eval.clone(), "of type builtins.eval");
    check_note(
        call(global("builtins", "map"), &[global("os", "system"), system.clone()]),
        "of type builtins.map",
    );
    // A state that __setstate__ would get, and a function that a call would return.
    check_note([eval.clone(), system.clone(), b"b".to_vec()].concat(), "of type builtins.eval");
    check_note(call(eval, &[command]), "the result of a computed function");
    check_note([global("os", "environ"), b")\x81".to_vec()].concat(), "of type os.environ");
    check_note(global("os", "abort"), "the Python object os.abort");
    check_note([system.clone(), b"Q".to_vec()].concat(), "a reference to a storage");
    check_note(global("\u{1b}[2Jfake", "name"), "the Python object \\u{1b}[2Jfake.name");
    check_error(&[b"\x80\x02".as_slice(), &system, b"."].concat(), "a value of type posix.system");
    assert!(!trace.exists());
}

#[test]
fn weights_stay_within_their_storage() {
    let weight = |offset, shape: &[i64], strides: &[i64]| {
        model(tensor(storage("FloatStorage", "0", "cpu"), offset, shape, strides), b"N".to_vec())
    };
    let saved = read_pickle(&weight(1, &[2], &[2])).unwrap();
    assert_eq!(saved.weights["w"].values.to_f64(), [2.0, 4.0]);
    let beyond = "reaches beyond its 4 stored numbers";
    check_error(&weight(0, &[5], &[1]), beyond);
    check_error(&weight(1, &[2, 2], &[2, 1]), beyond);
    check_error(&weight(i64::MAX, &[2], &[i64::MAX]), beyond);
    check_error(&weight(-1, &[2], &[1]), beyond);
    check_error(&weight(0, &[2, 2], &[1]), beyond);
    check_error(&weight(0, &[2], &[-1]), "a shape that is none");
    check_error(&weight(0, &[1 << 40], &[0]), "far more memory than the file is long");
    check_error(&weight(0, &[i64::MAX, i64::MAX], &[0, 0]), "a tensor of impossible size");
    let other = |storage| model(tensor(storage, 0, &[2], &[1]), b"N".to_vec());
    check_error(
        &other(storage("FloatStorage", "../../etc", "cpu")),
        "model/data/../../etc is unusable",
    );
    for strange in [storage("os", "0", "cpu"), int(3), [int(3), b"Q".to_vec()].concat()] {
        let saved = read_pickle(&other(strange)).unwrap();
        let note = "left out: model_state_dict.w, of type torch._utils._rebuild_tensor_v2";
        assert_eq!(saved.meta.notes, [note]);
    }
}

#[test]
fn small_pickles_cannot_grow_large() {
    let history = |value: Vec<u8>| {
        let registry = dict(&[("model_name", text("SCVI")), ("deep", value)]);
        let attributes = dict(&[("registry_", registry)]);
        let names = b"]".to_vec();
        let parts =
            [("model_state_dict", dict(&[])), ("var_names", names), ("attr_dict", attributes)];
        [dict(&parts), b".".to_vec()].concat()
    };
    let doubled = |levels: usize| {
        let again = b"q\x010](h\x01h\x01e"; // a list of the list before, twice
        [b"]".to_vec(), again.repeat(levels)].concat()
    };
    check_error(&history(doubled(40)), "far more memory than the file is long");
    check_error(&history(doubled(400)), "nested deeper than 64");
    check_error(&history([b")".to_vec(), b"\x85".repeat(1_000_000)].concat()), "nested deeper");
    check_error(&history(b"]q\x01h\x01a".to_vec()), "nested deeper than 64");
    check_error(&history(b"}q\x01h\x01Ns".to_vec()), "nested deeper than 64");
    let long =
        [text(&"x".repeat(1 << 20)), b"q\x010](".to_vec(), b"h\x01".repeat(1000), b"e".to_vec()];
    check_error(&history(long.concat()), "far more memory than the file is long");
    let many = "ends in the middle of a value";
    check_error(&history(b"X\xff\xff\xff\xffabc".to_vec()), many);
    check_error(&history(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffabc".to_vec()), many);
    check_error(&history(b"\x8b\xff\xff\xff\x7f".to_vec()), many);
    check_error(&history(b"h\x07".to_vec()), "a reference to nothing");
    check_error(&history(b"P0\n".to_vec()), "an instruction that PyTorch never writes");
    check_error(b"t.", "a group ends that never began");
    check_error(b".", "a value is taken from an empty stack");
    check_error(b"}(.", "a value is taken from an empty stack");
}

#[test]
fn says_what_a_file_is_instead() {
    let check = |bytes: &[u8], expected: &str| {
        let error = read_file(bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(b"", "found an empty file");
    check(b"\x89HDF\r\n", "another kind of file (model.pt begins with [89, 48, 44, 46])");
    check(b"version https://git-lfs.github.com/spec/v1", "a Git LFS pointer");
    check(b"\x80\x02}.", "as PyTorch wrote before 1.6");
    check(b"PK\x03\x04 and no more", "cut off or damaged");
    check(&archive(&[("a.txt", b"")]), "a zip archive without data.pkl");
    let bare = [dict(&[("z_encoder.weight", sound())]), b".".to_vec()].concat();
    check_error(&bare, "a dict without model_state_dict (its keys: z_encoder.weight)");
    let old = dict(&[("attr_dict", dict(&[("scvi_setup_dict_", b"}".to_vec())]))]);
    check_error(&[old, b".".to_vec()].concat(), "found an earlier one with scvi_setup_dict_");
}

#[test]
fn damage_is_an_error_and_no_more() {
    let whole = archive(&[
        ("model/data.pkl", &model(sound(), call(global("os", "system"), &[text("x")]))),
        ("model/data/0", &[0; 16]),
    ]);
    survives_damage(&whole, 1500);
    let Some(data) = given("SCVI_TEST_DATA") else { return };
    let real = [
        ("reference/zinb_default/model/model.pt", 150),
        ("data/models/totalvi_1.1.5/model.pt", 50),
    ];
    for (model, times) in real {
        survives_damage(&fs::read(data.join(model)).unwrap(), times);
    }
}

/// Damages the archive and, apart, the pickle in it; nothing may panic, hang or take all memory.
fn survives_damage(whole: &[u8], times: usize) {
    let mut random = StdRng::seed_from_u64(0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.pt");
    read_from(&path, whole).unwrap();
    let mut zip = ZipArchive::new(Cursor::new(whole)).unwrap();
    let mut entries = Vec::new();
    for i in 0..zip.len() {
        let mut entry = zip.by_index(i).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        entries.push((entry.name().to_owned(), bytes));
    }
    for i in 0..times {
        let mut damaged = whole.to_vec();
        match i % 4 {
            0 => damaged.truncate(random.random_range(0..whole.len())),
            _ => flip(&mut damaged, &mut random),
        }
        let _ = read_from(&path, &damaged);
        let rebuilt: Vec<(&str, Vec<u8>)> = entries
            .iter()
            .map(|(name, bytes)| {
                let mut bytes = bytes.clone();
                if name.ends_with("data.pkl") {
                    flip(&mut bytes, &mut random);
                }
                (name.as_str(), bytes)
            })
            .collect();
        let rebuilt: Vec<_> = rebuilt.iter().map(|(n, b)| (*n, b.as_slice())).collect();
        let _ = read_from(&path, &archive(&rebuilt));
    }
}

fn flip(bytes: &mut [u8], random: &mut StdRng) {
    for _ in 0..random.random_range(1..4) {
        let at = random.random_range(0..bytes.len());
        bytes[at] = random.random();
    }
}

fn read_from(path: &Path, bytes: &[u8]) -> Result<SavedModel> {
    fs::write(path, bytes).unwrap();
    super::super::read(path, None)
}
