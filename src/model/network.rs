//! A range of IP addresses, as an allow-list names it.

use core::net::IpAddr; // `core` has the addresses, and no sockets
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `10.0.0.0/8`, `fd00::/8`, or one address: `127.0.0.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Network {
    first: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether the address is one of the network's. IPv4 and IPv6 are kept apart.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.first, address) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => {
                begin_of(address, self.prefix) == bits(self.first)
            }
            _ => false,
        }
    }

    /// Whether it is one address only.
    fn is_single(&self) -> bool {
        self.prefix == width(self.first)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address as a number, whose highest bit is the address's first.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// The first `prefix` bits of the address, with zeros behind.
fn begin_of(address: IpAddr, prefix: u8) -> u128 {
    bits(address) & u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

fn from_bits(bits: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(u32::try_from(bits >> 96).unwrap_or_default().into()),
        IpAddr::V6(_) => IpAddr::V6(bits.into()),
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || "must be an address, or a network such as 10.0.0.0/8 or fd00::/8".to_owned();
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let first: IpAddr = address.parse().map_err(|_| unknown())?;
        if let IpAddr::V6(address) = first
            && address.to_ipv4_mapped().is_some()
        {
            return Err("stands for IPv4 addresses: write it as those".to_owned());
        }
        let prefix = match prefix {
            None => width(first),
            Some(digits) if digits.bytes().all(|digit| digit.is_ascii_digit()) => {
                digits.parse().ok().filter(|prefix| *prefix <= width(first)).ok_or_else(unknown)?
            }
            Some(_) => return Err(unknown()),
        };
        let begin = begin_of(first, prefix);
        if begin == bits(first) {
            Ok(Self { first, prefix })
        } else {
            Err(format!("is not where a network begins: write {}/{prefix}", from_bits(begin, first)))
        }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_single() { write!(f, "{}", self.first) } else { write!(f, "{}/{}", self.first, self.prefix) }
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_from_its_first_to_its_last() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", vec!["10.0.0.0", "10.255.255.255"], vec!["9.255.255.255", "11.0.0.0", "::a00:0"]),
            ("192.168.1.128/25", vec!["192.168.1.128", "192.168.1.255"], vec!["192.168.1.127", "192.168.2.128"]),
            ("127.0.0.1", vec!["127.0.0.1"], vec!["127.0.0.2", "::1", "::ffff:127.0.0.1"]),
            ("0.0.0.0/0", vec!["0.0.0.0", "255.255.255.255"], vec!["::"]),
            ("::/0", vec!["::", "ffff::1"], vec!["1.2.3.4"]),
            ("fd00:ab::/33", vec!["fd00:ab:7fff:ffff::1"], vec!["fd00:ab:8000::"]),
            ("::1", vec!["::1"], vec!["::", "::2"]),
        ] {
            let read: Network = network.parse().unwrap();
            assert_eq!(read.to_string(), network);
            for address in inside {
                assert!(read.contains(address.parse().unwrap()), "{network} has {address}");
            }
            for address in outside {
                assert!(!read.contains(address.parse().unwrap()), "{network} has not {address}");
            }
        }
    }

    #[test]
    fn what_is_no_network_says_what_would_be_one() {
        for (bad, advice) in [
            ("", "10.0.0.0/8"),
            ("localhost", "10.0.0.0/8"),
            ("10.0.0.0/33", "10.0.0.0/8"),
            ("10.0.0.0/+8", "10.0.0.0/8"),
            ("10.0.0.0/", "10.0.0.0/8"),
            ("10.0.0/8", "10.0.0.0/8"),
            ("fd00::/129", "10.0.0.0/8"),
            ("10.1.2.3/8", "write 10.0.0.0/8"),
            ("fd00::1/64", "write fd00::/64"),
            ("::ffff:10.0.0.0/104", "IPv4"),
        ] {
            let error = bad.parse::<Network>().unwrap_err();
            assert!(error.contains(advice), "{bad}: {error}");
        }
    }
}
