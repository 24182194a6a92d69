//! Everything that is ever said across the boundary.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    packet::RawPacket,
    peer::AtHost,
    port::{Port, RawPort},
    wire::{BufferId, Packer, Unpacker, WireData, WireElement, WireMapping},
};
use crate::{
    anndata::{Element, Slot, Values},
    error::{Error, Result},
    model::{Event, ModelDescription, OutputSpec, Settings},
    params::Args,
    saved::{ModelMeta, SavedModel},
    train::Ending,
};

/// Whose fault an error is; decides the exit code of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Arguments or data are wrong.
    User,
    /// The plugin did what it must not.
    Plugin,
}

/// A model in a plugin.
pub type ModelId = u64;

/// What a host asks of a plugin.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginRequest {
    /// Which models there are, with all arguments.
    Describe,
    /// Registers a data set.
    Setup { model: String, setup: Args, data: WireData },
    /// A new model for a data set.
    Create { model: String, setup: Args, init: Args, settings: Settings, data: WireData },
    /// A model from its saved state.
    Load { model: String, saved: WireSaved, settings: Settings },
    /// Trains a model.
    Train { id: ModelId, args: Args, data: WireData },
    /// Answers a query.
    Query { id: ModelId, method: String, args: Args, data: WireData },
    /// The state of a model.
    Save { id: ModelId },
    /// Forgets a model.
    Drop { id: ModelId },
}

/// What a plugin replies.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PluginReply {
    /// To `Describe`.
    Models(Vec<ModelDescription>),
    /// To `Setup`: the registry.
    Registry(Value),
    /// To `Create` and `Load`.
    Model { id: ModelId, class_name: String },
    /// To `Train`.
    Trained(Ending),
    /// To `Save`.
    Saved(Box<WireSaved>),
    /// To everything else.
    Done,
}

/// A reply, and what became of the data set.
#[derive(Debug, Serialize, Deserialize)]
pub struct Answer {
    pub result: Result<PluginReply, Flat>,
    /// Elements that were set.
    pub set: Vec<(Slot, String, WireElement)>,
    /// Elements that were taken out.
    pub removed: Vec<(Slot, String)>,
}

/// What a plugin asks of the host while a request runs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostRequest {
    /// Rows of a matrix on disk.
    Rows { id: usize, start: usize, end: usize },
    /// Announces a result.
    Begin(OutputSpec),
    /// The next rows of it.
    Block(WireElement),
    /// News; JSON has no word for a loss that is not finite, so its bits come beside it.
    Hear { event: Event, loss_bits: Option<u64> },
    /// Whether to stop.
    Cancelled,
}

/// What the host replies.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WireHostReply {
    Element(WireElement),
    Cancelled(bool),
    Done,
}

/// [`WireHostReply`], unpacked.
#[derive(Debug)]
pub enum HostReply {
    Element(Element),
    Cancelled(bool),
    Done,
}

impl HostReply {
    pub fn unexpected(&self, expected: &'static str) -> Error {
        Error::Message { expected, reason: format!("{self:?}") }
    }
}

/// An error as it crosses.
#[derive(Debug, Serialize, Deserialize)]
pub struct Flat {
    pub fault: Fault,
    pub text: String,
    /// Set when it was a panic.
    pub panicked: bool,
}

impl From<&Error> for Flat {
    fn from(error: &Error) -> Self {
        Self { fault: error.fault(), text: error.to_string(), panicked: false }
    }
}

impl Flat {
    /// A panic caught on this side.
    pub fn panic(message: String) -> Self {
        Self { fault: Fault::Plugin, text: message, panicked: true }
    }

    /// As an error of `origin` while it did `verb`.
    pub fn into_error(self, origin: &str, verb: &'static str) -> Error {
        let (plugin, text) = (origin.to_owned(), self.text);
        match (self.fault, self.panicked) {
            (Fault::User, _) => Error::Foreign { plugin, text },
            (Fault::Plugin, false) => Error::PluginFailed { plugin, verb, text },
            (Fault::Plugin, true) => Error::PluginPanicked { plugin, verb, text },
        }
    }
}

/// A model at rest; the history is kept exact beside it.
#[derive(Debug, Serialize, Deserialize)]
pub struct WireSaved {
    meta: ModelMeta,
    history: IndexMap<String, BufferId>,
    weights: WireMapping,
}

impl Packer {
    /// Describes a model at rest.
    pub fn saved(&mut self, saved: &SavedModel) -> WireSaved {
        let meta = ModelMeta { history: IndexMap::new(), ..saved.meta.clone() };
        let history = self.series(&saved.meta.history);
        WireSaved { meta, history, weights: self.arrays(&saved.weights) }
    }

    /// Closes the packet.
    pub fn seal(self, message: &impl Serialize, port: RawPort) -> RawPacket {
        RawPacket::new(message, self.buffers, port)
    }
}

impl Unpacker<'_> {
    /// Builds a model at rest.
    ///
    /// # Errors
    /// When a description does not fit its memory.
    pub fn saved(&self, wire: WireSaved) -> Result<SavedModel> {
        let history = self.series(wire.history)?;
        let meta = ModelMeta { history, ..wire.meta };
        Ok(SavedModel { meta, weights: self.arrays(wire.weights)? })
    }
}

/// A packet taken apart.
pub struct Incoming<T> {
    pub message: T,
    pub buffers: Vec<Values>,
    pub port: Option<Arc<Port>>,
}

impl<T: DeserializeOwned> Incoming<T> {
    /// Takes a packet apart.
    ///
    /// # Errors
    /// When it is not what it should be.
    pub fn open(packet: RawPacket) -> Result<Self> {
        let (message, buffers, port) = packet.open()?;
        Ok(Self { message, buffers, port })
    }
}

/// Asks the host, from inside a plugin.
///
/// # Errors
/// When the host refuses or fails.
pub fn ask_host(port: &Arc<Port>, request: HostRequest) -> Result<HostReply> {
    ask_host_with(port, request, Packer::default())
}

/// As [`ask_host`], with elements.
///
/// # Errors
/// When the host refuses or fails.
pub fn ask_host_with(port: &Arc<Port>, request: HostRequest, packer: Packer) -> Result<HostReply> {
    let reply = port.call(packer.seal(&request, RawPort::none()));
    let reply = Incoming::<Result<WireHostReply, Flat>>::open(reply)?;
    let unpacker = Unpacker { buffers: &reply.buffers, homes: &AtHost(Some(port.clone())) };
    Ok(match reply.message.map_err(|flat| flat.into_error("host", "output"))? {
        WireHostReply::Element(element) => HostReply::Element(unpacker.element(element)?),
        WireHostReply::Cancelled(cancelled) => HostReply::Cancelled(cancelled),
        WireHostReply::Done => HostReply::Done,
    })
}
