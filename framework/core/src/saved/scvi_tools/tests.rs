//! Models of scvi-tools, read here and by Python, and files made to do harm.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    anndata::Dense,
    saved::{SavedModel, numbers},
};

/// The folder that `variable` names; says why not when there is none.
fn given(variable: &str) -> Option<PathBuf> {
    let path = env::var_os(variable).map(PathBuf::from);
    if path.is_none() {
        eprintln!("skipped: {variable} is not set");
    }
    path
}

/// Every `model.pt` of the test data.
fn models(data: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![data.join("reference"), data.join("data/models")];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name == "model.pt") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn reads_what_python_reads() {
    let (Some(data), Some(python)) = (given("SCVI_TEST_DATA"), given("SCVI_TEST_PYTHON")) else {
        return;
    };
    let models = models(&data);
    assert!(models.len() > 15, "too few models in {}", data.display());
    let folder = tempfile::tempdir().unwrap();
    let mut python = Command::new(python);
    python.arg("-c").arg(include_str!("dump.py")).arg(folder.path()).args(&models);
    let output = python.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.lines().count(), models.len());
    for (i, (path, line)) in models.iter().zip(text.lines()).enumerate() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let numbers = fs::read(folder.path().join(i.to_string())).unwrap();
        check_equal(path, &super::read(path, None).unwrap(), &expected, &numbers);
    }
}

#[track_caller]
fn check_equal(path: &Path, saved: &SavedModel, expected: &Value, numbers: &[u8]) {
    let at = path.display();
    let headers = |(name, w): (&String, &Dense)| json!([name, w.values.dtype().name(), w.shape]);
    let found: Value = saved.weights.iter().map(headers).collect();
    assert_eq!(found, expected["weights"], "{at}");
    let found: Vec<u8> = saved.weights.values().flat_map(|w| numbers::encode(&w.values)).collect();
    assert!(found == numbers, "{at}: weights");
    let meta = serde_json::to_value(&saved.meta).unwrap();
    for part in ["var_names", "registry", "is_trained", "history"] {
        assert_eq!(meta[part], expected[part], "{at}: {part}");
    }
    for part in ["train_indices", "validation_indices", "test_indices"] {
        assert_eq!(meta[part], expected[part], "{at}: {part}");
    }
    let mut flat = expected["init_params"]["non_kwargs"].as_object().unwrap().clone();
    for variadic in expected["init_params"]["kwargs"].as_object().unwrap().values() {
        flat.extend(variadic.as_object().unwrap().clone());
    }
    assert_eq!(meta["init_params"], Value::Object(flat), "{at}");
    assert_eq!(saved.meta.model_name, expected["registry"]["model_name"], "{at}");
    println!("{at}: {:?}", saved.meta.notes);
}
