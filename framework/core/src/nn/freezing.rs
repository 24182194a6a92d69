//! What of a model stays as it is while it learns a query (scArches; Lotfollahi et al. 2022).

/// Which part of a network a parameter belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// None of those below.
    #[default]
    Other,
    /// From features to latent variables.
    Encoder,
    /// From latent variables to features.
    Decoder,
    /// From latent variables to labels.
    Classifier,
    /// What a query is to learn as if for the first time, e.g. the encoder of the library size.
    Relearnt,
}

/// What a parameter does in its part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    /// Anything.
    #[default]
    Any,
    /// It is of the layer next to the part's input.
    FirstLayer,
    /// It is of a normalisation over the minibatch.
    Norm,
}

/// What training leaves as it is. New categories are learnt in any case, known ones never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freezing {
    /// The first layer of encoders.
    pub expression: bool,
    /// The first layer of decoders.
    pub decoder_first_layer: bool,
    /// Normalisations over the minibatch in encoders: weights and running statistics.
    pub batchnorm_encoder: bool,
    /// The same in decoders.
    pub batchnorm_decoder: bool,
    /// No nodes are dropped.
    pub dropout: bool,
    /// Classifiers.
    pub classifier: bool,
}

/// How much of a parameter training changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    All,
    /// Entries of new categories.
    NewCategories,
}

impl Freezing {
    /// Whether normalisations of `part` stay as they are.
    pub fn norms(self, part: Part) -> bool {
        match part {
            Part::Encoder => self.batchnorm_encoder,
            Part::Decoder => self.batchnorm_decoder,
            Part::Classifier => self.classifier,
            Part::Relearnt => false,
            Part::Other => true,
        }
    }

    /// Whether `part` drops no nodes.
    pub fn dropout(self, part: Part) -> bool {
        self.dropout && part != Part::Relearnt
    }

    pub(super) fn extent(self, part: Part, role: Role) -> Extent {
        let frozen = match (part, role) {
            (Part::Relearnt, _) => false,
            (Part::Classifier, _) => self.classifier,
            (part, Role::Norm) => self.norms(part),
            (Part::Encoder, Role::FirstLayer) => self.expression,
            (Part::Decoder, Role::FirstLayer) => self.decoder_first_layer,
            _ => true,
        };
        if frozen { Extent::NewCategories } else { Extent::All }
    }
}
