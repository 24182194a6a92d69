//! The same results in every kind of output.

use npyz::NpyFile;
use scvi_framework::anndata::{DType, DataFrame, Dense, Element, Slot, Sparse, Values};
use scvi_h5ad::Backing;

use super::*;
use crate::files;

fn adata() -> AnnData {
    AnnData::new(DataFrame::new(["a", "b", "c"]), DataFrame::new(["g"]))
}

fn spec(name: &str, shape: &[usize]) -> OutputSpec {
    OutputSpec {
        name: name.into(),
        shape: shape.into(),
        dtype: Some(DType::Float32),
        place: (Slot::Obsm, format!("X_{name}")),
        columns: None,
    }
}

/// Three cells in two blocks.
fn answer(output: &Output, specs: &[OutputSpec]) -> Result<Vec<String>> {
    let mut answer = output.open(&adata(), None, Format::Text)?;
    for spec in specs {
        let sink = answer.sink();
        sink.begin(spec)?;
        sink.rows(Element::matrix(2, 2, vec![1.0f32, 2.0, 3.0, 4.5])?)?;
        sink.rows(Element::matrix(1, 2, vec![5.0f32, 0.1])?)?;
    }
    answer.finish()
}

fn place(name: &str) -> (tempfile::TempDir, Output, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    (dir, Output::of(&path).unwrap(), path)
}

#[test]
fn tables_have_names_first() {
    let (_dir, output, path) = place("l.csv");
    let told = answer(&output, &[spec("qz", &[3, 2])]).unwrap();
    assert_eq!(told, [format!("wrote obsm['X_qz'] (3 × 2) to {}", path.display())]);
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, "obs_names,qz_0,qz_1\na,1,2\nb,3,4.5\nc,5,0.1\n");
}

#[test]
fn rows_asked_for_keep_their_names() {
    let (_dir, output, path) = place("l.csv");
    let mut answer = output.open(&adata(), Some(vec![2, 0]), Format::Text).unwrap();
    answer.sink().begin(&spec("qz", &[2, 1])).unwrap();
    answer.sink().rows(Element::matrix(2, 1, vec![1.0f32, 2.0]).unwrap()).unwrap();
    answer.finish().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "obs_names,qz_0\nc,1\na,2\n");
}

#[test]
fn several_results_share_a_table() {
    let (_dir, output, path) = place("l.tsv");
    answer(&output, &[spec("m", &[3, 2]), spec("v", &[3, 2])]).unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.starts_with("obs_names\tm_0\tm_1\tv_0\tv_1\na\t1\t2\t1\t2\n"), "{text}");
}

#[test]
fn archives_hold_arrays_that_numpy_reads() {
    let (_dir, output, path) = place("l.npz");
    let told = answer(&output, &[spec("qz_loc", &[3, 2])]).unwrap();
    assert_eq!(told, [format!("wrote qz_loc (3 × 2) to {}", path.display())]);
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let npy = NpyFile::new(zip.by_name("qz_loc.npy").unwrap()).unwrap();
    assert_eq!(npy.shape(), [3, 2]);
    assert_eq!(npy.into_vec::<f32>().unwrap(), [1.0, 2.0, 3.0, 4.5, 5.0, 0.1]);
}

#[test]
fn data_sets_get_the_result_in_its_place() {
    let (_dir, output, path) = place("l.h5ad");
    answer(&output, &[spec("toy", &[3, 2])]).unwrap();
    let back = files::read_h5ad(&path, Backing::Memory).unwrap();
    let Element::Dense(x) = back.get(Slot::Obsm, "X_toy").unwrap() else { panic!("not dense") };
    assert_eq!(x.values, Values::from(vec![1.0f32, 2.0, 3.0, 4.5, 5.0, 0.1]));
}

#[test]
fn missing_rows_leave_no_file() {
    for name in ["l.npz", "l.csv", "l.h5ad"] {
        let (_dir, output, path) = place(name);
        let message = answer(&output, &[spec("qz", &[4, 2])]).unwrap_err().to_string();
        assert!(message.contains("result `qz`"), "{message}");
        assert!(!path.exists());
    }
}

#[test]
fn an_unknown_ending_names_the_known_ones() {
    let message = Output::of(Path::new("l.txt")).unwrap_err().to_string();
    assert_eq!(
        message,
        "l.txt: cannot tell the kind of file; expected one of .h5ad, .csv, .tsv, .npz, or - for \
         standard output"
    );
}

fn genes() -> (OutputSpec, Vec<DataFrame>) {
    let spec = OutputSpec {
        name: "de".into(),
        shape: vec![3, 2],
        dtype: None,
        place: (Slot::Uns, "toy_de".into()),
        columns: Some(vec!["p".into(), "group".into()]),
    };
    let block = |names: &[&str], p: Vec<f64>| {
        let mut table = DataFrame::new(names);
        table.index_name = Some("var_names".into());
        table.columns.insert("p".into(), Element::vector(p));
        table.columns.insert("group".into(), Element::strings(names.iter().map(|_| "a, b")));
        table
    };
    (spec, vec![block(&["g2", "g1"], vec![1.0, 0.25]), block(&["g1"], vec![0.5])])
}

