//! `scvi report`: one page, looked at in a real browser.

use std::{env, fs, path::PathBuf, process::Command};

use scvi_framework::anndata::{Element, Slot};
use serde_json::Value;

use super::Place;

const HOSTILE: &str = "<script>alert('&')</script><img src=http://evil.example/x>\"";

/// A page of a model whose data set has names that nobody should believe.
fn page(place: &Place) -> String {
    place.change("h.h5ad", |adata| {
        let n = adata.n_obs();
        let names = (0..n).map(|i| if i % 2 == 0 { HOSTILE } else { "B & T" });
        adata.set(Slot::Obs, "<i>name</i>", Element::strings(names)).unwrap();
    });
    let words = "report m --adata h.h5ad --color <i>name</i>,batch --out r.html";
    place.scvi(words).says("wrote r.html\n");
    fs::read_to_string(place.at("r.html")).unwrap()
}

#[test]
fn a_page_holds_everything_and_asks_for_nothing() {
    let place = Place::new();
    let words = "train SCVI s.h5ad --batch-key batch --max-epochs 2 --n-latent 4 \
                 --check-val-every-n-epoch 1 --lr 0.002 --out m -q";
    place.scvi(words).says("");
    let html = page(&place);
    for expected in [
        "<h1>SCVI model</h1>",
        "<th scope=\"row\">trained</th><td>yes, 2 epochs</td>",
        "<h2>Set-up arguments</h2>",
        "<th scope=\"row\">n_latent</th><td>4</td>",
        "<h2>Training arguments</h2>",
        "<th scope=\"row\">lr</th><td>0.002</td>",
        "AnnData object with n_obs × n_vars = 200 × 50",
        "<th scope=\"row\">elbo_validation</th>",
        ">Negative ELBO</text>",
        ">B &amp; T</text>",
        ">&lt;i&gt;name&lt;/i&gt;</text>",
    ] {
        assert!(html.contains(expected), "{expected}");
    }
    for unwanted in ["<script", "<img", "<link", "<iframe", "@import", "url(http", "src="] {
        let found = html.matches(unwanted).count();
        assert_eq!(found, 0, "{unwanted}");
    }
    place.scvi("report m --out r.html").fails(1, "r.html exists already; --overwrite replaces it");
    place
        .scvi("report m --out r.htm")
        .fails(1, "r.htm: cannot tell the kind of file; expected .html");
}

#[test]
fn a_page_without_map_says_why() {
    let place = Place::with_model();
    fs::remove_file(place.at("s.h5ad")).unwrap();
    let said = place.scvi("report m --out r.html");
    let gone = format!(
        "the data set that the model was trained on, {}, is gone; give the data set with --adata \
         FILE",
        place.at("s.h5ad").display()
    );
    let said = said.says(&format!("note: {gone}\nwrote r.html\n"));
    assert_eq!(said.out, "");
    let html = fs::read_to_string(place.at("r.html")).unwrap();
    assert!(html.contains(&format!("<p class=\"note\">{gone}</p>")));
    assert!(html.contains(">Negative ELBO</text>"));
}

/// A Python with a browser in it; says why the test is skipped when there is none.
fn browser() -> Option<PathBuf> {
    let Some(python) = env::var_os("SCVI_TEST_PYTHON").map(PathBuf::from) else {
        println!("skipped: SCVI_TEST_PYTHON is not set");
        return None;
    };
    let has = Command::new(&python).args(["-c", "import PySide6.QtWebEngineWidgets"]).output();
    if has.is_ok_and(|ran| ran.status.success()) {
        return Some(python);
    }
    println!("skipped: the Python that SCVI_TEST_PYTHON names cannot load PySide6's browser");
    None
}

#[test]
fn a_browser_shows_the_page() {
    let Some(python) = browser() else { return };
    let place = Place::with_model();
    page(&place);
    let look = concat!(env!("CARGO_MANIFEST_DIR"), "/it/cli/browser.py");
    let (html, picture) = (place.at("r.html"), place.at("r.png"));
    let looked = Command::new(python).arg(look).arg(&html).arg(&picture).output().unwrap();
    assert!(looked.status.success(), "{}", String::from_utf8_lossy(&looked.stderr));
    let seen: Value = serde_json::from_slice(&looked.stdout).unwrap();

    assert_eq!(seen["title"], "SCVI model");
    assert_eq!(seen["console"], serde_json::json!([]));
    assert_eq!(seen["scripts"], 0);
    let requests: Vec<&str> =
        seen["requests"].as_array().unwrap().iter().map(|url| url.as_str().unwrap()).collect();
    assert_eq!(requests, [format!("file://{}", html.display())]);

    let page = numbers(&seen["page"]);
    assert!(page[0] <= seen["window"][0].as_f64().unwrap(), "the page is wider than the window");
    let headings = seen["headings"].as_array().unwrap();
    let titles: Vec<&str> = headings.iter().map(|h| h["text"].as_str().unwrap()).collect();
    let expected = [
        "SCVI model",
        "Latent space",
        "Training",
        "Set-up arguments",
        "Model arguments",
        "Training arguments",
        "Summary statistics",
        "History",
        "Data set",
    ];
    assert_eq!(titles, expected);
    let pictures = seen["pictures"].as_array().unwrap();
    assert_eq!(pictures.len(), 2);
    // Two maps of 200 cells, with two groups each.
    assert_eq!(pictures[0]["circles"], 2 * 202);
    let words: Vec<&str> = texts(&pictures[0]).map(|t| t["text"].as_str().unwrap()).collect();
    assert!(words.contains(&"B & T") && words.contains(&"<i>name</i>"), "{words:?}");
    assert!(words.iter().any(|text| text.starts_with("<script>alert('&')")), "{words:?}");
    let shown = headings.iter().chain(pictures).chain(seen["tables"].as_array().unwrap());
    for element in shown.chain(pictures.iter().flat_map(texts)) {
        let [left, top, right, bottom] = numbers(&element["box"])[..] else { panic!("{element}") };
        assert!(right - left > 1.0 && bottom - top > 1.0, "not seen: {element}");
        let inside = left >= 0.0 && top >= 0.0 && right <= page[0] && bottom <= page[1];
        assert!(inside, "not on the page of {page:?}: {element}");
    }
    assert!(fs::metadata(picture).unwrap().len() > 10_000);
}

fn texts(picture: &Value) -> impl Iterator<Item = &Value> {
    picture["texts"].as_array().unwrap().iter()
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}
