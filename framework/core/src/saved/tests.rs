//! Our folder: written, read, damaged and interrupted.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use half::f16;
use serde_json::json;
use tempfile::TempDir;

use super::{
    FORMAT_VERSION, ModelMeta, SavedModel, Staging, Training,
    folder::{self, Overwrite},
    place::{self, Place},
    read,
};
use crate::{
    anndata::{Dense, Values},
    error::{Error, Result},
    train::Ending,
};

/// A small model that can be told from others by `latent`.
fn model(latent: i64) -> SavedModel {
    let args = |value: serde_json::Value| value.as_object().unwrap().clone();
    let dense = |shape: &[usize], values: Values| Dense { shape: shape.to_vec(), values };
    let weights = [
        (
            "z_encoder.encoder.fc_layers.Layer 0.0.weight",
            dense(&[2, 2], vec![0.1_f32, -0.0, f32::NAN, 1e-45].into()),
        ),
        ("num_batches_tracked", dense(&[], vec![i64::MAX].into())),
        ("empty", dense(&[0, 3], Vec::<f64>::new().into())),
        ("half", dense(&[1], vec![f16::from_f32(0.5)].into())),
        ("flags", dense(&[3], vec![true, false, true].into())),
        ("bytes", dense(&[2], vec![0_u8, 255].into())),
    ];
    SavedModel {
        meta: ModelMeta {
            format_version: FORMAT_VERSION,
            model_name: "SCVI".into(),
            plugin: Some(("scvi".into(), "0.1.0".into())),
            init_params: args(json!({ "n_latent": latent, "dropout_rate": 0.1 })),
            registry: json!({ "model_name": "SCVI", "setup_args": { "layer": null } }),
            given_fields: Default::default(),
            var_names: vec!["CD3".into(), "µ \"quoted\"".into()],
            is_trained: true,
            training: Some(Training {
                args: args(json!({ "max_epochs": 3, "lr": 0.001 })),
                ending: Some(Ending::EarlyStopping),
                state: None,
            }),
            mapped: None,
            history: [("elbo_train".to_owned(), vec![0.1 + 0.2, f64::INFINITY, 1e300])].into(),
            train_indices: vec![2, 0],
            validation_indices: vec![1],
            test_indices: Vec::new(),
            notes: vec!["left out: nothing".into()],
        },
        weights: weights.map(|(name, dense)| (name.to_owned(), dense)).into(),
        optimizer: Default::default(),
    }
}

/// What tells two models apart here: NaN weights are never equal.
fn summary(model: &SavedModel) -> String {
    let mut model = model.clone();
    model.weights.sort_keys();
    format!("{model:?}")
}

fn temporary() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn names(dir: &Path) -> Vec<String> {
    place::file_names(dir).unwrap()
}

#[track_caller]
fn check_error<T: std::fmt::Debug>(result: Result<T>, expected: &str) {
    let text = result.unwrap_err().to_string();
    assert!(text.contains(expected), "{text}");
}

#[test]
fn comes_back_as_it_was() {
    let parent = temporary();
    let dir = parent.path().join("new/model");
    folder::write(&dir, &model(10), Overwrite::Refuse).unwrap();
    assert_eq!(summary(&read(&dir).unwrap()), summary(&model(10)));
    assert_eq!(names(&dir), [folder::META, folder::WEIGHTS]);
    assert_eq!(names(&parent.path().join("new")), ["model"]);
}

#[test]
fn same_model_gives_same_bytes() {
    let parent = temporary();
    let write = |name: &str| {
        let dir = parent.path().join(name);
        folder::write(&dir, &model(10), Overwrite::Refuse).unwrap();
        [folder::META, folder::WEIGHTS].map(|file| fs::read(dir.join(file)).unwrap())
    };
    assert!(write("a") == write("b"));
}

