//! What is asked of every model.

use poisson_vae::{PoissonVae, PoissonVaeSetup};
use scvi_framework::{params::Params, testkit};

#[test]
fn conforms() {
    testkit::conforms::<PoissonVae>();
}

#[test]
fn conforms_with_batches_in_a_layer() {
    let setup = PoissonVaeSetup { layer: Some("counts".into()), batch_key: Some("batch".into()) };
    testkit::conforms_with::<PoissonVae>(&setup.to_args());
}
