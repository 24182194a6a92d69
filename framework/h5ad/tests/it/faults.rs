//! Files that are not what they should be: an error that says so, or the data; never a crash.

use std::{
    fs, iter,
    path::{Path, PathBuf},
    process::Command,
};

use hdf5::{
    plist::file_access::LibraryVersion::{Earliest, V110},
    types::VarLenUnicode,
};
use scvi_framework::anndata::{AnnData, DataFrame, Element, Slot, Sparse, SparseFormat};
use scvi_h5ad::{Backing, Compression, Error, ReadOptions, WriteOptions, read, write};

use crate::python;

fn small() -> AnnData {
    let mut obs = DataFrame::new(["c1", "c2", "c3"]);
    obs.columns.insert("batch".into(), Element::strings(["a", "b", "a"]));
    let mut adata = AnnData::new(obs, DataFrame::new(["g1", "g2"]));
    let data = vec![1.0_f32, 2.0, 3.0].into();
    let (indices, indptr) = (vec![0_i32, 1, 0].into(), vec![0_i32, 2, 2, 3].into());
    let x = Sparse::new(SparseFormat::Csr, [3, 2], data, indices, indptr).unwrap();
    adata.set(Slot::X, "X", Element::Sparse(x)).unwrap();
    let pca = Element::matrix(3, 2, vec![0.5, 1.0, 1.5, 2.0, 2.5, 3.0]).unwrap();
    adata.set(Slot::Obsm, "X_pca", pca).unwrap();
    adata.set(Slot::Uns, "note", Element::strings(["x"])).unwrap();
    adata
}

fn written(folder: &Path, name: &str, compression: Compression) -> PathBuf {
    let path = folder.join(name);
    write(&path, &small(), WriteOptions { compression }).unwrap();
    path
}

/// Asserts that reading fails and says `expected`, after the path.
#[track_caller]
fn check(path: &Path, expected: &str) {
    let said = read(path, ReadOptions::default()).unwrap_err().to_string();
    let prefix = format!("{}: ", path.display());
    let said = said.strip_prefix(&prefix).unwrap_or_else(|| panic!("no path in {said:?}"));
    assert!(said.contains(expected), "{said:?} does not say {expected:?}");
}

#[test]
fn what_is_no_hdf5_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    check(&folder.path().join("absent.h5ad"), "no such file");
    check(folder.path(), "read: Is a directory");
    let begin = "not an .h5ad file: expected HDF5, found";
    check(&file("a", b""), &format!("{begin} an empty file"));
    check(&file("b", b"gene,cell\n"), &format!("{begin} text: \"gene,cell\\n\""));
    check(&file("c", b"\x1f\x8b\x08"), &format!("{begin} a gzip-compressed file"));
    check(&file("d", b"PK\x03\x04"), &format!("{begin} a zip archive"));
    check(&file("e", b"\x80\x02\x00\xff"), &format!("{begin} bytes [80, 02, 00, ff]"));
}

#[test]
fn other_hdf5_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.h5");
    let file = hdf5::File::create(&path).unwrap();
    check(&path, "not AnnData: expected members `obs` and `var`, found nothing");
    file.create_group("matrix").unwrap();
    check(&path, "expected members `obs` and `var`, found matrix");
    let kind: hdf5::types::VarLenUnicode = "SpatialData".parse().unwrap();
    let attribute = file.new_attr::<hdf5::types::VarLenUnicode>().create("encoding-type").unwrap();
    attribute.write_scalar(&kind).unwrap();
    check(&path, "expected encoding-type `anndata`, found `SpatialData`");
}

