//! Models and fields of a loaded plugin as ordinary trait objects.

use std::sync::Arc;

use serde_json::Value;

use super::{
    field_job::{FieldJob, FieldReply},
    fields::{self, FieldServer, ForeignField},
    lender::Lender,
    messages::{Answer, Incoming, ModelId, PluginReply, PluginRequest, WireSetup},
    port::{Port, RawPort},
    wire::{Packer, Unpacker, WireData},
};
use crate::{
    anndata::AnnData,
    data::Registry,
    error::{Error, Result},
    fields::{AnnDataField, FieldState},
    model::{DynModel, DynModelClass, ModelDescription, Observer, Settings, Setup, Silent, Sink},
    params::Args,
    saved::SavedModel,
    train::Ending,
};

/// A loaded plugin, as somebody to ask.
#[derive(Debug)]
pub struct Peer {
    name: String,
    version: String,
    port: Port,
}

/// What a request lends to the plugin.
struct Lent<'a> {
    adata: Option<&'a mut AnnData>,
    sink: Option<&'a mut dyn Sink>,
    observer: &'a mut dyn Observer,
}

impl Peer {
    pub fn new(name: String, version: String, port: Port) -> Self {
        Self { name, version, port }
    }

    /// All models of the plugin, and all kinds of fields that it knows.
    ///
    /// # Errors
    /// When the plugin fails to say.
    pub fn describe(&self) -> Result<(Vec<ModelDescription>, Vec<String>)> {
        match self.ask("describe", |_, _| Ok(PluginRequest::Describe))? {
            (PluginReply::Described { models, fields }, _) => Ok((models, fields)),
            (other, _) => Err(self.unexpected("describe", &other)),
        }
    }

    /// The field with this JSON, whose work is done by the plugin; `state` is what it remembers, where
    /// that is known.
    ///
    /// # Errors
    /// When the plugin does not know its kind or does not take its JSON; or fails.
    pub fn field(
        self: &Arc<Self>,
        field: Value,
        state: Option<FieldState>,
    ) -> Result<Arc<dyn AnnDataField>> {
        let server = PluginField { peer: self.clone(), field: field.clone() };
        let plugin = (self.name.clone(), self.version.clone());
        Ok(Arc::new(ForeignField::described(server, field, plugin, state)?))
    }

    /// Asks for something that needs neither data nor sink.
    fn ask(
        &self,
        verb: &'static str,
        request: impl FnOnce(&mut Packer, Option<WireData>) -> Result<PluginRequest>,
    ) -> Result<(PluginReply, Vec<crate::anndata::Values>)> {
        self.ask_with(verb, Lent { adata: None, sink: None, observer: &mut Silent }, request)
    }

    fn ask_with(
        &self,
        verb: &'static str,
        lent: Lent,
        request: impl FnOnce(&mut Packer, Option<WireData>) -> Result<PluginRequest>,
    ) -> Result<(PluginReply, Vec<crate::anndata::Values>)> {
        let mut packer = Packer::default();
        let data = lent.adata.as_ref().map(|adata| packer.data(adata)).transpose()?;
        let request = request(&mut packer, data)?;
        let lender = Lender::new(&mut packer);
        let packet = packer.seal(&request, RawPort::new(lender.clone()));
        let reply =
            tch::with_grad(|| lender.lend(lent.sink, lent.observer, || self.port.call(packet)));

        let Incoming { message, buffers, .. } = Incoming::<Answer>::open(reply)?;
        if let Some(adata) = lent.adata {
            let unpacker = Unpacker { buffers: &buffers, homes: &*lender };
            message.changes.apply(adata, &unpacker)?;
        }
        match message.result {
            Ok(reply) => Ok((reply, buffers)),
            Err(flat) => {
                let own = lender.failure(&flat.text);
                Err(own.unwrap_or_else(|| flat.into_error(&self.name, verb)))
            }
        }
    }

