//! Selections against pandas' own answers, and their refusals.

use std::{
    io::Write,
    process::{Command, Stdio},
};

use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

use super::*;
use crate::anndata::{Categorical, DataFrame, Element, Mapping, Nullable};

const N: usize = 24;

/// A table with a column of each kind, and the same for Python.
fn cells() -> (AnnData, Value) {
    let names: Vec<String> = (0..N).map(|i| format!("c{i}")).collect();
    let mut obs = DataFrame::new(&names);
    let mut described = Vec::new();
    let mut add = |name: &str, dtype: &str, values: Vec<Value>, element: Element| {
        described.push(json!([name, dtype, values]));
        obs.columns.insert(name.into(), element);
    };
    let codes = |n: usize, missing: usize| -> Vec<i8> {
        (0..N).map(|i| if i % 5 == missing { -1 } else { (i * 7 % n) as i8 }).collect()
    };
    let categorical = |codes: &[i8], all: Element, ordered| {
        let codes = codes.to_vec().into();
        Element::Categorical(Categorical { codes, categories: Box::new(all), ordered })
    };
    let listed = |codes: &[i8], all: &Value| -> Vec<Value> {
        codes.iter().map(|&c| if c < 0 { Value::Null } else { all[c as usize].clone() }).collect()
    };
    for (name, all, ordered, missing) in [
        ("cell_type", ["B cells", "T cells", "it's"], false, 1),
        ("other type", ["B cells", "T cells", "it's"], false, 2),
        ("leiden", ["0", "1", "10"], false, 9),
        ("stage", ["early", "late", "adult"], true, 3),
        ("stage2", ["early", "late", "adult"], true, 9),
    ] {
        let codes = codes(if name == "stage2" { 2 } else { 3 }, missing);
        let dtype = if ordered { "ordered" } else { "category" };
        let values = listed(&codes, &json!(all));
        add(
            name,
            dtype,
            [vec![json!(all)], values].concat(),
            categorical(&codes, Element::strings(all), ordered),
        );
    }
    let donors = codes(3, 4);
    let values = [vec![json!([1, 2, 30])], listed(&donors, &json!([1, 2, 30]))].concat();
    add(
        "donor",
        "category",
        values,
        categorical(&donors, Element::vector(vec![1i64, 2, 30]), false),
    );
    let texts: Vec<String> = (0..N).map(|i| ["a", "b", "Straße", "d d"][i % 4].into()).collect();
    add("text", "object", texts.iter().map(|t| json!(t)).collect(), Element::strings(&texts));
    let counts: Vec<i64> = (0..N as i64).map(|i| i * 137 % 1000 - 100).collect();
    add("n_counts", "int64", counts.iter().map(|c| json!(c)).collect(), Element::vector(counts));
    let genes: Vec<i32> = (0..N as i32).map(|i| i * 53 % 400).collect();
    add("n_genes", "int32", genes.iter().map(|c| json!(c)).collect(), Element::vector(genes));
    let share = |i: usize| if i % 6 == 2 { f32::NAN } else { (i % 10) as f32 / 10.0 };
    let shares: Vec<f32> = (0..N).map(share).collect();
    let or_null = |x: f64| if x.is_nan() { Value::Null } else { json!(x) };
    let values = shares.iter().map(|&x| or_null(x.into())).collect();
    add("pct_mito", "float32", values, Element::vector(shares));
    let scores: Vec<f64> =
        (0..N).map(|i| if i % 7 == 3 { f64::NAN } else { i as f64 / 10.0 - 1.0 }).collect();
    add("score", "float64", scores.iter().map(|&x| or_null(x)).collect(), Element::vector(scores));
    let doublet: Vec<bool> = (0..N).map(|i| i % 3 == 0).collect();
    add("doublet", "bool", doublet.iter().map(|d| json!(d)).collect(), Element::vector(doublet));
    let mask: Vec<bool> = (0..N).map(|i| i % 4 == 1).collect();
    let masked = |values: Vec<Value>| -> Vec<Value> {
        values.into_iter().zip(&mask).map(|(v, m)| if *m { Value::Null } else { v }).collect()
    };
    let nullable = |values: Element| {
        Element::Nullable(Nullable { values: Box::new(values), mask: mask.clone().into() })
    };
    let ages: Vec<i64> = (0..N as i64).map(|i| i % 9).collect();
    add(
        "age",
        "Int64",
        masked(ages.iter().map(|a| json!(a)).collect()),
        nullable(Element::vector(ages)),
    );
    let sure: Vec<bool> = (0..N).map(|i| i % 2 == 0).collect();
    add(
        "sure",
        "boolean",
        masked(sure.iter().map(|s| json!(s)).collect()),
        nullable(Element::vector(sure)),
    );
    let sex: Vec<String> = (0..N).map(|i| ["f", "m"][i % 2].into()).collect();
    add(
        "sex",
        "string",
        masked(sex.iter().map(|s| json!(s)).collect()),
        nullable(Element::strings(&sex)),
    );
    (AnnData::new(obs, DataFrame::new::<&str>([])), json!({ "names": names, "columns": described }))
}

