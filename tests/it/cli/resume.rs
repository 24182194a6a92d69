//! Trainings that stop and go on, through the real plugin.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use scvi_framework::saved::{self, SavedModel, folder};

use super::{Place, Ran};

/// A training in which everything changes from epoch to epoch.
const TRAIN: &str = "train SCVI s.h5ad --batch-key batch --dropout-rate 0.3 --early-stopping \
                     --reduce-lr-on-plateau --lr-patience 1 --lr-threshold 1e6 \
                     --n-epochs-kl-warmup 0 --n-steps-kl-warmup 11 --batch-size 64 --seed 5 \
                     --threads 1 -q";

fn epoch(saved: &SavedModel) -> usize {
    saved.meta.training.as_ref().unwrap().state.as_ref().unwrap().epoch
}

/// Weights, moments, history, state and what a query draws are the same.
#[track_caller]
fn assert_same(place: &Place, found: &str, expected: &str) {
    let read = |name: &str| folder::read_with_optimizer(&place.at(name)).unwrap();
    let (model, straight) = (read(found), read(expected));
    assert!(model.weights == straight.weights && model.optimizer == straight.optimizer);
    assert_eq!(model.meta.history, straight.meta.history);
    let state = |saved: &SavedModel| saved.meta.training.clone().unwrap().state;
    assert_eq!(state(&model), state(&straight));
    let drawn = |name: &str| {
        let words = "posterior-predictive-sample --n-samples 2 --threads 1 -q --overwrite --out";
        place.scvi(&format!("query {name} {words} {name}.npz")).says("");
        fs::read(place.at(format!("{name}.npz"))).unwrap()
    };
    assert_eq!(drawn(found), drawn(expected));
}

#[test]
fn half_a_training_and_the_rest_are_the_whole() {
    for backed in ["", "--backed"] {
        let place = Place::new();
        place.scvi(&format!("{TRAIN} {backed} --max-epochs 6 --out whole")).says("");
        place.scvi(&format!("{TRAIN} {backed} --max-epochs 3 --save-anndata --out m")).says("");
        let rest = format!("train SCVI s.h5ad {backed} --max-epochs 6 --threads 1 -q --out m");
        place.scvi(&format!("{rest} --resume")).says("");
        assert_same(&place, "m", "whole");
        assert!(place.at("m").join(folder::ADATA).is_file(), "the copy of the data set is kept");
        // Nothing is left to do.
        place.scvi(&format!("{TRAIN} {backed} --max-epochs 6 --out m --resume")).says("");
        assert_same(&place, "m", "whole");
    }
}

#[test]
fn a_killed_training_goes_on_as_if_it_had_not_been() {
    let place = Place::new();
    let words = format!("{} --checkpoint-every 3 --max-epochs", TRAIN.replace(" -q", ""));
    let mut child = place.command(&format!("{words} 100000 --out m"));
    let mut child = child.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    while !place.at("m.best").exists() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    let reached = epoch(&saved::read(&place.at("m")).unwrap());
    assert_eq!(reached % 3, 0);
    let best = saved::read(&place.at("m.best")).unwrap();
    assert!(epoch(&best) <= reached && best.meta.training.unwrap().ending.is_none());

    let shown = place.scvi("show m").says("").out;
    let facts = format!(
        "SCVI model in m\n trained    yes, {reached} of 100,000 epochs\n minified   no\n resume     after epoch \
         {reached}, by scvi train with --resume\n best       elbo_validation "
    );
    assert!(shown.starts_with(&facts), "{shown}");
    for query in ["m", "m.best"] {
        place.scvi(&format!("query {query} get-elbo --out {query}.tsv -q")).says("");
    }
    let max = reached + 4;
    let ran = place.scvi(&format!("{words} {max} --out m --resume"));
    assert!(ran.err.starts_with(&format!("going on after {reached} epochs\n")), "{}", ran.err);
    assert!(ran.err.contains("\nbest checkpoint: elbo_validation "), "{}", ran.err);
    assert!(ran.err.ends_with(", in m.best\nwrote the model to m\n"), "{}", ran.err);
    place.scvi(&format!("{words} {max} --out whole -q")).says("");
    assert_same(&place, "m", "whole");
    assert_same(&place, "m.best", "whole.best");
    let left = |name: &String| name.starts_with(".m.writing-");
    assert!(!place.names().iter().any(left), "{:?}", place.names());
}