#[test]
fn shapes_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let changed = |name: &str, change: &dyn Fn(&hdf5::File)| {
        let path = written(folder.path(), name, Compression::None);
        change(&hdf5::File::open_rw(&path).unwrap());
        path
    };
    let replace = |file: &hdf5::File, name: &str, values: &[i32]| {
        file.unlink(name).unwrap();
        file.new_dataset_builder().with_data(values).create(name).unwrap();
    };
    let path = changed("x", &|f| {
        let shape = f.group("X").unwrap().attr("shape").unwrap();
        shape.write_raw(&[3_i64, 5]).unwrap();
    });
    check(&path, "`X`: expected shape [3, 2], found [3, 5]");
    let path = changed("indices", &|f| replace(f, "X/indices", &[0, 1, 7]));
    check(&path, "`X`: expected sparse matrix 3×2, indices: positions below 2, found others");
    let path = changed("indptr", &|f| replace(f, "X/indptr", &[0, 2]));
    check(&path, "`X`: expected sparse matrix 3×2, indptr: 4 entries, found 2");
    let path = changed("obs", &|f| replace(f, "obs/batch", &[0, 1]));
    check(&path, "`obs/batch`: expected shape [3], found [2]");
    let path = changed("obsm", &|f| replace(f, "obsm/X_pca", &[0, 1]));
    check(&path, "`obsm/X_pca`: expected shape [3], found [2]");
    let path = changed("column", &|f| f.unlink("obs/batch").unwrap());
    check(&path, "`obs`: expected a member `batch`, found _index");
    let path = changed("data", &|f| f.unlink("X/data").unwrap());
    check(&path, "`X`: expected a member `data`, found indices, indptr");
    let path = changed("loop", &|f| f.link_hard("uns", "uns/again").unwrap());
    check(&path, "does a group contain itself?");
    let path = changed("outside", &|f| f.link_external("other.h5", "/x", "uns/x").unwrap());
    check(&path, "`uns/x`: expected data in this file, found a link to another file");
    let path = changed("huge", &|f| {
        f.unlink("obsm/X_pca").unwrap();
        let huge = f.new_dataset::<f64>().chunk((1, 1024)).shape((3, 1_usize << 40));
        huge.create("obsm/X_pca").unwrap();
    });
    check(&path, "`obsm/X_pca`: expected an array that fits the file and the memory, found shape");
}

#[test]
fn unknown_compression_is_named() {
    let Some(python) = python::interpreter() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "blosc2.h5ad", Compression::None);
    let (done, said) = python::run(&python, "blosc2.py", std::slice::from_ref(&path));
    assert!(done, "{said}");
    check(&path, "`obsm/X_pca` is compressed with blosc2 (HDF5 filter 32026), which is not");
}

/// Cut anywhere: an error that calls the file truncated or damaged, or no HDF5 when little is left.
#[test]
fn truncated_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for compression in [Compression::None, Compression::Gzip(6), Compression::Lzf] {
        let whole = fs::read(written(folder.path(), "whole.h5ad", compression)).unwrap();
        let path = folder.path().join("cut.h5ad");
        for i in 0..200 {
            let length = whole.len() * i / 200;
            fs::write(&path, &whole[..length]).unwrap();
            match read(&path, ReadOptions::default()) {
                Err(Error::Damaged { .. }) => {}
                Err(Error::NotHdf5 { .. }) if length < 8 => {}
                other => panic!("cut at {length} of {}: {other:?}", whole.len()),
            }
        }
    }
}

/// HDF5 itself never comes back from such a file.
#[test]
fn a_broken_heap_of_strings_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "heap.h5ad", Compression::None);
    let mut bytes = fs::read(&path).unwrap();
    let heap = bytes.windows(4).position(|w| w == b"GCOL").unwrap();
    bytes[heap + 16..heap + 32].fill(0);
    fs::write(&path, &bytes).unwrap();
    check(&path, &format!("the heap of strings at byte {heap} is broken"));

    // Wherever it lies; the file is looked through in portions.
    let path = written(folder.path(), "late.h5ad", Compression::None);
    let mut bytes = fs::read(&path).unwrap();
    let late = (1 << 20) - 3;
    bytes.resize(late, 1);
    bytes.extend(b"GCOL\x01\0\0\0");
    bytes.extend(4096_u64.to_le_bytes());
    bytes.resize(late + 4096, 0);
    fs::write(&path, &bytes).unwrap();
    check(&path, &format!("the heap of strings at byte {late} is broken"));
}

/// Each is sound, but all together they are 4 GB in a file of 2 MB.
#[test]
fn heaps_that_lie_in_each_other_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "heaps.h5ad", Compression::None);
    let mut bytes = fs::read(&path).unwrap();
    let size = 1_u64 << 16;
    let words = [u64::from_le_bytes(*b"GCOL\x01\0\0\0"), size, 1, size - 32];
    let heap: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend(heap.repeat(1 << 16));
    fs::write(&path, &bytes).unwrap();
    check(&path, "its heaps of strings and names lie in each other");
}

