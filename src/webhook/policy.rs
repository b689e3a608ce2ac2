//! Which addresses requests may go to. Pure.
//!
//! All that IANA's special-purpose registries do not call globally reachable is refused, as are forms of IPv6 that lead to a
//! refused IPv4 address, and what clouds tell their machines' secrets at, unless the allow-list has it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::Network;

/// Where requests may go.
#[derive(Debug, Clone, Default)]
pub struct OutboundPolicy {
    /// Networks that are not public, and may be sent to nevertheless.
    pub allow: Vec<Network>,
    /// Whether plain http will do.
    pub allow_http: bool,
}

impl OutboundPolicy {
    pub(super) fn permits(&self, address: IpAddr) -> bool {
        self.allow.iter().any(|network| network.contains(address))
            || match address {
                IpAddr::V4(address) => is_public_v4(address),
                IpAddr::V6(address) => match inner(address) {
                    [None, None] => is_public_v6(address),
                    inner => inner.into_iter().flatten().all(|inner| self.permits(IpAddr::V4(inner))),
                },
            }
    }
}

/// <https://www.iana.org/assignments/iana-ipv4-special-registry/>
const SPECIAL_V4: [([u8; 4], u8); 16] = [
    ([0, 0, 0, 0], 8),        // this network, and unspecified
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // carriers' NAT; 100.100.100.200 has Alibaba's metadata
    ([127, 0, 0, 0], 8),      // loopback
    ([168, 63, 129, 16], 32), // Azure's metadata, at a public address
    ([169, 254, 0, 0], 16),   // link-local; 169.254.169.254 has the metadata of most clouds
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocols; 192.0.0.192 has Oracle's metadata
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 88, 99, 0], 24),   // relays of 6to4
    ([192, 168, 0, 0], 16),   // private
    ([198, 18, 0, 0], 15),    // benchmarks
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, and broadcast
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_in =
        |first: [u8; 4], prefix: u8| (address.to_bits() ^ u32::from_be_bytes(first)) >> (32 - u32::from(prefix)) == 0;
    !SPECIAL_V4.iter().any(|(first, prefix)| is_in(*first, *prefix))
}

/// Whether the address is global unicast (`2000::/3`) and none that is set aside in there.
/// <https://www.iana.org/assignments/iana-ipv6-special-registry/>
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_global = first & 0xe000 == 0x2000;
    let is_protocol = first == 0x2001 && second < 0x0200;
    let is_documentation = (first == 0x2001 && second == 0x0db8) || (first == 0x3fff && second < 0x1000);
    is_global && !is_protocol && !is_documentation
}

/// The IPv4 addresses that a packet to this address may be brought to in the end.
fn inner(address: Ipv6Addr) -> [Option<Ipv4Addr>; 2] {
    let [s0, s1, s2, s3, s4, s5, s6, s7] = address.segments();
    let v4 = |high: u16, low: u16| Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match [s0, s1, s2, s3, s4, s5] {
        // Mapped, compatible (`::` and `::1` among them, whose inner address 0.0.0.0/8 has), translated (SIIT), NAT64.
        [0, 0, 0, 0, 0, 0 | 0xffff] | [0, 0, 0, 0, 0xffff, 0] | [0x64, 0xff9b, 0, 0, 0, 0] => [v4(s6, s7), None],
        // 6to4.
        [0x2002, ..] => [v4(s1, s2), None],
        // Teredo: its server, and its client, written inverted.
        [0x2001, 0, ..] => [v4(s2, s3), v4(!s6, !s7)],
        _ => [None, None],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permits(address: &str, allow: &[&str]) -> bool {
        let allow = allow.iter().map(|network| network.parse().unwrap()).collect();
        OutboundPolicy { allow, allow_http: false }.permits(address.parse().unwrap())
    }

    #[test]
    fn what_is_not_public_is_refused_up_to_its_edges() {
        for refused in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "168.63.129.16",
            "169.254.0.0",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.0",
            "192.0.0.255",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::2",
            "fc00::",
            "fdff::1",
            "fd00:ec2::254",
            "fe80::1",
            "febf::1",
            "fec0::1",
            "ff02::1",
            "100::1",
            "64:ff9b:1::1",
            "2001:1::1",
            "2001:20::1",
            "2001:1ff:ffff::",
            "2001:db8::1",
            "3fff::1",
            "3fff:fff::1",
            "4000::1",
            "5f00::1",
            // Of a refused IPv4 address.
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::10.0.0.1",
            "::ffff:0:10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b::10.0.0.1",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2002:a9fe:a9fe::1",
            "2001:0:a00:1::f7f7:f7f7",
            "2001:0:808:808::f5ff:fffe",
        ] {
            assert!(!permits(refused, &[]), "{refused}");
        }
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1",
            "2001:200::1",
            "2001:db7::1",
            "2001:db9::1",
            "3ffe::1",
            "3fff:1000::1",
            "::ffff:1.1.1.1",
            "64:ff9b::8.8.8.8",
            "2002:808:808::1",
            "2001:0:808:808::f7f7:f7f7",
        ] {
            assert!(permits(public, &[]), "{public}");
        }
    }

    #[test]
    fn the_allow_list_lets_through_what_it_names_and_nothing_else() {
        let allow = ["10.1.0.0/16", "fd00:1::/32"];
        for allowed in ["10.1.2.3", "::ffff:10.1.2.3", "2002:a01:203::", "fd00:1::5", "1.1.1.1"] {
            assert!(permits(allowed, &allow), "{allowed}");
        }
        for refused in ["10.2.0.1", "::ffff:10.2.0.1", "fd00:2::5", "127.0.0.1", "::1", "2001:0:a01:203::f5ff:fffe"] {
            assert!(!permits(refused, &allow), "{refused}");
        }
        assert!(permits("::1", &["::1"]) && !permits("::1", &["127.0.0.0/8"]) && !permits("127.0.0.1", &["::1"]));
    }
}
