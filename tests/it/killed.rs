//! `kill -9` at 200 random moments while a model is saved, while checkpoints are written, and while a
//! data set is written over another: afterwards the old or the new one is there, whole.
//!
//! A writer is this program again, which writes without end and says when a write begins and ends. It
//! is killed after a part, drawn at random, of the time that a write takes; what it had said last tells
//! whether the kill fell inside a write. How many do depends on the machine: there are more than 200
//! where too few did.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use scvi_framework::{
    anndata::{AnnData, Element, Slot},
    data::{Simulation, simulate},
    model::{Model, Settings, Silent},
    saved::{SavedModel, folder},
    train::TrainParams,
};
use scvi_h5ad::{ReadOptions, WriteOptions};
use scvi_plugin_scvi::{Scvi, ScviParams, ScviSetup};

use super::cli::Place;

const PLACE: &str = "SCVI_TEST_WRITE_HERE";

fn adata() -> AnnData {
    simulate(&Simulation { n_obs: 120, n_vars: 60, ..Default::default() }).unwrap()
}

/// A trained model with its optimiser, some hundred kilobytes.
fn model() -> SavedModel {
    let mut adata = adata();
    let settings = Settings { device: "cpu".into(), threads: Some(1), ..Default::default() };
    let (setup, params) = (ScviSetup::default(), ScviParams::default());
    let mut model = Model::<Scvi>::new(&mut adata, &setup, &params, &settings).unwrap();
    let training = TrainParams { max_epochs: Some(1), ..Default::default() };
    model.train(&mut adata, &training, &mut Silent).unwrap();
    model.save().unwrap()
}

/// The mark is in every file.
fn with_mark(mut saved: SavedModel, mark: i64) -> SavedModel {
    saved.meta.notes = vec![mark.to_string()];
    for arrays in [&mut saved.weights, &mut saved.optimizer] {
        arrays.values_mut().for_each(|array| {
            array.values = vec![mark as f32; array.values.len()].into();
        });
    }
    saved
}

/// The mark of a data set is in every number of its counts.
fn marked(mark: i64) -> AnnData {
    let mut adata = adata();
    let counts = vec![mark as f32; 120 * 60];
    adata.set(Slot::X, "X", Element::matrix(120, 60, counts).unwrap()).unwrap();
    adata
}

fn write_on(write: impl Fn(i64)) {
    for mark in 0.. {
        println!("\nbegin {mark}");
        write(mark);
        println!("\nend {mark}");
    }
}

/// Not tests of their own: what is killed.
mod writers {
    use super::*;

    #[test]
    fn saves() {
        let Some(place) = env::var_os(PLACE) else { return };
        let dir = Path::new(&place).join("m");
        let saved = folder::read_with_optimizer(&Path::new(&place).join("template")).unwrap();
        write_on(|mark| {
            folder::write(&dir, &with_mark(saved.clone(), mark), folder::Overwrite::Replace)
                .unwrap();
        });
    }

    #[test]
    fn writes_data_sets() {
        let Some(place) = env::var_os(PLACE) else { return };
        let file = Path::new(&place).join("s.h5ad");
        write_on(|mark| scvi_h5ad::write(&file, &marked(mark), WriteOptions::default()).unwrap());
    }
}

/// What a writer said last, and how long its last whole write took.
#[derive(Debug, Default)]
struct Said {
    begun: Option<i64>,
    ended: Option<i64>,
}

impl Said {
    fn hear(&mut self, line: &str) {
        let number = |word| line.strip_prefix(word).and_then(|n| n.parse().ok());
        self.begun = number("begin ").or(self.begun);
        self.ended = number("end ").or(self.ended);
    }
}

