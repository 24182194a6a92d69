//! Command lines that cannot be meant, and what the help says.

use std::{env, fs, path::Path};

use super::Place;

/// Refused as wrong usage, beginning with this.
#[track_caller]
fn check_usage(words: &str, expected: &str) {
    let place = Place::with_model();
    let ran = place.scvi(words);
    assert!(ran.err.starts_with(&format!("error: {expected}")), "{}", ran.err);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    assert_eq!(place.names(), ["m", "s.h5ad"]);
}

#[test]
fn unknown_options() {
    check_usage(
        "train SCVI s.h5ad --out n --max-epoch 3",
        "unexpected argument '--max-epoch' found\n\n  tip: a similar argument exists: \
         '--max-epochs'\n",
    );
    check_usage(
        "query m get-elbo --out - --return-meen",
        "unexpected argument '--return-meen' found\n\n  tip: a similar argument exists: \
         '--return-mean'\n",
    );
}

#[test]
fn values_out_of_range() {
    check_usage(
        "train SCVI s.h5ad --out n --n-latent -3",
        "invalid value '-3' for '--n-latent <N>': expected a whole number of at least 1\n",
    );
    check_usage(
        "train SCVI s.h5ad --out n --dropout-rate 1.5",
        "invalid value '1.5' for '--dropout-rate <X>': expected a number from 0 to 1\n",
    );
    check_usage(
        "train SCVI s.h5ad --out n --gene-likelihood zimb",
        "invalid value 'zimb' for '--gene-likelihood <WORD>'\n  [possible values: zinb, nb, \
         poisson, normal]\n\n  tip: a similar value exists: 'zinb'\n",
    );
    check_usage(
        "query m get-elbo --out - --device gpu",
        "invalid value 'gpu' for '--device <DEVICE>': expected auto, cpu, cuda, cuda:N or N\n",
    );
}

#[test]
fn missing_words() {
    check_usage(
        "train SCVI s.h5ad",
        "the following required arguments were not provided:\n  --out <DIR>\n",
    );
}

#[test]
fn unknown_names() {
    let place = Place::with_model();
    let message = "no plugin has a model `SVCI` (did you mean `SCVI`?); known: SCVI";
    place.scvi("train SVCI s.h5ad --out n").fails(1, message);
    place.scvi("models show SVCI").fails(1, message);
    place.scvi("query m get-latent --out -").fails(
        1,
        "SCVI has no method `get-latent` (did you mean `get-latent-library-size`?); it has \
         get-latent-representation, get-normalized-expression, get-likelihood-parameters, \
         posterior-predictive-sample, get-latent-library-size, get-elbo, get-reconstruction-error, \
         get-marginal-ll, differential-expression, differential-abundance, \
         get-feature-correlation-matrix, get-batch-representation, get-from-registry",
    );
}

/// What `words` print is what `help/NAME.txt` holds; `SCVI_UPDATE_SNAPSHOTS=1` writes it anew.
#[track_caller]
fn check_help(words: &str, name: &str) {
    let place = Place::with_model();
    let said = place.scvi(words).says("").out;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("it/cli/help/{name}.txt"));
    if env::var_os("SCVI_UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &said).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap();
    assert!(said == expected, "{}\nis not what it was; now:\n{said}", path.display());
}

#[test]
fn help() {
    check_help("--help", "scvi");
}

#[test]
fn help_on_converting() {
    check_help("data convert --help", "convert");
    check_help("convert --help", "convert_model");
}

#[test]
fn help_on_training() {
    check_help("train SCVI --help", "train");
}

#[test]
fn help_on_queries() {
    check_help("query m --help", "query");
}

#[test]
fn help_on_a_method() {
    check_help("query m get-latent-representation --help", "latent");
}

#[test]
fn help_on_pictures() {
    check_help("plot --help", "plot");
    check_help("plot m latent --help", "plot_latent");
    check_help("plot m de --help", "plot_de");
}

#[test]
fn help_on_mapping() {
    check_help("map m s.h5ad --help", "map");
}

#[test]
fn help_on_minifying() {
    check_help("minify m --help", "minify");
}

#[test]
fn help_on_reports() {
    check_help("report --help", "report");
}
