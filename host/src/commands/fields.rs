//! `scvi fields`: which kinds there are.

use scvi_framework::serde_json::json;

use crate::{
    failure::Result,
    plan::{Format, Ui},
    session::Session,
    term,
};

/// Lists the kinds of fields of the framework and of all plugins, from their manifests.
pub fn list(session: &Session, ui: &Ui) -> Result<()> {
    let fields = session.listed_fields();
    if ui.format == Format::Json {
        let fields = fields.iter().map(|f| {
            json!({ "kind": f.name, "about": f.about, "plugin": f.plugin, "version": f.version })
        });
        return term::print_json(&fields.collect());
    }
    let rows = fields.into_iter().map(|f| [f.name, format!("{} {}", f.plugin, f.version), f.about]);
    term::print(&term::table(["Field", "Plugin", "About"], rows))
}
