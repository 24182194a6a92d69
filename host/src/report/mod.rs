//! A page about a model, which needs nothing but itself.

use std::fmt::Write;

use crate::{
    facts::{Facts, Section},
    plots::Picture,
};

const STYLE: &str = include_str!("page.css");

/// What stands in the page. A picture that is missing is the reason why.
pub struct Page<'a> {
    /// `SCVI`
    pub model: &'a str,
    /// Summary, arguments, history.
    pub sections: Vec<Section>,
    /// What the reader of the model left out.
    pub notes: &'a [String],
    /// The data set, as anndata describes it, where it is at hand.
    pub data_set: Option<String>,
    /// The latent space.
    pub map: Result<Picture, String>,
    /// Training.
    pub history: Result<Picture, String>,
}

impl Page<'_> {
    /// The page. All text is escaped, and the browser is told to fetch and run nothing.
    pub fn html(self) -> String {
        let model = escaped(self.model);
        let mut sections = self.sections.into_iter();
        let summary = sections.next().map(|section| facts(&section.facts)).unwrap_or_default();
        let notes =
            self.notes.iter().map(|note| format!("<p class=\"note\">{}</p>\n", escaped(note)));
        let details = sections.map(|section| {
            let class =
                if matches!(section.facts, Facts::Table(..)) { " class=\"wide\"" } else { "" };
            let (title, facts) = (escaped(&section.title), facts(&section.facts));
            format!("<section{class}>\n<h2>{title}</h2>\n{facts}</section>\n")
        });
        let data_set = self.data_set.map(|text| {
            let text = text.lines().map(escaped).collect::<Vec<_>>().join("\n");
            format!("<section class=\"wide\">\n<h2>Data set</h2>\n<pre>{text}</pre>\n</section>\n")
        });
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n\
             <meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{model} model</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
             <header>\n<h1>{model} model</h1>\n{summary}{notes}</header>\n\
             {map}{history}<div class=\"details\">\n{details}{data_set}</div>\n\
             <footer>written by scvi {version}</footer>\n</body>\n</html>\n",
            notes = notes.collect::<String>(),
            map = figure("Latent space", self.map),
            history = figure("Training", self.history),
            details = details.collect::<String>(),
            data_set = data_set.unwrap_or_default(),
            version = env!("CARGO_PKG_VERSION"),
        )
    }
}

fn figure(title: &str, picture: Result<Picture, String>) -> String {
    let content = match picture {
        Ok(picture) => format!("<figure>\n{}\n</figure>\n", picture.svg()),
        Err(reason) => format!("<p class=\"note\">{}</p>\n", escaped(&reason)),
    };
    format!("<section>\n<h2>{title}</h2>\n{content}</section>\n")
}

fn facts(facts: &Facts) -> String {
    let mut html = String::from("<table>\n");
    match facts {
        Facts::Pairs(pairs) => {
            for (name, value) in pairs {
                row(&mut html, name, &[value]);
            }
        }
        Facts::Table([head, heads @ ..], rows) => {
            let heads = heads.map(|head| format!("<th scope=\"col\">{}</th>", escaped(head)));
            let _ = writeln!(html, "<tr><th>{}</th>{}</tr>", escaped(head), heads.concat());
            for [name, values @ ..] in rows {
                row(&mut html, name, &values.each_ref());
            }
        }
    }
    html + "</table>\n"
}

fn row(html: &mut String, name: &str, values: &[&String]) {
    let values: String =
        values.iter().map(|value| format!("<td>{}</td>", escaped(value))).collect();
    *html += &format!("<tr><th scope=\"row\">{}</th>{values}</tr>\n", escaped(name));
}

/// Text as it stands in HTML, between tags or in quotes.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html += "&amp;",
            '<' => html += "&lt;",
            '>' => html += "&gt;",
            '"' => html += "&quot;",
            '\'' => html += "&#39;",
            c if c.is_control() => html.push(' '),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests;