#[test]
fn a_model_in_the_place_of_checkpoints_is_not_lost() {
    let place = Place::with_model();
    fs::rename(place.at("m"), place.at("n.best")).unwrap();
    let words = "train SCVI s.h5ad --max-epochs 2 --checkpoint-every 1 --out n";
    place.scvi(words).fails(1, "n.best exists already; --overwrite replaces it");
    place.scvi(&format!("{words} --overwrite -q")).says("");
    assert!(epoch(&saved::read(&place.at("n.best")).unwrap()) <= 2);
}

#[test]
fn another_training_is_refused() {
    let place = Place::new();
    let begun = place.scvi(&format!("{TRAIN} --max-epochs 2 --out m --resume"));
    begun.says("");
    let resume =
        |words: &str| place.scvi(&format!("train {words} --max-epochs 3 --out m --resume -q"));
    let cannot = |name: &str, expected: &str, found: &str| {
        format!(
            "argument `{name}`: the training began with {expected} and cannot go on with {found}; \
             leave it out, or train anew"
        )
    };
    resume("SCVI s.h5ad --batch-size 32").fails(1, &cannot("batch_size", "64", "32"));
    resume("SCVI s.h5ad --lr 0.1").fails(1, &cannot("lr", "0.001", "0.1"));
    resume("SCVI s.h5ad --n-latent 3").fails(1, &cannot("n_latent", "10", "3"));
    resume("SCVI s.h5ad --labels-key cell_type")
        .fails(1, &cannot("labels_key", "null", "\"cell_type\""));
    resume("SCVI s.h5ad --seed 6").fails(1, &cannot("seed", "5", "6"));
    place.scvi("data synthetic t.h5ad --n-obs 200 --n-vars 50 --seed 2 -q").says("");
    resume("SCVI t.h5ad").fails(
        1,
        "the training began on another data set, which has 200 cells too; give that one, or train \
         anew",
    );
    fs::remove_file(place.at("m").join(folder::OPTIMIZER)).unwrap();
    let gone = "SCVI: no training to go on with: its optimiser was not kept; train anew";
    resume("SCVI s.h5ad").fails(1, gone);
    let shown = place.scvi("show m").says("").out;
    assert!(shown.contains(" resume     no, optimizer.safetensors is not there\n"), "{shown}");
}

/// The command with files no larger than `blocks` of 512 bytes, as on a disk that is full.
fn on_a_small_disk(place: &Place, blocks: usize, words: &str) -> Ran {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).arg(super::program()).args(words.split_whitespace());
    place.prepare(&mut shell);
    shell.env("TMPDIR", place.at("tmp"));
    Ran::of(&mut shell)
}

#[test]
fn a_disk_that_is_full_in_the_end_does_not_cost_the_model() {
    let place = Place::new();
    place.change("large.h5ad", |adata| {
        let n = adata.n_obs();
        let large = scvi_framework::anndata::Element::matrix(n, 2000, vec![0.5f64; n * 2000]);
        adata.set(scvi_framework::anndata::Slot::Obsm, "large", large.unwrap()).unwrap();
    });
    let words = "train SCVI large.h5ad --n-hidden 8 --max-epochs 1 --out m -q";
    let ran = on_a_small_disk(&place, 1024, &format!("{words} --save-anndata"));
    assert!(ran.err.ends_with("\n  the trained model is kept in m\n"), "{}", ran.err);
    assert_eq!(ran.code, Some(1));
    assert!(!place.at("m").join(folder::ADATA).exists());
    place.scvi("query m get-elbo --adata s.h5ad --out - -q").says("");
}

/// Something else has come where the model should go.
#[test]
fn a_place_that_is_taken_in_the_end_does_not_cost_the_model() {
    let place = Place::new();
    fs::create_dir(place.at("tmp")).unwrap();
    let words = "train SCVI s.h5ad --max-epochs 100000 --threads 1 --out m";
    let mut command = place.command(words);
    let mut child = command.env("TMPDIR", place.at("tmp")).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    fs::write(place.at("m"), "something else").unwrap();
    super::interrupted::signal(&child, "-INT");
    let rest: Vec<String> = said.lines().map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let kept = rest.last().unwrap().strip_prefix("  the trained model is kept in ").unwrap();
    assert!(kept.starts_with(place.at("tmp").to_str().unwrap()), "{kept}");
    assert!(saved::read(Path::new(kept)).unwrap().meta.is_trained);
    assert_eq!(fs::read(place.at("m")).unwrap(), b"something else");
}
