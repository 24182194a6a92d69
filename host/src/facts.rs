//! What there is to know about a saved model, for people.

use std::path::Path;

use scvi_framework::{
    fields::kind_of,
    model::Mapped,
    saved::{GivenField, ModelMeta, SavedModel, Training},
    serde_json::{Value, json},
    train::{Best, Ending, TrainerState},
};

use crate::{folder, keeper::best_of, options::plain, session::Session, term};

/// Facts that belong together.
pub struct Section {
    /// What they are about.
    pub title: String,
    /// The facts.
    pub facts: Facts,
}

/// Facts in one of two forms.
pub enum Facts {
    /// Names and values.
    Pairs(Vec<(String, String)>),
    /// Rows under a header.
    Table([&'static str; 4], Vec<[String; 4]>),
}

/// Everything about the model saved in `dir`, whether or not its plugin is there.
pub fn of(dir: &Path, saved: &SavedModel, session: &Session) -> Vec<Section> {
    let meta = &saved.meta;
    let pairs = |title: String, pairs| Section { title, facts: Facts::Pairs(pairs) };
    let title = format!("{} model in {}", meta.model_name, dir.display());
    let mut sections = vec![pairs(title, summary(dir, saved, session))];
    let groups = [
        ("Set-up", meta.registry.get("setup_args").cloned()),
        ("Model", Some(json!(meta.init_params))),
        ("Training", meta.training.as_ref().map(|training| json!(training.args))),
    ];
    for (title, args) in groups {
        sections.push(pairs(format!("{title} arguments"), given(args.as_ref())));
    }
    sections.push(pairs("Fields given".into(), meta.given().map(given_field).collect()));
    let stats = summary_stats(&meta.registry).into_iter();
    let stats = stats.map(|(key, n)| (key, n.to_string())).collect();
    sections.push(pairs("Summary statistics".into(), stats));
    sections.retain(|section| !matches!(&section.facts, Facts::Pairs(pairs) if pairs.is_empty()));
    let history: Vec<[String; 4]> = meta.history.iter().filter_map(metric).collect();
    if !history.is_empty() {
        let facts = Facts::Table(["Metric", "Last", "Smallest", "At epoch"], history);
        sections.push(Section { title: "History".into(), facts });
    }
    sections
}

/// The arguments that say something.
fn given(args: Option<&Value>) -> Vec<(String, String)> {
    let args = args.and_then(Value::as_object).into_iter().flatten();
    let said = args.filter(|(_, value)| !value.is_null() && **value != Value::Array(vec![]));
    said.map(|(name, value)| (name.clone(), plain(value))).collect()
}

/// All summary statistics of a saved registry, in order of registration.
pub fn summary_stats(registry: &Value) -> Vec<(String, i64)> {
    let fields = registry.get("field_registries").and_then(Value::as_object);
    let stats = |field: &Value| field.get("summary_stats").and_then(Value::as_object).cloned();
    let all = fields.into_iter().flat_map(|fields| fields.values()).filter_map(stats).flatten();
    all.filter_map(|(name, n)| Some((name, n.as_i64()?))).collect()
}

fn summary(dir: &Path, saved: &SavedModel, session: &Session) -> Vec<(String, String)> {
    let meta = &saved.meta;
    let n_weights: usize = saved.weights.values().map(|w| w.values.len()).sum();
    let training = meta.training.as_ref();
    let state = training.and_then(|training| Some((training, training.state.as_ref()?)));
    let mut facts = vec![("trained", trained(meta)), ("minified", minified(meta))];
    if let Some(mapped) = &meta.mapped {
        facts.push(("mapped", mapped_onto(mapped)));
    }
    if let Some((training, state)) = state {
        facts.push(("resume", resume(dir, training, state)));
    }
    if let Some(best) = state.and_then(|(_, state)| state.best.as_ref()) {
        facts.push(("best", best_checkpoint(dir, best)));
    }
    facts.extend([
        ("made by", made_by(meta, session)),
        ("genes", term::grouped(meta.var_names.len())),
        ("cells", cells(meta)),
        ("weights", format!("{} in {} arrays", term::grouped(n_weights), saved.weights.len())),
        ("data set", data_set(dir)),
    ]);
    facts.into_iter().map(|(name, fact)| (name.to_owned(), fact)).collect()
}

fn given_field(field: GivenField<'_>) -> (String, String) {
    let kind = kind_of(field.json).unwrap_or("?");
    let by = field.plugin.map(|(name, version)| format!(" of plugin {name} {version}"));
    (field.registry_key.into(), format!("{kind}{}", by.unwrap_or_default()))
}

fn mapped_onto(mapped: &Mapped) -> String {
    let all = mapped.args.get("unfrozen") == Some(&Value::Bool(true));
    let kept = if all { "training changes all of it" } else { "what that knew is left as it was" };
    format!("yes, it continues a reference; {kept}")
}

fn minified(meta: &ModelMeta) -> String {
    (if meta.is_minified() { "yes, and takes full data too" } else { "no" }).into()
}

fn trained(meta: &ModelMeta) -> String {
    let n_epochs = meta.history.values().map(Vec::len).max().unwrap_or(0);
    let ending = meta.training.as_ref().and_then(|training| training.ending);
    let early = if ending == Some(Ending::EarlyStopping) { ", stopped early" } else { "" };
    if let Some((n, max)) = meta.training.as_ref().and_then(unfinished) {
        return format!("yes, {n} of {}", term::count(max, "epoch"));
    }
    match (meta.is_trained, n_epochs) {
        (true, 0) => "yes".into(),
        (true, n) => format!("yes, {}{early}", term::count(n, "epoch")),
        (false, 0) => "no".into(),
        (false, n) => format!("no, stopped after {}", term::count(n, "epoch")),
    }
}

/// Epochs done and planned, where some are left.
fn unfinished(training: &Training) -> Option<(usize, usize)> {
    let (state, max) = (training.state.as_ref()?, training.args.get("max_epochs")?.as_u64()?);
    let ended = matches!(training.ending, Some(Ending::Complete | Ending::EarlyStopping));
    (!ended && state.epoch > 0).then_some((state.epoch, max as usize))
}

fn resume(dir: &Path, training: &Training, state: &TrainerState) -> String {
    if !dir.join(folder::OPTIMIZER).is_file() {
        return format!("no, {} is not there", folder::OPTIMIZER);
    }
    let more = match training.ending {
        Some(Ending::Complete) => " and more --max-epochs",
        Some(Ending::EarlyStopping) => " and more --early-stopping-patience",
        _ => "",
    };
    format!("after epoch {}, by scvi train with --resume{more}", state.epoch)
}

fn best_checkpoint(dir: &Path, best: &Best) -> String {
    let there = best_of(dir);
    let place = if there.is_dir() { format!(", in {}", there.display()) } else { String::new() };
    format!("{} {} after epoch {}{place}", best.metric, term::number(best.value), best.epoch)
}

fn made_by(meta: &ModelMeta, session: &Session) -> String {
    let maker = match (&meta.plugin, meta.registry.get("scvi_version").and_then(Value::as_str)) {
        (Some((name, version)), _) => format!("plugin {name} {version}"),
        (None, Some(version)) => format!("scvi-tools {version}"),
        (None, None) => "scvi-tools".into(),
    };
    let here = session.listed().iter().any(|m| m.name == meta.model_name);
    if here {
        return maker;
    }
    format!("{maker}; queries need a plugin with the model {}, none was found", meta.model_name)
}

fn cells(meta: &ModelMeta) -> String {
    let parts = [
        (&meta.train_indices, "trained on"),
        (&meta.validation_indices, "for validation"),
        (&meta.test_indices, "never used"),
    ];
    let said = parts.iter().filter(|(rows, _)| !rows.is_empty());
    let said: Vec<String> =
        said.map(|(rows, what)| format!("{} {what}", term::grouped(rows.len()))).collect();
    if said.is_empty() { "not recorded".into() } else { said.join(", ") }
}

fn data_set(dir: &Path) -> String {
    match folder::data_set(dir, None) {
        Ok(file) => file.display().to_string(),
        Err(_) => "not kept; queries need --adata FILE".into(),
    }
}

fn metric((name, values): (&String, &Vec<f64>)) -> Option<[String; 4]> {
    let last = values.last()?;
    let numbered = values.iter().enumerate().filter(|(_, v)| !v.is_nan());
    let (epoch, min) = numbered.min_by(|a, b| a.1.total_cmp(b.1))?;
    let number = |v: &f64| term::number(*v);
    Some([name.clone(), number(last), number(min), (epoch + 1).to_string()])
}
