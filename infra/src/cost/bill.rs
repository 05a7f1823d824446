//! PURE. The bill of a month, by service, from prices, measured consumption, deployment and demand.

use serde::{Serialize, Serializer};

use super::{
    Consumption, Deployed, PriceList, Prices, Share,
    consumption::count,
    plumbing::{plumbing_usd, requests},
};

/// Hours and minutes of a month of AWS's calculator.
const MONTH_HOURS: f64 = 730.0;
const MONTH_MINUTES: f64 = MONTH_HOURS * 60.0;

/// Days of a month, for minutes that are given by the day.
const MONTH_DAYS: f64 = 365.0 / 12.0;

const GB: f64 = 1e9;

/// Free in each month: bytes from CloudFront, requests of SQS and of SNS, active users, GB of tables, metrics, alarms' metrics,
/// dashboards.
const FREE_CDN_GB: f64 = 1000.0;
const FREE_REQUESTS: f64 = 1e6;
const FREE_USERS: f64 = 10_000.0;
const FREE_TABLE_GB: f64 = 25.0;
const FREE_METRICS: f64 = 10.0;
const FREE_ALARM_METRICS: f64 = 10.0;
const FREE_DASHBOARDS: f64 = 3.0;

/// Series of metrics of all processes; a test of `events` bounds them by 100, and `infra/runbooks/metrics.md` counts them.
const METRIC_SERIES: f64 = 92.0;

/// Bytes of the line of metrics that each process writes in a minute.
const METRIC_LINE_BYTES: f64 = 2_000.0;

/// Bytes a second to the model while the microphone is open, and from it while it speaks: base64 twice, JSON and signatures around
/// 32 and 48 KB of audio.
const MODEL_UP_BYTES: f64 = 70_000.0;
const MODEL_DOWN_BYTES: f64 = 100_000.0;

/// Bytes a second between page and service, in each direction: 16 kHz, 16 bits.
const AUDIO_BYTES: f64 = 32_000.0;

/// Speech tokens of a second. AWS publishes none; this is the simulator's assumption.
const SPEECH_TOKENS_PER_SECOND: f64 = 25.0;

/// Bytes of the page that a learner loads in a month; the service worker keeps them.
const PAGE_BYTES: f64 = 2e6;

/// Empty polls of a worker in an hour: long polls of 20 s.
const POLLS_AN_HOUR: f64 = 180.0;

/// Months for which journal items and assessments are kept, for the storage of a service of that age.
const JOURNAL_MONTHS: f64 = 3.0;
const DOCUMENT_MONTHS: f64 = 12.0;

/// Daily backups that are kept, each whole, in both regions.
const BACKUPS: f64 = 35.0 * 2.0;

/// Whether minutes are given by the day or by the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    Day,
    Month,
}

/// Who talks for how long.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Demand {
    /// Active learners of a month.
    pub learners: f64,
    /// Minutes of all learners in a month.
    pub minutes: f64,
    /// Whether the standby region is deployed.
    pub standby: bool,
}

/// A part of the bill.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BillLine {
    #[serde(rename = "service", serialize_with = "name")]
    pub share: Share,
    /// US dollars a month.
    pub usd: f64,
    pub document_usd: Option<f64>,
    pub why: &'static str,
}

/// A month.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Bill {
    pub demand: Demand,
    pub conversations: f64,
    pub lines: Vec<BillLine>,
    pub sum_usd: f64,
    /// US dollars of one conversation: speech, assessment, plumbing.
    pub speech_usd: f64,
    pub assessment_usd: f64,
    pub plumbing_usd: f64,
    /// Minutes of speech that the document's amount for it buys.
    pub document_minutes: f64,
}

impl Demand {
    /// `learners` who each talk for `minutes` in a day or a month.
    #[must_use]
    pub fn new(learners: u32, minutes: f64, period: Period, standby: bool) -> Self {
        let periods = match period {
            Period::Day => MONTH_DAYS,
            Period::Month => 1.0,
        };
        let learners = f64::from(learners);
        Self { learners, minutes: learners * minutes * periods, standby }
    }
}

