//! Models of scvi-tools, read here and by Python.

mod hostile;

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};

use crate::{
    anndata::Dense,
    saved::{SavedModel, find, folder::Overwrite, numbers},
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
    let Some(data) = given("SCVI_TEST_DATA") else { return };
    let Some(python) = crate::reference_python::with("torch") else { return };
    let models = models(&data);
    assert!(models.len() > 15, "too few models in {}", data.display());
    check_against_python(&python, &models);
}

#[test]
fn reads_everything_that_can_be_in_a_model() {
    let Some(python) = crate::reference_python::with("torch") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut make = Command::new(&python);
    let made = make.arg("-c").arg(include_str!("make.py")).arg(folder.path()).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let models = [2, 3, 4, 5].map(|n| folder.path().join(format!("protocol_{n}.pt")));
    check_against_python(&python, &models);
    let saved = super::read(&folder.path().join("arguments.pth"), None).unwrap();
    let expected = json!({
        "n_latent": 3, "var_activation": "softplus", "batch_embedding_dim": 8, "act": "exp"
    });
    assert_eq!(Value::Object(saved.meta.init_params), expected);
    let place = "attr_dict.init_params_.kwargs.model_kwargs.layer";
    let note = format!("left out: {place}, of type torch.nn.modules.linear.Linear");
    let pair = "left out: attr_dict.history_.pair, of type pandas.core.frame.DataFrame";
    assert_eq!(saved.meta.notes, [note, pair.to_owned()]);
}

#[test]
fn finds_the_model_in_a_folder() {
    let Some(data) = given("SCVI_TEST_DATA") else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = data.join("data/models/scvi_0.15.5/model.pt");
    fs::copy(file, folder.path().join("lung_model.pt")).unwrap();
    let saved = super::read(folder.path(), Some("lung_")).unwrap();
    assert_eq!(saved.meta.registry["scvi_version"], "0.15.5");
    assert_eq!(crate::saved::read(folder.path()).unwrap(), saved);
    let error = super::read(folder.path(), None).unwrap_err().to_string();
    assert!(error.ends_with("model.pt: open: No such file or directory (os error 2)"), "{error}");
}

#[test]
fn what_is_written_reads_the_same() {
    let Some(data) = given("SCVI_TEST_DATA") else { return };
    let folder = tempfile::tempdir().unwrap();
    for (i, path) in models(&data).iter().enumerate() {
        let mut saved = super::read(path, None).unwrap();
        saved.meta.notes.clear();
        let target = folder.path().join(i.to_string());
        super::write(&target, &saved, None, Overwrite::Refuse).unwrap();
        assert_eq!(super::read(&target, None).unwrap(), saved, "{}", path.display());
        saved.meta.is_trained = false;
        saved.meta.history.clear();
        for rows in [
            &mut saved.meta.train_indices,
            &mut saved.meta.validation_indices,
            &mut saved.meta.test_indices,
        ] {
            rows.clear();
        }
        super::write(&target, &saved, None, Overwrite::Replace).unwrap();
        assert_eq!(super::read(&target, None).unwrap(), saved, "{}", path.display());
    }
}

#[test]
fn models_of_several_prefixes_share_a_folder() {
    let Some(data) = given("SCVI_TEST_DATA") else { return };
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("models");
    let of =
        |case: &str| super::read(&data.join("reference").join(case).join("model"), None).unwrap();
    let (lung, liver) = (of("zinb_default"), of("nb_gene_batch"));
    let write = |saved: &SavedModel, prefix, overwrite| {
        super::write(&folder, saved, prefix, overwrite).map_err(|e| e.to_string())
    };
    write(&lung, Some("lung_"), Overwrite::Refuse).unwrap();
    write(&liver, Some("liver_"), Overwrite::Refuse).unwrap();
    fs::write(folder.join("notes.txt"), "about both").unwrap();
    let there = write(&lung, Some("liver_"), Overwrite::Refuse).unwrap_err();
    assert!(there.contains("models/liver_model.pt: exists already"), "{there}");
    write(&lung, Some("liver_"), Overwrite::Replace).unwrap();
    for prefix in ["lung_", "liver_"] {
        assert_eq!(super::read(&folder, Some(prefix)).unwrap(), lung);
        let found = find(&folder, Some(prefix)).unwrap();
        assert_eq!(found.adata(), folder.join(format!("{prefix}adata.h5ad")));
        assert_eq!(find(&folder.join(format!("{prefix}model.pt")), None).unwrap(), found);
    }
    assert_eq!(fs::read_to_string(folder.join("notes.txt")).unwrap(), "about both");
    let more = write(&lung, None, Overwrite::Replace).unwrap_err();
    let others = "holds more than a saved model: liver_model.pt, lung_model.pt, notes.txt";
    assert!(more.contains(others), "{more}");
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
}

#[test]
fn weights_without_a_place_in_the_file_are_named() {
    let Some(data) = given("SCVI_TEST_DATA") else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut saved = super::read(&data.join("reference/zinb_default/model"), None).unwrap();
    let codes = Dense { shape: vec![2], values: vec![1_u16, 2].into() };
    saved.weights.insert("codes".into(), codes);
    let target = folder.path().join("m");
    let error = super::write(&target, &saved, None, Overwrite::Refuse).unwrap_err().to_string();
    let expected =
        "model.pt: expected weights of types that PyTorch keeps in files, found `codes` of uint16";
    assert!(error.ends_with(expected), "{error}");
    assert!(!target.exists());
}

#[test]
fn legacy_files_are_named_when_they_are_damaged() {
    let Some(data) = given("SCVI_TEST_DATA") else { return };
    let legacy = data.join("data/models/scvi_0.8.0");
    let folder = tempfile::tempdir().unwrap();
    let files = ["attr.pkl", "model_params.pt", "var_names.csv"];
    for name in files {
        fs::copy(legacy.join(name), folder.path().join(format!("old_{name}"))).unwrap();
    }
    let read = || super::read_legacy(folder.path(), Some("old_"), "SCVI");
    assert_eq!(read().unwrap().meta.var_names.len(), 100);
    let setup = read().unwrap().meta.registry["setup_args"]["batch_key"].clone();
    assert_eq!(setup, "batch");
    for name in files {
        let path = folder.path().join(format!("old_{name}"));
        let whole = fs::read(&path).unwrap();
        fs::write(&path, [&whole[..whole.len() / 2], &[0xff]].concat()).unwrap();
        let error = read().unwrap_err().to_string();
        let expected = "expected a file of a model saved by scvi-tools before 0.15, found ";
        assert!(error.starts_with(&format!("{}: {expected}", path.display())), "{error}");
        fs::remove_file(&path).unwrap();
        let error = read().unwrap_err().to_string();
        assert!(error.contains(name) && error.contains("No such file"), "{error}");
        fs::write(&path, whole).unwrap();
    }
}

/// Compares what is read here from each file with what PyTorch reads.
#[track_caller]
fn check_against_python(python: &Path, models: &[PathBuf]) {
    let folder = tempfile::tempdir().unwrap();
    let mut dump = Command::new(python);
    let dump = dump.arg("-c").arg(include_str!("dump.py")).arg(folder.path()).args(models);
    let output = dump.output().unwrap();
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
}