#[test]
fn names_whose_free_places_never_end_are_named() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join("tests/fuzz/regressions/tenx_h5/names_without_end");
    let bytes = fs::read(&path).unwrap();
    let heaps: Vec<usize> = memchr::memmem::find_iter(&bytes, b"HEAP\0").collect();
    let broken = heaps.iter().map(|at| format!("the names at byte {at} are broken"));
    let message = read(&path, ReadOptions::default()).unwrap_err().to_string();
    assert!(broken.into_iter().any(|reason| message.contains(&reason)), "{message}");
}

/// Bytes changed anywhere: an error or a data set, in memory and on disk.
#[test]
fn changed_bytes_never_crash() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize % below
    };
    for compression in [Compression::None, Compression::Gzip(6), Compression::Lzf] {
        let whole = fs::read(written(folder.path(), "whole.h5ad", compression)).unwrap();
        for i in 0..400 {
            let mut changed = whole.clone();
            for _ in 0..1 + i % 8 {
                changed[next(whole.len())] = next(256) as u8;
            }
            let path = folder.path().join(format!("changed{i}.h5ad"));
            fs::write(&path, &changed).unwrap();
            let backed = if i % 2 == 0 { Backing::Memory } else { Backing::Disk };
            if let Ok(adata) = read(&path, ReadOptions { backed })
                && let Some(Element::Backed(x)) = adata.x()
            {
                let _ = x.rows(0..3);
            }
            fs::remove_file(&path).unwrap();
        }
    }
}

#[test]
fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "old.h5ad", Compression::None);
    let before = fs::read(&path).unwrap();
    let mut adata = small();
    adata.set(Slot::Uns, "bad", Element::strings(["zero\0byte"])).unwrap();
    let said = write(&path, &adata, WriteOptions::default()).unwrap_err().to_string();
    assert!(said.contains("`uns/bad` cannot be written: \"zero\\0byte\" contains a zero byte"));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);

    let absent = folder.path().join("no/such/folder.h5ad");
    let said = write(&absent, &small(), WriteOptions::default()).unwrap_err().to_string();
    assert!(said.contains("folder.h5ad: create: "), "{said}");
}

const FULL: &str = "SCVI_H5AD_TEST_FULL_DISK";

/// The disk is full: a child process that may not write files beyond a few kilobytes.
#[cfg(unix)]
#[test]
fn a_full_disk_leaves_the_old_file_and_nothing_else() {
    if let Some(path) = std::env::var_os(FULL) {
        let mut adata = small();
        let large = Element::matrix(3, 100_000, vec![1.0_f64; 300_000]).unwrap();
        adata.set(Slot::Obsm, "large", large).unwrap();
        let error = write(Path::new(&path), &adata, WriteOptions::default()).unwrap_err();
        assert!(matches!(error, Error::Write { .. } | Error::Io { .. }), "{error}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "old.h5ad", Compression::None);
    let before = fs::read(&path).unwrap();
    let name = "faults::a_full_disk_leaves_the_old_file_and_nothing_else";
    let child = Command::new("sh")
        .arg("-c")
        .arg("trap '' XFSZ; ulimit -f 200; exec \"$0\" --exact \"$1\" --nocapture")
        .arg(std::env::current_exe().unwrap())
        .arg(name)
        .env(FULL, &path)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stderr));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// HDF5 itself asks for as much memory as a reference claims, wherever it stands: here in an array,
/// in an attribute, in a chunk.
#[test]
fn an_absurd_length_of_a_string_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "long.h5ad", Compression::None);
    let index = hdf5::File::open(&path).unwrap().dataset("obs/_index").unwrap();
    let start = index.offset().unwrap() as usize;
    drop(index);
    let sound = fs::read(&path).unwrap();
    let mut bytes = sound.clone();
    bytes[start..start + 4].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    check(&path, "`obs/_index` cannot be read (a string of 2147483647 bytes is beyond the file)");
    bytes[start + 4..start + 12].fill(0xee); // and the heap is nowhere
    fs::write(&path, &bytes).unwrap();
    check(&path, "`obs/_index` cannot be read (a string of 2147483647 bytes is beyond the file)");

    let mut options = hdf5::File::with_options();
    let without_checksums = options.with_fapl(|p| p.libver_bounds(Earliest, V110));
    let file = without_checksums.create(&path).unwrap();
    let attribute = file.new_attr::<VarLenUnicode>().create("encoding-type").unwrap();
    attribute.write_scalar(&"anndata".parse::<VarLenUnicode>().unwrap()).unwrap();
    drop(attribute);
    file.close().unwrap();
    fs::write(&path, lengthened(&fs::read(&path).unwrap(), "anndata")).unwrap();
    check(
        &path,
        "`@encoding-type` cannot be read (a string of 4026531840 bytes is beyond the file)",
    );

    let notes: [VarLenUnicode; 2] =
        ["a note of no special length", "and another"].map(|n| n.parse().unwrap());
    fs::write(&path, &sound).unwrap();
    let file = hdf5::File::open_rw(&path).unwrap();
    let chunked = file.new_dataset::<VarLenUnicode>().chunk(2).shape(2).create("uns/notes");
    chunked.unwrap().write(&notes).unwrap();
    file.close().unwrap();
    fs::write(&path, lengthened(&fs::read(&path).unwrap(), &notes[0])).unwrap();
    check(&path, "`uns/notes` cannot be read (a string of 4026531840 bytes is beyond the file)");
}