/// The bill of a month.
///
/// # Errors
/// A default price of the assessing model is not readable.
pub fn bill(
    list: &PriceList,
    consumption: &Consumption,
    deployed: &Deployed,
    demand: Demand,
) -> Result<Bill, String> {
    let conversations = demand.minutes / consumption.minutes();
    let assessment_usd = consumption.analysis_usd()?;
    let month = Month { prices: &list.prices, consumption, deployed, demand, conversations, assessment_usd };
    let line = |share: Share| {
        let (usd, document_usd) = (month.usd(share), share.document_usd());
        BillLine { share, usd, document_usd, why: share.why() }
    };
    let lines: Vec<BillLine> = Share::ALL.into_iter().map(line).collect();
    let per_minute = consumption.speech_usd() / consumption.minutes();
    Ok(Bill {
        demand,
        conversations,
        sum_usd: lines.iter().map(|line| line.usd).sum(),
        lines,
        speech_usd: consumption.speech_usd(),
        assessment_usd,
        plumbing_usd: plumbing_usd(consumption, &list.prices),
        document_minutes: Share::Speech.document_usd().unwrap_or_default() / per_minute,
    })
}

/// What the amounts of a month are computed from.
struct Month<'a> {
    prices: &'a Prices,
    consumption: &'a Consumption,
    deployed: &'a Deployed,
    demand: Demand,
    conversations: f64,
    /// Of one conversation.
    assessment_usd: f64,
}

