//! Whole command lines, against a model that exists here only.

use scvi_framework::{
    model::MethodDescription,
    params::ParamKind,
    serde_json::{Value, json},
};

use super::*;
use crate::{cli, error::HostError, failure};

struct Fake;

fn spec(name: &str, kind: ParamKind, default: Value) -> ParamSpec {
    ParamSpec { name: name.into(), kind, default, min: None, max: None, help: "Help.".into() }
}

fn description() -> ModelDescription {
    ModelDescription {
        name: "Toy".into(),
        about: "A toy.".into(),
        setup: vec![spec("batch_key", ParamKind::Text, Value::Null)],
        init: vec![spec("n_latent", ParamKind::Int, json!(10))],
        train: vec![spec("max_epochs", ParamKind::Int, Value::Null)],
        mapping: Vec::new(),
        minify: Vec::new(),
        methods: vec![MethodDescription {
            name: "get_latent_representation".into(),
            about: "The latent space.".into(),
            tables: false,
            args: vec![spec("return_dist", ParamKind::Flag, json!(false))],
        }],
    }
}

impl Describe for Fake {
    fn model(&self, _: &[PathBuf], name: &str) -> Result<ModelDescription> {
        if name == "Toy" {
            return Ok(description());
        }
        let (name, known) = (name.into(), vec!["Toy".into()]);
        Err(HostError::UnknownModel { name, nearest: None, known, refused: 0 }.into())
    }

    fn saved(&self, plugin_dirs: &[PathBuf], dir: &Path) -> Result<ModelDescription> {
        assert_eq!((dir, plugin_dirs), (Path::new("m"), [PathBuf::from("p")].as_slice()));
        Ok(description())
    }

    fn simulation(&self, iid: bool) -> Vec<ParamSpec> {
        vec![spec(if iid { "n_proteins" } else { "n_types" }, ParamKind::Int, json!(5))]
    }
}

fn try_parse(line: &str) -> Result<Parsed> {
    let argv: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
    parse(&argv, &Fake)
}

#[track_caller]
fn check_error(line: &str, code: u8, expected: &str) {
    let error = try_parse(line).unwrap_err();
    let message = error.to_string();
    assert!(message.contains(expected), "{message}");
    assert_eq!(error.exit_code(), code);
}

#[test]
fn train_takes_fixed_global_and_declared_options_in_any_order() {
    let line = "scvi --seed 3 train --out m Toy --n-latent 5 a.h5ad --batch-key b --max-epochs 2 \
                --save-anndata --device cpu";
    let parsed = try_parse(line).unwrap();
    let cli::Command::Train(train) = parsed.cli.command else { panic!("not train") };
    assert_eq!((train.model.as_str(), train.file, train.out), ("Toy", "a.h5ad".into(), "m".into()));
    assert!(train.save_anndata && !train.overwrite);
    assert_eq!((parsed.cli.global.seed, parsed.cli.global.device.as_str()), (Some(3), "cpu"));
    assert_eq!(Value::from(parsed.setup), json!({"batch_key": "b"}));
    assert_eq!(Value::from(parsed.model), json!({"n_latent": 5}));
    assert_eq!(Value::from(parsed.training), json!({"max_epochs": 2}));
}

#[test]
fn query_takes_methods_in_kebab_or_snake_case() {
    for method in ["get-latent-representation", "get_latent_representation"] {
        let line = format!("scvi query m {method} --plugin-dir p --return-dist --out -");
        let parsed = try_parse(&line).unwrap();
        assert_eq!(Value::from(parsed.query), json!({"return_dist": true}));
    }
}

#[test]
fn simulations_differ() {
    let parsed = try_parse("scvi data synthetic a.h5ad --n-types 3").unwrap();
    assert_eq!(Value::from(parsed.simulation), json!({"n_types": 3}));
    let parsed = try_parse("scvi data synthetic a.h5ad --n-proteins 3 --iid").unwrap();
    assert_eq!(Value::from(parsed.simulation), json!({"n_proteins": 3}));
    check_error(
        "scvi data synthetic a.h5ad --n-types 3 --iid",
        2,
        "unexpected argument '--n-types'",
    );
}

#[test]
fn slips_are_pointed_out() {
    check_error("scvi train Toy a.h5ad --out m --n-latnt 5", 2, "'--n-latent'");
    check_error("scvi trian Toy", 2, "'train'");
    check_error("scvi train Tyo a.h5ad --out m", 1, "no plugin has a model `Tyo`; known: Toy");
    check_error(
        "scvi query m get-latent --plugin-dir p --out -",
        1,
        "Toy has no method `get-latent` (did you mean `get-latent-representation`?); it has \
         get-latent-representation",
    );
    check_error("scvi train Toy a.h5ad", 2, "--out <DIR>");
    check_error(
        "scvi train Toy a.h5ad --out m --device gpu",
        2,
        "expected auto, cpu, cuda, cuda:N or N",
    );
}

#[test]
fn help_of_a_model_shows_everything_under_headings() {
    let help = try_parse("scvi train Toy --help").unwrap_err();
    assert_eq!(help.exit_code(), 0);
    let text = help.to_string();
    let mut rest = text.as_str();
    for expected in [
        "Usage: scvi train [OPTIONS] --out <DIR> <MODEL> <FILE>",
        "\nOptions:\n      --out <DIR>",
        "\nSet-up:\n      --batch-key <TEXT>",
        "\nModel:\n      --n-latent <N>",
        "[default: 10]",
        "\nTraining:\n      --max-epochs <N>",
        "\nOptions of every command:\n      --plugin-dir <DIR>",
        "\nA toy.",
    ] {
        let Some((_, after)) = rest.split_once(expected) else {
            panic!("no {expected:?} where expected in\n{text}");
        };
        rest = after;
    }
}

#[test]
fn help_of_a_saved_model_lists_its_methods() {
    let help = try_parse("scvi query m --plugin-dir p --help").unwrap_err().to_string();
    assert!(
        help.contains("Methods of Toy:\n  get-latent-representation\n      The latent space."),
        "{help}"
    );
}

#[test]
fn the_fixed_command_line_is_sound() {
    Cli::command().debug_assert();
    assert!(matches!(try_parse("scvi"), Err(failure::Error::Usage(_))));
}
