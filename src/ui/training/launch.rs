//! From the choices to a training that can be started.

use super::{
    TrainingState,
    form::{Begin, Control, Refusal},
    host::{InitFrom, Launch},
};
use crate::{
    engine::ModelSummary,
    model::{config::GeneratorConfig, discriminator_config::DiscriminatorConfig},
    training::TrainConfig,
};

impl TrainingState {
    /// What Start begins. `open` is the model that is open.
    ///
    /// # Errors
    /// The choice that cannot be, and what to do about it.
    pub fn launch(&self, open: Option<&ModelSummary>) -> Result<Launch, Refusal> {
        let form = &self.form;
        if form.begin == Begin::Resume {
            let text = "Choose the folder of the run to go on with.";
            let refusal = || Refusal { control: Control::Begin, text: text.into() };
            let folder = form.last_run.clone().ok_or_else(refusal)?;
            let run = self.run.as_ref().filter(|(known, _)| *known == folder);
            let changes = run.map(|(_, run)| form.changes(&run.config)).unwrap_or_default();
            return Ok(Launch::Resume { folder, changes });
        }
        let config = Box::new(form.config(open.map(|open| &open.config), &self.classes())?);
        let init = open.filter(|_| form.begin == Begin::OpenModel).map(|open| match &open.path {
            None => InitFrom::Bundled,
            Some(path) => InitFrom::File(path.clone(), open.network.clone()),
        });
        Ok(Launch::New { runs: form.runs_folder(), stem: form.stem(), config, init })
    }
}

/// Gives the networks the sizes of the model whose weights they begin with.
pub(super) fn continue_with(config: &mut TrainConfig, open: &GeneratorConfig) -> Result<(), Refusal> {
    let fits = match (&config.generator, open) {
        (GeneratorConfig::StyleGan2(a), GeneratorConfig::StyleGan2(b)) => a.architecture == b.architecture,
        (GeneratorConfig::StyleGan1(a), GeneratorConfig::StyleGan1(b)) => a.features == b.features,
        _ => false,
    };
    if !fits {
        let text = format!("The open model is {}, which this preset does not train.", open.family_name());
        return Err(Refusal { control: Control::Preset, text });
    }
    if open.label_dim() > 0 || open.img_channels() != 3 {
        let text = "The open model has classes or is not RGB; from here, only unconditional RGB models can be trained.";
        return Err(Refusal { control: Control::Begin, text: text.into() });
    }
    config.generator = open.clone();
    let channels = match open {
        GeneratorConfig::StyleGan2(c) => c.channels.clone(),
        GeneratorConfig::StyleGan1(c) => c.channels.clone(),
    };
    match &mut config.discriminator {
        DiscriminatorConfig::StyleGan2(c) => c.channels = channels,
        DiscriminatorConfig::StyleGan1(c) => c.channels = channels,
    }
    // It knows the full resolution already.
    config.growing = None;
    Ok(())
}
