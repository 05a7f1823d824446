//! PURE. The kind of browser and system of a session, from `User-Agent`: enough for a learner to recognise a device. It
//! identifies no device, and a browser may claim to be another one.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A browser on a system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Browser {
    /// The family of the browser.
    pub family: Family,
    /// The operating system.
    pub system: System,
}

/// A family of browsers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Family {
    /// Chrome or Chromium.
    Chrome,
    /// Microsoft Edge.
    Edge,
    /// Firefox.
    Firefox,
    /// Opera.
    Opera,
    /// Safari.
    Safari,
    /// Samsung Internet.
    Samsung,
    /// Another program.
    #[default]
    #[serde(other)]
    Other,
}

/// An operating system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum System {
    /// Android.
    Android,
    /// ChromeOS.
    ChromeOs,
    /// iOS or iPadOS. An iPad may claim to be a Mac.
    Ios,
    /// Linux.
    Linux,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
    /// Another system.
    #[default]
    #[serde(other)]
    Other,
}

/// Marks of the families. The first one that occurs decides, because browsers also carry the marks of those that they resemble.
const FAMILIES: [(&str, Family); 10] = [
    ("SamsungBrowser/", Family::Samsung),
    ("OPR/", Family::Opera),
    ("Edg/", Family::Edge),
    ("EdgA/", Family::Edge),
    ("EdgiOS/", Family::Edge),
    ("FxiOS/", Family::Firefox),
    ("Firefox/", Family::Firefox),
    ("CriOS/", Family::Chrome),
    ("Chrome/", Family::Chrome),
    ("Safari/", Family::Safari),
];

/// Marks of the systems, in the same way.
const SYSTEMS: [(&str, System); 7] = [
    ("Android", System::Android),
    ("iPhone", System::Ios),
    ("iPad", System::Ios),
    ("CrOS", System::ChromeOs),
    ("Windows", System::Windows),
    ("Macintosh", System::MacOs),
    ("Linux", System::Linux),
];

impl Browser {
    /// The browser with this value of `User-Agent`.
    #[must_use]
    pub fn of(user_agent: &str) -> Self {
        Self { family: first(&FAMILIES, user_agent), system: first(&SYSTEMS, user_agent) }
    }
}

fn first<T: Copy + Default>(marks: &[(&str, T)], user_agent: &str) -> T {
    marks.iter().find(|(mark, _)| user_agent.contains(mark)).map_or_else(T::default, |(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn user_agent_is_its_family_and_system() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (user_agent, family, system) in [
            (
                format!("Mozilla/5.0 (Windows NT 10.0; Win64; x64) {webkit} Chrome/140.0.0.0 Safari/537.36 Edg/140.0"),
                Family::Edge,
                System::Windows,
            ),
            (
                format!("Mozilla/5.0 (Linux; Android 14; K) {webkit} SamsungBrowser/26.0 Chrome/122.0 Mobile Safari/537.36"),
                Family::Samsung,
                System::Android,
            ),
            (
                format!("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {webkit} Chrome/140.0.0.0 Safari/537.36"),
                Family::Chrome,
                System::MacOs,
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"
                    .to_owned(),
                Family::Safari,
                System::Ios,
            ),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned(), Family::Firefox, System::Linux),
            ("curl/8.5.0".to_owned(), Family::Other, System::Other),
            (String::new(), Family::Other, System::Other),
        ] {
            assert_eq!(Browser::of(&user_agent), Browser { family, system }, "{user_agent}");
        }
    }

    #[test]
    fn family_of_a_later_build_is_another_one() {
        let later = serde_json::json!({ "family": "ladybird", "system": "redox" });
        assert_eq!(serde_json::from_value::<Browser>(later).unwrap(), Browser::default());
    }

    proptest! {
        #[test]
        fn any_user_agent_has_a_browser_that_is_read_as_it_was_written(user_agent in ".{0,300}") {
            let browser = Browser::of(&user_agent);
            let text = serde_json::to_string(&browser).unwrap();
            prop_assert_eq!(serde_json::from_str::<Browser>(&text).unwrap(), browser);
        }
    }
}
