//! PURE. An assessment from counts over a transcript: words, distinct words, length of turns, words shared with the
//! picture's description, common mistakes, and the overall scores of earlier assessments. It judges nothing else.

use std::collections::HashSet;

use events::contract::{
    Assessment, ComparedValue, Comparison, ConversationId, Correction, Evidence, Flag, Level, Skill,
    SkillScore, Skills,
};
use serde::Deserialize;

use super::{
    Language,
    mistakes::{self, Kind, Mistake},
    objectives,
    reliability::{Reliability, is_not_understood},
};

/// Words below which the assessment has low confidence.
const FEW_WORDS: usize = 12;
const CORRECTIONS_MAX: usize = 10;
/// Shortest topic word, in letters: shorter words are articles and pronouns.
const TOPIC_WORD_CHARS_MIN: usize = 4;
/// Distinct topic words for a full relevance score.
const TOPIC_WORDS_ENOUGH: usize = 8;

#[derive(Debug, Deserialize)]
pub(super) struct Transcript {
    turns: Vec<Turn>,
}

#[derive(Debug, Deserialize)]
struct Turn {
    speaker: String,
    text: String,
    #[serde(default)]
    typed: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Picture {
    title: String,
    description: String,
    vocabulary: Vec<String>,
    objectives: Vec<String>,
}

/// An earlier assessment in the prompt.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Earlier {
    conversation_id: ConversationId,
    overall: u8,
}

struct Counts {
    turns: usize,
    words: usize,
    distinct: usize,
    topic: usize,
    mistakes: usize,
}

impl Transcript {
    /// The learner's turns with words. Those that were not understood are among them only if there is no other.
    fn learner_turns(&self) -> Vec<&str> {
        let said = self.turns.iter().filter(|turn| turn.speaker == "learner");
        let texts =
            said.map(|turn| turn.text.as_str()).filter(|text| text.chars().any(char::is_alphanumeric));
        let (unknown, understood): (Vec<&str>, Vec<&str>) = texts.partition(|text| is_not_understood(text));
        if understood.is_empty() { unknown } else { understood }
    }

    /// `is_recognised` says of a text whether a recogniser wrote it.
    pub(super) fn reliability(&self, is_recognised: impl Fn(&str) -> bool) -> Reliability {
        let spoken = || self.turns.iter().filter(|turn| turn.speaker == "learner" && !turn.typed);
        Reliability {
            recognised: spoken().filter(|turn| is_recognised(&turn.text)).count(),
            not_understood: spoken().filter(|turn| is_not_understood(&turn.text)).count(),
        }
    }
}

/// Assesses the learner's turns.
pub(super) fn assess(
    transcript: &Transcript,
    picture: &Picture,
    earlier: &[Earlier],
    language: Language,
) -> Assessment {
    let turns = transcript.learner_turns();
    let topic = topic_words(picture);
    let mistakes: Vec<Mistake> = turns.iter().flat_map(|turn| mistakes::find(turn)).collect();
    let words: Vec<String> = turns.iter().flat_map(|turn| words(turn)).collect();
    let distinct: HashSet<&String> = words.iter().collect();
    let counts = Counts {
        turns: turns.len(),
        words: words.len(),
        distinct: distinct.len(),
        topic: distinct.iter().filter(|word| topic.contains(**word)).count(),
        mistakes: mistakes.len(),
    };
    let say = |english: String, korean: String| language.choose(english, korean);
    let skills = skills(&turns, &topic, &mistakes, &counts, language);
    let sum: u32 = [&skills.fluency, &skills.vocabulary, &skills.grammar, &skills.relevance]
        .iter()
        .map(|skill| u32::from(skill.score))
        .sum();
    let overall = score(sum as usize / 4);
    let weakest = weakest(&skills);
    Assessment {
        overall,
        cefr: level(overall),
        strengths: vec![say(
            format!("You used {} different words in {} turns.", counts.distinct, counts.turns),
            format!("{}번의 차례에서 서로 다른 단어 {}개를 사용했습니다.", counts.turns, counts.distinct),
        )],
        corrections: mistakes
            .iter()
            .take(CORRECTIONS_MAX)
            .map(|mistake| correction(mistake, language))
            .collect(),
        recommendations: vec![advice(weakest, language).to_owned()],
        next_objective: objective(weakest, language).to_owned(),
        flags: if counts.words < FEW_WORDS { vec![Flag::LittleSpeech] } else { Vec::new() },
        objectives: objectives::judge(&picture.objectives, &turns, language),
        comparisons: earlier.iter().map(|earlier| comparison(earlier, overall, language)).collect(),
        skills,
    }
}

fn comparison(earlier: &Earlier, overall: u8, language: Language) -> Comparison {
    let before = earlier.overall;
    let comment = language.choose(
        format!("The overall score was {before} and is {overall}."),
        format!("종합 점수가 {before}점에서 {overall}점이 되었습니다."),
    );
    Comparison {
        conversation_id: earlier.conversation_id,
        value: ComparedValue::Overall,
        earlier: before.into(),
        now: overall.into(),
        comment,
    }
}

