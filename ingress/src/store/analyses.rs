//! The advice of a learner's latest assessments, for the tutor of the next conversation, from the documents of the analysis
//! worker. A conversation waits for it at most [`ADVICE_TIMEOUT`] and starts without it if it cannot be read.

use std::time::Duration;

use events::{
    contract::{StoredAnalysis, UserId},
    journal::JournalReader,
};

use super::documents::Documents;

/// Deadline for reading the advice.
pub const ADVICE_TIMEOUT: Duration = Duration::from_secs(1);

/// Maximum number of pieces of advice.
pub const ADVICE_MAX: usize = 6;

/// Maximum length of all advice together, in bytes.
pub const ADVICE_BYTES_MAX: usize = 1_200;

/// Latest conversations that are searched for assessments.
const CONVERSATIONS_MAX: usize = 6;

/// Maximum number of assessments that are read.
const ANALYSES_MAX: usize = 2;

/// Reads assessments.
#[derive(Clone, Debug)]
pub struct Analyses {
    journal: JournalReader,
    documents: Documents,
}

impl Analyses {
    /// Reads the assessments in `documents` of the conversations in `journal`.
    #[must_use]
    pub fn new(journal: JournalReader, documents: Documents) -> Self {
        Self { journal, documents }
    }

    /// The advice of a learner's latest assessments, the latest first: at most [`ADVICE_MAX`] lines and
    /// [`ADVICE_BYTES_MAX`] bytes. Empty if it cannot be read in time.
    pub async fn advice(&self, user_id: &UserId) -> Vec<String> {
        let read = tokio::time::timeout(ADVICE_TIMEOUT, self.latest(user_id)).await;
        match read.unwrap_or_else(|_| Err(anyhow::anyhow!("the read took longer than {ADVICE_TIMEOUT:?}"))) {
            Ok(analyses) => advice_of(&analyses),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the conversation starts without advice");
                Vec::new()
            }
        }
    }

    async fn latest(&self, user_id: &UserId) -> anyhow::Result<Vec<StoredAnalysis>> {
        let listed = self.journal.of_learner(user_id, None, CONVERSATIONS_MAX).await?;
        let mut analyses = Vec::new();
        for header in listed.headers {
            let id = header.start.conversation_id;
            analyses.extend(self.documents.assessment(user_id, id).await?);
            if analyses.len() == ANALYSES_MAX {
                break;
            }
        }
        Ok(analyses)
    }
}

/// The objective of the latest assessment first, then its recommendations; no line twice.
fn advice_of(analyses: &[StoredAnalysis]) -> Vec<String> {
    let mut advice: Vec<String> = Vec::new();
    let mut room = ADVICE_BYTES_MAX;
    let lines = analyses.iter().flat_map(|analysis| {
        let assessment = &analysis.assessment;
        std::iter::once(&assessment.next_objective).chain(&assessment.recommendations)
    });
    for line in lines {
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        if !line.is_empty() && line.len() <= room && !advice.contains(&line) && advice.len() < ADVICE_MAX {
            room -= line.len();
            advice.push(line);
        }
    }
    advice
}

#[cfg(test)]
mod tests {
    use super::*;

    fn analysis(next_objective: &str, recommendations: &[&str]) -> StoredAnalysis {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/example/stored-analysis.json");
        let mut analysis: StoredAnalysis =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        next_objective.clone_into(&mut analysis.assessment.next_objective);
        analysis.assessment.recommendations = recommendations.iter().map(|text| (*text).to_owned()).collect();
        analysis
    }

    #[test]
    fn the_latest_objective_comes_first_and_nothing_twice() {
        let latest = analysis("Tell a story.", &["Use the past\ntense.", " "]);
        let earlier = analysis("Ask questions.", &["Use the past tense.", "Speak more."]);
        let expected = ["Tell a story.", "Use the past tense.", "Ask questions.", "Speak more."];
        assert_eq!(advice_of(&[latest, earlier]), expected);
        assert!(advice_of(&[]).is_empty());
    }

    #[test]
    fn advice_is_bounded_in_lines_and_bytes() {
        let many: Vec<String> = (0..20).map(|number| format!("Practise number {number}.")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(advice_of(&[analysis("Go on.", &many)]).len(), ADVICE_MAX);
        let long = "long ".repeat(100);
        let advice = advice_of(&[analysis(&long, &[&format!("a {long}"), &format!("b {long}"), "Short."])]);
        assert!(advice.iter().map(String::len).sum::<usize>() <= ADVICE_BYTES_MAX);
        assert_eq!(advice.last().unwrap(), "Short.");
    }
}
