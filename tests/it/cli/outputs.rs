//! Where results go: kinds of output, what is there already, disks that are full.

use std::{fs, process::Command};

use scvi_framework::anndata::{Element, Slot};

use super::{Place, Ran, program, read};

#[test]
fn every_kind_of_output() {
    let place = Place::with_model();
    let query = |out: &str| place.scvi(&format!("query m get-latent-representation --out {out}"));
    query("l.csv").says("wrote obsm['X_scVI'] (200 × 10) to l.csv\n");
    query("l.tsv").says("wrote obsm['X_scVI'] (200 × 10) to l.tsv\n");
    query("l.npz").says("wrote latent (200 × 10) to l.npz\n");
    query("l.h5ad").says("wrote obsm['X_scVI'] (200 × 10) to l.h5ad\n");
    let table = query("-").says("").out;
    assert_eq!(table, fs::read_to_string(place.at("l.tsv")).unwrap());
    let head = "obs_names\tlatent_0\tlatent_1\tlatent_2\tlatent_3\tlatent_4\tlatent_5\tlatent_6\t\
                latent_7\tlatent_8\tlatent_9\ncell_0\t";
    assert!(table.starts_with(head), "{table}");
    assert_eq!((table.lines().count(), table.ends_with('\n')), (201, true));
    let commas = fs::read_to_string(place.at("l.csv")).unwrap();
    assert_eq!(table.replace('\t', ","), commas);

    let (asked, answered) = (read(&place.at("s.h5ad")), read(&place.at("l.h5ad")));
    let Ok(Element::Dense(z)) = answered.get(Slot::Obsm, "X_scVI") else { panic!("no X_scVI") };
    let first: Vec<f64> = table.lines().nth(1).unwrap().split('\t').skip(1).map(parsed).collect();
    assert_eq!(
        first,
        z.values.to_f64()[..10]
            .iter()
            .map(|v| parsed(&(*v as f32).to_string()))
            .collect::<Vec<_>>()
    );
    assert_eq!(
        (asked.obs(), asked.var(), asked.x()),
        (answered.obs(), answered.var(), answered.x())
    );
    assert_eq!(place.names(), ["l.csv", "l.h5ad", "l.npz", "l.tsv", "m", "s.h5ad"]);
}

fn parsed(text: &str) -> f64 {
    text.parse().unwrap()
}

#[test]
fn some_rows_keep_their_names() {
    let place = Place::with_model();
    let table = place.scvi("query m get-elbo --no-return-mean --indices 7,3 --out -").says("").out;
    let names: Vec<&str> = table.lines().map(|line| line.split('\t').next().unwrap()).collect();
    assert_eq!(names, ["obs_names", "cell_7", "cell_3"]);
}

#[test]
fn rows_are_genes_where_results_are_about_genes() {
    let place = Place::with_model();
    let words = "query m get-feature-correlation-matrix --indices 3,5,7,11 --out";
    place
        .scvi(&format!("{words} c.csv"))
        .says("wrote varp['scvi_feature_correlation'] (50 × 50) to c.csv\n");
    let table = fs::read_to_string(place.at("c.csv")).unwrap();
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    let genes: Vec<String> = (0..50).map(|i| format!("gene_{i}")).collect();
    assert_eq!(
        (rows[0][0], &rows[0][1..]),
        ("var_names", genes.iter().map(String::as_str).collect::<Vec<_>>().as_slice())
    );
    for (i, row) in rows[1..].iter().enumerate() {
        assert_eq!((row[0], row.len(), row[1 + i]), (genes[i].as_str(), 51, "1"));
    }
    place.scvi(&format!("{words} c.h5ad --correlation-type pearson -q")).says("");
    let Ok(Element::Dense(matrix)) =
        read(&place.at("c.h5ad")).get(Slot::Varp, "scvi_feature_correlation").cloned()
    else {
        panic!("no correlations")
    };
    assert_eq!(matrix.shape, [50, 50]);
}

/// A table about cells is a data frame of theirs in the data set.
#[test]
fn tables_about_cells_lie_beside_them() {
    let place = Place::with_model();
    let words = "query m differential-abundance --sample-key batch --out";
    let told = "wrote obsm['da_log_probs'] (200 × 2) to d";
    place.scvi(&format!("{words} d.h5ad")).says(&format!("{told}.h5ad\n"));
    place.scvi(&format!("{words} d.csv")).says(&format!("{told}.csv\n"));
    let answered = read(&place.at("d.h5ad"));
    let Ok(Element::DataFrame(table)) = answered.get(Slot::Obsm, "da_log_probs") else {
        panic!("no table")
    };
    assert_eq!(table.names(), answered.obs_names().ok());
    assert_eq!(table.columns.keys().collect::<Vec<_>>(), ["batch_1", "batch_0"]);
    let csv = fs::read_to_string(place.at("d.csv")).unwrap();
    assert!(csv.starts_with("obs_names,batch_1,batch_0\ncell_0,"), "{csv}");
    let Element::Dense(first) = &table.columns[0] else { panic!("no numbers") };
    let written = parsed(csv.lines().nth(1).unwrap().split(',').nth(1).unwrap());
    assert!((written - first.values.get_f64(0)).abs() < 1e-4);
}

