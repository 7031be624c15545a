use super::*;
use crate::{
    training::preflight::Preflight,
    ui::training::{TrainingState, plan::Plan},
};

/// Their hair styles.
fn portraits() -> Classes {
    Ok(11)
}

#[test]
fn what_is_chosen_is_remembered() {
    let form = TrainingForm {
        data: DataChoice::Path("/images.zip".into()),
        mirror: true,
        preset: Preset::Msg,
        resolution: 128,
        width: Width::Small,
        batch: 16,
        kimg: 500.0,
        gamma: Some(0.5),
        learning_rate: Some(0.001),
        loss: Some(Loss::Relativistic),
        ada: AdaChoice::Fixed,
        ada_p: 0.35,
        classes: true,
        seed: 7,
        runs: Some("/runs".into()),
        last_run: Some("/runs/a-001".into()),
        ..TrainingForm::default()
    };
    assert_eq!(TrainingForm::from_settings(&form.settings()), form);
    let unknown = TrainingSettings { preset: "stylegan9".into(), resolution: 77, ..TrainingSettings::default() };
    let form = TrainingForm::from_settings(&unknown);
    assert_eq!((form.preset, form.resolution), (Preset::StyleGan2E, 64));
}

#[test]
fn choices_become_a_configuration_or_say_what_to_change() {
    let form = TrainingForm::default();
    let config = form.config(None, &portraits()).unwrap();
    assert_eq!((config.resolution(), config.batch, config.ada), (32, 8, Ada::Off));
    assert_eq!(config.r1_gamma, form.suggested_gamma());
    let control = |form: TrainingForm| form.config(None, &portraits()).unwrap_err().control;
    assert_eq!(control(TrainingForm { batch: 6, ..form.clone() }), Control::Batch);
    assert_eq!(control(TrainingForm { resolution: 4, ..form.clone() }), Control::Resolution);
    assert_eq!(control(TrainingForm { gamma: Some(-1.0), ..form.clone() }), Control::Gamma);
    assert_eq!(control(TrainingForm { learning_rate: Some(9.0), ..form.clone() }), Control::LearningRate);
    assert_eq!(control(TrainingForm { begin: Begin::OpenModel, ..form.clone() }), Control::Begin);
    let form = TrainingForm { begin: Begin::Resume, ..form };
    let state = TrainingState { form, ..TrainingState::default() };
    assert_eq!(state.launch(None).unwrap_err().control, Control::Begin);
}

#[test]
fn a_run_that_goes_on_changes_only_what_was_changed() {
    let form = TrainingForm { ada: AdaChoice::Adaptive, preset: Preset::StyleGanF, ..TrainingForm::default() };
    let config = form.config(None, &portraits()).unwrap();
    let mut again = TrainingForm::default();
    again.take_over(&config);
    assert_eq!((again.preset, again.ada), (Preset::StyleGanF, AdaChoice::Adaptive));
    assert_eq!(again.changes(&config), Changes::default());
    again.gamma = Some(3.0);
    again.ada = AdaChoice::Off;
    again.kimg = 250.0;
    let changes = again.changes(&config);
    let expected = Changes { kimg: Some(250.0), gamma: Some(3.0), ada: Some(Ada::Off), ..Changes::default() };
    assert_eq!(changes, expected);
}

