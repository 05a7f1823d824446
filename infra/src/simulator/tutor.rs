//! PURE. The conversation partner of the simulated model: it greets, asks the picture's guiding questions in turn, repeats
//! the learner's words, encourages, and says goodbye. It understands nothing; the same words always get the same answer.
//!
//! The system prompt guides it: headings `Picture:`, `Objectives:` and `Questions:` on lines of their own, the title behind or
//! below the first, objectives and questions below theirs as lines `- …`. A turn of several words meets the next objective.

use super::audible::Heard;
use super::session::input::Role;

/// Approximate bytes of one answer: audible speech takes 40 ms a byte.
const ANSWER_BYTES: usize = 120;

const OPEN_QUESTIONS: [&str; 3] =
    ["What else can you see?", "How does the picture make you feel?", "Would you like to be there?"];
const PRAISE: [&str; 4] = ["Good!", "Well said.", "Thank you.", "Very nice."];
const FAREWELL: [&str; 2] = ["Thank you for this talk, you did well.", "Goodbye!"];
const FAREWELL_WORDS: [&str; 2] = ["goodbye", "bye"];
const GREETING_WORDS: [&str; 4] = ["hi", "hello", "hey", "start"];
const DETERMINERS: [&str; 10] = ["a", "an", "the", "two", "three", "some", "many", "his", "her", "their"];
/// Words that end a noun phrase.
const PHRASE_ENDS: [&str; 22] = [
    "is", "are", "was", "were", "in", "on", "at", "and", "or", "with", "of", "to", "who", "which", "that",
    "has", "have", "can", "near", "under", "behind", "because",
];
const PHRASE_WORDS_MAX: usize = 3;
/// Words of a turn that meets an objective.
pub(crate) const OBJECTIVE_WORDS_MIN: usize = 6;
/// Words of the quote that proves it.
pub(crate) const QUOTE_WORDS_MAX: usize = 8;

/// An objective that a turn of the learner meets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Met {
    pub(crate) objective: String,
    /// Words of the turn.
    pub(crate) quote: String,
}

/// The partner of one conversation.
#[derive(Debug, Default)]
pub(crate) struct Tutor {
    picture: Option<String>,
    questions: Vec<String>,
    objectives: Vec<String>,
    /// Number of objectives met: the picture's in their order.
    met: usize,
    /// Number of questions asked: the picture's first, then the open ones.
    asked: usize,
    greeted: bool,
    turns: usize,
}

impl Tutor {
    /// Takes the system prompt.
    pub(crate) fn brief(&mut self, prompt: &str) {
        self.picture = section(prompt, "Picture:").into_iter().next();
        self.questions = section(prompt, "Questions:");
        self.objectives = section(prompt, "Objectives:");
    }

    /// Takes a message of an earlier part of the conversation.
    pub(crate) fn recall(&mut self, role: Role, text: &str) {
        match role {
            Role::Assistant => {
                self.greeted = true;
                let asked =
                    (0..self.question_count()).rev().find(|&index| text.contains(self.question(index)));
                self.asked = self.asked.max(asked.map_or(0, |index| index + 1));
            }
            Role::User => {
                self.turns += 1;
                let _ = self.next_objective(text);
            }
            Role::System | Role::SystemSpeech | Role::Tool => {}
        }
    }

    /// The answer to typed text, which is the learner's or, in brackets, a stage direction.
    pub(crate) fn typed(&mut self, text: &str) -> Vec<String> {
        let words = words(text);
        if words.is_empty() {
            return Vec::new();
        }
        let direction = text.trim_start().starts_with(['[', '(']);
        let mentions = |stem: &str| words.iter().any(|word| word.starts_with(stem));
        if direction && self.greeted && (mentions("goodbye") || mentions("farewell") || mentions("closing")) {
            return FAREWELL.map(str::to_owned).to_vec();
        }
        if direction && self.greeted && mentions("interrupted") {
            return vec!["Sorry, the line was interrupted.".to_owned(), self.last_question().to_owned()];
        }
        if direction && self.greeted {
            return self.encourage();
        }
        let greeting = words.len() <= 3 && words.iter().any(|word| GREETING_WORDS.contains(&word.as_str()));
        if !self.greeted && (direction || greeting) {
            return self.greet();
        }
        self.reply(text)
    }

    /// The answer to a spoken turn.
    pub(crate) fn heard(&mut self, heard: &[Heard]) -> Vec<String> {
        let mut text = String::new();
        for part in heard {
            match part {
                Heard::Text(words) => {
                    text.push_str(words);
                    text.push(' ');
                }
                Heard::Damaged { .. } => {
                    return vec![
                        "Some of your words did not reach me.".into(),
                        "Please say that again.".into(),
                    ];
                }
                Heard::Unreadable { ms } => {
                    return vec![
                        format!(
                            "I am a simulated partner and heard {}.{} seconds of speech that I cannot read.",
                            ms / 1000,
                            ms % 1000 / 100
                        ),
                        "Please type, or use the demo voice.".into(),
                    ];
                }
            }
        }
        if text.trim().is_empty() { Vec::new() } else { self.reply(&text) }
    }

