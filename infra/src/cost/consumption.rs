//! PURE. What one conversation consumes, as measured: `infra/cost/conversation.json`. The test that measures it writes the file
//! under `NOVA_BLESS=1`, and compares otherwise.

use events::{contract::Usage, price};
use serde::{Deserialize, Serialize};

/// The record as it is checked in.
const RECORD: &str = include_str!("../../cost/conversation.json");

/// Calls of AWS and tokens of one conversation, from its request to its complete results.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Consumption {
    /// How it was measured.
    pub measured: String,
    pub seconds: u64,
    pub turns: u64,
    /// Requests of the page to the service.
    pub page_requests: u64,
    /// Tokens of the speech model, as the conversation's event reports them.
    pub speech_model_id: String,
    pub speech: Usage,
    /// Tokens of the assessing model.
    pub analysis_input_tokens: u64,
    pub analysis_output_tokens: u64,
    /// Bytes of log lines of all processes.
    pub log_bytes: u64,
    pub calls: Vec<Calls>,
}

/// Calls of one process with one operation on one resource.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Calls {
    pub process: String,
    /// Name of the endpoint: `dynamodb`, `s3`, `sqs`.
    pub service: String,
    /// An update of an item also has the first attribute that it sets.
    pub operation: String,
    /// Table, bucket, queue.
    pub resource: String,
    pub count: u64,
    /// Bytes of the requests' bodies.
    pub bytes: u64,
    /// Write units of tables.
    pub write_units: f64,
    /// Write units of indexes.
    pub index_units: f64,
    pub read_units: f64,
}

impl Consumption {
    /// The record that is checked in.
    ///
    /// # Errors
    /// It is no such record.
    pub fn checked_in() -> serde_json::Result<Self> {
        serde_json::from_str(RECORD)
    }

    /// Minutes of conversation.
    #[must_use]
    pub fn minutes(&self) -> f64 {
        count(self.seconds) / 60.0
    }

    /// Calls of a service.
    pub fn of<'a>(&'a self, service: &'a str) -> impl Iterator<Item = &'a Calls> {
        self.calls.iter().filter(move |calls| calls.service == service)
    }

    /// The number of calls of a service whose operation begins with one of `operations`.
    #[must_use]
    pub fn count(&self, service: &str, operations: &[&str]) -> f64 {
        let of = self.of(service);
        let matching = of.filter(|calls| operations.iter().any(|name| calls.operation.starts_with(name)));
        matching.map(|calls| count(calls.count)).sum()
    }

    /// Bytes that a service stores: the bodies of its PUTs into `resource`.
    #[must_use]
    pub fn stored_bytes(&self, resource: &str) -> f64 {
        let puts = self.of("s3").filter(|calls| calls.operation == "PutObject" && calls.resource == resource);
        puts.map(|calls| count(calls.bytes)).sum()
    }

    /// Write units of tables and indexes, and read units.
    #[must_use]
    pub fn units(&self) -> (f64, f64) {
        let calls = self.of("dynamodb");
        calls.fold((0.0, 0.0), |(writes, reads), calls| {
            (writes + calls.write_units + calls.index_units, reads + calls.read_units)
        })
    }

    /// US dollars for the speech model.
    #[must_use]
    pub fn speech_usd(&self) -> f64 {
        micros(price::speech_cost(&self.speech_model_id, &self.speech))
    }

    /// US dollars for the assessing model at the default prices.
    ///
    /// # Errors
    /// A default price is not readable.
    pub fn analysis_usd(&self) -> Result<f64, String> {
        let prices = price::Prices {
            input_usd_micros: price::parse_usd(price::INPUT_USD_PER_MTOK_DEFAULT)?,
            output_usd_micros: price::parse_usd(price::OUTPUT_USD_PER_MTOK_DEFAULT)?,
        };
        let cost = prices.cost(self.analysis_input_tokens, self.analysis_output_tokens);
        Ok(micros(cost.usd_micros))
    }
}

/// A number of things as a factor of a price.
pub(super) fn count(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

fn micros(usd: u64) -> f64 {
    count(usd) / 1e6
}
