//! The map of a model's latent space, as `scvi plot` and `scvi report` draw it.

use std::path::Path;

use scvi_framework::{
    anndata::AnnData,
    model::Settings,
    params::Args,
    saved::ModelMeta,
    serde_json::{Value, json},
};

use crate::{
    failure::{Error, Result},
    plan::{Map, Ui},
    plots::{Picture, colours::Column, embedding::Embedding, latent},
    questions::{Asked, LATENT},
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

/// Asks the model saved in `dir` for the latent space of its data set, lays it out and draws it.
pub fn draw(
    dir: &Path,
    plan: &Map,
    session: &Session,
    settings: &Settings,
    ui: &Ui,
) -> Result<Drawn> {
    let mut asked = Asked::open(dir, LATENT, &plan.data, session, settings, ui)?;
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
    let mut args = Args::new();
    if cells.len() < n_obs && asked.takes("indices") {
        args.insert("indices".into(), json!(cells));
    }
    let results = asked.gather(&args, ui)?;
    let Some((n_dims, latent)) = matrix(&results, &cells) else {
        return Err(Error::Answer { method: LATENT, expected: "a row of numbers for each cell" });
    };
    ui.step(format!("laying out {}", term::count(cells.len(), "cell")));
    let embedding = Embedding::of(&latent, n_dims, settings.seed, settings.threads)?;
    Ok(Drawn { picture: latent::draw(&embedding, &columns, n_obs), data_set })
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

/// Dimensions and values of the result at `cells`, of which it has a row each, or of all cells.
fn matrix(results: &[Gathered], cells: &[usize]) -> Option<(usize, Vec<f32>)> {
    let [Gathered { content: Content::Array(array), .. }, ..] = results else { return None };
    let [n_rows, n_dims] = array.shape[..] else { return None };
    let values = array.values.to_f32();
    if n_rows == cells.len() {
        return Some((n_dims, values.to_vec()));
    }
    let row = |&cell: &usize| values.get(cell * n_dims..(cell + 1) * n_dims);
    let rows: Option<Vec<&[f32]>> = cells.iter().map(row).collect();
    Some((n_dims, rows?.concat()))
}