    fn unexpected(&self, verb: &'static str, reply: &PluginReply) -> Error {
        let text = format!("it answered with something else: {reply:?}");
        Error::PluginFailed { plugin: self.name.clone(), verb, text }
    }
}

/// A field of a plugin.
#[derive(Debug)]
struct PluginField {
    peer: Arc<Peer>,
    field: Value,
}

impl FieldServer for PluginField {
    fn work(&self, job: FieldJob, adata: Option<&mut AnnData>) -> Result<FieldReply> {
        let (verb, field) = (job.verb(), self.field.clone());
        let lent = Lent { adata, sink: None, observer: &mut Silent };
        let request = |_: &mut Packer, data| Ok(PluginRequest::Field { field, job, data });
        match self.peer.ask_with(verb, lent, request)? {
            (PluginReply::Field(reply), _) => Ok(reply),
            (other, _) => Err(self.peer.unexpected(verb, &other)),
        }
    }
}

/// A model class of a plugin.
pub struct ForeignClass {
    peer: Arc<Peer>,
    description: ModelDescription,
}

impl ForeignClass {
    pub fn new(peer: Arc<Peer>, description: ModelDescription) -> Self {
        Self { peer, description }
    }

    fn model(&self, verb: &'static str, reply: &PluginReply) -> Result<Box<dyn DynModel>> {
        let PluginReply::Model { id, class_name } = reply else {
            return Err(self.peer.unexpected(verb, reply));
        };
        let (peer, id, class_name) = (self.peer.clone(), *id, class_name.clone());
        Ok(Box::new(ForeignModel { peer, id, class_name }))
    }
}

impl DynModelClass for ForeignClass {
    fn description(&self) -> ModelDescription {
        self.description.clone()
    }

    fn setup_anndata(&self, adata: &mut AnnData, setup: &Setup<Args>) -> Result<Registry> {
        let lent = Lent { adata: Some(adata), sink: None, observer: &mut Silent };
        let (reply, _) = self.peer.ask_with("setup_anndata", lent, |packer, data| {
            let (model, setup) = (self.description.name.clone(), wire_setup(packer, setup)?);
            Ok(PluginRequest::Setup { model, setup, data: given(data)? })
        })?;
        match reply {
            PluginReply::Registry(registry) => {
                let open = |field, state| self.peer.field(field, Some(state));
                fields::registry(registry, &setup.fields, open)
            }
            other => Err(self.peer.unexpected("setup_anndata", &other)),
        }
    }

    fn create(
        &self,
        adata: &mut AnnData,
        setup: &Setup<Args>,
        init: &Args,
        settings: &Settings,
    ) -> Result<Box<dyn DynModel>> {
        let lent = Lent { adata: Some(adata), sink: None, observer: &mut Silent };
        let (reply, _) = self.peer.ask_with("create", lent, |packer, data| {
            Ok(PluginRequest::Create {
                model: self.description.name.clone(),
                setup: wire_setup(packer, setup)?,
                init: init.clone(),
                settings: settings.clone(),
                data: given(data)?,
            })
        })?;
        self.model("create", &reply)
    }

    fn load(
        &self,
        saved: SavedModel,
        lent: &[Arc<dyn AnnDataField>],
        settings: &Settings,
    ) -> Result<Box<dyn DynModel>> {
        let (reply, _) = self.peer.ask("load", |packer, _| {
            let (model, settings) = (self.description.name.clone(), settings.clone());
            let (saved, lent) = (Box::new(packer.saved(&saved)), packer.fields(lent)?);
            Ok(PluginRequest::Load { model, saved, lent, settings })
        })?;
        self.model("load", &reply)
    }

