//! Files written block by block are those written at once.

use std::path::PathBuf;

use scvi_framework::{
    Error,
    anndata::{AnnData, DataFrame, Element, Slot, Sparse, SparseFormat},
    data::{Simulation, Simulator, simulate},
};
use scvi_h5ad::{ReadOptions, WriteOptions, read, write, write_in_blocks};

use crate::python;

const N: usize = 500;

fn simulation() -> Simulation {
    Simulation { n_obs: N, n_vars: 90, seed: 5, ..Default::default() }
}

fn blocks(simulator: &Simulator, size: usize) -> Vec<Result<Sparse, Error>> {
    let starts = (0..N).step_by(size);
    starts.map(|start| simulator.counts(start..(start + size).min(N))).collect()
}

#[test]
fn blocks_of_any_size_make_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: String| folder.path().join(name);
    let whole = path("whole.h5ad".into());
    let adata = simulate(&simulation()).unwrap();
    write(&whole, &adata, WriteOptions::default()).unwrap();
    let simulator = Simulator::new(&simulation());
    let cells = simulator.cells().unwrap();
    let streamed: Vec<PathBuf> = [1, 7, 64, N]
        .into_iter()
        .map(|size| {
            let streamed = path(format!("{size}.h5ad"));
            write_in_blocks(&streamed, &cells, blocks(&simulator, size)).unwrap();
            let read = read(&streamed, ReadOptions::default()).unwrap();
            assert_eq!(read.x(), adata.x(), "blocks of {size}");
            assert_eq!(read.obs(), adata.obs(), "blocks of {size}");
            streamed
        })
        .collect();
    let Some(python) = python::interpreter() else { return };
    let pairs: Vec<_> = streamed.into_iter().map(|s| (whole.clone(), s)).collect();
    python::assert_equal(&python, &pairs);
}

#[test]
fn a_data_set_without_cells_has_no_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.h5ad");
    let none = AnnData::new(names("c", 0), names("g", 3));
    write_in_blocks(&path, &none, []).unwrap();
    let x = read(&path, ReadOptions::default()).unwrap().get(Slot::X, "").unwrap().clone();
    assert_eq!((x.kind().as_str(), x.shape()), ("CSR float32 matrix", vec![0, 3]));
}

#[test]
fn blocks_that_do_not_fit_are_named_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.h5ad");
    let adata = AnnData::new(names("c", 2), names("g", 3));
    let row = |format, shape, data: Element| -> Result<Sparse, Error> {
        let Element::Dense(data) = data else { panic!("a vector is dense") };
        let ends = vec![0i32, 1];
        Sparse::new(format, shape, data.values, vec![0i32].into(), ends.into())
    };
    let float = || Element::vector(vec![1f32]);
    let good = || row(SparseFormat::Csr, [1, 3], float());
    let check = |blocks: Vec<Result<Sparse, Error>>, expected: &str| {
        let error = write_in_blocks(&path, &adata, blocks).unwrap_err().to_string();
        assert_eq!(error, format!("{}: {expected}", path.display()));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    };
    check(vec![good()], "`X`: expected shape [2, 3], found [1, 3]");
    check(
        vec![good(), row(SparseFormat::Csr, [1, 2], float())],
        "`X`: expected CSR blocks of 3 columns, found CSR of [1, 2]",
    );
    check(
        vec![good(), row(SparseFormat::Csc, [3, 1], float())],
        "`X`: expected CSR blocks of 3 columns, found CSC of [3, 1]",
    );
    check(
        vec![good(), row(SparseFormat::Csr, [1, 3], Element::vector(vec![1i64]))],
        "`X/data`: expected float32 in all blocks, found int64",
    );
    check(
        vec![good(), Err(Error::RowIndex { index: 7, n_obs: 2 })],
        "`X`: expected valid data, found cell index 7 is out of range: there are 2 cells",
    );
}

fn names(prefix: &str, n: usize) -> DataFrame {
    DataFrame::new((0..n).map(|i| format!("{prefix}{i}")))
}