const ASK: &str = r#"
import json, sys, warnings
import numpy as np, pandas as pd
warnings.simplefilter("ignore")
asked = json.load(sys.stdin)
obs = pd.DataFrame(index=asked["names"])
for name, dtype, values in asked["columns"]:
    if dtype in ("category", "ordered"):
        obs[name] = pd.Categorical(values[1:], categories=values[0], ordered=dtype == "ordered")
    elif dtype in ("Int64", "boolean", "string"):
        obs[name] = pd.array([pd.NA if v is None else v for v in values], dtype=dtype)
    else:
        obs[name] = np.array([np.nan if v is None else v for v in values], dtype=dtype)
answers = []
for query in asked["queries"]:
    try:
        answers.append(np.flatnonzero(obs.index.isin(obs.query(query).index)).tolist())
    except Exception as error:
        answers.append(f"{type(error).__name__}: {error}")
json.dump(answers, sys.stdout)
"#;

/// What pandas answers: rows, or an error as text.
fn pandas(described: Value, queries: &[String]) -> Option<Vec<Value>> {
    let python = crate::reference_python::with("pandas")?;
    let mut asked = described;
    asked["queries"] = json!(queries);
    let mut child = Command::new(python)
        .args(["-c", ASK])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(asked.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn ask(adata: &AnnData, query: &str) -> Result<Vec<usize>> {
    Selection::from(query).positions(adata, "idx1")
}

#[test]
fn queries_are_answered_as_by_pandas() {
    let queries = [
        "cell_type == 'B cells'",
        "cell_type == \"it's\" or cell_type == 'T cells'",
        "cell_type == 'it\\'s'",
        "cell_type != 'B cells'",
        "'B cells' == cell_type",
        "cell_type in ['B cells', 'it\\'s']",
        "cell_type in ('B cells', 'T cells')",
        "cell_type not in ['B cells', ]",
        "cell_type == ['B cells', 'T cells']",
        "cell_type != ['B cells']",
        "cell_type == `other type`",
        "cell_type != `other type`",
        "cell_type == cell_type",
        "cell_type == 'nothing'",
        "cell_type.isin(['T cells']) and n_counts>100",
        "cell_type.isna() | score.isnull()",
        "cell_type.notna() & ~doublet",
        "leiden == '1'",
        "leiden in ['1', '10']",
        "stage > 'early'",
        "stage <= 'late'",
        "'late' > stage",
        "stage == stage2",
        "stage < stage2",
        "stage != 'early'",
        "donor == 30",
        "donor in [1, 2]",
        "donor != 2",
        "text == 'Straße'",
        "text < 'b'",
        "text >= 'b' and text != 'd d'",
        "text == cell_type",
        "index in ['c1', 'c20', 'nobody']",
        "index == 'c3'",
        "cell_type == 'B cells' and n_counts > 100",
        "n_counts > 100 & doublet",
        "n_counts > 100 | doublet == False and n_genes < 50",
        "(n_counts > 100 | doublet) & n_genes < 200",
        "not doublet",
        "not n_counts > 100 and doublet",
        "~(n_counts > 100) and doublet",
        "~doublet == True",
        "~~doublet",
        "not not doublet",
        "doublet",
        "doublet == 1",
        "doublet != True",
        "100 < n_counts <= 600",
        "100 < n_counts != n_genes < 300",
        "n_counts == n_genes",
        "n_counts < n_genes",
        "n_counts > -50",
        "n_counts > - 50.5",
        "-n_counts > 50",
        "n_counts >= 1e2",
        "n_counts in [37, 174, -100]",
        "n_counts not in [37.0]",
        "n_counts > n_genes * 2 + 1",
        "n_counts / n_genes > 1.5",
        "n_counts - n_genes - 100 > 0",
        "n_counts / 2 / 2 > 50",
        "pct_mito == 0.1",
        "pct_mito < 0.3",
        "pct_mito <= .3",
        "pct_mito in [0.5, 0.1]",
        "pct_mito != 0.1",
        "not pct_mito < 0.3",
        "pct_mito == pct_mito",
        "pct_mito * 10 == 3",
        "pct_mito + 0.1 > 0.4",
        "pct_mito < score",
        "pct_mito / n_genes < 0.01",
        "score == 0.1",
        "score > 0.1 or score != score",
        "-0.5 < score < 0.5",
        "score in [0.0]",
        "age > 3",
        "age != 3",
        "age == 3 or doublet",
        "not age > 3",
        "age in [1, 2]",
        "age not in [1, 2]",
        "age.isna()",
        "age < n_genes",
        "age * 2 == 8",
        "sure",
        "~sure",
        "sure and doublet",
        "sure or doublet",
        "sure == False",
        "sure != doublet",
        "sex == 'f'",
        "sex != 'f'",
        "'m' != sex",
        "'m' == text == text",
        "sex in ['m']",
        "sex not in ['m']",
        "sex > 'f'",
        "  ( ( doublet ) )  ",
        "doublet == (n_counts > 100)",
    ]
    .map(String::from);
    let (adata, described) = cells();
    let Some(answers) = pandas(described, &queries) else { return };
    for (query, answer) in queries.iter().zip(answers) {
        let found = ask(&adata, query).map_or_else(|e| json!(e.to_string()), |rows| json!(rows));
        assert_eq!(found, answer, "{query}");
    }
}

/// Any query that both understand is answered alike.
#[test]
fn random_queries_are_answered_as_by_pandas() {
    let mut rng = StdRng::seed_from_u64(11);
    let queries: Vec<String> = (0..400).map(|_| condition(&mut rng, 3)).collect();
    let (adata, described) = cells();
    let Some(answers) = pandas(described, &queries) else { return };
    let mut answered = 0;
    for (query, answer) in queries.iter().zip(answers) {
        let Value::Array(_) = answer else { continue };
        let found = ask(&adata, query).map_or_else(|e| json!(e.to_string()), |rows| json!(rows));
        assert_eq!(found, answer, "{query}");
        answered += 1;
    }
    println!("pandas answered {answered} of {}", queries.len());
    assert!(answered > 350);
}

fn one<'a>(rng: &mut StdRng, of: &[&'a str]) -> &'a str {
    of[rng.random_range(0..of.len())]
}