    fn load_query_data(
        &self,
        adata: &mut AnnData,
        reference: SavedModel,
        lent: &[Arc<dyn AnnDataField>],
        args: &Args,
        settings: &Settings,
    ) -> Result<Box<dyn DynModel>> {
        let lends = Lent { adata: Some(adata), sink: None, observer: &mut Silent };
        let (reply, _) = self.peer.ask_with("load_query_data", lends, |packer, data| {
            Ok(PluginRequest::Map {
                model: self.description.name.clone(),
                reference: Box::new(packer.saved(&reference)),
                lent: packer.fields(lent)?,
                args: args.clone(),
                settings: settings.clone(),
                data: given(data)?,
            })
        })?;
        self.model("load_query_data", &reply)
    }
}

fn wire_setup(packer: &mut Packer, setup: &Setup<Args>) -> Result<WireSetup> {
    Ok(WireSetup { args: setup.args.clone(), fields: packer.fields(&setup.fields)? })
}

fn given(data: Option<WireData>) -> Result<WireData> {
    data.ok_or(Error::Message { expected: "a data set", reason: "none was lent".into() })
}

/// A model that lives in a plugin.
struct ForeignModel {
    peer: Arc<Peer>,
    id: ModelId,
    class_name: String,
}

impl ForeignModel {
    fn ending(&self, verb: &'static str, reply: &PluginReply) -> Result<Ending> {
        match reply {
            PluginReply::Trained(ending) => Ok(*ending),
            other => Err(self.peer.unexpected(verb, other)),
        }
    }
}

impl DynModel for ForeignModel {
    fn class_name(&self) -> &str {
        &self.class_name
    }

    fn train(
        &mut self,
        adata: &mut AnnData,
        args: &Args,
        observer: &mut dyn Observer,
    ) -> Result<Ending> {
        let lent = Lent { adata: Some(adata), sink: None, observer };
        let (reply, _) = self.peer.ask_with("train", lent, |_, data| {
            Ok(PluginRequest::Train { id: self.id, args: args.clone(), data: given(data)? })
        })?;
        self.ending("train", &reply)
    }

    fn resume(
        &mut self,
        adata: &mut AnnData,
        changes: &Args,
        observer: &mut dyn Observer,
    ) -> Result<Ending> {
        let lent = Lent { adata: Some(adata), sink: None, observer };
        let (reply, _) = self.peer.ask_with("resume", lent, |_, data| {
            let (id, changes) = (self.id, changes.clone());
            Ok(PluginRequest::Resume { id, changes, data: given(data)? })
        })?;
        self.ending("resume", &reply)
    }

    fn query(
        &self,
        method: &str,
        adata: &mut AnnData,
        args: &Args,
        sink: &mut dyn Sink,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let lent = Lent { adata: Some(adata), sink: Some(sink), observer };
        self.peer.ask_with("query", lent, |_, data| {
            let (id, method, args) = (self.id, method.to_owned(), args.clone());
            Ok(PluginRequest::Query { id, method, args, data: given(data)? })
        })?;
        Ok(())
    }

    fn minify_adata(
        &mut self,
        adata: &mut AnnData,
        args: &Args,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let lent = Lent { adata: Some(adata), sink: None, observer };
        self.peer.ask_with("minify_adata", lent, |_, data| {
            Ok(PluginRequest::Minify { id: self.id, args: args.clone(), data: given(data)? })
        })?;
        Ok(())
    }

    fn save(&self) -> Result<SavedModel> {
        match self.peer.ask("save", |_, _| Ok(PluginRequest::Save { id: self.id }))? {
            (PluginReply::Saved(saved), buffers) => {
                // Everything of a saved model is in the packet: nothing points back.
                let homes = super::peer::AtLender(None);
                let mut saved = Unpacker { buffers: &buffers, homes: &homes }.saved(*saved)?;
                saved.meta.plugin = Some((self.peer.name.clone(), self.peer.version.clone()));
                Ok(saved)
            }
            (other, _) => Err(self.peer.unexpected("save", &other)),
        }
    }
}

impl Drop for ForeignModel {
    fn drop(&mut self) {
        // A plugin that fails to forget keeps some memory; nobody could do anything about it.
        let _ = self.peer.ask("drop", |_, _| Ok(PluginRequest::Drop { id: self.id }));
    }
}
