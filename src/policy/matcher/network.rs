//! Networks that an address or another network lies in.
//!
//! INVARIANT: an IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is that IPv4 address, in policies and in requests, so that no
//! spelling slips past a rule. IPv4 and IPv6 are apart otherwise: `::/0` holds no IPv4 address.

use ipnet::{IpNet, Ipv4Net};

use super::Match;
use super::operand::{OperandError, shown};

/// The prefix length of `::ffff:0:0/96`, in which the IPv4 addresses are written as IPv6.
const MAPPED: u8 = 96;

/// A set of networks, adjacent ones joined: whatever lies in the set lies in one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Networks(Vec<IpNet>);

impl Networks {
    pub(in crate::policy) fn new(networks: &Vec<IpNet>) -> Self {
        Self(IpNet::aggregate(networks))
    }

    /// An address or network of a policy.
    ///
    /// # Errors
    /// It is neither, or it has host bits: whether the address or its network is meant, nobody can tell.
    pub(in crate::policy) fn read(text: &str) -> Result<IpNet, OperandError> {
        let network = parse(text).ok_or_else(|| OperandError::NoNetwork(shown(text)))?;
        if network.trunc() == network {
            Ok(network)
        } else {
            Err(OperandError::HostBits {
                text: shown(text),
                network: network.trunc().to_string(),
            })
        }
    }

    /// Whether the address or network of a request lies in the set. A network of which a part lies in it and a part does not
    /// fails, as does one with host bits.
    pub(in crate::policy) fn hold(&self, text: &str) -> Match {
        let Some(value) = parse(text).filter(|value| value.trunc() == *value) else {
            return Match::Failed;
        };
        if self.0.iter().any(|network| network.contains(&value)) {
            Match::Yes
        } else if self.0.iter().any(|network| overlaps(&value, network)) {
            Match::Failed
        } else {
            Match::No
        }
    }
}

/// The address is read by the standard library, which takes no octet with a leading zero: some readers take it for octal.
fn parse(text: &str) -> Option<IpNet> {
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let around = IpNet::new(address.parse().ok()?, 0).ok()?;
    let length = match length {
        Some(length) => plain_number(length)?,
        None => around.max_prefix_len(),
    };
    IpNet::new(around.addr(), length).ok().map(unmapped)
}

/// A number of digits alone, in one spelling.
fn plain_number(text: &str) -> Option<u8> {
    let number: u8 = text.parse().ok()?;
    Some(number).filter(|number| number.to_string() == text)
}

/// A network of IPv4 addresses that are written as IPv6, as one of IPv4.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(mapped) = network else {
        return network;
    };
    let length = mapped.prefix_len().checked_sub(MAPPED);
    let inner = mapped.addr().to_ipv4_mapped().zip(length);
    inner
        .and_then(|(address, length)| Ipv4Net::new(address, length).ok())
        .map_or(network, IpNet::V4)
}

