//! PURE. The price list, `infra/cost/prices.json`: each price with its unit, its date and its source.

use serde::{Deserialize, Serialize};

/// The list as it is checked in.
const PRICES: &str = include_str!("../../cost/prices.json");

/// Prices of one region.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PriceList {
    pub region: String,
    pub currency: String,
    /// The day of the list.
    pub as_of: String,
    pub note: String,
    pub prices: Prices,
}

/// One price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// US dollars for one unit.
    pub usd: f64,
    /// The unit.
    pub per: String,
    /// When the price was quoted.
    pub quoted: String,
    /// The page with the price.
    pub source: String,
}

/// All prices of the bill.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Prices {
    pub fargate_vcpu_hour: Price,
    pub fargate_gb_hour: Price,
    pub fargate_spot_share: Price,
    pub load_balancer_hour: Price,
    pub load_balancer_unit_hour: Price,
    pub public_address_hour: Price,
    pub nat_hour: Price,
    pub nat_gb: Price,
    pub endpoint_hour: Price,
    pub endpoint_gb: Price,
    pub cdn_gb: Price,
    pub cdn_origin_gb: Price,
    pub s3_gb_month: Price,
    pub s3_million_puts: Price,
    pub s3_million_gets: Price,
    pub s3_replication_gb: Price,
    pub dynamodb_million_writes: Price,
    pub dynamodb_million_reads: Price,
    pub dynamodb_gb_month: Price,
    pub dynamodb_recovery_gb_month: Price,
    pub backup_gb_month: Price,
    pub sqs_million_requests: Price,
    pub sns_million_requests: Price,
    pub event_bus_million_events: Price,
    pub sign_in_active_user: Price,
    pub logs_gb: Price,
    pub metric_month: Price,
    pub alarm_metric_month: Price,
    pub composite_alarm_month: Price,
    pub dashboard_month: Price,
    pub firewall_month: Price,
    pub firewall_rule_month: Price,
    pub firewall_million_requests: Price,
    pub zone_month: Price,
    pub health_check_month: Price,
    pub secret_month: Price,
    pub key_month: Price,
    pub cache_node_hour: Price,
}

impl PriceList {
    /// The list that is checked in.
    ///
    /// # Errors
    /// It is no price list.
    pub fn checked_in() -> serde_json::Result<Self> {
        serde_json::from_str(PRICES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_price_has_a_unit_a_date_and_a_source() {
        let list = PriceList::checked_in().unwrap();
        assert_eq!((list.region.as_str(), list.currency.as_str()), ("us-east-1", "USD"));
        let prices = serde_json::to_value(&list.prices).unwrap();
        for (name, price) in prices.as_object().unwrap() {
            let price: Price = serde_json::from_value(price.clone()).unwrap();
            assert!(price.usd > 0.0 && !price.per.is_empty(), "{name}");
            assert!(price.quoted.starts_with("2026-"), "{name}: {}", price.quoted);
            assert!(price.source.starts_with("https://aws.amazon.com/"), "{name}: {}", price.source);
        }
    }
}