#[test]
fn another_loss_brings_its_penalties() {
    let gammas = |form: &TrainingForm| {
        let config = form.config(None, &portraits()).unwrap();
        assert_eq!(config.loss, form.effective_loss());
        (config.r1_gamma, config.r2_gamma)
    };
    let form = TrainingForm::default();
    let suggested = form.suggested_gamma();
    let relativistic = TrainingForm { loss: Some(Loss::Relativistic), ..form.clone() };
    assert_eq!((gammas(&relativistic), relativistic.suggested_gamma()), ((suggested, suggested), suggested));
    let own = TrainingForm { gamma: Some(0.5), ..relativistic };
    assert_eq!((gammas(&own), own.suggested_gamma()), ((0.5, 0.5), suggested));
    let wgan = TrainingForm { loss: Some(Loss::WGAN_GP), ..form };
    assert_eq!((gammas(&wgan), wgan.suggested_gamma()), ((0.0, 0.0), 0.0));
    let progan = TrainingForm { preset: Preset::ProGan, ..TrainingForm::default() };
    assert_eq!((gammas(&progan), progan.effective_loss()), ((0.0, 0.0), Loss::WGAN_GP));
    let logistic = TrainingForm { loss: Some(Loss::Logistic), ..progan };
    assert_eq!((gammas(&logistic), logistic.suggested_gamma()), ((10.0, 0.0), 10.0));
    // A second penalty takes more arithmetic.
    let flops = |form: &TrainingForm| Preflight::of(&form.config(None, &portraits()).unwrap()).unwrap().training_flops;
    assert!(flops(&own) > flops(&TrainingForm { loss: None, ..own.clone() }));
}

#[test]
fn augmentation_is_off_adaptive_or_fixed() {
    let of = |ada| TrainingForm { ada, ada_p: 0.3, ..TrainingForm::default() };
    let config = |ada| of(ada).config(None, &portraits()).unwrap();
    assert_eq!(config(AdaChoice::Off).ada, Ada::Off);
    assert_eq!(config(AdaChoice::Adaptive).ada, Ada::ADAPTIVE);
    let fixed = config(AdaChoice::Fixed);
    assert_eq!(fixed.ada, Ada::Fixed { p: 0.3 });
    let mut again = TrainingForm::default();
    again.take_over(&fixed);
    assert_eq!((again.ada, again.ada_p, again.changes(&fixed)), (AdaChoice::Fixed, 0.3, Changes::default()));
    again.ada_p = 0.4;
    assert_eq!(again.changes(&fixed).ada, Some(Ada::Fixed { p: 0.4 }));
    // A run keeps the mean sign that it has.
    let target = TrainConfig { ada: Ada::adaptive(0.5), ..fixed };
    again.take_over(&target);
    assert_eq!((again.ada, again.changes(&target)), (AdaChoice::Adaptive, Changes::default()));
    let msg = TrainingForm { preset: Preset::Msg, ..of(AdaChoice::Adaptive) };
    assert_eq!(msg.config(None, &portraits()).unwrap_err().control, Control::Ada);
}

#[test]
fn classes_come_from_the_images() {
    let form = TrainingForm { classes: true, ..TrainingForm::default() };
    let config = form.config(None, &portraits()).unwrap();
    assert_eq!((config.generator.label_dim(), config.discriminator.label_dim()), (11, 11));
    let none = Err("There are none.".to_owned());
    let refused = form.config(None, &none).unwrap_err();
    assert_eq!((refused.control, refused.text.as_str()), (Control::Classes, "There are none."));
    let plain = TrainingForm { classes: false, ..form.clone() };
    assert_eq!(plain.config(None, &none).unwrap().generator.label_dim(), 0);
    let mut again = TrainingForm::default();
    again.take_over(&config);
    assert!(again.classes);
    // They make the networks a little larger.
    let parameters = |form: &TrainingForm| {
        let takes = Plan::of(form, None, &portraits()).outcome.unwrap();
        takes.preflight.parameters.iter().sum::<usize>()
    };
    assert!(parameters(&form) > parameters(&plain));
}

#[test]
fn a_training_from_the_open_model_has_its_sizes() {
    let wide = TrainingForm { resolution: 64, width: Width::Small, ..TrainingForm::default() };
    let open = wide.config(None, &portraits()).unwrap().generator;
    let form = TrainingForm { begin: Begin::OpenModel, ..TrainingForm::default() };
    let config = form.config(Some(&open), &portraits()).unwrap();
    assert_eq!((config.resolution(), &config.generator), (64, &open));
    let other = TrainingForm { preset: Preset::StyleGanF, ..form };
    assert_eq!(other.config(Some(&open), &portraits()).unwrap_err().control, Control::Preset);
}