#[test]
fn one_number_is_a_table_too() {
    let place = Place::with_model();
    let elbo = place.scvi("query m get-elbo --out -").says("").out;
    let (head, value) = elbo.split_once('\n').unwrap();
    assert_eq!(head, "elbo");
    assert!(parsed(value.trim_end()) < 0.0 && value.ends_with('\n'), "{elbo}");
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let place = Place::with_model();
    let mut shell = Command::new("sh");
    place.prepare(&mut shell);
    shell.args(["-c", "\"$0\" query m get-latent-representation --out - | true"]).arg(program());
    Ran::of(&mut shell).says("");
}

#[test]
fn what_is_there_is_not_overwritten() {
    let place = Place::with_model();
    fs::write(place.at("l.csv"), "mine").unwrap();
    let exists = |name: &str| format!("{name} exists already; --overwrite replaces it");
    place.scvi("data synthetic s.h5ad").fails(1, &exists("s.h5ad"));
    place.scvi("train SCVI s.h5ad --max-epochs 1 --out m").fails(1, &exists("m"));
    place.scvi("query m get-elbo --out l.csv").fails(1, &exists("l.csv"));
    assert_eq!(fs::read_to_string(place.at("l.csv")).unwrap(), "mine");

    place.scvi("query m get-elbo --out l.csv --overwrite -q").says("");
    assert!(fs::read_to_string(place.at("l.csv")).unwrap().starts_with("elbo\n"));
    place.scvi("train SCVI s.h5ad --max-epochs 1 --out m --overwrite -q").says("");
    assert_eq!(place.names(), ["l.csv", "m", "s.h5ad"]);
}

#[test]
fn a_folder_with_other_things_is_never_replaced() {
    let place = Place::with_model();
    fs::write(place.at("m/thesis.txt"), "mine").unwrap();
    place.scvi("train SCVI s.h5ad --max-epochs 1 --out m --overwrite").fails(
        1,
        "m: will not be overwritten, because it holds more than a saved model: thesis.txt; move \
         them, or write to another folder",
    );
    assert_eq!(fs::read_to_string(place.at("m/thesis.txt")).unwrap(), "mine");
}

#[test]
fn places_where_nothing_can_be_written() {
    let place = Place::with_model();
    let message = "cannot write no/l.csv: there is no folder no";
    place.scvi("query m get-elbo --out no/l.csv").fails(1, message);
    let message = "cannot write no/m: there is no folder no";
    place.scvi("train SCVI s.h5ad --out no/m").fails(1, message);
    place
        .scvi("data synthetic s.txt")
        .fails(1, "s.txt: cannot tell the kind of file; expected .h5ad");
    place.scvi("query m get-elbo --out l.txt").fails(
        1,
        "l.txt: cannot tell the kind of file; expected one of .h5ad, .csv, .tsv, .npz, or - for \
         standard output",
    );
    place.scvi("query m differential-expression --groupby batch --out de.npz").fails(
        1,
        "differential-expression answers with a table, and .npz holds arrays; write it to a .csv, \
         .tsv or .h5ad file",
    );
    assert_eq!(place.names(), ["m", "s.h5ad"]);
}

/// Files may have 8 KiB, which stands for a disk that is full.
#[track_caller]
fn check_full(place: &Place, words: &str, expected: &str) {
    let before = place.names();
    let mut shell = Command::new("bash");
    place.prepare(&mut shell);
    shell.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""]).arg(program());
    Ran::of(shell.args(words.split_whitespace())).fails(1, expected);
    assert_eq!(place.names(), before);
}

#[test]
fn full_disks_leave_nothing_half_written() {
    let place = Place::with_model();
    let query = |out: &str| format!("query m get-latent-representation --return-dist --out {out}");
    let refused = "File too large (os error 27)";
    check_full(
        &place,
        "data synthetic big.h5ad",
        "big.h5ad: `X/data` cannot be written: File too large",
    );
    check_full(&place, &query("l.h5ad"), "l.h5ad: `/` cannot be written: File too large");
    check_full(&place, &query("l.csv"), &format!("cannot write l.csv: {refused}"));
    check_full(&place, &query("l.npz"), &format!("l.npz: write: {refused}"));
    let words = "train SCVI s.h5ad --max-epochs 1 --out m2";
    check_full(&place, words, &format!("m2/model.safetensors: write: {refused}"));
}
