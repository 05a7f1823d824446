//! PURE. E-mail addresses: which of them can sign up, and the normalized form that is sent to the user pool.
//!
//! Accepted is what mail servers deliver in practice: a dot-atom before the `@` and a host name after it (RFC 5321, section
//! 4.1.2, without quoted strings and address literals), in ASCII. Only the code that is sent there proves that it is read.

use std::{collections::BTreeSet, fmt, str::FromStr};

/// Maximum length of an address, in bytes (RFC 5321, section 4.5.3.1.3, without the angle brackets).
pub const EMAIL_BYTES_MAX: usize = 254;

/// Maximum length of the part before the `@`, in bytes (RFC 5321, section 4.5.3.1.1).
pub const LOCAL_PART_BYTES_MAX: usize = 64;

/// Maximum length of a domain, in bytes (RFC 1035, section 2.3.4, in its text form).
pub const DOMAIN_BYTES_MAX: usize = 253;

/// Maximum length of a label of a domain, in bytes (RFC 1035, section 2.3.4).
pub const LABEL_BYTES_MAX: usize = 63;

/// Maximum number of domains that a configuration adds or removes.
pub const CONFIGURED_DOMAINS_MAX: usize = 1_000;

const BUILT_IN: &str = include_str!("email/refused_domains.txt");

/// An address in lower case: the user name in the user pool, so that two spellings of an address are one learner.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Email(String);

/// Why an address is rejected. The learner reads the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EmailError {
    #[error("This is not an e-mail address. Expected is a form like name@domain.com.")]
    Malformed,
    #[error("Please use an e-mail address that has only Latin letters, digits and common punctuation.")]
    NotAscii,
    #[error(
        "This e-mail address is too long: at most {LOCAL_PART_BYTES_MAX} characters before the @ and \
         {EMAIL_BYTES_MAX} in total."
    )]
    TooLong,
    #[error("Addresses of this domain cannot be used to sign up. Please use a permanent e-mail address.")]
    Domain,
}

/// Domains whose addresses, and those of their subdomains, cannot sign up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedDomains(BTreeSet<String>);

/// Why a configured list is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DomainListError {
    #[error(
        "{0:?} is not a domain; expected are domains separated by commas, e.g. spam.example,-kept.example"
    )]
    NoDomain(String),
    #[error("the list has more than {CONFIGURED_DOMAINS_MAX} domains")]
    TooMany,
}

impl Email {
    /// The address as text, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The mailbox that receives the mail of this address, as far as its provider's rules are public: without the part after a
    /// plus sign, and without the dots that the provider ignores. Limits count it, so that spellings are no way around them.
    /// Addresses that a provider keeps apart may share it.
    #[must_use]
    pub fn mailbox(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or((self.0.as_str(), ""));
        let local = local.split_once('+').map_or(local, |(before, _)| before);
        match domain {
            // "Dots don't matter in Gmail addresses" (Gmail help); both domains are one provider.
            "gmail.com" | "googlemail.com" => format!("{}@gmail.com", local.replace('.', "")),
            _ => format!("{local}@{domain}"),
        }
    }

    fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

/// An address is personal data: `Debug` does not show it.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email")
    }
}

impl FromStr for Email {
    type Err = EmailError;

    /// Parses an address; white space around it is ignored.
    fn from_str(text: &str) -> Result<Self, EmailError> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(EmailError::Malformed)?;
        if !text.is_ascii() {
            return Err(EmailError::NotAscii);
        }
        if text.len() > EMAIL_BYTES_MAX || local.len() > LOCAL_PART_BYTES_MAX {
            return Err(EmailError::TooLong);
        }
        if !local.split('.').all(is_atom) || !is_host_name(domain) {
            return Err(EmailError::Malformed);
        }
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl RefusedDomains {
    #[must_use]
    pub fn built_in() -> Self {
        let lines = BUILT_IN.lines().map(str::trim);
        Self(lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect())
    }

    /// Parses an address that may sign up.
    pub fn check(&self, text: &str) -> Result<Email, EmailError> {
        let email: Email = text.parse()?;
        let mut domain = Some(email.domain());
        while let Some(name) = domain {
            if self.0.contains(name) {
                return Err(EmailError::Domain);
            }
            domain = name.split_once('.').map(|(_, above)| above);
        }
        Ok(email)
    }
}

impl FromStr for RefusedDomains {
    type Err = DomainListError;

