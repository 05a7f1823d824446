//! PURE. The voices that a learner can choose, by accent (Amazon Nova user guides, "sonic-language-support").

/// An English voice of Nova Sonic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voice {
    /// Its id at the model.
    pub id: &'static str,
    /// How it speaks English.
    pub accent: &'static str,
    /// Who speaks for it at a first-generation model, which has fewer voices.
    first_generation: &'static str,
}

/// All of them; the first is the one of a learner who has not chosen.
pub const VOICES: [Voice; 6] = [
    Voice { id: "tiffany", accent: "American", first_generation: "tiffany" },
    Voice { id: "matthew", accent: "American", first_generation: "matthew" },
    Voice { id: "amy", accent: "British", first_generation: "amy" },
    Voice { id: "olivia", accent: "Australian", first_generation: "amy" },
    Voice { id: "kiara", accent: "Indian", first_generation: "tiffany" },
    Voice { id: "arjun", accent: "Indian", first_generation: "matthew" },
];

/// The id of the voice that a learner asks for.
///
/// # Errors
/// There is no such voice: what there is, for people.
pub fn choose(asked: Option<&str>) -> Result<&'static str, String> {
    let Some(asked) = asked else { return Ok(VOICES[0].id) };
    let known = VOICES.iter().find(|voice| voice.id == asked);
    known.map(|voice| voice.id).ok_or_else(|| {
        let all: Vec<String> =
            VOICES.iter().map(|voice| format!("{} ({})", voice.id, voice.accent)).collect();
        format!("voice is one of {}", all.join(", "))
    })
}

/// The id with which the model is asked for a voice.
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
