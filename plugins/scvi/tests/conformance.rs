//! What is asked of every model.

use scvi_framework::{params::Params, testkit};
use scvi_plugin_scvi::{Scvi, ScviSetup};

#[test]
fn conforms() {
    testkit::conforms::<Scvi>();
}

#[test]
fn conforms_with_every_field() {
    let setup = ScviSetup {
        layer: Some("counts".into()),
        batch_key: Some("batch".into()),
        labels_key: Some("cell_type".into()),
        size_factor_key: None,
        categorical_covariate_keys: vec!["donor".into(), "cell_source".into()],
        continuous_covariate_keys: vec!["percent_mito".into(), "percent_ribo".into()],
        allow_noncounts: false,
    };
    testkit::conforms_with::<Scvi>(&setup.to_args());
}
