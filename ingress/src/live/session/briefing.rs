//! The settings of a conversation, from its admission, its picture and the configuration.

use events::contract::UserId;

use super::dependencies::Dependencies;
use crate::{
    config::{Clip, Config},
    live::conversation::Settings,
    live::prompt,
    live::sonic::{Setup, wire::Sensitivity},
    live::ticket::Admission,
    live::voice,
    store::{audio::Recordings, images::PictureDescription},
};

/// Settings of a conversation for the state machine and for the model.
#[derive(Debug)]
pub(super) struct Briefing {
    pub(super) settings: Settings,
    pub(super) setup: Setup,
}

impl Briefing {
    pub(super) fn new(admission: &Admission, picture: &PictureDescription, config: &Config) -> Self {
        let jitter_permille = rand::random_range(0..1_000);
        let sensitivity = prompt::sensitivity(admission.level);
        let second = is_second_generation(&config.sonic_model_id);
        let settings = Settings {
            conversation_id: admission.conversation_id,
            audio_prefix: Recordings::prefix(&admission.user_id, admission.conversation_id),
            pause_ms: if second { sensitivity.pause_ms() } else { Sensitivity::High.pause_ms() },
            texts: second.then(|| prompt::texts(picture)),
            opening_clip: config.opening_clip.as_ref().filter(|_| !second).map(Clip::pcm),
            objectives: prompt::objectives(picture),
            limits: config.limits(jitter_permille),
            jitter_permille,
        };
        let setup = Setup {
            system_prompt: prompt::system(picture, admission.level).into(),
            is_first: false,
            history: Vec::new(),
            voice: voice::at_model(&admission.voice, second).into(),
            tool: prompt::objective_tool(picture),
            sensitivity: second.then_some(sensitivity),
        };
        Self { settings, setup }
    }

    /// Adds the recommendations of the learner's last assessments, if they can be read in time.
    pub(super) async fn with_advice(mut self, deps: &Dependencies, user_id: &UserId) -> Self {
        let advice = deps.analyses.advice(user_id).await;
        self.setup.system_prompt = prompt::with_advice(&self.setup.system_prompt, &advice).into();
        self
    }
}

/// Whether the model accepts typed turns and an endpointing sensitivity: every Nova Sonic but the first.
fn is_second_generation(model_id: &str) -> bool {
    !model_id.contains("nova-sonic-v1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_but_the_first_is_of_the_second_generation_or_later() {
        assert!(!is_second_generation("amazon.nova-sonic-v1:0"));
        for model_id in
            ["amazon.nova-2-sonic-v1:0", "amazon.nova-2-5-sonic-v1:0", "us.amazon.nova-2-5-sonic-v2:0"]
        {
            assert!(is_second_generation(model_id), "{model_id}");
        }
    }
}