impl Month<'_> {
    fn usd(&self, share: Share) -> f64 {
        let (prices, deployed) = (self.prices, self.deployed);
        match share {
            Share::Speech => self.conversations * self.consumption.speech_usd(),
            Share::Assessment => self.conversations * self.assessment_usd,
            // The pictures are made once.
            Share::Pictures => 0.0,
            Share::Tasks => self.tasks(),
            Share::LoadBalancer => {
                MONTH_HOURS * prices.load_balancer_hour.usd
                    + self.audio_gb() * prices.load_balancer_unit_hour.usd
            }
            Share::Transfer => {
                deployed.nat_gateways * MONTH_HOURS * prices.nat_hour.usd
                    + self.model_gb() * prices.nat_gb.usd
            }
            Share::Addresses => deployed.public_addresses * MONTH_HOURS * prices.public_address_hour.usd,
            Share::Cdn => {
                let down = self.tutor_seconds() * AUDIO_BYTES + self.demand.learners * PAGE_BYTES;
                let up = self.seconds() * AUDIO_BYTES;
                over(down / GB, FREE_CDN_GB) * prices.cdn_gb.usd + up / GB * prices.cdn_origin_gb.usd
            }
            Share::Firewall => {
                let requests = self.conversations * count(self.consumption.page_requests);
                prices.firewall_month.usd
                    + deployed.firewall_rules * prices.firewall_rule_month.usd
                    + millions(requests) * prices.firewall_million_requests.usd
            }
            Share::Cache => deployed.cache_nodes * MONTH_HOURS * prices.cache_node_hour.usd,
            Share::Tables => self.tables(),
            Share::Objects => self.objects(),
            Share::Messaging => self.messaging(),
            Share::SignIn => over(self.demand.learners, FREE_USERS) * prices.sign_in_active_user.usd,
            Share::Monitoring => self.monitoring(),
            Share::Secrets => {
                deployed.secrets * prices.secret_month.usd + deployed.keys * prices.key_month.usd
            }
            Share::Names => prices.zone_month.usd + deployed.health_checks * prices.health_check_month.usd,
            Share::Standby => {
                if self.demand.standby {
                    self.standby()
                } else {
                    0.0
                }
            }
        }
    }

    /// The ingress has at least its tasks of the template, and more if the mean of a month needs them.
    fn tasks(&self) -> f64 {
        let (prices, deployed) = (self.prices, self.deployed);
        let needed = (self.demand.minutes / MONTH_MINUTES / deployed.conversations_target).ceil();
        let hour = |vcpu: f64, gb: f64| vcpu * prices.fargate_vcpu_hour.usd + gb * prices.fargate_gb_hour.usd;
        let api = deployed.api_tasks.max(needed) * hour(deployed.api_task.vcpu, deployed.api_task.gb);
        let worker = hour(deployed.worker_task.vcpu, deployed.worker_task.gb);
        let workers = deployed.other_workers + deployed.spot_workers * prices.fargate_spot_share.usd;
        MONTH_HOURS * (api + workers * worker)
    }

    fn tables(&self) -> f64 {
        let prices = self.prices;
        let (writes, reads) = self.consumption.units();
        let stored = self.table_gb();
        self.conversations
            * (writes * prices.dynamodb_million_writes.usd + reads * prices.dynamodb_million_reads.usd)
            / 1e6
            + over(stored, FREE_TABLE_GB) * prices.dynamodb_gb_month.usd
            + stored * prices.dynamodb_recovery_gb_month.usd
    }

    fn objects(&self) -> f64 {
        let (prices, consumption) = (self.prices, self.consumption);
        let puts = self.conversations * consumption.count("s3", &["PutObject", "List"]);
        let gets = self.conversations * consumption.count("s3", &["GetObject", "HeadObject"]);
        // Audio lives for a month.
        let audio = self.conversations * consumption.stored_bytes("nova-audio-files") / GB;
        millions(puts) * prices.s3_million_puts.usd
            + millions(gets) * prices.s3_million_gets.usd
            + (audio + self.document_gb() * DOCUMENT_MONTHS) * prices.s3_gb_month.usd
    }

    fn messaging(&self) -> f64 {
        let (prices, deployed) = (self.prices, self.deployed);
        let polls = (deployed.spot_workers + deployed.other_workers) * MONTH_HOURS * POLLS_AN_HOUR;
        let queues = self.conversations * requests(self.consumption) + polls;
        let alerts = self.conversations * self.consumption.count("sns", &["Publish"]);
        let events = self.conversations * self.consumption.count("events", &["PutEvents"]);
        millions(over(queues, FREE_REQUESTS)) * prices.sqs_million_requests.usd
            + millions(over(alerts, FREE_REQUESTS)) * prices.sns_million_requests.usd
            + millions(events) * prices.event_bus_million_events.usd
    }

    fn monitoring(&self) -> f64 {
        let (prices, deployed) = (self.prices, self.deployed);
        let processes = deployed.api_tasks + deployed.spot_workers + deployed.other_workers;
        let lines = processes * MONTH_MINUTES * METRIC_LINE_BYTES
            + self.conversations * count(self.consumption.log_bytes);
        over(METRIC_SERIES, FREE_METRICS) * prices.metric_month.usd
            + over(deployed.alarm_metrics, FREE_ALARM_METRICS) * prices.alarm_metric_month.usd
            + deployed.composite_alarms * prices.composite_alarm_month.usd
            + over(deployed.dashboards, FREE_DASHBOARDS) * prices.dashboard_month.usd
            + lines / GB * prices.logs_gb.usd
    }

    /// A standby region without running tasks: what is paid there by the hour, copies of writes and objects, backups.
    fn standby(&self) -> f64 {
        let (prices, deployed) = (self.prices, self.deployed);
        let (writes, _) = self.consumption.units();
        let hourly = prices.load_balancer_hour.usd
            + deployed.nat_gateways * prices.nat_hour.usd
            + deployed.public_addresses * prices.public_address_hour.usd
            + prices.cache_node_hour.usd;
        MONTH_HOURS * hourly
            + deployed.secrets * prices.secret_month.usd
            + deployed.keys * prices.key_month.usd
            + deployed.alarm_metrics * prices.alarm_metric_month.usd
            + millions(self.conversations * writes) * prices.dynamodb_million_writes.usd
            + self.document_gb() * prices.s3_replication_gb.usd
            + self.document_gb() * DOCUMENT_MONTHS * prices.s3_gb_month.usd
            + self.table_gb() * (prices.dynamodb_gb_month.usd + BACKUPS * prices.backup_gb_month.usd)
    }

    fn seconds(&self) -> f64 {
        self.demand.minutes * 60.0
    }

    fn tutor_seconds(&self) -> f64 {
        self.conversations * count(self.consumption.speech.output.speech_tokens) / SPEECH_TOKENS_PER_SECOND
    }

    fn audio_gb(&self) -> f64 {
        (self.seconds() + self.tutor_seconds()) * AUDIO_BYTES / GB
    }

    fn model_gb(&self) -> f64 {
        (self.seconds() * MODEL_UP_BYTES + self.tutor_seconds() * MODEL_DOWN_BYTES) / GB
    }

    /// Transcripts and assessments of a month.
    fn document_gb(&self) -> f64 {
        self.conversations * self.consumption.stored_bytes("nova-conversation-logs") / GB
    }

    /// The journal, which is nearly all that tables hold: the requests that append to it are about as large as its items.
    fn table_gb(&self) -> f64 {
        let appended =
            self.consumption.of("dynamodb").filter(|calls| calls.operation == "TransactWriteItems");
        let bytes: f64 = appended.map(|calls| count(calls.bytes)).sum();
        self.conversations * bytes * JOURNAL_MONTHS / GB
    }
}

