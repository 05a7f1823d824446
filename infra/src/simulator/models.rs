//! PURE. The models the simulator knows and whether they still answer: the lifecycle of Bedrock as of November 2026.

use crate::pictures::ImageModel;

/// Generation of Nova Sonic; the second understands typed text and turn-taking settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generation {
    First,
    Second,
}

/// How a model is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Model {
    /// Speech in and out, by the bidirectional stream.
    Sonic(Generation),
    /// Text, by Converse. `takes_sampling`: the model accepts `temperature`, `topP` and `topK`; newer ones refuse them.
    Text {
        takes_sampling: bool,
    },
    Image(ImageModel),
}

/// Why a model id gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ModelError {
    /// No model has this id.
    Unknown,
    /// It answered once.
    EndOfLife,
    /// It is reached through an inference profile only.
    ProfileOnly,
}

impl ModelError {
    /// The service's text.
    pub(crate) fn message(self, id: &str) -> String {
        match self {
            Self::Unknown => "The provided model identifier is invalid.".to_owned(),
            Self::EndOfLife => {
                "This model version has reached the end of its life. Please refer to the AWS documentation for more details."
                    .to_owned()
            }
            Self::ProfileOnly => format!(
                "Invocation of model ID {id} with on-demand throughput isn\u{2019}t supported. Retry your request with the ID or ARN of an inference profile that contains this model."
            ),
        }
    }
}

const PROFILE_PREFIXES: [&str; 6] = ["us.", "eu.", "jp.", "au.", "apac.", "global."];

const RETIRED: [&str; 12] = [
    "amazon.nova-sonic-v1:0",
    "amazon.nova-canvas-v1:0",
    "amazon.nova-reel-v1:0",
    "anthropic.claude-3-haiku-20240307-v1:0",
    "anthropic.claude-3-sonnet-20240229-v1:0",
    "anthropic.claude-3-opus-20240229-v1:0",
    "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "anthropic.claude-3-5-haiku-20241022-v1:0",
    "anthropic.claude-3-7-sonnet-20250219-v1:0",
    "anthropic.claude-sonnet-4-20250514-v1:0",
    "amazon.titan-image-generator-v2:0",
];

const CLAUDE: &str = "anthropic.claude-";
const NOVA_TEXT: [&str; 4] =
    ["amazon.nova-lite-v1:0", "amazon.nova-pro-v1:0", "amazon.nova-micro-v1:0", "amazon.nova-2-lite-v1:0"];

const STABILITY: [&str; 3] =
    ["stability.sd3-5-large-v1:0", "stability.stable-image-core-v1:1", "stability.stable-image-ultra-v1:1"];

/// What answers under `id`. `allow_retired` brings back the models past their end of life.
pub(crate) fn find(id: &str, allow_retired: bool) -> Result<Model, ModelError> {
    let base = PROFILE_PREFIXES.iter().find_map(|prefix| id.strip_prefix(prefix));
    let name = base.unwrap_or(id);
    if RETIRED.contains(&name) && !allow_retired {
        return Err(ModelError::EndOfLife);
    }
    match name {
        "amazon.nova-2-sonic-v1:0" | "amazon.nova-2-5-sonic-v1:0" => Ok(Model::Sonic(Generation::Second)),
        "amazon.nova-sonic-v1:0" => Ok(Model::Sonic(Generation::First)),
        _ if NOVA_TEXT.contains(&name) => Ok(Model::Text { takes_sampling: true }),
        _ if RETIRED.contains(&name) && name.starts_with(CLAUDE) => Ok(Model::Text { takes_sampling: true }),
        _ if RETIRED.contains(&name) || STABILITY.contains(&name) => {
            ImageModel::of(name).map(Model::Image).map_err(|_| ModelError::Unknown)
        }
        _ if is_claude(name) && base.is_none() => Err(ModelError::ProfileOnly),
        _ if is_claude(name) => Ok(Model::Text { takes_sampling: !refuses_sampling(name) }),
        _ => Err(ModelError::Unknown),
    }
}

/// A current Claude: a family name and a version, such as `anthropic.claude-haiku-4-5-20251001-v1:0`.
fn is_claude(name: &str) -> bool {
    name.strip_prefix(CLAUDE).is_some_and(|rest| {
        ["haiku-", "sonnet-", "opus-"].iter().any(|family| {
            rest.strip_prefix(family)
                .is_some_and(|version| version.starts_with(|first: char| ('4'..='9').contains(&first)))
        })
    })
}

/// Whether a Claude refuses sampling parameters, as all do from 4.7 on: a version without a minor number is one of them.
fn refuses_sampling(name: &str) -> bool {
    let mut numbers = name.split('-').filter_map(|part| part.parse::<u32>().ok());
    let version = (numbers.next().unwrap_or(0), numbers.next().filter(|minor| *minor < 100).unwrap_or(0));
    version >= (4, 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn current_models_answer() {
        for id in ["amazon.nova-2-sonic-v1:0", "amazon.nova-2-5-sonic-v1:0"] {
            assert_eq!(find(id, false), Ok(Model::Sonic(Generation::Second)), "{id}");
        }
        for (id, takes_sampling) in [
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", true),
            ("us.anthropic.claude-opus-4-20250514-v1:0", true),
            ("us.anthropic.claude-sonnet-4-6", true),
            ("us.anthropic.claude-opus-4-7", false),
            ("global.anthropic.claude-sonnet-5-5", false),
            ("global.anthropic.claude-sonnet-5-20260801-v1:0", false),
            ("amazon.nova-2-lite-v1:0", true),
        ] {
            assert_eq!(find(id, false), Ok(Model::Text { takes_sampling }), "{id}");
        }
        for id in STABILITY {
            assert_eq!(find(id, false), Ok(Model::Image(ImageModel::of(id).unwrap())), "{id}");
        }
    }

    #[test]
    fn retired_models_answer_only_when_allowed() {
        assert_eq!(find("amazon.nova-sonic-v1:0", false), Err(ModelError::EndOfLife));
        assert_eq!(find("amazon.nova-sonic-v1:0", true), Ok(Model::Sonic(Generation::First)));
        let sonnet = "us.anthropic.claude-3-5-sonnet-20241022-v2:0";
        assert_eq!(find(sonnet, false), Err(ModelError::EndOfLife));
        assert_eq!(find(sonnet, true), Ok(Model::Text { takes_sampling: true }));
        let canvas = "amazon.nova-canvas-v1:0";
        assert_eq!(find(canvas, false), Err(ModelError::EndOfLife));
        assert_eq!(find(canvas, true), Ok(Model::Image(ImageModel::of(canvas).unwrap())));
        assert_eq!(find("amazon.nova-reel-v1:0", true), Err(ModelError::Unknown), "films are not simulated");
    }

    #[test]
    fn other_ids_say_why_not() {
        assert_eq!(find("anthropic.claude-haiku-4-5-20251001-v1:0", false), Err(ModelError::ProfileOnly));
        assert_eq!(find("anthropic.claude-poet-9", false), Err(ModelError::Unknown));
        assert_eq!(find("stability.poet-v1:0", false), Err(ModelError::Unknown));
        assert_eq!(find("gpt", false), Err(ModelError::Unknown));
    }
}
