//! PURE. The conversation partner of the simulated model: it greets, asks the picture's guiding questions in turn, says a
//! sentence with a common mistake correctly, takes up words of the learner that the picture's description has, answers a
//! question with a sentence of it, encourages, and says goodbye. It understands nothing; the same words always get the same
//! answer.
//!
//! The system prompt guides it: headings `Picture:`, `Description:`, `Objectives:`, `Words to practise:`, `Questions:` and
//! `Level:` on lines of their own, with their text behind or below them, lists as lines `- …`. A turn of several words meets
//! the next objective.

use super::audible::Heard;
use super::converse::mistakes;
use super::session::input::Role;

/// Approximate bytes of one answer: audible speech takes 40 ms a byte.
const ANSWER_BYTES: usize = 120;

/// Longest sentence of the description that answers a question, with the next question.
const EXPLANATION_BYTES: usize = 240;

const OPEN_QUESTIONS: [&str; 3] =
    ["What else can you see?", "How does the picture make you feel?", "Would you like to be there?"];
/// For levels from B2 on.
const DEMANDING_QUESTIONS: [&str; 3] = [
    "What might happen next, and why?",
    "What does the picture leave out?",
    "Would you change places with anybody in it? Why?",
];
const DEMANDING_LEVELS: [&str; 3] = ["B2", "C1", "C2"];
const PRAISE: [&str; 4] = ["Good!", "Well said.", "Thank you.", "Very nice."];
const FAREWELL: [&str; 2] = ["Thank you for this talk, you did well.", "Goodbye!"];
const FAREWELL_WORDS: [&str; 2] = ["goodbye", "bye"];
const GREETING_WORDS: [&str; 4] = ["hi", "hello", "hey", "start"];
const DETERMINERS: [&str; 13] =
    ["a", "an", "the", "two", "three", "four", "five", "some", "many", "several", "his", "her", "their"];