fn skills(
    turns: &[&str],
    topic: &HashSet<String>,
    mistakes: &[Mistake],
    counts: &Counts,
    language: Language,
) -> Skills {
    let longest = turns.iter().max_by_key(|turn| turn.len()).copied().unwrap_or_default();
    let richest = turns.iter().max_by_key(|turn| words(turn).into_iter().collect::<HashSet<_>>().len());
    let on_topic =
        turns.iter().max_by_key(|turn| words(turn).iter().filter(|word| topic.contains(*word)).count());
    let mean = counts.words / counts.turns.max(1);
    let say = |english: String, korean: String| language.choose(english, korean);
    // A few words show little of any skill, so the number of words caps every score.
    let cap = 20 + 2 * counts.words;
    let skill = |value: usize, quote: &str, comment: String| SkillScore {
        score: score(value.min(cap)),
        evidence: vec![Evidence { quote: quote.to_owned(), comment, place: None }],
    };
    Skills {
        fluency: skill(
            25 + mean * 4,
            longest,
            say(
                format!("You say {mean} words in a turn."),
                format!("한 차례에 평균 {mean}개의 단어를 말합니다."),
            ),
        ),
        vocabulary: skill(
            20 + counts.distinct,
            richest.copied().unwrap_or_default(),
            say(
                format!("{} of your {} words are different.", counts.distinct, counts.words),
                format!("단어 {}개 중 {}개가 서로 다릅니다.", counts.words, counts.distinct),
            ),
        ),
        grammar: skill(
            95usize.saturating_sub(counts.mistakes * 100 / counts.turns.max(1) / 2),
            mistakes.first().map_or(longest, |mistake| mistake.quote.as_str()),
            say(
                format!("Common mistakes found: {}.", counts.mistakes),
                format!("자주 하는 실수가 {}개 있습니다.", counts.mistakes),
            ),
        ),
        relevance: skill(
            20 + 75 * counts.topic.min(TOPIC_WORDS_ENOUGH) / TOPIC_WORDS_ENOUGH,
            on_topic.copied().unwrap_or_default(),
            say(
                format!("Words of the picture you used: {}.", counts.topic),
                format!("그림과 관련된 단어를 {}개 사용했습니다.", counts.topic),
            ),
        ),
    }
}

fn weakest(skills: &Skills) -> Skill {
    let scores = [
        (skills.fluency.score, Skill::Fluency),
        (skills.vocabulary.score, Skill::Vocabulary),
        (skills.grammar.score, Skill::Grammar),
        (skills.relevance.score, Skill::Relevance),
    ];
    scores.into_iter().min_by_key(|(score, _)| *score).map_or(Skill::Fluency, |(_, skill)| skill)
}

fn advice(skill: Skill, language: Language) -> &'static str {
    let (english, korean) = match skill {
        Skill::Fluency => ("Answer with two or three sentences.", "두세 문장으로 대답해 보세요."),
        Skill::Vocabulary => ("Use a new word in every answer.", "대답할 때마다 새로운 단어를 써 보세요."),
        Skill::Grammar => {
            ("Say the corrected sentences aloud three times.", "고친 문장을 소리 내어 세 번 말해 보세요.")
        }
        Skill::Relevance => (
            "Name more of the things you can see in the picture.",
            "그림에 보이는 것들의 이름을 더 말해 보세요.",
        ),
    };
    language.choose(english, korean)
}

fn objective(skill: Skill, language: Language) -> &'static str {
    let (english, korean) = match skill {
        Skill::Fluency => (
            "Speak for thirty seconds about one part of the picture.",
            "그림의 한 부분에 대해 30초 동안 말하기.",
        ),
        Skill::Vocabulary => {
            ("Describe five things with a colour and a size.", "다섯 가지 사물을 색과 크기로 묘사하기.")
        }
        Skill::Grammar => (
            "Tell what three people in the picture do, in full sentences.",
            "그림 속 세 사람이 하는 일을 완전한 문장으로 말하기.",
        ),
        Skill::Relevance => {
            ("Describe the picture from left to right.", "그림을 왼쪽에서 오른쪽으로 묘사하기.")
        }
    };
    language.choose(english, korean)
}

fn correction(mistake: &Mistake, language: Language) -> Correction {
    let (english, korean) = match mistake.kind {
        Kind::ThirdPerson => {
            ("After he, she and it the verb takes an s.", "he, she, it 다음의 동사에는 s가 붙습니다.")
        }
        Kind::Article => {
            ("Before the sound of a vowel the article is an.", "모음 소리 앞에서는 an을 씁니다.")
        }
        Kind::Comparison => {
            ("The word compares already, so it needs no more.", "이미 비교급이므로 more가 필요 없습니다.")
        }
        Kind::Plural => ("This word has another plural, or none.", "이 단어는 복수형이 다르거나 없습니다."),
        Kind::Phrase => ("This is how the phrase is usually said.", "보통 이렇게 말합니다."),
    };
    let why = language.choose(english, korean).to_owned();
    Correction { quote: mistake.quote.clone(), better: mistake.better.clone(), why, place: None }
}

fn topic_words(picture: &Picture) -> HashSet<String> {
    let texts = [&picture.title, &picture.description].into_iter().chain(&picture.vocabulary);
    texts.flat_map(|text| words(text)).filter(|word| word.chars().count() >= TOPIC_WORD_CHARS_MIN).collect()
}

fn words(text: &str) -> Vec<String> {
    text.split(|letter: char| !(letter.is_alphanumeric() || letter == '\''))
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// The CEFR level of a score; the scale that the examiner's instructions give.
fn level(overall: u8) -> Level {
    match overall {
        0..40 => Level::A1,
        40..55 => Level::A2,
        55..70 => Level::B1,
        70..83 => Level::B2,
        83..93 => Level::C1,
        93.. => Level::C2,
    }
}

fn score(value: usize) -> u8 {
    u8::try_from(value.min(100)).unwrap_or(100)
}
