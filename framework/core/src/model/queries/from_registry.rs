//! What a data set holds where a field is registered.

use indexmap::IndexMap;

use crate::{
    Params,
    anndata::{AnnData, DType, Dense, Element, Slot, Sparse},
    data::LoaderOptions,
    error::{Error, Result},
    fields::AttrLocation,
    model::{BaseModelClass, Event, Model, Observer, OutputSpec, Query, Sink},
    nn::convert,
    params::Params as _,
};

/// Arguments of [`get_from_registry`].
#[derive(Clone, Debug, PartialEq, Params)]
pub struct FromRegistryParams {
    /// The field, by its registry key: `X`, `batch`, …
    pub registry_key: Option<String>,
}

/// `get_from_registry`: the registered data themselves, for every model.
pub fn get_from_registry<M: BaseModelClass>() -> Query<M> {
    let about = "What the data set holds where a field is registered: counts, codes, covariates.";
    Query::new::<FromRegistryParams>(
        "get_from_registry",
        about,
        |model, adata, args, sink, observer| {
            let params = FromRegistryParams::from_args(args)?;
            let registry = model.registry();
            let key = params.registry_key.ok_or_else(|| Error::Argument {
                name: "registry_key".into(),
                expected: {
                    let keys: Vec<&str> = registry.data_registry().map(|(key, _)| key).collect();
                    format!("one of {}", keys.join(", "))
                },
                found: "nothing".into(),
            })?;
            let place = registry.location(&key)?.clone();
            match model.get_from_registry(adata, &key)? {
                Element::Dense(dense) => send_dense(&key, &place, dense, sink),
                Element::DataFrame(table) => {
                    let columns: Vec<String> = table.columns.keys().cloned().collect();
                    let shape = vec![table.n_rows(), columns.len()];
                    sink.begin(&OutputSpec {
                        columns: Some(columns),
                        ..spec(&key, &place, shape, None)
                    })?;
                    sink.rows(Element::DataFrame(table))
                }
                matrix => send_minibatches(model, adata, &key, &matrix, sink, observer),
            }
        },
    )
}

fn spec(key: &str, place: &AttrLocation, shape: Vec<usize>, dtype: Option<DType>) -> OutputSpec {
    let own = place.attr_key.clone().unwrap_or_default();
    let place = (place.attr_name, own);
    OutputSpec { name: key.into(), shape, dtype, place, columns: None }
}

/// Columns go back into their place as columns.
fn send_dense(key: &str, place: &AttrLocation, dense: Dense, sink: &mut dyn Sink) -> Result<()> {
    let Dense { mut shape, values } = dense;
    if matches!(place.attr_name, Slot::Obs | Slot::Var) {
        shape.truncate(1);
    }
    sink.begin(&spec(key, place, shape.clone(), Some(values.dtype())))?;
    sink.rows(Element::Dense(Dense { shape, values }))
}

/// A matrix that is sparse or on disk, as float32 a minibatch at a time; what is sparse stays so.
fn send_minibatches<M: BaseModelClass>(
    model: &Model<M>,
    adata: &mut AnnData,
    key: &str,
    matrix: &Element,
    sink: &mut dyn Sink,
    observer: &mut dyn Observer,
) -> Result<()> {
    let wanted = IndexMap::from([(key.to_owned(), Some(DType::Float32))]);
    let options = LoaderOptions { data_and_attributes: Some(wanted), ..Default::default() };
    let loader = model.loader(adata, options)?;
    let place = model.registry().location(key)?;
    let is_sparse = match matrix {
        Element::Backed(backed) => matches!(backed.rows(0..0)?, Element::Sparse(_)),
        matrix => matches!(matrix, Element::Sparse(_)),
    };
    sink.begin(&spec(key, place, matrix.shape(), Some(DType::Float32)))?;
    let mut done = 0;
    for batch in &loader {
        let rows = convert::to_dense(batch?.require(key)?)?;
        done += rows.shape[0];
        sink.rows(match is_sparse {
            true => Element::Sparse(Sparse::from_dense(&rows)?),
            false => Element::Dense(rows),
        })?;
        observer.hear(&Event::Progress { done, total: loader.n_cells() });
        if observer.cancelled() {
            return Err(Error::Cancelled);
        }
    }
    Ok(())
}
