//! The map of a model's latent space, as `scvi plot` and `scvi report` draw it.

use std::path::Path;

use scvi_framework::{
    anndata::{AnnData, Dense, Element, Slot},
    model::Settings,
    params::Args,
    saved::ModelMeta,
    serde_json::{Value, json},
};

use crate::{
    failure::{Error, Result},
    plan::{Map, Ui},
    plots::{
        Picture,
        colours::Column,
        embedding::{Embedding, Space},
        latent,
    },
    questions::{Asked, LATENT, Question},
    results::{Content, Gathered},
    session::Session,
    term,
};

/// A map, and the data set that it shows.
pub struct Drawn {
    /// The map.
    pub picture: Picture,
    /// The data set, as anndata describes it.
    pub data_set: String,
}

/// Asks the model saved in `dir` for the latent space of its data set, lays it out and draws it, beside
/// other spaces of the data set where such are named.
pub fn draw(
    dir: &Path,
    plan: &Map,
    session: &Session,
    settings: &Settings,
    ui: &Ui,
) -> Result<Drawn> {
    let mut asked = Question::find(dir, LATENT, session, ui)?.about(&plan.data, settings, ui)?;
    // As it was read: the model adds to it what registration adds.
    let (n_obs, data_set) = (asked.adata.n_obs(), asked.adata.to_string());
    let cells = spread(n_obs, plan.max_cells);
    let colors = match &plan.colors[..] {
        [] => of_set_up(&session.saved(dir)?.meta, &asked.adata),
        named => named.to_vec(),
    };
    let read = |name: &String| Column::read(&asked.adata, name, &cells);
    let columns = colors.iter().map(read).collect::<Result<Vec<_>>>()?;
    if cells.len() < n_obs {
        let (drawn, all) = (term::grouped(cells.len()), term::count(n_obs, "cell"));
        ui.say(format!("drawing {drawn} of {all}, evenly spread; --max-cells N draws more"));
    }
    let beside = plan.beside.iter().map(|key| of_obsm(&asked.adata, key, &cells));
    let mut spaces = beside.collect::<Result<Vec<Space>>>()?;
    spaces.push(latent(&mut asked, &cells, ui)?);
    ui.step(format!("laying out {}", term::count(cells.len(), "cell")));
    let lay_out = |space| Embedding::of(space, settings.seed, settings.threads);
    let spaces = spaces.into_iter().map(lay_out).collect::<Result<Vec<_>>>()?;
    Ok(Drawn { picture: latent::draw(&spaces, &columns, n_obs), data_set })
}

/// The latent space at `cells`; only these are asked for where the model can be.
fn latent(asked: &mut Asked, cells: &[usize], ui: &Ui) -> Result<Space> {
    let mut args = Args::new();
    let few = cells.len() < asked.adata.n_obs() && asked.takes("indices");
    if few {
        args.insert("indices".into(), json!(cells));
    }
    let results = asked.gather(&args, ui)?;
    let rows = if few { (0..cells.len()).collect() } else { cells.to_vec() };
    let space = match &results[..] {
        [Gathered { content: Content::Array(array), .. }, ..] => {
            rows_of("the latent space", array, &rows)
        }
        _ => None,
    };
    space.ok_or(Error::Answer { method: LATENT, expected: "a row of numbers for each cell" })
}

/// The matrix `key` of obsm at `cells`.
fn of_obsm(adata: &AnnData, key: &str, cells: &[usize]) -> Result<Space> {
    let element = adata.get(Slot::Obsm, key)?;
    let space = match element {
        Element::Dense(array) => rows_of(key, array, cells),
        _ => None,
    };
    space.ok_or_else(|| Error::Undrawable {
        what: format!("obsm['{key}']"),
        expected: "a dense matrix of numbers",
        kind: element.kind(),
    })
}

/// These rows of a matrix.
fn rows_of(name: &str, array: &Dense, rows: &[usize]) -> Option<Space> {
    let [_, n_dims] = array.shape[..] else { return None };
    let values = array.values.to_f32();
    let row = |&row: &usize| values.get(row * n_dims..(row + 1) * n_dims);
    let values = rows.iter().map(row).collect::<Option<Vec<&[f32]>>>()?.concat();
    Some(Space { name: name.into(), n_dims, values })
}

/// At most `most` rows, evenly spread.
fn spread(n_obs: usize, most: usize) -> Vec<usize> {
    let n = n_obs.min(most);
    (0..n).map(|i| (i as u128 * n_obs as u128 / n as u128) as usize).collect()
}

/// The columns of obs that arguments of the set-up name.
fn of_set_up(meta: &ModelMeta, adata: &AnnData) -> Vec<String> {
    let args = meta.registry.get("setup_args").and_then(Value::as_object);
    let values = args.into_iter().flat_map(|args| args.values());
    let words = values.flat_map(|value| match value {
        Value::Array(entries) => entries.iter().collect(),
        single => vec![single],
    });
    let names = words.filter_map(Value::as_str);
    names.filter(|name| adata.obs().columns.contains_key(*name)).map(str::to_owned).collect()
}
