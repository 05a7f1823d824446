//! PURE. How the learner's words came into the transcript, and what that means for their assessment: a small recogniser
//! mishears, and what was not understood is not assessed.

use super::Language;

/// Begins a transcript of speech that was not understood; its form is that of the simulated speech model.
const NOT_UNDERSTOOD: (char, &str) = ('[', "seconds of speech that the simulator cannot read]");

/// Spoken turns of a learner, by how they were written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reliability {
    /// By a recogniser.
    pub(super) recognised: usize,
    pub(super) not_understood: usize,
}

/// Whether a turn has no words of the learner.
pub(super) fn is_not_understood(text: &str) -> bool {
    text.starts_with(NOT_UNDERSTOOD.0) && text.ends_with(NOT_UNDERSTOOD.1)
}

impl Reliability {
    /// What the learner is to know of it; nothing where every word is certain.
    pub(super) fn note(self, language: Language) -> Option<String> {
        let Self { recognised, not_understood } = self;
        let mut notes = Vec::new();
        if recognised > 0 {
            notes.push(language.choose(
                format!(
                    "A small recogniser wrote down {recognised} of your turns. It mishears up to 6 words in 100 of a \
                     clear voice and 1 in 3 of a strong accent: do not rely on scores and corrections."
                ),
                format!(
                    "작은 음성 인식기가 {recognised}번의 차례를 받아 적었습니다. 또렷한 목소리에서는 100단어 중 최대 6개, \
                     억양이 강하면 3개 중 1개를 잘못 듣습니다. 점수와 교정을 그대로 믿지 마세요."
                ),
            ));
        }
        if not_understood > 0 {
            notes.push(language.choose(
                format!("Spoken turns that were not understood and are not assessed: {not_understood}."),
                format!("알아듣지 못해 평가하지 않은 차례: {not_understood}번."),
            ));
        }
        (!notes.is_empty()).then(|| notes.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn note_counts_turns_and_is_absent_when_every_word_is_certain() {
        let note =
            |recognised, not_understood, language| Reliability { recognised, not_understood }.note(language);
        assert_eq!(note(0, 0, Language::English), None);
        let both = note(3, 2, Language::English).unwrap();
        assert!(both.contains("wrote down 3") && both.contains("not assessed: 2"), "{both}");
        let korean = note(3, 2, Language::Korean).unwrap();
        assert!(korean.contains("3번") && korean.contains("2번"), "{korean}");
    }

    #[test]
    fn transcript_without_words_is_known_by_its_form() {
        assert!(is_not_understood("[2.0 seconds of speech that the simulator cannot read]"));
        assert!(!is_not_understood("I heard two seconds of speech."));
    }
}
