//! What users wrote is text in the page, never part of it.

use super::*;

#[test]
fn text_is_escaped_everywhere() {
    let hostile = "<script>alert(1)</script>\"'&\u{7}";
    let pairs = Facts::Pairs(vec![(hostile.into(), hostile.into())]);
    let table = Facts::Table(["a", "b", "c", "d"], vec![[(); 4].map(|()| hostile.to_owned())]);
    let section = |facts| Section { title: hostile.into(), facts };
    let page = Page {
        model: hostile,
        sections: vec![section(pairs), section(table)],
        notes: &[hostile.into()],
        data_set: Some(hostile.into()),
        map: Err(hostile.into()),
        history: Err(hostile.into()),
    };
    let html = page.html();
    assert!(!html.contains("<script") && !html.contains('\u{7}'), "{html}");
    let safe = "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp; ";
    // Two titles, two names and values, four cells, a note, the data set, two
    // reasons, and the model twice.
    assert_eq!(html.matches(safe).count(), 13);
}
