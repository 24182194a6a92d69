//! Every name and parameter of scvi-tools' API page has its place here: `docs/api.md` says where, and
//! is made of what is declared.

mod items;
mod page;
mod places;
mod table;

use std::{env, fs, path::Path};

use page::{Name, Parameter};
use places::Places;
use table::{Row, Rows};

/// Names and parameters of the page that are not there yet, and for want of what. A list to shrink:
/// what is there must not stand in it.
const NOT_YET: &[(&str, &str, &str)] = &[
    ("train.plan_kwargs", "update_only_decoder", "mapping of query data"),
    ("load_query_data", "", "mapping of query data"),
    ("prepare_query_anndata", "", "mapping of query data"),
    ("prepare_query_mudata", "", "mapping of query data"),
];

/// Why a name or parameter is not there yet.
fn not_yet(name: &str, parameter: &str) -> Option<&'static str> {
    let found = NOT_YET.iter().find(|(n, p, _)| (*n, *p) == (name, parameter));
    found.map(|(_, _, reason)| *reason)
}

/// Defaults that are written differently and mean the same: parameter, on the page, here, and why.
const SAME: &[(&str, &str, &str, &str)] = &[
    ("batch_size", "None", "128", "scvi.settings.batch_size"),
    ("weights", "None", "'uniform'", "None is uniform"),
    ("train_size", "0.9", "None", "0.9, less a last minibatch of one or two cells"),
    ("var_activation", "None", "'exp'", "None is exp"),
    ("n_mc_samples_per_pass", "1", "10", "how many at a time changes nothing but memory"),
];

#[test]
fn the_table_says_where_every_name_of_the_page_is() {
    let rows = Rows::new();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api.md");
    let table = rows.to_string();
    if env::var_os("SCVI_UPDATE_SNAPSHOTS").is_some() {
        fs::write(&path, &table).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    let differs = table.lines().zip(written.lines()).find(|(now, then)| now != then);
    assert!(
        table == written,
        "docs/api.md is not what the code says; SCVI_UPDATE_SNAPSHOTS=1 writes it anew: {differs:?}"
    );
}

#[test]
fn defaults_are_those_of_the_page() {
    let rows = Rows::new();
    let differ = rows.parameters().filter_map(|(name, row)| {
        let (theirs, ours) = (row.default, row.declared.as_ref()?);
        let same =
            SAME.iter().any(|(p, page, here, _)| (*p, *page, *here) == (row.name, theirs, ours));
        let number = |text: &str| text.parse::<f64>().ok();
        let equal = theirs == ours
            || number(theirs).is_some_and(|n| Some(n) == number(ours))
            || (theirs, ours.as_str()) == ("None", "[]")
            || (theirs, ours.as_str()) == ("", "None");
        (!equal && !same).then(|| format!("{name}({}): {theirs} there, {ours} here", row.name))
    });
    assert_eq!(differ.collect::<Vec<_>>(), Vec::<String>::new());
}

#[test]
fn items_commands_and_tests_that_the_table_names_exist() {
    let (rows, known) = (Rows::new(), items::Known::new());
    let mut missing = Vec::new();
    for row in rows.all() {
        let Row { rust, command, test, .. } = row;
        missing.extend(known.missing_items(rust));
        missing.extend(known.missing_command(command));
        missing.extend(known.missing_test(test));
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn nothing_is_said_of_what_is_on_no_page() {
    let names: Vec<Name> = page::page().into_iter().chain(page::later()).collect();
    let is_named = |name: &str, parameter: &str| {
        let parameters =
            |found: &Name| found.parameters.iter().any(|p: &Parameter| p.name == parameter);
        names.iter().any(|n| n.name == name && (parameter.is_empty() || parameters(n)))
    };
    let mut said =
        NOT_YET.iter().map(|(name, parameter, _)| (*name, *parameter)).collect::<Vec<_>>();
    for (name, parameters) in Places::new().all() {
        said.push((name, ""));
        said.extend(parameters.into_iter().map(|parameter| (name, parameter)));
    }
    let surplus = said.into_iter().filter(|(name, parameter)| !is_named(name, parameter));
    assert_eq!(surplus.collect::<Vec<_>>(), Vec::<(&str, &str)>::new());
}