fn millions(number: f64) -> f64 {
    number / 1e6
}

/// What exceeds a free amount.
fn over(amount: f64, free: f64) -> f64 {
    (amount - free).max(0.0)
}

fn name<S: Serializer>(share: &Share, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(share.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(learners: u32, minutes: f64, period: Period, standby: bool) -> Bill {
        let list = PriceList::checked_in().unwrap();
        let deployed = Deployed::from_templates().unwrap();
        let demand = Demand::new(learners, minutes, period, standby);
        bill(&list, &Consumption::checked_in().unwrap(), &deployed, demand).unwrap()
    }

    fn usd(bill: &Bill, share: Share) -> f64 {
        bill.lines.iter().find(|line| line.share == share).unwrap().usd
    }

    #[test]
    fn speech_dominates_once_learners_talk_and_grows_with_minutes_alone() {
        let month = of(10_000, 10.0, Period::Month, false);
        assert!(usd(&month, Share::Speech) / month.sum_usd > 0.5, "{month:?}");
        let double = of(10_000, 20.0, Period::Month, false);
        assert!((usd(&double, Share::Speech) / usd(&month, Share::Speech) - 2.0).abs() < 1e-9);
        assert!((usd(&double, Share::Cache) - usd(&month, Share::Cache)).abs() < 1e-9);
        let day = of(10_000, 10.0 * 12.0 / 365.0, Period::Day, false);
        assert!((day.sum_usd - month.sum_usd).abs() < 1e-6);
    }

    /// The document's 80 dollars are less than a minute a month for each of its learners.
    #[test]
    fn amount_of_the_document_for_speech_buys_seconds_for_each_learner() {
        let bill = of(10_000, 1.0, Period::Month, false);
        let seconds = bill.document_minutes * 60.0 / 10_000.0;
        assert!((20.0..60.0).contains(&seconds), "{seconds}");
    }

    #[test]
    fn free_amounts_are_free_and_the_standby_region_is_paid_only_if_it_is_there() {
        let quiet = of(100, 0.0, Period::Month, false);
        assert_eq!((quiet.conversations, usd(&quiet, Share::SignIn)), (0.0, 0.0));
        assert!(usd(&of(20_000, 0.0, Period::Month, false), Share::SignIn) > 100.0);
        assert_eq!(usd(&quiet, Share::Standby), 0.0);
        assert!(usd(&of(100, 0.0, Period::Month, true), Share::Standby) > 30.0);
    }
}