fn table(output: &Output, n_blocks: usize) -> Box<dyn Answer> {
    let (spec, blocks) = genes();
    let mut answer = output.open(&adata(), None, Format::Text).unwrap();
    answer.sink().begin(&spec).unwrap();
    for block in blocks.into_iter().take(n_blocks) {
        answer.sink().rows(Element::DataFrame(block)).unwrap();
    }
    answer
}

#[test]
fn tables_come_in_blocks_of_rows() {
    let (_dir, output, path) = place("de.csv");
    let told = table(&output, 2).finish().unwrap();
    assert_eq!(told, [format!("wrote uns['toy_de'] (3 × 2) to {}", path.display())]);
    let text = std::fs::read_to_string(path).unwrap();
    assert_eq!(text, "var_names,p,group\ng2,1,\"a, b\"\ng1,0.25,\"a, b\"\ng1,0.5,\"a, b\"\n");
}

#[test]
fn tables_go_into_uns() {
    let (_dir, output, path) = place("de.h5ad");
    table(&output, 2).finish().unwrap();
    let back = files::read_h5ad(&path, Backing::Memory).unwrap();
    let Element::DataFrame(table) = back.get(Slot::Uns, "toy_de").unwrap() else { panic!("no") };
    assert_eq!(table.names().unwrap().iter().collect::<Vec<_>>(), ["g2", "g1", "g1"]);
    assert_eq!(table.columns["p"], Element::vector(vec![1.0, 0.25, 0.5]));
}

#[test]
fn an_interrupted_table_keeps_its_whole_blocks() {
    let (_dir, output, path) = place("de.csv");
    let message = table(&output, 1).finish().unwrap_err().to_string();
    assert!(message.contains("result `de`"), "{message}");
    assert!(!path.exists());
    table(&output, 1).rescue().unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text, "var_names,p,group\ng2,1,\"a, b\"\ng1,0.25,\"a, b\"\n");
}

#[test]
fn archives_of_arrays_refuse_tables() {
    let (_dir, output, _) = place("de.npz");
    let mut answer = output.open(&adata(), None, Format::Text).unwrap();
    let message = answer.sink().begin(&genes().0).unwrap_err().to_string();
    assert_eq!(
        message,
        "result `de`: expected an array for .npz (write tables to .csv, .tsv or .h5ad), found table"
    );
}

#[test]
fn columns_that_do_not_fit_a_table_are_refused() {
    let (_dir, output, _) = place("de.csv");
    let mut answer = output.open(&adata(), None, Format::Text).unwrap();
    let (spec, mut blocks) = genes();
    answer.sink().begin(&spec).unwrap();
    let mut block = blocks.remove(0);
    block.columns.insert("p".into(), Element::vector(vec![1.0f64]));
    let message = answer.sink().rows(Element::DataFrame(block)).unwrap_err().to_string();
    assert!(
        message.starts_with(
            "result `de`: expected data frame with the columns announced, each as many numbers or \
             texts as there are rows, found "
        ),
        "{message}"
    );
}

/// A large array and a sparse one wait on disk, beside the data set and unseen afterwards.
#[test]
fn large_and_sparse_answers_go_into_the_data_set() {
    let (dir, output, path) = place("l.h5ad");
    let n = 30_000; // 360 kB of float32 for three cells
    let row = |cell: usize| (0..n).map(move |i| (cell * n + i) as f32);
    let mut answer = output.open(&adata(), None, Format::Text).unwrap();
    let sink = answer.sink();
    sink.begin(&spec("large", &[3, n])).unwrap();
    sink.rows(Element::matrix(2, n, (0..2).flat_map(row).collect::<Vec<_>>()).unwrap()).unwrap();
    sink.rows(Element::matrix(1, n, row(2).collect::<Vec<_>>()).unwrap()).unwrap();
    sink.begin(&spec("sparse", &[3, 4])).unwrap();
    for cells in [[1.0f32, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0].as_slice(), &[0.0, 3.0, 0.0, 0.0]] {
        let shape = vec![cells.len() / 4, 4];
        let rows = Dense { shape, values: cells.to_vec().into() };
        sink.rows(Element::Sparse(Sparse::from_dense(&rows).unwrap())).unwrap();
    }
    answer.finish().unwrap();
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    let found = files::read_h5ad(&path, Backing::Memory).unwrap();
    let large = Element::matrix(3, n, (0..3).flat_map(row).collect::<Vec<_>>()).unwrap();
    assert_eq!(found.get(Slot::Obsm, "X_large").unwrap(), &large);
    let Element::Sparse(sparse) = found.get(Slot::Obsm, "X_sparse").unwrap() else { panic!() };
    let expected = [1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0, 0.0, 0.0];
    assert_eq!((sparse.nnz(), sparse.to_dense().values.to_f64()), (3, expected.to_vec()));
}
