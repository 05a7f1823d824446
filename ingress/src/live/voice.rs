//! PURE. The voices that a learner can choose, by accent (Amazon Nova user guides, "sonic-language-support").

/// An English voice of Nova Sonic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voice {
    /// The `voiceId` of the model.
    pub id: &'static str,
    /// Its accent, for people.
    pub accent: &'static str,
    /// The `voiceId` that replaces it at a first-generation model, which has fewer voices.
    first_generation: &'static str,
}

/// All voices; the first one is the default.
pub const VOICES: [Voice; 6] = [
    Voice { id: "tiffany", accent: "American", first_generation: "tiffany" },
    Voice { id: "matthew", accent: "American", first_generation: "matthew" },
    Voice { id: "amy", accent: "British", first_generation: "amy" },
    Voice { id: "olivia", accent: "Australian", first_generation: "amy" },
    Voice { id: "kiara", accent: "Indian", first_generation: "tiffany" },
    Voice { id: "arjun", accent: "Indian", first_generation: "matthew" },
];

/// Checks the requested voice and returns its id, or the default.
///
/// # Errors
/// An unknown voice: a message that lists the known ones.
pub fn choose(requested: Option<&str>) -> Result<&'static str, String> {
    let Some(requested) = requested else { return Ok(VOICES[0].id) };
    let known = VOICES.iter().find(|voice| voice.id == requested);
    known.map(|voice| voice.id).ok_or_else(|| {
        let all: Vec<String> =
            VOICES.iter().map(|voice| format!("{} ({})", voice.id, voice.accent)).collect();
        format!("voice is one of {}", all.join(", "))
    })
}

/// The `voiceId` for a model of the given generation.
#[must_use]
pub fn at_model(id: &str, second_generation: bool) -> &str {
    let known = VOICES.iter().find(|voice| voice.id == id);
    known.filter(|_| !second_generation).map_or(id, |voice| voice.first_generation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voice_is_chosen_by_its_id_and_an_unknown_one_is_refused_with_all_that_there_are() {
        assert_eq!(choose(None), Ok("tiffany"));
        assert_eq!(choose(Some("arjun")), Ok("arjun"));
        let refusal = choose(Some("lupe")).unwrap_err();
        assert!(VOICES.iter().all(|voice| refusal.contains(&format!("{} ({})", voice.id, voice.accent))));
    }

    #[test]
    fn a_first_generation_model_is_asked_for_a_voice_that_it_has() {
        assert_eq!(at_model("olivia", true), "olivia");
        assert_eq!(at_model("olivia", false), "amy");
        assert!(
            VOICES.iter().all(|voice| ["tiffany", "matthew", "amy"].contains(&at_model(voice.id, false)))
        );
    }
}