#[test]
fn python_reads_the_weights() {
    let Some(python) = crate::reference_python::with("safetensors") else { return };
    let parent = temporary();
    let dir = parent.path().join("model");
    folder::write(&dir, &model(10), Overwrite::Refuse).unwrap();
    let script = "import sys; from safetensors.numpy import load_file; w = load_file(sys.argv[1]);\
                  print({k: (str(v.dtype), v.tobytes().hex()) for k, v in sorted(w.items())})";
    let output =
        Command::new(python).args(["-c", script]).arg(dir.join(folder::WEIGHTS)).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for expected in
        ["'bytes': ('uint8', '00ff')", "'num_batches_tracked': ('int64', 'ffffffffffffff7f')"]
    {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn refuses_what_is_there() {
    let parent = temporary();
    let dir = parent.path().join("model");
    fs::create_dir(&dir).unwrap(); // empty: nothing can be lost
    folder::write(&dir, &model(1), Overwrite::Refuse).unwrap();
    let again = folder::write(&dir, &model(2), Overwrite::Refuse);
    check_error(again, "exists already, and overwriting was not asked for; nothing was written");
    assert_eq!(summary(&read(&dir).unwrap()), summary(&model(1)));

    folder::write(&dir, &model(2), Overwrite::Replace).unwrap();
    assert_eq!(summary(&read(&dir).unwrap()), summary(&model(2)));
    assert_eq!(names(parent.path()), ["model"]);

    fs::write(dir.join("notes.txt"), "precious").unwrap();
    let over = folder::write(&dir, &model(3), Overwrite::Replace);
    check_error(over, "holds more than a saved model: notes.txt");
    assert_eq!(fs::read_to_string(dir.join("notes.txt")).unwrap(), "precious");

    let file = parent.path().join("file");
    fs::write(&file, "").unwrap();
    check_error(folder::write(&file, &model(3), Overwrite::Replace), "exists already");
    let data = parent.path().join("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join(folder::ADATA), "counts").unwrap();
    check_error(folder::write(&data, &model(3), Overwrite::Replace), "adata.h5ad");
}

#[test]
fn a_failing_addition_leaves_everything_as_it_was() {
    let parent = temporary();
    let dir = parent.path().join("model");
    let full = |staged: &Path| {
        fs::write(staged.join(folder::ADATA), "half a data set").unwrap();
        let source = std::io::ErrorKind::StorageFull.into();
        Err(Error::Io { path: staged.join(folder::ADATA), action: "write", source })
    };
    check_error(folder::write_with(&dir, &model(1), Overwrite::Refuse, full), "write: no storage");
    assert!(names(parent.path()).is_empty());
    folder::write(&dir, &model(1), Overwrite::Refuse).unwrap();
    check_error(folder::write_with(&dir, &model(2), Overwrite::Replace, full), "write: no storage");
    assert_eq!(names(parent.path()), ["model"]);
    assert_eq!(summary(&read(&dir).unwrap()), summary(&model(1)));

    let add = |staged: &Path| -> Result<()> {
        fs::write(staged.join(folder::ADATA), "a data set").unwrap();
        Ok(())
    };
    folder::write_with(&dir, &model(2), Overwrite::Replace, add).unwrap();
    assert_eq!(names(&dir), [folder::ADATA, folder::META, folder::WEIGHTS]);
    folder::write(&dir, &model(3), Overwrite::Replace).unwrap();
    assert_eq!(names(&dir), [folder::META, folder::WEIGHTS]);
}

#[test]
fn an_interrupted_replacement_is_undone() {
    let parent = temporary();
    let at = |name: &str| parent.path().join(name);
    folder::write(&at("model"), &model(1), Overwrite::Refuse).unwrap();
    // As a process leaves it that dies after moving the old model aside.
    fs::rename(at("model"), at(".model.replaced")).unwrap();
    fs::create_dir(at(".model.writing-x1")).unwrap();
    assert_eq!(summary(&read(&at("model")).unwrap()), summary(&model(1)));
    assert!(at("model").is_dir() && !at(".model.replaced").exists());

    fs::rename(at("model"), at(".model.replaced")).unwrap();
    check_error(folder::write(&at("model"), &model(2), Overwrite::Refuse), "exists already");
    // As one leaves it that dies before deleting the old model.
    folder::write(&at(".model.replaced"), &model(0), Overwrite::Refuse).unwrap();
    assert_eq!(summary(&read(&at("model")).unwrap()), summary(&model(1)));
    folder::write(&at("model"), &model(2), Overwrite::Replace).unwrap();
    assert_eq!(summary(&read(&at("model")).unwrap()), summary(&model(2)));
    assert_eq!(names(parent.path()), ["model"]);
}

#[test]
fn what_a_killed_writer_left_is_deleted_and_what_a_living_one_has_is_not() {
    let parent = temporary();
    let target = parent.path().join("out.csv");
    let living = Staging::beside(&target).unwrap();
    let left = parent.path().join(".out.csv.writing-killed");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("part"), "half a table").unwrap();
    let next = Staging::beside(&target).unwrap();
    assert!(living.path().exists() && next.path().exists() && !left.exists());
    drop((living, next));
    assert!(names(parent.path()).is_empty());
}

/// Its description and its weights are of one time, though they are two files.
#[test]
fn a_model_that_is_replaced_while_it_is_read_is_the_old_or_the_new_one() {
    let write = |dir: &Path, saved: &SavedModel| folder::write(dir, saved, Overwrite::Replace);
    reads_while_it_is_replaced(write);
}

/// So it is where the file system cannot exchange folders.
#[test]
fn a_model_that_is_replaced_in_two_steps_while_it_is_read_is_the_old_or_the_new_one() {
    reads_while_it_is_replaced(|dir, saved| {
        let place = Place::of(dir, "")?;
        let staging = place.staging()?;
        folder::write_files(staging.path(), dir, saved)?;
        place.install_in_two_steps(staging, dir.exists())
    });
}

fn reads_while_it_is_replaced(write: impl Fn(&Path, &SavedModel) -> Result<()> + Sync) {
    let parent = temporary();
    let dir = parent.path().join("model");
    let at = |time: i64| {
        let weights = Dense { shape: vec![1], values: vec![time].into() };
        SavedModel { weights: [("time".to_owned(), weights)].into(), ..model(time) }
    };
    write(&dir, &at(0)).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (1..200).for_each(|time| write(&dir, &at(time)).unwrap()));
        let mut last = 0;
        while !writer.is_finished() {
            let found = read(&dir).unwrap();
            let time = found.weights["time"].values.to_i64()[0];
            assert_eq!(found, at(time));
            assert!(time >= last);
            last = time;
        }
    });
    assert_eq!(names(parent.path()), ["model"]);
}

