//! What a learner's last assessments advise, for the tutor of the next conversation. It is read from what the analysis
//! worker stored; a conversation never waits for it longer than [`ADVICE_TIMEOUT`], and begins without it when it cannot
//! be read.

use std::{io::Read as _, time::Duration};

use anyhow::Context as _;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::operation::get_object::GetObjectError;
use events::contract::{StoredAnalysis, UserId};

/// Longest time that reading the advice may take.
pub const ADVICE_TIMEOUT: Duration = Duration::from_secs(1);

/// Most pieces of advice.
pub const ADVICE_MAX: usize = 6;

/// Most text of all advice, in bytes.
pub const ADVICE_BYTES_MAX: usize = 1_200;

/// Conversations, from the latest back, in which assessments are looked for.
const CONVERSATIONS_MAX: i32 = 6;

/// Assessments that are read.
const ANALYSES_MAX: usize = 2;

/// Longest stored assessment, in bytes as it is stored and as it is read.
const STORED_BYTES_MAX: u64 = 256 * 1024;
const DOCUMENT_BYTES_MAX: u64 = 1024 * 1024;

/// The index of the Conversations table that lists a learner's conversations.
const BY_LEARNER: &str = "userId-timestamp-index";

/// Reads assessments.
#[derive(Clone, Debug)]
pub struct Analyses {
    dynamodb: aws_sdk_dynamodb::Client,
    table: String,
    s3: aws_sdk_s3::Client,
    bucket: String,
}

impl Analyses {
    /// Assessments in `bucket` of the conversations in `table`.
    #[must_use]
    pub fn new(
        dynamodb: aws_sdk_dynamodb::Client,
        table: String,
        s3: aws_sdk_s3::Client,
        bucket: String,
    ) -> Self {
        Self { dynamodb, table, s3, bucket }
    }

    /// What a learner's last assessments advise, the latest first: at most [`ADVICE_MAX`] lines and
    /// [`ADVICE_BYTES_MAX`]. Nothing when it cannot be read in time.
    pub async fn advice(&self, user_id: &UserId) -> Vec<String> {
        let read = tokio::time::timeout(ADVICE_TIMEOUT, self.latest(user_id)).await;
        match read.unwrap_or_else(|_| Err(anyhow::anyhow!("it took longer than {ADVICE_TIMEOUT:?}"))) {
            Ok(analyses) => advice_of(&analyses),
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), "the tutor begins without advice");
                Vec::new()
            }
        }
    }

    async fn latest(&self, user_id: &UserId) -> anyhow::Result<Vec<StoredAnalysis>> {
        let listed = self
            .dynamodb
            .query()
            .table_name(&self.table)
            .index_name(BY_LEARNER)
            .key_condition_expression("userId = :user")
            .expression_attribute_values(":user", AttributeValue::S(user_id.to_string()))
            .scan_index_forward(false)
            .limit(CONVERSATIONS_MAX)
            .send()
            .await
            .context("failed to list the learner's conversations")?;
        let mut analyses = Vec::new();
        for item in listed.items() {
            let Some(Ok(id)) = item.get("sessionId").map(AttributeValue::as_s) else { continue };
            analyses.extend(self.stored(&format!("analyses/{user_id}/{id}.json.gz")).await?);
            if analyses.len() == ANALYSES_MAX {
                break;
            }
        }
        Ok(analyses)
    }

    /// `None` for a conversation that was not assessed.
    async fn stored(&self, key: &str) -> anyhow::Result<Option<StoredAnalysis>> {
        let got = self.s3.get_object().bucket(&self.bucket).key(key).send().await;
        let object = match got {
            Ok(object) => object,
            Err(error) if error.as_service_error().is_some_and(GetObjectError::is_no_such_key) => {
                return Ok(None);
            }
            Err(error) => return Err(error).context("failed to read an assessment"),
        };
        let length = object.content_length().and_then(|length| u64::try_from(length).ok());
        anyhow::ensure!(
            length.is_some_and(|length| length <= STORED_BYTES_MAX),
            "an assessment is larger than {STORED_BYTES_MAX} bytes"
        );
        let stored = object.body.collect().await.context("failed to read an assessment")?.into_bytes();
        decode(&stored).map(Some)
    }
}

fn decode(stored: &[u8]) -> anyhow::Result<StoredAnalysis> {
    let mut document = Vec::new();
    let mut reader = flate2::read::GzDecoder::new(stored).take(DOCUMENT_BYTES_MAX);
    reader.read_to_end(&mut document).context("an assessment is not gzip")?;
    serde_json::from_slice(&document).context("an assessment is not one")
}

/// The objective of the latest assessment comes first, then what to practise; nothing twice.
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
    use std::io::Write as _;

    use super::*;

    fn analysis(next_objective: &str, recommendations: &[&str]) -> StoredAnalysis {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/example/stored-analysis.json");
        let mut analysis: StoredAnalysis =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        next_objective.clone_into(&mut analysis.assessment.next_objective);
        analysis.assessment.recommendations = recommendations.iter().map(|text| (*text).to_owned()).collect();
        analysis
    }

    fn gzip(document: &[u8]) -> Vec<u8> {
        let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        writer.write_all(document).unwrap();
        writer.finish().unwrap()
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

    #[test]
    fn a_stored_assessment_is_read_and_anything_else_is_refused() {
        let stored = analysis("Tell a story.", &["Speak more."]);
        let bytes = gzip(&serde_json::to_vec(&stored).unwrap());
        assert_eq!(decode(&bytes).unwrap(), stored);
        assert!(decode(b"no gzip").is_err());
        assert!(decode(&gzip(b"{}")).is_err());
        // A document that grows without end is not read to its end.
        let bomb = gzip(&vec![b' '; usize::try_from(4 * DOCUMENT_BYTES_MAX).unwrap()]);
        assert!((bomb.len() as u64) < STORED_BYTES_MAX);
        assert!(decode(&bomb).is_err());
    }
}
