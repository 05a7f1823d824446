//! PURE. The cookie of a device: proves that accounts were signed in on it before. It grants nothing. It only keeps the limit
//! that an account has over all networks from blocking the owner's devices, and has a limit of its own ([`Device::id`]).

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use uuid::Uuid;

use super::keyring::Keyring;

/// Accounts that a device proves. Beyond that the one whose sign-in is longest ago is left out.
const ACCOUNTS_MAX: usize = 5;

const PURPOSE: &str = "device";

/// A device, and the proofs of the accounts that were signed in on it, the latest first.
#[derive(Clone, PartialEq, Eq)]
pub struct Device {
    id: Uuid,
    proofs: Vec<String>,
}

impl Device {
    /// A device on which no account was signed in.
    #[must_use]
    pub fn new(id: Uuid) -> Self {
        Self { id, proofs: Vec::new() }
    }

    /// Parses the value of a cookie. Its proofs are verified by [`Self::knows`].
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let id = Uuid::try_parse(parts.next()?).ok()?;
        let proofs: Vec<String> = parts.take(ACCOUNTS_MAX + 1).map(str::to_owned).collect();
        (proofs.len() <= ACCOUNTS_MAX).then_some(Self { id, proofs })
    }

    /// The value of the cookie.
    #[must_use]
    pub fn to_text(&self) -> String {
        let id = self.id.simple().to_string();
        std::iter::once(id.as_str())
            .chain(self.proofs.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(".")
    }

    /// The id of the device.
    #[must_use]
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Whether `account` was signed in on this device.
    #[must_use]
    pub fn knows(&self, account: &str, keyring: &Keyring) -> bool {
        let message = self.message(account);
        let codes = self.proofs.iter().filter_map(|proof| BASE64_URL_SAFE_NO_PAD.decode(proof).ok());
        codes.into_iter().any(|code| keyring.is_authentic(PURPOSE, &message, &code))
    }

    /// The device after a sign-in of `account`.
    #[must_use]
    pub fn with(self, account: &str, keyring: &Keyring) -> Self {
        let proof = BASE64_URL_SAFE_NO_PAD.encode(keyring.authenticate(PURPOSE, &self.message(account)));
        let others = self.proofs.into_iter().filter(|other| *other != proof).take(ACCOUNTS_MAX - 1);
        Self { id: self.id, proofs: std::iter::once(proof.clone()).chain(others).collect() }
    }

    fn message(&self, account: &str) -> Vec<u8> {
        format!("{}/{account}", self.id.simple()).into_bytes()
    }
}

impl std::fmt::Debug for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Device").field("accounts", &self.proofs.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyring() -> Keyring {
        "a secret of tests with thirty-two bytes".parse().unwrap()
    }

    #[test]
    fn device_proves_the_accounts_that_were_signed_in_on_it_alone() {
        let keyring = keyring();
        let device = Device::new(Uuid::from_u128(7)).with("mina@school.kr", &keyring);
        let device = Device::read(&device.to_text()).unwrap();
        assert!(device.knows("mina@school.kr", &keyring));
        assert!(!device.knows("jun@school.kr", &keyring));
        let elsewhere = device.to_text().replacen('7', "8", 1);
        assert!(
            !Device::read(&elsewhere).unwrap().knows("mina@school.kr", &keyring),
            "a proof is of one device"
        );
        let other: Keyring = "another secret of tests with 32 bytes".parse().unwrap();
        assert!(!device.knows("mina@school.kr", &other));
        for no_device in ["", "7", "x.y", &format!("{}.a.b.c.d.e.f", Uuid::nil().simple())] {
            assert_eq!(Device::read(no_device), None, "{no_device}");
        }
    }

    #[test]
    fn device_keeps_its_latest_accounts() {
        let keyring = keyring();
        let sign_in = |device: Device, number: usize| device.with(&format!("{number}@school.kr"), &keyring);
        let device = (0..=ACCOUNTS_MAX).fold(Device::new(Uuid::from_u128(7)), sign_in);
        assert!(!device.knows("0@school.kr", &keyring) && device.knows("1@school.kr", &keyring));
        let again = sign_in(sign_in(device, 1), 9);
        assert!(again.knows("1@school.kr", &keyring) && !again.knows("2@school.kr", &keyring));
        assert!(again.to_text().len() <= 512, "longer than a cookie may be");
    }
}
