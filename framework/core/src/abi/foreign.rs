//! Models of a loaded plugin as ordinary trait objects.

use std::sync::Arc;

use super::{
    fields,
    host::HostSide,
    messages::{Answer, Incoming, ModelId, PluginReply, PluginRequest},
    port::{Port, RawPort},
    wire::{Packer, Unpacker, WireData},
};
use crate::{
    anndata::AnnData,
    data::Registry,
    error::{Error, Result},
    model::{DynModel, DynModelClass, ModelDescription, Observer, Settings, Silent, Sink},
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

    /// All models of the plugin.
    ///
    /// # Errors
    /// When the plugin fails to say.
    pub fn describe(&self) -> Result<Vec<ModelDescription>> {
        match self.ask("describe", |_, _| Ok(PluginRequest::Describe))? {
            (PluginReply::Models(models), _) => Ok(models),
            (other, _) => Err(self.unexpected("describe", &other)),
        }
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
        let host = HostSide::new(&mut packer);
        let packet = packer.seal(&request, RawPort::new(host.clone()));
        let reply =
            tch::with_grad(|| host.lend(lent.sink, lent.observer, || self.port.call(packet)));

        let Incoming { message, buffers, .. } = Incoming::<Answer>::open(reply)?;
        if let Some(adata) = lent.adata {
            let unpacker = Unpacker { buffers: &buffers, homes: &*host };
            for (slot, key) in message.removed {
                adata.remove(slot, &key);
            }
            for (slot, key, element) in message.set {
                adata.set(slot, &key, unpacker.element(element)?)?;
            }
        }
        match message.result {
            Ok(reply) => Ok((reply, buffers)),
            Err(flat) => {
                let own = host.failure(&flat.text);
                Err(own.unwrap_or_else(|| flat.into_error(&self.name, verb)))
            }
        }
    }

    fn unexpected(&self, verb: &'static str, reply: &PluginReply) -> Error {
        let text = format!("it answered with something else: {reply:?}");
        Error::PluginFailed { plugin: self.name.clone(), verb, text }
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

    fn setup_anndata(&self, adata: &mut AnnData, setup: &Args) -> Result<Registry> {
        let lent = Lent { adata: Some(adata), sink: None, observer: &mut Silent };
        let (reply, _) = self.peer.ask_with("setup_anndata", lent, |_, data| {
            let (model, setup) = (self.description.name.clone(), setup.clone());
            Ok(PluginRequest::Setup { model, setup, data: given(data)? })
        })?;
        match reply {
            PluginReply::Registry(registry) => fields::registry(registry, &self.peer.name),
            other => Err(self.peer.unexpected("setup_anndata", &other)),
        }
    }

    fn create(
        &self,
        adata: &mut AnnData,
        setup: &Args,
        init: &Args,
        settings: &Settings,
    ) -> Result<Box<dyn DynModel>> {
        let lent = Lent { adata: Some(adata), sink: None, observer: &mut Silent };
        let (reply, _) = self.peer.ask_with("create", lent, |_, data| {
            Ok(PluginRequest::Create {
                model: self.description.name.clone(),
                setup: setup.clone(),
                init: init.clone(),
                settings: settings.clone(),
                data: given(data)?,
            })
        })?;
        self.model("create", &reply)
    }

    fn load(&self, saved: SavedModel, settings: &Settings) -> Result<Box<dyn DynModel>> {
        let (reply, _) = self.peer.ask("load", |packer, _| {
            let (model, settings) = (self.description.name.clone(), settings.clone());
            Ok(PluginRequest::Load { model, saved: packer.saved(&saved), settings })
        })?;
        self.model("load", &reply)
    }
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
        match reply {
            PluginReply::Trained(ending) => Ok(ending),
            other => Err(self.peer.unexpected("train", &other)),
        }
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

    fn save(&self) -> Result<SavedModel> {
        match self.peer.ask("save", |_, _| Ok(PluginRequest::Save { id: self.id }))? {
            (PluginReply::Saved(saved), buffers) => {
                // Everything of a saved model is in the packet: nothing points back.
                let homes = super::peer::AtHost(None);
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
