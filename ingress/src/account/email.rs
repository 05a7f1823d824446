//! PURE. E-mail addresses: which of them can sign up, and the one spelling in which they are sent to the user pool.
//!
//! What is taken is what mail servers really deliver to: a dot-atom before the `@` and a host name after it (RFC
//! 5321, section 4.1.2, without quoted strings and address literals), in ASCII. Whether anybody reads there, only
//! the code shows that is sent there.

use std::{collections::BTreeSet, fmt, str::FromStr};

/// Longest address, in bytes (RFC 5321, section 4.5.3.1.3, without its angle brackets).
pub const EMAIL_BYTES_MAX: usize = 254;

/// Longest part before the `@`, in bytes (RFC 5321, section 4.5.3.1.1).
pub const LOCAL_PART_BYTES_MAX: usize = 64;

/// Longest domain, in bytes (RFC 1035, section 2.3.4, as it is written).
pub const DOMAIN_BYTES_MAX: usize = 253;

/// Longest part of a domain between dots, in bytes (RFC 1035, section 2.3.4).
pub const LABEL_BYTES_MAX: usize = 63;

/// Most domains that a configuration may add or take out.
pub const CONFIGURED_DOMAINS_MAX: usize = 1_000;

/// The list that ships with the product.
const BUILT_IN: &str = include_str!("email/refused_domains.txt");

/// An address in lower case: the user name in the user pool. Two spellings of one address are one learner.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Email(String);

/// Why an address is not taken. The text is what the learner reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailRefused {
    /// It is no address.
    #[error("This is not an e-mail address: one looks like name@domain.com.")]
    Malformed,
    /// It has letters that mail servers do not deliver to everywhere.
    #[error("Please use an e-mail address in plain Latin letters, digits and the usual signs.")]
    NotAscii,
    /// It is too long.
    #[error(
        "This e-mail address is too long: at most {LOCAL_PART_BYTES_MAX} characters before the @ and \
         {EMAIL_BYTES_MAX} in all."
    )]
    TooLong,
    /// Its domain is on the list.
    #[error(
        "Addresses of this domain cannot be used to sign up. Please use an e-mail address that you keep."
    )]
    Domain,
}

/// Domains whose addresses cannot sign up, with everything below them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedDomains(BTreeSet<String>);

/// A configured list that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WrongList {
    /// An entry is no domain.
    #[error("{0:?} is not a domain; allowed are domains separated by commas, as spam.example,-kept.example")]
    NoDomain(String),
    /// There are too many.
    #[error("the list has more than {CONFIGURED_DOMAINS_MAX} domains")]
    TooMany,
}

impl Email {
    /// The address as text, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// An address is personal: it is not shown.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email")
    }
}

impl FromStr for Email {
    type Err = EmailRefused;

