//! Single-cell variational models as plugins: everything that an author may import.
//!
//! A model is a crate that depends on this one alone and is built into one shared library. Its author
//! says what it reads from a data set, how it encodes and decodes a minibatch, and what its loss is;
//! registration, minibatches, training, queries, saving, the command line and the plugin boundary
//! are given.
//!
//! # Where things are
//!
//! | module | holds |
//! |---|---|
//! | [`guide`] | "Writing a model": the parts of a model, capabilities, queries of one's own |
//! | [`prelude`] | what the source of a model needs, in one line |
//! | [`model`] | [`BaseModelClass`](model::BaseModelClass) and [`BaseModule`](model::BaseModule), to be implemented; [`Model`](model::Model), which is then there; [`queries`](model::queries) to be listed |
//! | [`params`] | arguments: a struct with `#[derive(Params)]` gives defaults, ranges, help and errors |
//! | [`fields`] | what a model reads: [`AnnDataField`](fields::AnnDataField) and one type per kind of column |
//! | [`registry_keys`] | the names under which tensors reach a module |
//! | [`nn`] | layers and the blocks that models share; parameters by name |
//! | [`distributions`] | of latent variables and of counts |
//! | [`anndata`] | the data set in memory |
//! | [`data`] | registration, splitting, minibatches, simulated data |
//! | [`selection`] | which cells are meant: positions, masks, queries |
//! | [`train`] | the training plan, its arguments, the runner |
//! | [`table`] | small tables for people |
//! | [`saved`] | a model at rest, in our folder and in scvi-tools' file |
//! | [`error`] | the one error type |
//! | [`abi`] | the plugin boundary: for hosts; an author needs [`export_plugin!`] only |
//! | `testkit` | the conformance suite, with the feature of that name |
//!
//! # Write a model in five steps
//!
//! 1. A package with `crate-type = ["cdylib", "rlib"]` and `scvi-framework` as its one dependency.
//! 2. Two structs of arguments: what is read from the data set, and the hyperparameters.
//! 3. The module: inference, generation, loss.
//! 4. The class: a name, the fields, how the module is built.
//! 5. One line, [`export_plugin!`], with the queries that the model offers. One that the module
//!    cannot support does not compile.
//!
//! ```
//! use scvi_framework::prelude::*;
//!
//! // 2. Field docs become the help on the command line.
//! /// What is read from a data set.
//! #[derive(Clone, Debug, Params)]
//! pub struct Setup {
//!     /// Layer that holds raw counts; X when not given.
//!     pub layer: Option<String>,
//! }
//!
//! /// Hyperparameters.
//! #[derive(Clone, Debug, Params)]
//! pub struct Hyperparameters {
//!     /// Dimension of the latent space.
//!     #[param(default = 10, min = 1)]
//!     pub n_latent: i64,
//! }
//!
//! // 3. Parameters live in the store that `Path` names; the module holds its layers.
//! pub struct Module {
//!     z_encoder: Encoder,
//!     decoder: Linear,
//! }
//!
//! impl BaseModule for Module {
//!     type Inference = Latent; // has q(z|x), so the latent queries can be listed
//!     type Generative = Poisson;
//!
//!     fn inference(&self, ctx: &Ctx<'_>, batch: &Batch) -> Result<Latent> {
//!         let x = batch.x()?; // [n_cells, n_vars]
//!         let qz = self.z_encoder.forward(ctx, &x.log1p(), &[])?; // [n_cells, n_latent]
//!         let library = x.sum_dim_intlist(-1, true, None).log(); // [n_cells, 1]
//!         let distribution = LatentDistribution::Normal;
//!         Ok(Latent { z: qz.rsample(ctx), qz, ql: None, library, distribution })
//!     }
//!
//!     fn generative(&self, _: &Ctx<'_>, _: &Batch, latent: &Latent) -> Result<Poisson> {
//!         let log_scale = self.decoder.forward(&latent.z)?.log_softmax(-1, None::<Kind>);
//!         Ok(Poisson::from_log(log_scale + &latent.library)) // [n_cells, n_vars]
//!     }
//!
//!     fn loss(&self, ctx: &Ctx<'_>, batch: &Batch, z: &Latent, px: &Poisson) -> Result<LossOutput> {
//!         let reconstruction_loss = -px.log_prob(batch.x()?)?.sum_dim_intlist(-1, false, None);
//!         let kl_z = z.qz.kl_from_standard_normal(); // [n_cells]
//!         Ok(LossOutput::elbo(reconstruction_loss, kl_z, ctx.kl_weight))
//!     }
//! }
//!
//! // 4.
//! /// The model class.
//! pub struct PoissonVae;
//!
//! impl BaseModelClass for PoissonVae {
//!     const NAME: &'static str = "PoissonVAE";
//!     const ABOUT: &'static str = "A variational autoencoder of Poisson counts.";
//!     type Setup = Setup;
//!     type Params = Hyperparameters;
//!     type Module = Module;
//!
//!     fn fields(setup: &Setup) -> Vec<Box<dyn AnnDataField>> {
//!         vec![LayerField::new(REGISTRY_KEYS.x, setup.layer.as_deref()).boxed()]
//!     }
//!
//!     fn module(p: &Hyperparameters, data: &ModuleData<'_>, path: &nn::Path<'_>) -> Result<Module> {
//!         let n_vars = data.stats.n_vars();
//!         Ok(Module {
//!             z_encoder: Encoder::builder(n_vars, p.n_latent).build(path / "z_encoder"),
//!             decoder: Linear::new(path / "decoder", p.n_latent, n_vars),
//!         })
//!     }
//! }
//!
//! // 5.
//! export_plugin!(PoissonVae => [get_latent_representation, get_elbo]);
//!
//! // As a crate it needs no host:
//! use scvi_framework::{data::{Simulation, simulate}, model::{Model, Settings, Silent}};
//! use scvi_framework::train::TrainParams;
//!
//! let mut adata = simulate(&Simulation { n_obs: 200, n_vars: 30, ..Default::default() })?;
//! let (setup, params) = (Setup::default(), Hyperparameters { n_latent: 4 });
//! let mut model = Model::<PoissonVae>::new(&mut adata, &setup, &params, &Settings::default())?;
//! let params = TrainParams { max_epochs: Some(2), ..Default::default() };
//! model.train(&mut adata, &params, &mut Silent)?;
//! assert_eq!(model.history()["elbo_train"].len(), 2);
//! # Ok::<_, Error>(())
//! ```
//!
//! `cargo build --release` makes the plugin; `scvi --plugin-dir DIR models list` shows it, and
//! `scvi train PoissonVAE …` trains it. A whole one, with its conformance test, is
//! `examples/third_party` of the repository; `scvi plugins new my-model` writes a copy of it under
//! another name. [`guide`] goes on from here.
//!
//! # Fields of one's own
//!
//! A kind of field ([`fields::AnnDataField`]) can be exported for the models of all plugins:
//! [`export_fields!`], or a part of [`export_plugin!`]. The command takes it with `--field`, a Rust
//! program in [`model::Setup`]. `examples/binned_field` of the repository is one, whole.

extern crate self as scvi_framework;

pub mod abi;
pub mod anndata;
pub mod data;
pub mod distributions;
pub mod error;
pub mod fields;
pub mod guide;
mod kernels;
pub mod model;
pub mod nn;
pub mod params;
pub mod prelude;
#[cfg(test)]
mod reference_python;
pub mod registry_keys;
pub mod saved;
pub mod selection;
pub mod table;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
pub mod train;

pub use error::{Error, Result};
pub use inventory;
pub use scvi_framework_derive::Params;
pub use serde;
pub use serde_json;
pub use tch;
pub use typetag;
