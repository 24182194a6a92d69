//! The one error type of the framework.

mod fault;
mod names;

use std::path::PathBuf;

use crate::abi::Fault;

pub(crate) use names::list;
use names::{first, with_nearest};

/// Result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong: what, where, expected, found, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // --- data set ---------------------------------------------------------------------------
    /// A named element is not in the data set.
    #[error("{slot} has no `{key}`; present: {}", list(present))]
    MissingElement {
        /// Where it was looked for (`obs`, `layers`, …).
        slot: &'static str,
        /// The name asked for.
        key: String,
        /// The names that are there.
        present: Vec<String>,
    },
    /// A modality was asked for and is not there.
    #[error(
        "the data set has no modality `{key}`; {}",
        if present.is_empty() { "it has none: it is of one kind of measurement".into() } else { format!("present: {}", list(present)) }
    )]
    NoModality {
        /// The name asked for.
        key: String,
        /// The names that are there.
        present: Vec<String>,
    },
    /// Something is wrong inside a modality.
    #[error("modality `{modality}`: {source}")]
    InModality {
        /// The modality.
        modality: String,
        /// What is wrong.
        source: Box<Error>,
    },
    /// A modality that has other cells than its data set.
    #[error(
        "modality `{modality}`: expected the {n_obs} cells of the data set in its order, found {found}; keep the cells that all modalities have, in one order"
    )]
    Unpaired {
        /// The modality.
        modality: String,
        /// Cells of the data set.
        n_obs: usize,
        /// How its cells differ.
        found: String,
    },
    /// An element has another shape than its place demands.
    #[error("{what}: expected shape {expected:?}, found {found:?}")]
    Shape {
        /// The element or operation.
        what: String,
        /// The shape demanded.
        expected: Vec<usize>,
        /// The shape found.
        found: Vec<usize>,
    },
    /// An element is of another kind or dtype than demanded.
    #[error("{what}: expected {expected}, found {found}")]
    Kind {
        /// The element.
        what: String,
        /// The kind demanded.
        expected: String,
        /// The kind found.
        found: String,
    },
    // --- arguments --------------------------------------------------------------------------
    /// An argument that nobody declared.
    #[error("unknown argument `{name}`{}; known: {}", nearest.as_ref().map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default(), list(known))]
    UnknownArgument {
        /// The name given.
        name: String,
        /// The most similar declared name.
        nearest: Option<String>,
        /// All declared names.
        known: Vec<String>,
    },
    /// An argument whose value cannot be used.
    #[error("argument `{name}`: expected {expected}, found {found}")]
    Argument {
        /// The argument.
        name: String,
        /// What would be accepted.
        expected: String,
        /// The value given.
        found: String,
    },
    // --- files ------------------------------------------------------------------------------
    /// The operating system refused a file operation.
    #[error("{}: {action}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    // --- saved models -----------------------------------------------------------------------
    /// Saved weights do not belong to this model.
    #[error(
        "saved weights do not fit the model; missing: {}; unexpected: {}",
        list(&with_nearest(missing, unexpected)),
        list(unexpected)
    )]
    StateDict {
        /// Names that the model has and the file lacks.
        missing: Vec<String>,
        /// Names that the file has and the model lacks.
        unexpected: Vec<String>,
    },
    /// A parameter that has another shape than the reference's, and not by new categories.
    #[error(
        "parameter `{parameter}` has shape {query:?} for the query and {reference:?} in the reference, and the model does not say which of its entries stand for categories; its author must (nn::Path::layout)"
    )]
    Ungrown {
        /// The parameter.
        parameter: String,
        /// Its shape in the reference.
        reference: Vec<i64>,
        /// Its shape for the query.
        query: Vec<i64>,
    },
    // --- registration -----------------------------------------------------------------------
    /// Two fields of one model have the same registry key.
    #[error("two fields are registered as `{key}`; each needs a registry key of its own")]
    DuplicateField {
        /// The registry key.
        key: String,
    },
    /// JSON that is no field.
    #[error("field `{kind}`: {reason}")]
    FieldJson {
        /// The kind of field.
        kind: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A field of a kind that nobody here knows.
    #[error("no field of the kind `{kind}` is known here; known: {}", list(known))]
    UnknownField {
        /// The kind of field.
        kind: String,
        /// The kinds known.
        known: Vec<String>,
    },
    /// A field that a saved model was given is not here.
    #[error(
        "the saved model reads `{registry_key}` through a field{}: {source}",
        plugin.as_ref().map(|(name, version)| format!(" of plugin {name} {version}, which is not here")).unwrap_or_default()
    )]
    MissingField {
        /// The field's registry key.
        registry_key: String,
        /// Name and version of its plugin, where the model names it.
        plugin: Option<(String, String)>,
        /// Which fields there are.
        source: Box<Error>,
    },
    /// A field in the place of a model's own that gives too little.
    #[error(
        "field `{kind}` cannot take the place of the model's `{key}` ({own}): it does not give {}",
        list(lacks)
    )]
    UnfitField {
        /// The registry key.
        key: String,
        /// The kind of field given.
        kind: String,
        /// The kind of the model's own.
        own: String,
        /// What the model's own gives beside.
        lacks: Vec<String>,
    },
    /// A field and arguments for the same key.
    #[error(
        "`{key}` is given twice: by the field `{kind}`, and by arguments of the model ({own}); leave one of them out"
    )]
    FieldAndArgument {
        /// The registry key.
        key: String,
        /// The kind of field given.
        kind: String,
        /// The model's own field as its arguments made it.
        own: String,
    },
    /// Two fields give the same summary statistic.
    #[error("fields `{}` and `{}` both give the summary statistic `{stat}`", fields[0], fields[1])]
    DuplicateStatistic {
        /// The statistic.
        stat: String,
        /// Registry keys of both fields.
        fields: [String; 2],
    },
    /// The main matrix was asked for and there is none.
    #[error("the data set has no X; layers: {}; name one with --layer", list(layers))]
    NoX {
        /// The layers that are there.
        layers: Vec<String>,
    },
    /// Values that models of counts cannot take.
    #[error("{what} holds no counts: {found}; first {first}; {hint}")]
    NotCounts {
        /// The matrix.
        what: String,
        /// How many values are no counts, and in which way.
        found: String,
        /// The first of them, its cell and its gene.
        first: String,
        /// What to do.
        hint: String,
    },
    /// Something that the reference model reads and the query has not.
    #[error(
        "the query has no {slot} `{key}`, which the reference model reads; {}; present: {}",
        if *slot == "obs" { format!("add the column, one value per study or donor, e.g. in Python adata.obs[\"{key}\"] = \"query\"") } else { "add it".into() },
        list(present)
    )]
    QueryLacks {
        /// Where it should be.
        slot: &'static str,
        /// Its name.
        key: String,
        /// The names that are there.
        present: Vec<String>,
    },
    /// Genes that the reference has and the query has not.
    #[error(
        "the query lacks {} of the reference's {n_reference} genes: {}; pad them with zeros (prepare_query_anndata, which `scvi map` does by itself)",
        missing.len(), first(missing, 5)
    )]
    QueryLacksGenes {
        /// Genes of the reference.
        n_reference: usize,
        /// Those that are missing.
        missing: Vec<String>,
    },
    /// A query with none of the reference's genes.
    #[error(
        "none of the reference's {n_reference} genes is in the query: it has {}, the reference {}; {hint}",
        first(query, 3),
        first(reference, 3)
    )]
    NoSharedGenes {
        /// Genes of the reference.
        n_reference: usize,
        /// Names of the query's genes.
        query: Vec<String>,
        /// Names of the reference's genes.
        reference: Vec<String>,
        /// What to do.
        hint: String,
    },
    /// A gene of the reference that the query has more than once.
    #[error(
        "{} of the reference's genes occur more than once in the query: {}; in Python adata.var_names_make_unique() numbers them, or add them up",
        names.len(), first(names, 5)
    )]
    RepeatedGenes {
        /// Their names.
        names: Vec<String>,
    },
    /// Categories that differ from known ones in kind alone.
    #[error(
        "obs column `{column}`: {} here, {} in the reference: numbers in one and text in the other; make the query's like the reference's, in Python adata.obs[\"{column}\"] = adata.obs[\"{column}\"].astype({})",
        list(found), list(known), if known.iter().any(|k| k.starts_with('"')) { "str" } else { "int" }
    )]
    OtherKindOfCategory {
        /// The column.
        column: String,
        /// As they are here, as JSON.
        found: Vec<String>,
        /// As they are in the reference, as JSON.
        known: Vec<String>,
    },
    /// Rows of a column without a usable value.
    #[error("{what}: {n_bad} of {n_rows} {rows} have {wrong}, first {}; {hint}", list(names))]
    BadValues {
        /// The column.
        what: String,
        /// Rows without a usable value.
        n_bad: usize,
        /// Rows in all.
        n_rows: usize,
        /// What a row is: cells or genes.
        rows: &'static str,
        /// What they have in its place.
        wrong: &'static str,
        /// Names of the first of them.
        names: Vec<String>,
        /// What to do.
        hint: &'static str,
    },
    /// Categories that the registered data set did not have.
    #[error(
        "{what}: {} {} ({n_rows} {rows}) not found in source registry, which has {}. {hint}",
        if unseen.len() == 1 { "category" } else { "categories" },
        list(unseen),
        list(known)
    )]
    UnseenCategories {
        /// The column.
        what: String,
        /// Categories found only here, as JSON.
        unseen: Vec<String>,
        /// Rows in them.
        n_rows: usize,
        /// What a row is: cells or genes.
        rows: &'static str,
        /// Categories of the registered data set, as JSON.
        known: Vec<String>,
        /// What to do.
        hint: &'static str,
    },
    /// A matrix whose columns are not those of the registered one.
    #[error("{what}: the columns are not those of the registered data set: {difference}")]
    OtherColumns {
        /// The matrix.
        what: String,
        /// How they differ.
        difference: String,
    },
    /// A data set or a manager that belongs to no set-up of this class of models.
    #[error("{what} was not set up for {class}: {problem}")]
    NotSetUp {
        /// What was given.
        what: &'static str,
        /// The class of models.
        class: String,
        /// Why it cannot be used, and what to do.
        problem: String,
    },
    /// A data set without its counts.
    #[error(
        "the data set is minified ({0}): zeros stand in place of its counts, and this needs them; \
         give the full data set that it was made of, or, for what a stored posterior is enough for, \
         the model that was saved with it"
    )]
    Minified(&'static str),
    /// A data set that was minified before.
    #[error("the data set is minified already ({0}): minify the full data set that it was made of")]
    MinifiedAlready(&'static str),
    /// A model that cannot work from a stored posterior.
    #[error("The {0} model currently does not support minified data.")]
    MinifiedUnsupported(&'static str),
    /// Other genes than those of the registered data set.
    #[error("the genes are not the model's: {difference}; {hint}")]
    OtherGenes {
        /// How they differ.
        difference: String,
        /// What to do.
        hint: &'static str,
    },
    /// Cells cannot be divided as asked.
    #[error("cannot split {n_obs} cells: {problem}")]
    Split {
        /// Cells in all.
        n_obs: usize,
        /// What is wrong.
        problem: String,
    },
    /// Rows that are not in the data set.
    #[error("cell index {index} is out of range: there are {n_obs} cells")]
    RowIndex {
        /// The first wrong index.
        index: usize,
        /// Cells in all.
        n_obs: usize,
    },
    // --- training ---------------------------------------------------------------------------
    /// A part of a model that is computed from data, and there are none.
    #[error(
        "{0} is computed from a data set, and this model is made without one; make it for a data set"
    )]
    NoDataSet(&'static str),
    /// A query that the model's class does not list.
    #[error("{model} has no method `{name}`{}; it has {}", nearest.as_ref().map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default(), known.join(", "))]
    UnknownQuery {
        /// The model class.
        model: &'static str,
        /// The name given.
        name: String,
        /// The most similar name listed.
        nearest: Option<String>,
        /// All names listed.
        known: Vec<String>,
    },
    /// A query that needs a trained model.
    #[error("this {0} model has not been trained; train it first")]
    NotTrained(&'static str),
    /// Whoever asked wants no answer any more.
    #[error("stopped before it was done")]
    Cancelled,
    /// The loss is not a number.
    #[error(
        "the loss is not finite in epoch {epoch}, step {step}; first bad tensor: {tensor}. The model is back in its last good state. Check the counts for extreme values, or lower --lr, or set --gradient-clip-val"
    )]
    NonFiniteLoss {
        /// Epoch, from 1.
        epoch: usize,
        /// Optimiser step since training began, from 1.
        step: usize,
        /// The first tensor that is not finite.
        tensor: String,
    },
    // --- data on disk -----------------------------------------------------------------------
    /// A matrix left on disk cannot be read.
    #[error("{reason}")]
    OnDisk {
        /// What the reader of the file says: file, element and reason.
        reason: String,
    },
    /// A file of a saved model cannot be used as it is.
    #[error("{}: expected {expected}, found {found}", path.display())]
    SavedFile {
        /// The file.
        path: PathBuf,
        /// What should be in it.
        expected: &'static str,
        /// What is in it.
        found: String,
    },
    /// No training that could go on.
    #[error("{model}: no training to go on with: {reason}; train anew")]
    NothingToResume {
        /// The model.
        model: String,
        /// What is missing.
        reason: &'static str,
    },
    /// A training that would go on with another argument.
    #[error(
        "argument `{name}`: the training began with {expected} and cannot go on with {found}; leave it out, or train anew"
    )]
    OtherTraining {
        /// The argument.
        name: String,
        /// Its value so far.
        expected: String,
        /// The value given.
        found: String,
    },
    /// A training that would go on with other data.
    #[error(
        "the training began on another data set{}; give that one, or train anew",
        if expected == found { format!(", which has {found} cells too") } else { format!(": expected {expected} cells, found {found}") }
    )]
    OtherData {
        /// Cells that it began with.
        expected: usize,
        /// Cells of the data set given.
        found: usize,
    },
    /// A saved model of a later version of this library.
    #[error(
        "{}: written in version {found} of the format, and versions up to {known} are known here; update this program to read it",
        path.display()
    )]
    NewerFormat {
        /// The file that says so.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The latest version that this library reads.
        known: u32,
    },
    /// A place that holds no saved model.
    #[error(
        "{}: no saved model here; expected a folder with model.json and model.safetensors, or with model.pt as scvi-tools writes it; present: {}",
        path.display(),
        first(present, 5)
    )]
    NoSavedModel {
        /// The place.
        path: PathBuf,
        /// The files that are there.
        present: Vec<String>,
    },
    /// A model in the layout that scvi-tools wrote before 0.15.
    #[error(
        "{}: a model saved by scvi-tools before 0.15, whose files do not say of which class it is; convert it, naming the class: scvi convert {0} DIR --model CLASS",
        path.display()
    )]
    LegacyModel {
        /// The folder.
        path: PathBuf,
    },
    /// A place that holds more than one saved model.
    #[error("{}: several models: {}; name the file of one of them", path.display(), list(files))]
    SeveralModels {
        /// The place.
        path: PathBuf,
        /// The file of each.
        files: Vec<String>,
    },
    /// An output that is there already.
    #[error("{}: exists already, and overwriting was not asked for; nothing was written", path.display())]
    OutputExists {
        /// The output.
        path: PathBuf,
    },
    /// A folder to be overwritten that holds more than a saved model.
    #[error(
        "{}: will not be overwritten, because it holds more than a saved model: {}; move them, or write to another folder",
        path.display(),
        list(others)
    )]
    OtherFiles {
        /// The folder.
        path: PathBuf,
        /// The files that do not belong to a saved model.
        others: Vec<String>,
    },
    // --- tensors ----------------------------------------------------------------------------
    /// libtorch refused an operation.
    #[error("tensor operation failed: {0}")]
    Torch(#[from] tch::TchError),
    // --- modules ----------------------------------------------------------------------------
    /// A value that a distribution of counts cannot produce.
    #[error(
        "{distribution} likelihood: expected counts (0, 1, 2, …), found {found}; use a layer that \
         holds raw counts, or another gene_likelihood"
    )]
    NoCount {
        /// The distribution.
        distribution: &'static str,
        /// The first such value.
        found: f64,
    },
    /// Batch statistics of a single cell.
    #[error(
        "batch normalisation needs two cells or more in a minibatch while training, found {found}; \
         choose another batch_size"
    )]
    SmallBatch {
        /// Cells in the minibatch.
        found: i64,
    },
    // --- plugin boundary --------------------------------------------------------------------
    /// A file cannot serve as a plugin.
    #[error(transparent)]
    Load(#[from] crate::abi::LoadError),
    /// An error from the other side that says all there is to say.
    #[error("{text}")]
    Foreign {
        /// Who passed it on.
        plugin: String,
        /// Whose fault it is.
        fault: Fault,
        /// What it says.
        text: String,
    },
    /// A plugin failed by its own fault.
    #[error("plugin `{plugin}` failed in `{verb}`: {text}")]
    PluginFailed {
        /// The plugin.
        plugin: String,
        /// What it was asked for.
        verb: &'static str,
        /// What it says.
        text: String,
    },
    /// A plugin panicked; the rest of the program is unharmed.
    #[error("plugin `{plugin}` crashed in `{verb}`: {text}; please tell its author")]
    PluginPanicked {
        /// The plugin.
        plugin: String,
        /// What it was asked for.
        verb: &'static str,
        /// The message and its place in the plugin's source.
        text: String,
    },
    /// A model that crashed before.
    #[error("the model crashed earlier and its state is lost; load or train it again")]
    Poisoned,
    /// What came across the boundary is not what should come.
    #[error("plugin boundary: expected {expected}, found {reason}")]
    Message {
        /// What should come.
        expected: &'static str,
        /// What came.
        reason: String,
    },
}