/// Kills a writer of `name` `n` times, or more until `n / 3` fell inside a write, and checks what is
/// there each time: the mark that `found` reads is that of the last write that ended, or of the one
/// that had begun.
#[track_caller]
fn check(name: &str, n: usize, output: &str, found: impl Fn(&Path) -> i64) {
    let place = tempfile::tempdir().unwrap();
    let template = place.path().join("template");
    folder::write(&template, &model(), folder::Overwrite::Refuse).unwrap();
    let mut random = StdRng::seed_from_u64(9);
    let (mut inside, mut old, mut new) = (0, 0, 0);
    let mut round = 0;
    while round < n || inside * 3 < n {
        assert!(round < 10 * n, "{inside} of {round} kills fell inside a write");
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", &format!("killed::writers::{name}"), "--nocapture"])
            .env(PLACE, place.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let (mut said, mut line) = (Said::default(), String::new());
        let mut begun_at = Instant::now();
        let mut lasted = Duration::ZERO;
        while said.ended < Some(1) {
            line.clear();
            assert!(lines.read_line(&mut line).unwrap() > 0, "round {round}: the writer ended");
            let before = said.begun;
            said.hear(line.trim());
            if said.begun != before {
                begun_at = Instant::now();
            }
            lasted = begun_at.elapsed();
        }
        std::thread::sleep(lasted.mul_f64(random.random_range(0.0..2.0)));
        child.kill().unwrap();
        child.wait().unwrap();
        let mut rest = String::new();
        lines.read_to_string(&mut rest).unwrap();
        rest.lines().for_each(|line| said.hear(line.trim()));
        let (begun, ended) = (said.begun.unwrap(), said.ended.unwrap());
        inside += usize::from(begun > ended);
        let found = found(&place.path().join(output));
        assert!([ended, begun].contains(&found), "round {round}: {found}, of {said:?}");
        old += usize::from(begun > ended && found == ended);
        new += usize::from(begun > ended && found == begun);
        round += 1;
    }
    println!("{name}: {inside} of {round} kills inside a write: {old} old, {new} new");
    // The next write leaves nothing of those that were killed.
    let names = fs::read_dir(place.path()).unwrap().map(|e| e.unwrap().file_name());
    let names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    let left = names.iter().filter(|name| ![output, "template"].contains(&name.as_str()));
    let left: Vec<&String> = left.collect();
    assert!(left.len() <= 1 && left.iter().all(|name| name.contains(".writing-")), "{names:?}");
}

/// The mark of the model in `dir`, which is the same in all of its files.
fn mark_of_model(dir: &Path) -> i64 {
    let saved = folder::read_with_optimizer(dir).unwrap();
    let mark: i64 = saved.meta.notes[0].parse().unwrap();
    assert!(!saved.optimizer.is_empty());
    for array in saved.weights.values().chain(saved.optimizer.values()) {
        assert!(array.values.to_f64().iter().all(|&x| x == mark as f64), "files of two models");
    }
    mark
}

#[test]
fn a_save_that_is_killed_leaves_the_old_model_or_the_new_one() {
    check("saves", 80, "m", mark_of_model);
}

#[test]
fn a_data_set_that_is_being_written_when_killed_is_the_old_one_or_the_new() {
    let mark = |file: &Path| {
        let adata = scvi_h5ad::read(file, ReadOptions::default()).unwrap();
        let Some(Element::Dense(x)) = adata.x() else { panic!("{adata:?}") };
        let x = x.values.to_f64();
        assert!(x.len() == 120 * 60 && x.iter().all(|v| *v == x[0]), "half of two data sets");
        x[0] as i64
    };
    check("writes_data_sets", 80, "s.h5ad", mark);
}

/// The real command, whose training goes on after each kill.
#[test]
fn a_training_that_is_killed_again_and_again_keeps_its_checkpoints() {
    const N: usize = 40;
    let place = Place::new();
    let words = "train SCVI s.h5ad --checkpoint-every 1 --max-epochs 100000 --threads 1 -q --out m";
    let mut random = StdRng::seed_from_u64(4);
    let (mut inside, mut reached) = (0, 0);
    let written = || fs::metadata(place.at("m/model.json")).and_then(|file| file.modified()).ok();
    let mut round = 0;
    while round < N || inside * 5 < N {
        assert!(round < 10 * N, "{inside} of {round} kills fell inside a write");
        let before = written();
        let mut child = place.command(&format!("{words} --resume")).spawn().unwrap();
        while written() == before {
            assert!(child.try_wait().unwrap().is_none(), "round {round}: the training ended");
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_micros(random.random_range(0..150_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let is_left = |name: &String| name.contains(".writing-");
        let left = place.names().iter().filter(|name| is_left(name)).count();
        inside += usize::from(left > 0);
        assert!(left <= 2, "{:?}", place.names());
        for name in ["m", "m.best"] {
            let saved = folder::read_with_optimizer(&place.at(name)).unwrap();
            let state = saved.meta.training.unwrap().state.unwrap();
            assert_eq!(saved.meta.history["elbo_train"].len(), state.epoch);
            let steps = &saved.optimizer["px_r.step"].values;
            assert_eq!(steps.to_f64(), [state.step as f64], "files of two checkpoints");
            assert!(name == "m.best" || state.epoch > reached, "round {round}: {}", state.epoch);
            reached = reached.max(state.epoch);
        }
        round += 1;
    }
    println!("{inside} of {round} kills inside a write; {reached} epochs");
    place.scvi("query m get-latent-representation --out l.csv -q").says("");
    let end = format!("train SCVI s.h5ad --max-epochs {} -q --out m --resume", reached + 1);
    place.scvi(&end).says("");
}