    /// Parses the changes to the built-in list: domains separated by commas, each added, or removed if it begins with `-`.
    fn from_str(changes: &str) -> Result<Self, DomainListError> {
        let mut list = Self::built_in();
        let entries = changes.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        for (number, entry) in entries.enumerate() {
            if number == CONFIGURED_DOMAINS_MAX {
                return Err(DomainListError::TooMany);
            }
            let (remove, domain) = match entry.strip_prefix('-') {
                Some(domain) => (true, domain),
                None => (false, entry),
            };
            let domain = domain.to_ascii_lowercase();
            if !is_domain(&domain) {
                return Err(DomainListError::NoDomain(entry.to_owned()));
            }
            if remove {
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

/// A domain of at least two labels, the last of which is not a number.
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

    fn refused(text: &str) -> EmailError {
        text.parse::<Email>().unwrap_err()
    }

    #[test]
    fn mailbox_is_that_of_every_spelling_and_of_no_other_address() {
        let mailbox = |text: &str| text.parse::<Email>().unwrap().mailbox();
        for spelling in ["Mina.Kim@gmail.com", "minakim+1@gmail.com", "m.i.n.a.kim+a+b@GoogleMail.com"] {
            assert_eq!(mailbox(spelling), "minakim@gmail.com", "{spelling}");
        }
        assert_eq!(mailbox("Mina+nova@school.kr"), "mina@school.kr");
        assert_ne!(mailbox("mi.na@school.kr"), mailbox("mina@school.kr"), "a dot is part of the name there");
        assert_ne!(mailbox("mina@gmail.com.school.kr"), mailbox("mina@gmail.com"));
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
            assert_eq!(refused(text), EmailError::Malformed, "{text:?}");
        }
        assert_eq!(refused("미나@school.kr"), EmailError::NotAscii);
        assert_eq!(refused("mina@bücher.de"), EmailError::NotAscii);
    }

    #[test]
    fn every_length_has_its_limit() {
        let local = "x".repeat(LOCAL_PART_BYTES_MAX);
        let label = "y".repeat(LABEL_BYTES_MAX);
        assert!(format!("{local}@{label}.kr").parse::<Email>().is_ok());
        assert_eq!(refused(&format!("{local}x@school.kr")), EmailError::TooLong);
        assert_eq!(refused(&format!("mina@{label}y.kr")), EmailError::Malformed);
        let domain = |last: usize| format!("{label}.{label}.{label}.{}.kr", "z".repeat(last));
        let longest = format!("m@{}", domain(EMAIL_BYTES_MAX - 2 - 192 - 3));
        assert_eq!(longest.len(), EMAIL_BYTES_MAX);
        // The address is short enough, and its domain with 252 bytes as well.
        assert!(longest.parse::<Email>().is_ok());
        assert_eq!(refused(&format!("m{longest}")), EmailError::TooLong);
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
            assert_eq!(list.check(text), Err(EmailError::Domain), "{text}");
        }
        for text in ["a@notmailinator.com", "a@mailinator.com.kr", "a@gmail.com", "a@test.kr"] {
            assert!(list.check(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn the_list_is_changed_by_configuration() {
        let list: RefusedDomains = " Spam.KR, -example,,-yopmail.com ".parse().unwrap();
        assert_eq!(list.check("a@in.spam.kr"), Err(EmailError::Domain));
        assert!(list.check("a@nova.example").is_ok() && list.check("a@yopmail.com").is_ok());
        assert_eq!(list.check("a@example.com"), Err(EmailError::Domain));
        assert_eq!("".parse(), Ok(RefusedDomains::built_in()));
        let wrong = "a.kr,b c.kr".parse::<RefusedDomains>().unwrap_err();
        assert!(
            wrong.to_string().contains("b c.kr") && wrong.to_string().contains("separated by commas"),
            "{wrong}"
        );
        let full = vec!["a.kr"; CONFIGURED_DOMAINS_MAX].join(",");
        assert!(full.parse::<RefusedDomains>().is_ok());
        assert_eq!(format!("{full},a.kr").parse::<RefusedDomains>(), Err(DomainListError::TooMany));
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
