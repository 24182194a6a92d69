//! The suite finds what is wrong.

use serde_json::{Value, json};

use super::arguments;
use crate::{
    Params,
    params::{Args, ParamKind, ParamSpec, Params as _},
};

#[derive(Clone, Debug, Params)]
struct Sound {
    /// A number with both ends.
    #[param(default = 0.5, min = 0, max = 1)]
    share: f64,
    /// A whole number, if given.
    #[param(min = 1)]
    n_layers: Option<i64>,
    /// Names.
    keys: Vec<String>,
    /// Whatever.
    anything: Option<Value>,
    /// A word.
    shape: crate::nn::LatentDistribution,
}

#[derive(Clone, Debug, Params)]
struct OutOfRange {
    /// Its default is too small.
    #[param(default = 0, min = 1)]
    n_hidden: i64,
}

/// Written by hand, and with everything wrong that the derive does not allow.
#[derive(Clone, Debug, Default)]
struct Careless;

impl crate::params::Params for Careless {
    fn specs() -> Vec<ParamSpec> {
        let (kind, help) = (ParamKind::Int, String::new());
        let (min, max, default) = (Some(1.0), None, json!(3));
        vec![ParamSpec { name: "nHidden".into(), kind, default, min, max, help }]
    }
    fn to_args(&self) -> Args {
        Args::from_iter([("nHidden".to_owned(), json!(4))])
    }
    fn set(&mut self, _: &str, _: &Value) -> bool {
        true
    }
    fn from_args(_: &Args) -> crate::Result<Self> {
        Ok(Self)
    }
}

#[test]
fn a_sound_table_passes() {
    assert_eq!(arguments::check::<Sound>("init"), Vec::<String>::new());
    assert_eq!(Sound::specs().len(), 5);
}

#[test]
fn a_default_out_of_range_is_found() {
    let broken = arguments::check::<OutOfRange>("init").join("\n");
    let refusal = "argument `n_hidden`: expected a whole number of at least 1, found 0";
    assert_eq!(
        broken,
        format!(
            "init: defaults are refused: {refusal}\n\
             init: `n_hidden` refuses 0, which is valid: {refusal}"
        )
    );
}

#[test]
fn a_careless_table_is_found_out() {
    assert_eq!(
        arguments::check::<Careless>("init"),
        [
            "init: `nHidden` has no help text",
            "init: `nHidden` is not in snake case",
            "init: `nHidden` has one default in its table and another in `Default`",
            "init: `nHidden` takes 3 and makes 4 of it",
            "init: `nHidden` takes 1 and makes 4 of it",
            "init: `nHidden` takes 0; expected a whole number of at least 1",
            "init: `nHidden` takes {\"neither\":\"number, text nor list\"}; expected a whole number of \
             at least 1",
            "init: an unknown argument is taken and forgotten",
        ]
    );
}