    /// The answer to a voice whose words were not recognised.
    pub(crate) fn misheard(&self) -> Vec<String> {
        vec!["Sorry, I did not understand that.".to_owned(), "Please say that again.".to_owned()]
    }

    /// The objective that a spoken turn meets.
    pub(crate) fn objective_met(&mut self, heard: &[Heard]) -> Option<Met> {
        heard.iter().find_map(|part| match part {
            Heard::Text(words) => self.next_objective(words),
            Heard::Damaged { .. } | Heard::Unreadable { .. } => None,
        })
    }

    /// The objective that a typed turn meets. A stage direction meets none.
    pub(crate) fn objective_met_by_typing(&mut self, text: &str) -> Option<Met> {
        (!text.trim_start().starts_with(['[', '('])).then(|| self.next_objective(text)).flatten()
    }

    fn next_objective(&mut self, text: &str) -> Option<Met> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let objective = self.objectives.get(self.met).filter(|_| words.len() >= OBJECTIVE_WORDS_MIN)?;
        self.met += 1;
        let quote = words[..words.len().min(QUOTE_WORDS_MAX)].join(" ");
        Some(Met { objective: objective.clone(), quote })
    }

    fn greet(&mut self) -> Vec<String> {
        self.greeted = true;
        let topic = match &self.picture {
            Some(picture) => {
                format!("Hello! Let us talk about the picture: {}.", picture.trim_end_matches('.'))
            }
            None => "Hello! Let us talk about the picture.".to_owned(),
        };
        let mut sentences = vec![topic];
        sentences.extend(self.next_question());
        sentences
    }

    /// Friendly words for a silent learner, and the question again.
    fn encourage(&self) -> Vec<String> {
        vec!["Take your time, there is no wrong answer.".to_owned(), self.last_question().to_owned()]
    }

    fn reply(&mut self, text: &str) -> Vec<String> {
        let words = words(text);
        self.greeted = true;
        self.turns += 1;
        if words.iter().any(|word| FAREWELL_WORDS.contains(&word.as_str())) {
            return FAREWELL.map(str::to_owned).to_vec();
        }
        let praise = PRAISE[self.turns % PRAISE.len()];
        let taken_up = if text.trim_end().ends_with('?') {
            Some("That is a good question.".to_owned())
        } else {
            noun_phrase(&words).map(|phrase| match self.turns % 3 {
                0 => format!("{praise} You talk about {phrase}."),
                1 => format!("{praise} So there is {phrase}."),
                _ => format!("{praise} Tell me more about {phrase} later."),
            })
        };
        let Some(question) = self.next_question() else {
            return vec![praise.to_owned(), FAREWELL.join(" ")];
        };
        let taken_up = taken_up.filter(|sentence| sentence.len() + question.len() <= ANSWER_BYTES);
        vec![taken_up.unwrap_or_else(|| praise.to_owned()), question]
    }

    fn next_question(&mut self) -> Option<String> {
        if self.asked == self.question_count() {
            return None;
        }
        self.asked += 1;
        Some(self.question(self.asked - 1).to_owned())
    }

    fn last_question(&self) -> &str {
        self.question(self.asked.saturating_sub(1))
    }

    fn question_count(&self) -> usize {
        self.questions.len() + OPEN_QUESTIONS.len()
    }

    fn question(&self, index: usize) -> &str {
        match self.questions.get(index) {
            Some(question) => question,
            None => OPEN_QUESTIONS[(index - self.questions.len()) % OPEN_QUESTIONS.len()],
        }
    }
}

/// The lines of one section of a prompt, without their dashes.
fn section(prompt: &str, heading: &str) -> Vec<String> {
    let mut lines = prompt.lines().map(str::trim);
    let Some(inline) = lines.find_map(|line| line.strip_prefix(heading)) else {
        return Vec::new();
    };
    let is_heading = |line: &str| !line.starts_with('-') && line.ends_with(':');
    let below =
        lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty() && !is_heading(line));
    std::iter::once(inline)
        .chain(below)
        .map(|line| line.trim_start_matches('-').trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

/// The words of `text` in lower case, without punctuation around them.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|word| word.trim_matches(|letter: char| !letter.is_alphanumeric()).to_lowercase())
        .filter(|word| !word.is_empty())
        .collect()
}