    /// Reads an address, with white space around it.
    fn from_str(text: &str) -> Result<Self, EmailRefused> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(EmailRefused::Malformed)?;
        if !text.is_ascii() {
            return Err(EmailRefused::NotAscii);
        }
        if text.len() > EMAIL_BYTES_MAX || local.len() > LOCAL_PART_BYTES_MAX {
            return Err(EmailRefused::TooLong);
        }
        if !local.split('.').all(is_atom) || !is_host_name(domain) {
            return Err(EmailRefused::Malformed);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl RefusedDomains {
    /// The list that ships with the product.
    #[must_use]
    pub fn built_in() -> Self {
        let lines = BUILT_IN.lines().map(str::trim);
        Self(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
    }

    /// The address, if it may sign up.
    ///
    /// # Errors
    /// It is no address, or its domain is on the list.
    pub fn check(&self, text: &str) -> Result<Email, EmailRefused> {
        let email: Email = text.parse()?;
        let mut domain = Some(email.domain());
        while let Some(name) = domain {
            if self.0.contains(name) {
                return Err(EmailRefused::Domain);
            }
            domain = name.split_once('.').map(|(_, above)| above);
        }
        Ok(email)
    }
}

impl FromStr for RefusedDomains {
    type Err = WrongList;

    /// The built-in list with the changes of a configuration: domains separated by commas, which are added, or taken
    /// out with a `-` in front.
    fn from_str(changes: &str) -> Result<Self, WrongList> {
        let mut list = Self::built_in();
        let entries = changes.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        for (number, entry) in entries.enumerate() {
            if number == CONFIGURED_DOMAINS_MAX {
                return Err(WrongList::TooMany);
            }
            let (out, domain) = match entry.strip_prefix('-') {
                Some(domain) => (true, domain),
                None => (false, entry),
            };
            let domain = domain.to_ascii_lowercase();
            if !is_domain(&domain) {
                return Err(WrongList::NoDomain(entry.to_owned()));
            }
            if out {
                list.0.remove(&domain);
            } else {
                list.0.insert(domain);
            }
        }
        Ok(list)
    }
}

/// `atext` of RFC 5322, section 3.2.3.
fn is_atom(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

/// A domain of at least two labels whose last one is no number.
fn is_host_name(text: &str) -> bool {
    let top = text.rsplit_once('.').map(|(_, top)| top);
    is_domain(text) && top.is_some_and(|top| top.len() > 1 && !top.bytes().all(|byte| byte.is_ascii_digit()))
}

fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= DOMAIN_BYTES_MAX && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> EmailRefused {
        text.parse::<Email>().unwrap_err()
    }

    #[test]
    fn an_address_is_read_in_one_spelling() {
        for (text, email) in [
            ("mina@school.kr", "mina@school.kr"),
            (" Mina.Kim+nova@Mail.School.KR\n", "mina.kim+nova@mail.school.kr"),
            ("o'brien_1/a@xn--bcher-kva.example", "o'brien_1/a@xn--bcher-kva.example"),
        ] {
            assert_eq!(text.parse::<Email>().unwrap().as_str(), email);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        let malformed = [
            "",
            "@",
            "mina",
            "mina@",
            "@school.kr",
            "a b@school.kr",
            "mina@school",
            "mina@school..kr",
            "mi..na@school.kr",
            ".mina@school.kr",
            "mina.@school.kr",
            "mina@-school.kr",
            "mina@school-.kr",
            "mina@[127.0.0.1]",
            "mina@127.0.0.1",
            "\"mi na\"@school.kr",
            "mina@school.kr.",
            "a@b@school.kr",
            "mina@school.k",
            "mina@sch_ool.kr",
            "mina@school.kr\nbcc: x@school.kr",
            "mi\u{0}na@school.kr",
        ];
        for text in malformed {
            assert_eq!(refused(text), EmailRefused::Malformed, "{text:?}");
        }
        assert_eq!(refused("미나@school.kr"), EmailRefused::NotAscii);
        assert_eq!(refused("mina@bücher.de"), EmailRefused::NotAscii);
    }

    #[test]
    fn every_length_has_its_limit() {
        let local = "x".repeat(LOCAL_PART_BYTES_MAX);
        let label = "y".repeat(LABEL_BYTES_MAX);
        assert!(format!("{local}@{label}.kr").parse::<Email>().is_ok());
        assert_eq!(refused(&format!("{local}x@school.kr")), EmailRefused::TooLong);
        assert_eq!(refused(&format!("mina@{label}y.kr")), EmailRefused::Malformed);
        let domain = |last: usize| format!("{label}.{label}.{label}.{}.kr", "z".repeat(last));
        let longest = format!("m@{}", domain(EMAIL_BYTES_MAX - 2 - 192 - 3));
        assert_eq!(longest.len(), EMAIL_BYTES_MAX);
        // The address is short enough, and its domain with 252 bytes as well.
        assert!(longest.parse::<Email>().is_ok());
        assert_eq!(refused(&format!("m{longest}")), EmailRefused::TooLong);
        assert!(!is_domain(&format!("{}.{}", domain(58), "aa")));
        assert_eq!(domain(58).len(), DOMAIN_BYTES_MAX);
        assert!(is_domain(&domain(58)));
    }

    #[test]
    fn addresses_of_a_refused_domain_and_below_it_cannot_sign_up() {
        let list = RefusedDomains::built_in();
        for text in
            ["a@mailinator.com", "a@MAILINATOR.com", "a@x.y.mailinator.com", "a@nova.example", "a@host.local"]
        {
            assert_eq!(list.check(text), Err(EmailRefused::Domain), "{text}");
        }
        for text in ["a@notmailinator.com", "a@mailinator.com.kr", "a@gmail.com", "a@test.kr"] {
            assert!(list.check(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_list_is_changed_by_configuration() {
        let list: RefusedDomains = " Spam.KR, -example,,-yopmail.com ".parse().unwrap();
        assert_eq!(list.check("a@in.spam.kr"), Err(EmailRefused::Domain));
        assert!(list.check("a@nova.example").is_ok() && list.check("a@yopmail.com").is_ok());
        assert_eq!(list.check("a@example.com"), Err(EmailRefused::Domain));
        assert_eq!("".parse(), Ok(RefusedDomains::built_in()));
        let wrong = "a.kr,b c.kr".parse::<RefusedDomains>().unwrap_err();
        assert!(
            wrong.to_string().contains("b c.kr") && wrong.to_string().contains("separated by commas"),
            "{wrong}"
        );
        let full = vec!["a.kr"; CONFIGURED_DOMAINS_MAX].join(",");
        assert!(full.parse::<RefusedDomains>().is_ok());
        assert_eq!(format!("{full},a.kr").parse::<RefusedDomains>(), Err(WrongList::TooMany));
    }

    #[test]
    fn the_built_in_list_holds_domains_in_lower_case_and_in_order() {
        let list = RefusedDomains::built_in();
        assert!(list.0.iter().all(|domain| is_domain(domain) && *domain == domain.to_ascii_lowercase()));
        assert!(list.0.len() > 40, "{list:?}");
    }

    #[test]
    fn an_address_is_not_shown() {
        let email: Email = "mina@school.kr".parse().unwrap();
        assert!(!format!("{email:?}").contains("mina"));
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_in_its_own_spelling_or_refused(text in "\\PC{0,40}@?\\PC{0,40}") {
            if let Ok(email) = text.parse::<Email>() {
                prop_assert_eq!(email.as_str().parse::<Email>(), Ok(email.clone()));
                prop_assert!(email.as_str().len() <= EMAIL_BYTES_MAX);
            }
        }
    }
}
