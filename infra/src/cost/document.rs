//! PURE. The parts of a bill, with the estimate of the architecture document v2.0 and why the bill differs from it.

/// The document's sum for a month with 10,000 learners, in US dollars.
pub const DOCUMENT_USD: f64 = 226.0;

/// A part of the bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    Speech,
    Assessment,
    Pictures,
    Tasks,
    LoadBalancer,
    Transfer,
    Addresses,
    Cdn,
    Firewall,
    Cache,
    Tables,
    Objects,
    Messaging,
    SignIn,
    Monitoring,
    Secrets,
    Names,
    Standby,
}

impl Share {
    /// All, in the order of the bill.
    pub const ALL: [Self; 18] = [
        Self::Speech,
        Self::Assessment,
        Self::Pictures,
        Self::Tasks,
        Self::LoadBalancer,
        Self::Transfer,
        Self::Addresses,
        Self::Cdn,
        Self::Firewall,
        Self::Cache,
        Self::Tables,
        Self::Objects,
        Self::Messaging,
        Self::SignIn,
        Self::Monitoring,
        Self::Secrets,
        Self::Names,
        Self::Standby,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Speech => "Nova Sonic",
            Self::Assessment => "Claude",
            Self::Pictures => "Canvas",
            Self::Tasks => "Fargate",
            Self::LoadBalancer => "load balancer",
            Self::Transfer => "NAT and transfer",
            Self::Addresses => "public IPv4",
            Self::Cdn => "CloudFront",
            Self::Firewall => "WAF",
            Self::Cache => "Valkey",
            Self::Tables => "DynamoDB",
            Self::Objects => "S3",
            Self::Messaging => "SQS, SNS, bus",
            Self::SignIn => "Cognito",
            Self::Monitoring => "CloudWatch",
            Self::Secrets => "secrets, keys",
            Self::Names => "Route 53",
            Self::Standby => "standby region",
        }
    }

    /// The estimate of the document in US dollars a month; `None` for what it forgets.
    #[must_use]
    pub const fn document_usd(self) -> Option<f64> {
        match self {
            Self::Speech => Some(80.0),
            Self::Assessment => Some(15.0),
            Self::Pictures => Some(5.0),
            Self::Tasks => Some(45.0),
            Self::LoadBalancer => Some(16.0),
            Self::Transfer => Some(8.0),
            Self::Cdn => Some(10.0),
            Self::Tables => Some(20.0),
            Self::Objects => Some(10.0),
            Self::SignIn => Some(5.0),
            Self::Monitoring => Some(12.0),
            Self::Addresses
            | Self::Firewall
            | Self::Cache
            | Self::Messaging
            | Self::Secrets
            | Self::Names
            | Self::Standby => None,
        }
    }

    /// Why the bill differs from the document.
    #[must_use]
    pub const fn why(self) -> &'static str {
        match self {
            Self::Speech => {
                "speech is paid by the minute: the document's amount buys the minutes named below"
            }
            Self::Assessment => "one assessment for each conversation, at the measured tokens",
            Self::Pictures => "the 25 pictures are made once and shipped; a month makes none",
            Self::Tasks => "the ingress, and one task for each worker, four of them on Spot",
            Self::LoadBalancer => "as in the document, and a capacity unit for each GB of audio",
            Self::Transfer => {
                "the document forgets the NAT gateway, through which all audio goes to the model"
            }
            Self::Addresses => "not in the document: load balancer and NAT gateway",
            Self::Cdn => "the first TB of a month is free; audio to the origin is not",
            Self::Firewall => "not in the document",
            Self::Cache => "not in the document's sum, although it demands Redis",
            Self::Tables => "on demand: only the units that were measured, and recovery of 35 days",
            Self::Objects => "one object for each turn's audio; storage is small",
            Self::Messaging => "not in the document: idle polls stay below the free million",
            Self::SignIn => "the first 10,000 active learners of a month are free",
            Self::Monitoring => "series, alarms and log lines; the document counts fewer alarms",
            Self::Secrets => "not in the document",
            Self::Names => "not in the document: the zone and the health check",
            Self::Standby => "not in the document's sum, although it demands a standby region",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn estimates_of_the_document_are_its_sum() {
        let sum: f64 = Share::ALL.iter().filter_map(|share| share.document_usd()).sum();
        assert!((sum - DOCUMENT_USD).abs() < 0.005, "{sum}");
        assert!(Share::ALL.windows(2).all(|pair| pair[0] < pair[1]), "each share once, in order");
    }
}