/// The last short phrase that starts like a noun phrase: "a brown dog".
fn noun_phrase(words: &[String]) -> Option<String> {
    let is = |list: &[&str], word: &String| list.contains(&word.as_str());
    let start = words.iter().rposition(|word| is(&DETERMINERS, word))?;
    let rest = words[start + 1..].iter().take(PHRASE_WORDS_MAX);
    let nouns: Vec<&str> = rest.take_while(|word| !is(&PHRASE_ENDS, word)).map(String::as_str).collect();
    // "…-ing" behind a noun is what it does.
    let end = nouns.iter().skip(1).position(|word| word.ends_with("ing")).map_or(nouns.len(), |at| at + 1);
    (!nouns.is_empty()).then(|| format!("{} {}", words[start], nouns[..end].join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROMPT: &str = "You are a friendly partner.\n\nPicture: A day at the market\nDescription:\nA market: stalls.\n\nObjectives:\n- Use colours\nQuestions:\n- What do the people buy?\n- What colours can you see?\n\nKeep it short.";

    fn tutor() -> Tutor {
        let mut tutor = Tutor::default();
        tutor.brief(PROMPT);
        tutor
    }

    fn said(text: &str) -> Vec<Heard> {
        vec![Heard::Text(text.to_owned())]
    }

    #[test]
    fn it_leads_through_the_questions_and_says_goodbye() {
        let mut tutor = tutor();
        let opening = tutor.typed("(The learner has joined. Greet them.)");
        assert_eq!(
            opening,
            ["Hello! Let us talk about the picture: A day at the market.", "What do the people buy?"]
        );
        let answer = tutor.heard(&said("They buy a big fish in the market hall."));
        assert_eq!(answer, ["Well said. So there is the market hall.", "What colours can you see?"]);
        let mut last = Vec::new();
        for _ in 0..=OPEN_QUESTIONS.len() {
            last = tutor.heard(&said("I see red and green."));
        }
        assert!(last.join(" ").ends_with("Goodbye!"), "{last:?}");
    }

    #[test]
    fn it_goes_on_where_an_earlier_stream_stopped() {
        let mut tutor = tutor();
        tutor.recall(Role::User, "Hello");
        tutor.recall(Role::Assistant, "Good! What do the people buy?");
        assert_eq!(tutor.heard(&said("Some fruit"))[1], "What colours can you see?");
    }

    #[test]
    fn turn_of_several_words_meets_the_next_objective_once() {
        let mut tutor = tutor();
        let met = tutor.objective_met(&said("They buy a big fish in the market hall."));
        let quote = "They buy a big fish in the market".to_owned();
        assert_eq!(met, Some(Met { objective: "Use colours".to_owned(), quote }));
        assert_eq!(tutor.objective_met_by_typing("They buy a big fish in the market hall."), None);
    }

    #[test]
    fn short_turns_directions_and_what_it_cannot_read_meet_no_objective() {
        let mut tutor = tutor();
        assert_eq!(tutor.objective_met(&said("Five words are not enough.")), None);
        assert_eq!(tutor.objective_met(&[Heard::Unreadable { ms: 9_000 }]), None);
        assert_eq!(tutor.objective_met_by_typing("[The learner is here. Greet the learner now.]"), None);
        tutor.recall(Role::User, "They buy a big fish in the market hall.");
        assert_eq!(tutor.objective_met(&said("They buy a big fish in the market hall.")), None);
    }

    #[test]
    fn stage_directions_are_followed_and_not_answered() {
        let mut tutor = tutor();
        tutor.typed("hello");
        assert_eq!(tutor.typed("[The learner has been silent.]")[1], "What do the people buy?");
        assert_eq!(tutor.typed("[The line was interrupted. Go on.]")[1], "What do the people buy?");
        assert_eq!(tutor.typed("[Time is nearly over: say goodbye.]"), FAREWELL);
    }

    #[test]
    fn what_it_cannot_read_it_says() {
        let answer = tutor().heard(&[Heard::Unreadable { ms: 3_260 }]).join(" ");
        assert!(answer.contains("simulated") && answer.contains("3.2 seconds"), "{answer}");
        let answer = tutor().heard(&[Heard::Damaged { text: "I s\u{FFFD}e".into() }]).join(" ");
        assert!(answer.contains("again"), "{answer}");
        assert_eq!(tutor().heard(&[]), Vec::<String>::new());
    }

    #[test]
    fn noun_phrases_stop_at_verbs_and_prepositions() {
        let phrase = |text: &str| noun_phrase(&words(text));
        assert_eq!(phrase("I see a brown dog in water").as_deref(), Some("a brown dog"));
        assert_eq!(phrase("there is a man running fast").as_deref(), Some("a man"));
        assert_eq!(phrase("I like it"), None);
        assert_eq!(phrase("this is the"), None);
    }
}