/// Whether a part of `network` lies in `value`.
fn overlaps(value: &IpNet, network: &IpNet) -> bool {
    match (value, network) {
        // `::/0` as a request's value opens the IPv4 addresses written as IPv6 as well.
        (IpNet::V6(value), IpNet::V4(network)) => value.contains(&network.addr().to_ipv6_mapped()),
        _ => value.contains(network),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(texts: &[&str]) -> Networks {
        let read: Result<Vec<_>, _> = texts.iter().map(|text| Networks::read(text)).collect();
        Networks::new(&read.unwrap())
    }

    #[track_caller]
    fn check(texts: &[&str], answers: &[(&str, Match)]) {
        for (value, wanted) in answers {
            assert_eq!(networks(texts).hold(value), *wanted, "{value} in {texts:?}");
        }
    }

    #[test]
    fn addresses_and_networks_lie_in_networks() {
        let answers = [
            ("10.0.0.0", Match::Yes),
            ("10.255.255.255", Match::Yes),
            ("10.1.0.0/16", Match::Yes),
            ("10.0.0.0/8", Match::Yes),
            ("11.0.0.0", Match::No),
            ("9.255.255.255/32", Match::No),
            ("::1", Match::No),
            ("fd00::/8", Match::No),
        ];
        check(&["10.0.0.0/8"], &answers);
        check(
            &["192.168.1.1"],
            &[("192.168.1.1", Match::Yes), ("192.168.1.2", Match::No)],
        );
        check(
            &["fd00::/8"],
            &[("fdff::1", Match::Yes), ("fe80::1", Match::No)],
        );
    }

    #[test]
    fn an_ipv4_address_in_ipv6_clothes_does_not_slip_past() {
        let answers = [
            ("::ffff:10.0.0.1", Match::Yes),
            ("::FFFF:0a00:0001", Match::Yes),
            ("0:0:0:0:0:ffff:10.0.0.1", Match::Yes),
            ("::ffff:10.0.0.0/104", Match::Yes),
            ("::ffff:11.0.0.1", Match::No),
        ];
        check(&["10.0.0.0/8"], &answers);
        check(
            &["::ffff:10.0.0.0/104"],
            &[("10.1.2.3", Match::Yes), ("11.0.0.0", Match::No)],
        );
        check(
            &["::/0"],
            &[("::ffff:10.0.0.1", Match::No), ("::1", Match::Yes)],
        );
    }

    #[test]
    fn everything_is_two_networks() {
        let answers = [
            ("0.0.0.0", Match::Yes),
            ("255.255.255.255", Match::Yes),
            ("0.0.0.0/0", Match::Yes),
            ("::", Match::Yes),
            ("::/0", Match::Yes),
            ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", Match::Yes),
        ];
        check(&["0.0.0.0/0", "::/0", "10.0.0.0/8"], &answers);
        check(
            &["0.0.0.0/0"],
            &[("255.255.255.255", Match::Yes), ("::1", Match::No)],
        );
    }

    #[test]
    fn a_network_that_lies_partly_in_the_set_cannot_be_judged() {
        let answers = [
            ("0.0.0.0/0", Match::Failed),
            ("10.0.0.0/7", Match::Failed),
            ("::/0", Match::Failed),
            ("::/64", Match::Failed),
            ("::ffff:0:0/95", Match::Failed),
            ("::ffff:0:0/96", Match::Failed),
            ("8000::/1", Match::No),
        ];
        check(&["10.0.0.0/8"], &answers);
        // Two halves are the whole.
        check(
            &["10.128.0.0/9", "10.0.0.0/9"],
            &[("10.0.0.0/8", Match::Yes)],
        );
    }

    #[test]
    fn what_is_no_network_cannot_be_judged() {
        for value in [
            "",
            "10.0.0",
            "010.0.0.1",
            "010.0.0.0/8",
            "10.0.0.0/08",
            "10.0.0.0/+8",
            "10.0.0.1/8",
            "10.0.0.0/33",
            "10.0.0.0/-1",
            " 10.0.0.1",
            "10.0.0.0/255.0.0.0",
            "fe80::1%eth0",
            "localhost",
            "10.0.0.1:80",
            "[::1]",
            "0x0a000001",
        ] {
            assert_eq!(
                networks(&["10.0.0.0/8"]).hold(value),
                Match::Failed,
                "{value}"
            );
        }
    }

    #[test]
    fn a_policy_names_networks_without_host_bits() {
        let error = |text: &str| Networks::read(text).unwrap_err();
        assert_eq!(
            error("10.0.0.1/8").to_string(),
            "`10.0.0.1/8` has bits of an address behind its prefix; the network is `10.0.0.0/8`"
        );
        assert!(matches!(error("fd00::1/8"), OperandError::HostBits { .. }));
        assert!(matches!(
            error("::ffff:10.0.0.1/104"),
            OperandError::HostBits { .. }
        ));
        for text in ["", "ten", "10.0.0.0/33", "10.0.0.0/", "\u{1b}"] {
            assert!(matches!(error(text), OperandError::NoNetwork(_)), "{text}");
        }
    }
}