const PLURAL_DETERMINERS: [&str; 6] = ["two", "three", "four", "five", "many", "several"];
const PLURALS_WITHOUT_S: [&str; 5] = ["people", "children", "men", "women", "feet"];
const SINGULARS_WITH_S: [&str; 3] = ["bus", "gas", "tennis"];
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
    description: String,
    /// Words of the picture; empty when nothing is known of it but its title.
    known: Vec<String>,
    demanding: bool,
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
        self.description = section(prompt, "Description:").join(" ");
        let vocabulary = section(prompt, "Words to practise:").join(" ");
        if !self.description.is_empty() {
            let title = self.picture.as_deref().unwrap_or_default();
            self.known =
                [title, &self.description, &vocabulary].into_iter().flat_map(content_words).collect();
        }
        let level = section(prompt, "Level:").join(" ");
        self.demanding = DEMANDING_LEVELS.iter().any(|demanding| level.starts_with(demanding));
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
        let asks = text.trim_end().ends_with('?');
        let taken_up = if asks { self.explain(text) } else { self.take_up(text, &words, praise) };
        let Some(question) = self.next_question() else {
            return vec![praise.to_owned(), FAREWELL.join(" ")];
        };
        let limit = if asks { EXPLANATION_BYTES } else { ANSWER_BYTES };
        let taken_up = taken_up.filter(|sentence| sentence.len() + question.len() <= limit);
        vec![taken_up.unwrap_or_else(|| praise.to_owned()), question]
    }

    /// The learner's sentence without its mistake, or the learner's words about the picture.
    fn take_up(&self, text: &str, words: &[String], praise: &str) -> Option<String> {
        if let Some(mistake) = mistakes::find(text).into_iter().next() {
            return Some(format!("You mean: {}", with_full_stop(&mistake.better)));
        }
        let phrase = noun_phrases(words).find(|phrase| self.shows(phrase))?;
        let are = if is_plural(&phrase) { "are" } else { "is" };
        Some(match self.turns % 3 {
            0 => format!("{praise} You talk about {phrase}."),
            1 => format!("{praise} So there {are} {phrase}."),
            _ => format!("{praise} Tell me more about {phrase} later."),
        })
    }

    /// The sentence of the description that has most words of the question.
    fn explain(&self, question: &str) -> Option<String> {
        let asked = content_words(question);
        let shared =
            |sentence: &str| content_words(sentence).iter().filter(|word| asked.contains(word)).count();
        let sentences = self.description.split_inclusive(". ").map(str::trim);
        let best = sentences.max_by_key(|sentence| shared(sentence)).filter(|best| shared(best) > 0);
        Some(best.map_or_else(|| "That is a good question.".to_owned(), str::to_owned))
    }

    /// Whether the picture has something of a phrase. Words that a recogniser made up it has not.
    fn shows(&self, phrase: &str) -> bool {
        self.known.is_empty() || content_words(phrase).iter().any(|word| self.known.contains(word))
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
            None => {
                let open = if self.demanding { &DEMANDING_QUESTIONS } else { &OPEN_QUESTIONS };
                open[(index - self.questions.len()) % open.len()]
            }
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

/// Words that name things, in the singular if that is only an `s` less.
fn content_words(text: &str) -> Vec<String> {
    let is_content = |word: &String| {
        word.len() > 2 && ![&DETERMINERS[..], &PHRASE_ENDS].iter().any(|list| list.contains(&word.as_str()))
    };
    words(text).into_iter().filter(is_content).map(|word| word.trim_end_matches('s').to_owned()).collect()
}

/// Whether a noun phrase takes a verb in the plural.
fn is_plural(phrase: &str) -> bool {
    let (first, last) = (phrase.split(' ').next(), phrase.rsplit(' ').next().unwrap_or_default());
    let by_s = last.ends_with('s') && !last.ends_with("ss") && !SINGULARS_WITH_S.contains(&last);
    first.is_some_and(|word| PLURAL_DETERMINERS.contains(&word)) || by_s || PLURALS_WITHOUT_S.contains(&last)
}

fn with_full_stop(sentence: &str) -> String {
    let end = if sentence.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{sentence}{end}")
}

/// Short phrases that start like noun phrases, the last one first: "a brown dog".
fn noun_phrases(words: &[String]) -> impl Iterator<Item = String> {
    let is = |list: &[&str], word: &String| list.contains(&word.as_str());
    let starts = (0..words.len()).rev().filter(move |&at| is(&DETERMINERS, &words[at]));
    starts.filter_map(move |start| {
        let rest = words[start + 1..].iter().take(PHRASE_WORDS_MAX);
        let nouns: Vec<&str> = rest.take_while(|word| !is(&PHRASE_ENDS, word)).map(String::as_str).collect();
        // "…-ing" behind a noun is what it does.
        let end =
            nouns.iter().skip(1).position(|word| word.ends_with("ing")).map_or(nouns.len(), |at| at + 1);
        (!nouns.is_empty()).then(|| format!("{} {}", words[start], nouns[..end].join(" ")))
    })
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

    /// A tutor with a described picture, after `turns` turns.
    fn with_description(turns: usize) -> Tutor {
        let mut tutor = Tutor::default();
        tutor.brief(
            "Picture: A party\n\nDescription: A boy is holding three balloons. A dog is looking up at the biscuits.\n\n\
             Words to practise:\n- blow out\n- candle\n\nQuestions:\n- Where is the dog?\n\nLevel: B2. Speak naturally.\n",
        );
        tutor.turns = turns;
        tutor
    }

    #[test]
    fn words_of_the_picture_are_taken_up_and_agree_in_number() {
        let comment = |text: &str| with_description(0).heard(&said(text))[0].clone();
        assert_eq!(comment("I can see three balloons"), "Well said. So there are three balloons.");
        assert_eq!(comment("I can see a big dog"), "Well said. So there is a big dog.");
        assert_eq!(comment("Look at the candles"), "Well said. So there are the candles.");
        assert_eq!(comment("I see a dog in the middle"), "Well said. So there is a dog.");
        assert_eq!(comment("I see a field finally"), "Well said.", "words that the picture has not");
    }

    #[test]
    fn sentence_with_a_mistake_is_said_correctly() {
        let comment = |text: &str| with_description(0).heard(&said(text))[0].clone();
        assert_eq!(comment("The boy is happy. He have three balloons."), "You mean: He has three balloons.");
        assert_eq!(comment("There is two boy"), "You mean: There are two boy.");
    }

    #[test]
    fn question_is_answered_with_a_sentence_of_the_description() {
        let mut tutor = with_description(0);
        assert_eq!(
            tutor.heard(&said("What is the dog doing?")),
            ["A dog is looking up at the biscuits.", "Where is the dog?"]
        );
        assert_eq!(tutor.heard(&said("Why?"))[0], "That is a good question.");
    }

    #[test]
    fn open_questions_follow_the_level() {
        let mut tutor = with_description(0);
        let second = |tutor: &mut Tutor| tutor.heard(&said("Yes"))[1].clone();
        assert_eq!(second(&mut tutor), "Where is the dog?");
        assert_eq!(second(&mut tutor), DEMANDING_QUESTIONS[0]);
        let mut last = Vec::new();
        for _ in 0..DEMANDING_QUESTIONS.len() {
            last = tutor.heard(&said("Yes"));
        }
        assert!(last.join(" ").ends_with("Goodbye!"), "{last:?}");
    }

    #[test]
    fn voice_without_words_is_asked_again() {
        assert!(with_description(0).misheard().join(" ").contains("again"));
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
        let phrase = |text: &str| noun_phrases(&words(text)).next();
        assert_eq!(phrase("I see a brown dog in water").as_deref(), Some("a brown dog"));
        assert_eq!(phrase("there is a man running fast").as_deref(), Some("a man"));
        assert_eq!(phrase("I like it"), None);
        assert_eq!(phrase("this is the"), None);
    }
}
