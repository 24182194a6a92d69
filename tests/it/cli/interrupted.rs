//! Training that does not come to its end.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::Duration,
};

use scvi_framework::anndata::{Element, Slot};

use super::Place;

/// A training of many epochs that has begun, and what it says.
fn training(place: &Place) -> (Child, BufReader<std::process::ChildStderr>) {
    let words = "train SCVI s.h5ad --batch-key batch --max-epochs 100000 --out m --threads 1";
    let mut child = place.command(words).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.starts_with("epoch      1/100000  loss "), "{line}");
    (child, said)
}

pub fn signal(child: &Child, name: &str) {
    let done = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(done.success());
}

#[test]
fn ctrl_c_keeps_the_model() {
    let place = Place::new();
    let (mut child, mut said) = training(&place);
    signal(&child, "-INT");
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let lines: Vec<&str> = rest.lines().filter(|line| !line.starts_with("epoch ")).collect();
    let [empty, stopping, stopped] = lines[..] else { panic!("{lines:?}") };
    assert_eq!((empty, stopping), ("", "stopping after this step; Ctrl-C again aborts at once"));
    assert!(
        stopped.starts_with("stopped after ")
            && stopped.ends_with("; the model is kept in m, and --resume goes on from there"),
        "{stopped}"
    );
    assert_eq!(place.names(), ["m", "s.h5ad"]);
    let shown = place.scvi("show m").says("").out;
    assert!(shown.contains("\n trained    yes, "), "{shown}");
    place.scvi("query m get-latent-representation --out l.csv -q").says("");
}

/// Of a comparison of many groups, those are written that were finished.
#[test]
fn ctrl_c_keeps_finished_groups() {
    const N_GROUPS: usize = 100;
    let place = Place::with_model();
    let group = |cell: usize| format!("g{:02}", cell % N_GROUPS);
    place.change("g.h5ad", |adata| {
        let groups = Element::strings((0..adata.n_obs()).map(group));
        adata.set(Slot::Obs, "group", groups).unwrap();
    });
    // How long some groups take nobody knows: longer and longer, until it was neither none nor all.
    let finished = (0..8).find_map(|i| {
        let words = "query m differential-expression --adata g.h5ad --groupby group \
                     --n-samples-overall 20000 --no-progress --threads 1 --out de.csv --overwrite";
        let mut child = place.command(words).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_secs(1 << i));
        signal(&child, "-INT");
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!([Some(130), None].contains(&child.wait().unwrap().code()), "{said}");
        let rest = said.split_once("interrupted; wrote uns['scvi_de'] (")?.1.to_owned();
        Some(rest.split_once(" × ")?.0.parse::<usize>().unwrap() / 50)
    });
    let finished = finished.expect("groups that were finished before the interruption");
    assert!(finished < N_GROUPS);
    let mut table = csv::Reader::from_path(place.at("de.csv")).unwrap();
    let at = table.headers().unwrap().iter().position(|head| head == "group1").unwrap();
    let groups: Vec<String> = table.records().map(|row| row.unwrap()[at].to_owned()).collect();
    let expected = (0..finished).flat_map(|i| std::iter::repeat_n(group(i), 50));
    assert_eq!(groups, expected.collect::<Vec<_>>());
}

#[test]
fn ctrl_c_in_the_first_epoch_keeps_nothing() {
    let place = Place::new();
    place.scvi("data synthetic l.h5ad --n-obs 5000 --n-vars 50 -q").says("");
    let words =
        "train SCVI l.h5ad --batch-size 2 --drop-last --max-epochs 3 --out m --threads 1 -v";
    let mut child = place.command(words).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while line.trim() != "training SCVI" {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0);
    }
    signal(&child, "-INT");
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(rest.ends_with("\nstopped in the first epoch; nothing was kept\n"), "{rest}");
    assert_eq!(place.names(), ["l.h5ad", "s.h5ad"]);
}

#[test]
fn a_killed_training_leaves_nothing() {
    let place = Place::new();
    let (mut child, _said) = training(&place);
    signal(&child, "-KILL");
    child.wait().unwrap();
    assert_eq!(place.names(), ["s.h5ad"]);
}

#[test]
fn a_loss_that_is_no_number_at_once_keeps_nothing() {
    let place = Place::new();
    place.scvi("train SCVI s.h5ad --max-epochs 3 --lr 1e30 --threads 1 --out m").fails(
        1,
        "the loss is not finite in epoch 1, step 2; first bad tensor: parameter \
         `z_encoder.encoder.fc_layers.Layer 0.1.running_var`. The model is back in its last good \
         state. Check the counts for extreme values, or lower --lr, or set --gradient-clip-val",
    );
    assert_eq!(place.names(), ["s.h5ad"]);
}

/// The weight of the divergence grows until gradients are too large for floats.
#[test]
fn a_loss_that_is_no_number_later_keeps_the_last_good_state() {
    let place = Place::new();
    let words = "train SCVI s.h5ad --batch-key batch --batch-size 180 --max-epochs 400 --lr 1e-5 \
                 --max-kl-weight 1e38 --threads 1 --out m";
    let ran = place.scvi(words);
    let begin = "error: the loss is not finite in epoch ";
    assert!(ran.err.starts_with(begin), "{}", ran.err);
    assert!(ran.err.contains("; first bad tensor: parameter `"), "{}", ran.err);
    let end = "--gradient-clip-val\n  the last good state is kept in m\n";
    assert!(ran.err.ends_with(end), "{}", ran.err);
    assert_eq!((ran.code, place.names()), (Some(1), vec!["m".into(), "s.h5ad".into()]));
    let elbo = place.scvi("query m get-elbo --out -").says("").out;
    let elbo: f64 = elbo.lines().nth(1).unwrap().parse().unwrap();
    assert!(elbo.is_finite() && elbo > -1000.0, "{elbo}");
}
