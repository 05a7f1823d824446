//! PURE. The metrics in a line of a log, in CloudWatch's embedded metric format, as CloudWatch Logs extracts them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::samples::{Metric, Sample};

/// The samples in `line`; none if it is no document of the format.
pub(super) fn samples(line: &str) -> Vec<Sample> {
    if !line.starts_with('{') || !line.contains("\"_aws\"") {
        return Vec::new();
    }
    let Ok(document) = serde_json::from_str::<Value>(line) else { return Vec::new() };
    let directives = document["_aws"]["CloudWatchMetrics"].as_array().into_iter().flatten();
    directives.flat_map(|directive| of_directive(directive, &document)).collect()
}

/// One sample for each metric and set of dimensions.
fn of_directive(directive: &Value, document: &Value) -> Vec<Sample> {
    let namespace = directive["Namespace"].as_str().unwrap_or_default();
    let names = directive["Metrics"].as_array().into_iter().flatten();
    let names: Vec<&str> = names.filter_map(|metric| metric["Name"].as_str()).collect();
    let sets = directive["Dimensions"].as_array().into_iter().flatten();
    let sets = sets.filter_map(|set| dimensions(set, document));
    let sample = |name: &str, dimensions: &BTreeMap<String, String>| {
        let metric =
            Metric { namespace: namespace.to_owned(), name: name.to_owned(), dimensions: dimensions.clone() };
        values(&document[name]).map(|values| Sample { metric, values })
    };
    sets.flat_map(|set| names.iter().filter_map(|name| sample(name, &set)).collect::<Vec<_>>()).collect()
}

/// The names of a set with their values in the document; `None` if one is missing.
fn dimensions(set: &Value, document: &Value) -> Option<BTreeMap<String, String>> {
    let names = set.as_array()?.iter().map(Value::as_str);
    names.map(|name| Some((name?.to_owned(), document[name?].as_str()?.to_owned()))).collect()
}

/// A number or an array of numbers.
fn values(value: &Value) -> Option<Vec<f64>> {
    match value {
        Value::Array(values) => values.iter().map(Value::as_f64).collect(),
        Value::Number(value) => value.as_f64().map(|value| vec![value]),
        Value::Null | Value::Bool(_) | Value::String(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use events::runtime::metrics::{Document, Timings, Unit};
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn metrics_of_a_process_are_read_as_it_writes_them() {
        let timings = Timings::default();
        [7, 7, 12].into_iter().for_each(|value| timings.record(value));
        let document = Document::new("transcript")
            .property("queue", "nova-transcript")
            .number("InFlight", Unit::Count, 3)
            .timings("HandlerTime", Unit::Milliseconds, &timings);
        let line = document.encode(Timestamp::UNIX_EPOCH).unwrap().to_string();
        let found = samples(&line);
        let values: Vec<_> =
            found.iter().map(|sample| (sample.metric.name.as_str(), sample.values.clone())).collect();
        assert_eq!(values, [("InFlight", vec![3.0]), ("HandlerTime", vec![7.0, 7.0, 12.0])]);
        assert_eq!(found[0].metric.namespace, "NovaEnglish");
        assert_eq!(found[0].metric.dimensions["service"], "transcript");
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in r#"\{?("_aws"|"Dimensions"|"Metrics"|[\[\]{}:,]|[a-z0-9 ]){0,40}"#) {
            let _ = samples(&line);
        }
    }

    #[test]
    fn other_lines_have_no_metrics() {
        for line in
            ["", "text", r#"{"level":"INFO"}"#, r#"{"_aws":7}"#, r#"{"_aws":{"CloudWatchMetrics":[{}]}"#]
        {
            assert_eq!(samples(line), [], "{line}");
        }
    }
}