fn condition(rng: &mut StdRng, depth: usize) -> String {
    const ORDER: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];
    if depth > 0 && rng.random_bool(0.7) {
        let (a, b) = (condition(rng, depth - 1), condition(rng, depth - 1));
        return match rng.random_range(0..6) {
            0 => format!("{a} and {b}"),
            1 => format!("{a} or {b}"),
            2 => format!("({a}) & ({b})"),
            3 => format!("({a} | {b})"),
            4 => format!("not {a}"),
            _ => format!("~({a})"),
        };
    }
    let number = |rng: &mut StdRng| match rng.random_range(0..4) {
        0 => one(rng, &["n_counts", "n_genes", "pct_mito", "score"]).to_owned(),
        1 => format!("{}", rng.random_range(-100..500)),
        2 => format!("{:.1}", rng.random_range(-1.0..1.0)),
        _ => format!(
            "{} {} {}",
            one(rng, &["n_counts", "score"]),
            one(rng, &["+", "-", "*"]),
            one(rng, &["n_genes", "0.5", "3"])
        ),
    };
    let categories = ["'B cells'", "'T cells'", "\"it's\"", "'?'"];
    match rng.random_range(0..7) {
        0 => format!(
            "{} {} {}",
            one(rng, &["cell_type", "`other type`"]),
            one(rng, &ORDER[..2]),
            one(rng, &categories)
        ),
        1 => format!(
            "cell_type {} [{}, {}]",
            one(rng, &["in", "not in"]),
            one(rng, &categories),
            one(rng, &categories)
        ),
        2 => format!("stage {} {}", one(rng, &ORDER), one(rng, &["'early'", "'late'", "stage2"])),
        3 => format!(
            "{} {} {}",
            one(rng, &["n_counts", "pct_mito", "score"]),
            one(rng, &ORDER),
            number(rng)
        ),
        4 => format!(
            "{} {} n_counts {} {}",
            number(rng),
            one(rng, &ORDER),
            one(rng, &ORDER),
            number(rng)
        ),
        5 => one(rng, &["doublet", "sure", "sex == 'f'", "sex != 'm'", "score.isna()"]).to_owned(),
        _ => format!("age {} {}", one(rng, &ORDER), rng.random_range(0..9)),
    }
}

#[track_caller]
fn refused(query: &str, expected: &str) {
    let message = ask(&cells().0, query).unwrap_err().to_string();
    assert_eq!(message, format!("argument `idx1`: expected {expected} of `{query}`"));
}

