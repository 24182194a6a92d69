//! The Python that judges, and the data to be judged.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

/// The Python named by `SCVI_TEST_PYTHON`; says why the test is skipped when there is none.
pub fn interpreter() -> Option<PathBuf> {
    let python = std::env::var_os("SCVI_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        eprintln!("skipped: SCVI_TEST_PYTHON names no Python with anndata and scanpy");
    }
    python
}

/// The folder named by `SCVI_TEST_DATA`; says why the test is skipped when there is none.
pub fn data() -> Option<PathBuf> {
    let data = std::env::var_os("SCVI_TEST_DATA").map(PathBuf::from);
    if data.is_none() {
        eprintln!("skipped: SCVI_TEST_DATA names no folder of test data");
    }
    data
}

/// Runs a script that lies beside these tests and returns whether it succeeded and what it said.
#[track_caller]
pub fn run(python: &Path, script: &str, arguments: &[PathBuf]) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/python").join(script);
    let done = Command::new(python).arg("-P").arg(script).args(arguments).output().unwrap();
    let mut said = String::from_utf8_lossy(&done.stdout).into_owned();
    if !done.status.success() {
        said += &String::from_utf8_lossy(&done.stderr);
    }
    (done.status.success(), said)
}

/// Asserts that Python finds the files of each pair equal.
#[track_caller]
pub fn assert_equal(python: &Path, pairs: &[(PathBuf, PathBuf)]) {
    let arguments: Vec<PathBuf> = pairs.iter().flat_map(|(a, b)| [a.clone(), b.clone()]).collect();
    let (equal, said) = run(python, "compare.py", &arguments);
    assert!(equal, "{said}");
}