/// The file with 0xf0000000 for the length in all references to `text`: a length, the address of a
/// heap, the number in there.
fn lengthened(file: &[u8], text: &str) -> Vec<u8> {
    let mut bytes = file.to_vec();
    let length = (text.len() as u32).to_le_bytes();
    let mut n_found = 0;
    for heap in memchr::memmem::find_iter(file, b"GCOL\x01") {
        let reference = [&length[..], &(heap as u64).to_le_bytes()].concat();
        for at in memchr::memmem::find_iter(file, &reference) {
            bytes[at..at + 4].copy_from_slice(&0xf000_0000_u32.to_le_bytes());
            n_found += 1;
        }
    }
    assert!(n_found > 0);
    bytes
}

/// One string to which many refer is as much memory as they are.
#[test]
fn many_references_to_one_string_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "again.h5ad", Compression::None);
    let file = hdf5::File::open_rw(&path).unwrap();
    let long: VarLenUnicode = "x".repeat(1 << 16).parse().unwrap();
    let words: Vec<VarLenUnicode> =
        iter::once(long).chain((0..1 << 15).map(|_| String::new().parse().unwrap())).collect();
    let dataset =
        file.new_dataset::<VarLenUnicode>().shape(words.len()).create("uns/words").unwrap();
    dataset.write(&words).unwrap();
    let start = dataset.offset().unwrap() as usize;
    drop(dataset);
    file.close().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let first = bytes[start..start + 16].to_vec();
    bytes[start..start + 16 * words.len()]
        .chunks_exact_mut(16)
        .for_each(|w| w.copy_from_slice(&first));
    fs::write(&path, bytes).unwrap();
    check(&path, "`uns/words`: expected strings that fit the file, found 2147549184 bytes of them");
}

/// Arrays that are never written take no space in a file, however large; many of them are refused.
#[test]
fn more_than_the_file_can_mean_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "many.h5ad", Compression::None);
    let file = hdf5::File::open_rw(&path).unwrap();
    for i in 0..16 {
        let many = file.new_dataset::<f64>().chunk((3, 1024)).shape((3, 1_usize << 20));
        many.create(format!("obsm/X_{i}").as_str()).unwrap();
    }
    file.close().unwrap();
    check(&path, "expected an array that fits the file and the memory, found shape [3, 1048576]");
    let path = written(folder.path(), "chunk.h5ad", Compression::None);
    let file = hdf5::File::open_rw(&path).unwrap();
    let wide = file.new_dataset::<f64>().chunk((3, 1_usize << 26)).shape((3, 1..));
    wide.create("obsm/X_wide").unwrap();
    file.close().unwrap();
    check(&path, "`obsm/X_wide`: expected an array that fits the file and the memory, found shape");
    let path = written(folder.path(), "chunks.h5ad", Compression::None);
    let file = hdf5::File::open_rw(&path).unwrap();
    let dust = file.new_dataset::<u8>().chunk((3, 1)).shape((3, 1_usize << 18));
    dust.create("obsm/X_dust").unwrap();
    file.close().unwrap();
    check(&path, "`obsm/X_dust`: expected an array that fits the file and the memory, found shape");
}
