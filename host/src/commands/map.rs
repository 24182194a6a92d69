//! `scvi map`: a model of a query data set that continues a reference.

use scvi_framework::{
    anndata::AnnData,
    fields::Category,
    model::{Prepared, Settings, new_categories, prepare_query_anndata},
    serde_json::{Value, json},
};

use crate::{
    failure::Result,
    keeper::{self, Keeper},
    options::plain,
    plan::{KeepData, MapQuery, Training, Ui},
    session::Session,
    term, trained,
};

/// Brings the query into the reference's terms, trains what is new, and saves.
pub fn run(plan: &MapQuery, session: &Session, settings: &Settings, ui: &Ui) -> Result<()> {
    keeper::check(&plan.training, plan.overwrite)?;
    let reference = session.saved(&plan.dir)?;
    let class = session.class_of(&plan.dir, &reference)?;
    let fields = session.fields_of(&plan.dir, &reference)?;
    let query = trained::read(&plan.training, ui)?;
    let (mut adata, keep) = match in_its_genes(&query, &reference.meta.var_names, ui)? {
        Some(prepared) => (prepared, KeepData::Copy),
        None => (query, plan.training.keep),
    };
    let training = Training { keep, ..plan.training.clone() };
    let known = reference.meta.registry.clone();
    let mut model =
        class.load_query_data(&mut adata, reference, &fields, &plan.mapping, settings)?;
    for line in what_is_new(&known, &model.save()?.meta.registry) {
        ui.say(line);
    }
    let mut keeper = Keeper::of_new(&training, session, plan.overwrite, ui.show);
    let ended = model.train(&mut adata, &training.args, &mut keeper);
    trained::end(&training, ended, 0, &*model, &adata, keeper, ui)
}

/// The query with the reference's genes; `None` where it has them already.
fn in_its_genes(query: &AnnData, var_names: &[String], ui: &Ui) -> Result<Option<AnnData>> {
    if query.var_names()?.iter().eq(var_names.iter()) {
        return Ok(None);
    }
    let Prepared { adata, n_shared, padded, n_dropped, notes } =
        prepare_query_anndata(query, var_names)?;
    let n_reference = term::grouped(var_names.len());
    ui.say(format!(
        "note: the query has {} of the reference's {n_reference} genes; {} padded with zeros, {} left out",
        term::grouped(n_shared),
        term::grouped(padded.len()),
        term::grouped(n_dropped)
    ));
    notes.iter().for_each(|note| ui.say(format!("note: {note}")));
    Ok(Some(adata))
}

/// Which categories are to be learnt, column by column.
fn what_is_new(reference: &Value, query: &Value) -> Vec<String> {
    let new = new_categories(reference, query);
    if new.is_empty() {
        return vec!["note: the query has no category that the reference does not know".into()];
    }
    let line = |(column, new): (String, Vec<Category>)| {
        let names: Vec<String> = new.iter().map(|category| plain(&json!(category))).collect();
        format!("new in {column}: {}", names.join(", "))
    };
    new.into_iter().map(line).collect()
}