#[test]
fn what_is_wrong_in_a_query_is_shown() {
    let operand = "a column, a text in quotes, a number, True, False, a list or `(`";
    let more = "a comparison, `and`, `or`, or the end";
    refused(
        "cell_typ == 'B cells'",
        "a column of obs (did you mean `cell_type`? present: cell_type, other type, leiden, stage, \
         stage2, donor, text, n_counts, n_genes, pct_mito, score, doublet, age, sure, sex), found \
         `cell_typ` at character 1",
    );
    refused("cell_type = 'B cells'", &format!("{more}, found `= 'B cells'` at character 11"));
    refused(
        "text == 'Straße' && doublet",
        &format!("{operand}, found `& doublet` at character 19"),
    );
    refused("", &format!("{operand}, found the end at character 1"));
    refused("doublet and", &format!("{operand}, found the end at character 12"));
    refused("n_counts > @least", &format!("{operand}, found `@least` at character 12"));
    refused("cell_type == 'B cells", "a closing quote, found the end at character 22");
    refused("`cell type", "a closing `, found the end at character 11");
    refused("n_counts > 12abc", "a number, found `abc` at character 14");
    refused("(doublet", "a comparison, `and`, `or`, `,` or `)`, found the end at character 9");
    refused(
        "text in ['a', b]",
        "a text in quotes, a number, True or False, `,` or `]`, found `b]` at character 15",
    );
    refused(
        "text.str.len() > 2",
        "isna(), notna() or isin([…]), found `str.len() > 2` at character 6",
    );
    refused("leiden == 1", "text, e.g. '1' for 1, found numbers at character 11");
    refused("n_counts > '10'", "a number, e.g. 1 for '1', found text at character 12");
    refused("doublet == 'True'", "True, False or a number, found text at character 12");
    refused("leiden in ['1', 2]", "text, e.g. '1' for 1, found numbers at character 17");
    refused(
        "cell_type > 'B cells'",
        "`==`, `!=` or `in`, as its categories have no order, found an order at character 13",
    );
    refused(
        "stage > 'never'",
        "one of the column's categories, found another value at character 9",
    );
    refused("text in 'a'", "a list, as ['a', 'b'], found no list at character 9");
    refused("n_counts and doublet", "something true or false, found numbers at character 1");
    refused("n_counts", "something true or false, found numbers at character 1");
    refused(
        "1 < 2",
        "a comparison with a column of obs, found the same of all cells at character 1",
    );
    refused("text + 'a' == 'aa'", "numbers on both sides of `+`, found text at character 8");
    refused(
        "['a'] == text",
        "a value, or the list behind `in`, `==` or `!=`, found a list at character 1",
    );
    let deep = format!("{}doublet{}", "(".repeat(60), ")".repeat(60));
    let shown = format!("`{}…`", "(".repeat(9) + "doublet))))");
    refused(&deep, &format!("a query in which less is nested, found {shown} at character 52"));
    let message = ask(&cells().0, &"~".repeat(100_000)).unwrap_err().to_string();
    assert!(message.contains("a query in which less is nested"));
}

#[test]
fn positions_and_masks_are_taken_as_they_are() {
    let (adata, _) = cells();
    let of = |value: Value| Selection::from_value(&value).unwrap().positions(&adata, "idx2");
    assert_eq!(of(json!([3, 1])).unwrap(), [3, 1]);
    assert_eq!(of(json!("3, 1")).unwrap(), [3, 1]);
    assert_eq!(of(json!(3)).unwrap(), [3]);
    assert!(of(json!([])).unwrap().is_empty());
    let mask: Vec<bool> = (0..N).map(|i| i == 2 || i == 5).collect();
    assert_eq!(of(json!(mask)).unwrap(), [2, 5]);
    assert_eq!(
        of(json!([99])).unwrap_err().to_string(),
        "cell index 99 is out of range: there are 24 cells"
    );
    assert_eq!(
        of(json!([true])).unwrap_err().to_string(),
        "argument `idx2`: expected a mask of the 24 cells, found one of 1"
    );
    assert_eq!(Selection::from_value(&json!([true, 1])), None);
    assert_eq!(Selection::from_value(&json!({})), None);
    for value in [json!([3, 1]), json!([true, false]), json!("a == 1")] {
        assert_eq!(Selection::from_value(&value).unwrap().to_value(), value);
    }
}

#[test]
fn columns_of_other_kinds_are_refused() {
    let mut obs = DataFrame::new(["a", "b"]);
    obs.columns.insert("odd".into(), Element::Mapping(Mapping::new()));
    obs.index_name = Some("barcode".into());
    let adata = AnnData::new(obs, DataFrame::new::<&str>([]));
    assert_eq!(
        ask(&adata, "odd == 1").unwrap_err().to_string(),
        "argument `idx1`: expected a column of text, numbers or truths, found mapping at character \
         1 of `odd == 1`"
    );
    assert_eq!(ask(&adata, "barcode == 'b'").unwrap(), [1]);
}