const KILLED: &str = "SCVI_TEST_WRITE_UNTIL_KILLED";

/// Not a test of its own: what [`a_killed_process_leaves_a_whole_model`] runs and kills.
#[test]
fn writes_until_killed() {
    let Some(dir) = env::var_os(KILLED) else { return };
    for latent in 0.. {
        folder::write(Path::new(&dir), &model(latent % 2), Overwrite::Replace).unwrap();
        println!("\nwritten");
    }
}

#[test]
fn a_killed_process_leaves_a_whole_model() {
    let parent = temporary();
    let dir = parent.path().join("model");
    for round in 0..6 {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "saved::tests::writes_until_killed", "--nocapture"])
            .env(KILLED, &dir)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(|l| l.ok());
        assert!(lines.into_iter().any(|line| line == "written"));
        std::thread::sleep(Duration::from_micros(700 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let found = summary(&read(&dir).unwrap());
        assert!((0..2).any(|latent| found == summary(&model(latent))));
    }
}

#[test]
#[cfg(unix)]
fn a_link_to_a_folder_stays_one() {
    let parent = temporary();
    let at = |name: &str| parent.path().join(name);
    folder::write(&at("model"), &model(1), Overwrite::Refuse).unwrap();
    std::os::unix::fs::symlink("model", at("link")).unwrap();
    folder::write(&at("link/"), &model(2), Overwrite::Replace).unwrap();
    assert!(at("link").is_symlink());
    assert_eq!(summary(&read(&at("model")).unwrap()), summary(&model(2)));
}

#[test]
fn names_what_is_damaged() {
    let parent = temporary();
    let dir = parent.path().join("model");
    folder::write(&dir, &model(1), Overwrite::Refuse).unwrap();
    let [meta, weights] = [folder::META, folder::WEIGHTS].map(|file| dir.join(file));
    let (whole_meta, whole_weights) = (fs::read(&meta).unwrap(), fs::read(&weights).unwrap());
    for length in (0..whole_weights.len()).step_by(7) {
        fs::write(&weights, &whole_weights[..length]).unwrap();
        check_error(read(&dir), "model.safetensors: expected the weights of a model");
    }
    fs::remove_file(&weights).unwrap();
    check_error(read(&dir), "model.safetensors: read: No such file");
    fs::write(&weights, &whole_weights).unwrap();
    for length in (0..whole_meta.len()).step_by(11) {
        fs::write(&meta, &whole_meta[..length]).unwrap();
        check_error(read(&dir), "model.json: expected the description of a saved model");
    }
    fs::write(&meta, r#"{"format_version": 7, "surprise": []}"#).unwrap();
    check_error(read(&dir), "model.json: written in version 7 of the format, and versions up to 1");
}

#[test]
fn says_what_a_folder_is_instead() {
    let parent = temporary();
    fs::write(parent.path().join("counts.mtx"), "").unwrap();
    check_error(read(parent.path()), "no saved model here");
    check_error(read(parent.path()), "present: counts.mtx");
    fs::write(parent.path().join("model_params.pt"), "").unwrap();
    check_error(read(parent.path()), "convert it, naming the class: scvi convert ");
    for name in ["lung_model.pt", "liver_model.pt"] {
        fs::write(parent.path().join(name), "").unwrap();
    }
    fs::remove_file(parent.path().join("model_params.pt")).unwrap();
    let several = "several models: liver_model.pt, lung_model.pt; name the file of one of them";
    check_error(read(parent.path()), several);
    check_error(read(&parent.path().join("nowhere")), "nowhere: list: No such file");
}

#[test]
fn similar_names_are_shown_side_by_side() {
    let error = Error::StateDict {
        missing: vec!["z_encoder.weight".into(), "px_r".into()],
        unexpected: vec!["z_encoder.weights".into()],
    };
    assert_eq!(
        error.to_string(),
        "saved weights do not fit the model; missing: z_encoder.weight (nearest: z_encoder.weights), \
         px_r; unexpected: z_encoder.weights"
    );
}
