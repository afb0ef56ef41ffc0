import ApusConfig
import Testing

/// What a user is told about rules of the filter in the file `x.json5`.
func complaint(aboutFilter text: String) -> String {
    do {
        return "read: \(try FilterRules(parsing: text, name: "x.json5").text)"
    } catch {
        return "\(error)"
    }
}

/// Expects the errors, divided by "|", in their order, without the name of the file and the excerpts.
func expectFilter(
    _ text: String, _ messages: String, sourceLocation: Testing.SourceLocation = #_sourceLocation
) {
    let told = complaint(aboutFilter: text).split(separator: "\n").filter { !$0.hasPrefix("  ") }
    #expect(
        told.map { $0.replacing("x.json5:", with: "", maxReplacements: 1) }.joined(separator: "|")
            == messages,
        sourceLocation: sourceLocation)
}

/// One rule each: a file that breaks it, and what its writer is told.
@Suite struct FilterErrorTests {
    @Test(arguments: [
        (
            "[]",
            "1:1: expected an object: { limits: […] }, found an empty array"
        ),
        (
            "7",
            "1:1: expected an object: { limits: […] }, found 7"
        ),
        (
            "{ policy: 'drop' }",
            #"1:11: expected "allow" or "deny", found "drop"; did you mean "deny"?"#
        ),
        (
            "{ policy: 'alow' }",
            #"1:11: expected "allow" or "deny", found "alow"; did you mean "allow"?"#
        ),
        (
            "{ policy: true }",
            #"1:11: expected "allow" or "deny", found true"#
        ),
        (
            "{ polcy: 'deny' }",
            #"1:3: unknown key "polcy"; did you mean "policy"?"#
        ),
        (
            "{ colour: 1 }",
            #"1:3: unknown key "colour"; known here: policy, dryRun, malformed, fragments, notIP, limitNeighbors, management, sources, bans, allow, deny, limits"#
        ),
        (
            "{ streams: [{ listen: ':5004' }], interfaces: {} }",
            #"1:3: this is a configuration of `apus forward`, as it has "streams"; a filter's rules are another file, such as { limits: [{ each: "source", rate: "1000pps" }] }"#
        ),
        (
            "{ dryRun: 1 }",
            "1:11: expected true or false, found 1"
        ),
        (
            "{ malformed: 'pass' }",
            #"1:14: expected "allow" or "deny", found "pass"; did you mean "allow"?"#
        ),
        (
            "{ fragments: 'drop' }",
            #"1:14: expected "limit", "allow" or "deny", found "drop"; did you mean "deny"?"#
        ),
        (
            "{ fragments: 'limt' }",
            #"1:14: expected "limit", "allow" or "deny", found "limt"; did you mean "limit"?"#
        ),
        (
            "{ notIP: null }",
            #"1:10: expected "allow" or "deny", found null"#
        ),
        (
            "{ limitNeighbors: 'yes' }",
            #"1:19: expected true or false, found "yes""#
        ),
        (
            "{ sources: 1000 }",
            "1:12: expected a number of sources from 1024 to 16777216, found 1000"
        ),
        (
            "{ sources: 16777217 }",
            "1:12: expected a number of sources from 1024 to 16777216, found 16777217"
        ),
        (
            "{ sources: '131072' }",
            #"1:12: expected a whole number, found "131072""#
        ),
        (
            "{ bans: 0 }",
            "1:9: expected a number of bans from 1 to 1000000, found 0"
        ),
        (
            "{ bans: 1000001 }",
            "1:9: expected a number of bans from 1 to 1000000, found 1000001"
        ),
        (
            "{ policy: 'allow', policy: 'deny' }",
            #"1:20: "policy" is there twice|1:3: the first "policy" is here"#
        ),
    ])
    func `the filter's own settings are checked`(text: String, messages: String) {
        expectFilter(text, messages)
    }

    @Test(arguments: [
        (
            "{ allow: '192.0.2.1' }",
            #"1:10: expected an array, such as ["198.51.100.0/24", "udp/5004"], found "192.0.2.1""#
        ),
        (
            "{ allow: [7] }",
            #"1:11: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found 7"#
        ),
        (
            "{ allow: ['22'] }",
            #"1:11: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "22"; ports of what? "tcp/22", "udp/22", "port/22" for both or "protocol/22""#
        ),
        (
            "{ deny: ['300'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "300"; ports of what? "tcp/300", "udp/300", "port/300" for both"#
        ),
        (
            "{ deny: ['20-30'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "20-30"; ports of what? "tcp/20-30", "udp/20-30", "port/20-30" for both"#
        ),
        (
            "{ deny: ['198.51.100.7/24'] }",
            #"1:10: 198.51.100.7/24 has bits set behind its prefix; write "198.51.100.0/24", or "198.51.100.7" for the one address"#
        ),
        (
            "{ deny: ['2001:db8::1/32'] }",
            #"1:10: 2001:db8::1/32 has bits set behind its prefix; write "2001:db8::/32", or "2001:db8::1" for the one address"#
        ),
        (
            "{ deny: ['198.51.100.0/33'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "198.51.100.0/33"; a prefix of it has 0 to 32 bits"#
        ),
        (
            "{ deny: ['2001:db8::/129'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "2001:db8::/129"; a prefix of it has 0 to 128 bits"#
        ),
        (
            "{ deny: ['::ffff:192.0.2.0/120'] }",
            #"1:10: ::ffff:192.0.2.0/120 is of IPv4 in the guise of IPv6; write "192.0.2.0/24""#
        ),
        (
            "{ deny: ['::ffff:192.0.2.1'] }",
            #"1:10: ::ffff:192.0.2.1 is of IPv4 in the guise of IPv6; write "192.0.2.1""#
        ),
        (
            "{ deny: ['::ffff:192.0.2.7/112'] }",
            #"1:10: ::ffff:192.0.2.7/112 is of IPv4 in the guise of IPv6; write "192.0.0.0/16""#
        ),
        (
            "{ deny: ['[2001:db8::1]'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "[2001:db8::1]"; without brackets: "2001:db8::1""#
        ),
        (
            "{ deny: ['fe80::1%eth0'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "fe80::1%eth0"; no zone stands in an address; write "fe80::1""#
        ),
        (
            "{ deny: ['spam.example.com'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "spam.example.com"; names are not looked up, so write the address"#
        ),
        (
            "{ deny: ['192.0.2'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "192.0.2""#
        ),
        (
            "{ deny: [''] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found """#
        ),
        (
            "{ deny: ['upd/5004'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "upd/5004"; did you mean "udp/5004"?"#
        ),
        (
            "{ deny: ['udp/70000'] }",
            #"1:10: expected a port or a range of ports, such as "udp/5004", "tcp/6000-6063" or "port/53", found "udp/70000"; ports end at 65535"#
        ),
        (
            "{ deny: ['udp/'] }",
            #"1:10: expected a port or a range of ports, such as "udp/5004", "tcp/6000-6063" or "port/53", found "udp/""#
        ),
        (
            "{ deny: ['udp/53,123'] }",
            #"1:10: expected a port or a range of ports, such as "udp/5004", "tcp/6000-6063" or "port/53", found "udp/53,123"; one port or range, and no list of them"#
        ),
        (
            "{ deny: ['udp/30-20'] }",
            #"1:10: expected a port or a range of ports, such as "udp/5004", "tcp/6000-6063" or "port/53", found "udp/30-20"; a range begins with the lower port: 20-30"#
        ),
        (
            "{ deny: ['udp/1-2-3'] }",
            #"1:10: expected a port or a range of ports, such as "udp/5004", "tcp/6000-6063" or "port/53", found "udp/1-2-3""#
        ),
        (
            "{ deny: ['udp/+5'] }",
            #"1:10: expected a port or a range of ports, such as "udp/5004", "tcp/6000-6063" or "port/53", found "udp/+5""#
        ),
        (
            "{ deny: ['from:192.0.2.1'] }",
            #"1:10: expected ports behind "from:", such as "from:udp/11211", found "from:192.0.2.1"; addresses are those that packets come from in any case: "192.0.2.1""#
        ),
        (
            "{ deny: ['from:upd/123'] }",
            #"1:10: expected a port or a range of ports, such as "udp/5004", "tcp/6000-6063" or "port/53", found "upd/123"; did you mean "udp/123"?"#
        ),
        (
            "{ deny: ['from:gre'] }",
            #"1:10: expected a port or a range of ports, such as "udp/5004", "tcp/6000-6063" or "port/53", found "gre""#
        ),
        (
            "{ deny: ['protocol/256'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "protocol/256"; the numbers of protocols are 0 to 255"#
        ),
        (
            "{ deny: ['protocol/x'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "protocol/x"; the numbers of protocols are 0 to 255"#
        ),
        (
            "{ deny: ['icmpv6'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "icmpv6"; did you mean "icmp6"?"#
        ),
        (
            "{ deny: ['icpm'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "icpm"; did you mean "icmp"?"#
        ),
        (
            "{ deny: ['icmp/8'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "icmp/8"; icmp has no ports; write "icmp""#
        ),
        (
            "{ deny: ['sctp/5000'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "sctp/5000"; ports of SCTP are not looked at; write "sctp""#
        ),
        (
            "{ deny: ['GRE'] }",
            #"1:10: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre", found "GRE"; did you mean "gre"?"#
        ),
        (
            "{ deny: [{}] }",
            #"1:10: "match" is missing: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre""#
        ),
        (
            "{ deny: [{ mach: '192.0.2.1' }] }",
            #"1:10: "match" is missing: expected an address, a prefix, ports or a protocol, such as "198.51.100.0/24", "udp/5004", "from:udp/11211" or "gre"|1:12: unknown key "mach"; did you mean "match"?"#
        ),
        (
            "{ deny: [{ match: '192.0.2.1', time: '10m' }] }",
            #"1:32: unknown key "time"; known here: match, for, limited"#
        ),
        (
            "{ deny: [{ match: '192.0.2.1', for: 600 }] }",
            #"1:37: expected a time from 1 ms to 365 days, such as "90s", "10m" or "1h30m", found 600; of what? "600s" are seconds, "600m" minutes"#
        ),
        (
            "{ deny: [{ match: '192.0.2.1', for: '600' }] }",
            #"1:37: expected a time from 1 ms to 365 days, such as "90s", "10m" or "1h30m", found "600"; of what? "600s" are seconds, "600m" minutes"#
        ),
        (
            "{ deny: [{ match: '192.0.2.1', for: '1.5h' }] }",
            #"1:37: expected a time from 1 ms to 365 days, such as "90s", "10m" or "1h30m", found "1.5h"; whole numbers of smaller units, as 1h30m is an hour and a half"#
        ),
        (
            "{ deny: [{ match: '192.0.2.1', for: '10min' }] }",
            #"1:37: expected a time from 1 ms to 365 days, such as "90s", "10m" or "1h30m", found "10min"; the units are d, h, m, s and ms"#
        ),
        (
            "{ deny: [{ match: '192.0.2.1', for: '10m1h' }] }",
            #"1:37: expected a time from 1 ms to 365 days, such as "90s", "10m" or "1h30m", found "10m1h"; the longest unit comes first, and each once"#
        ),
        (
            "{ deny: [{ match: '192.0.2.1', for: '366d' }] }",
            #"1:37: expected a time from 1 ms to 365 days, such as "90s", "10m" or "1h30m", found "366d""#
        ),
        (
            "{ deny: [{ match: '192.0.2.1', for: '0s' }] }",
            #"1:37: expected a time from 1 ms to 365 days, such as "90s", "10m" or "1h30m", found "0s""#
        ),
        (
            "{ deny: [{ match: '192.0.2.1', for: '99999999999999999999d' }] }",
            #"1:37: expected a time from 1 ms to 365 days, such as "90s", "10m" or "1h30m", found "99999999999999999999d""#
        ),
        (
            "{ deny: [{ match: '192.0.2.1', for: 'm' }] }",
            #"1:37: expected a time from 1 ms to 365 days, such as "90s", "10m" or "1h30m", found "m""#
        ),
        (
            "{ deny: [{ match: '192.0.2.1', limited: true }] }",
            #"1:41: what is denied is not limited; leave "limited" out"#
        ),
        (
            "{ allow: [{ match: 'udp/53', limited: true }] }",
            #"1:39: "limited" is for sources, as limits apply to other entries in any case; leave it out"#
        ),
        (
            "{ allow: [{ match: '192.0.2.1', limited: 'yes' }] }",
            #"1:42: expected true or false, found "yes""#
        ),
        (
            #"{ allow: ['192.0.2.1'],\#ndeny: ['192.0.2.1/32'] }"#,
            "2:8: 192.0.2.1 is both allowed and denied; take it out of one list|1:11: the first is here"
        ),
        (
            #"{ allow: ['tcp'],\#ndeny: ['protocol/6'] }"#,
            "2:8: tcp is both allowed and denied; take it out of one list|1:11: the first is here"
        ),
        (
            "{ deny: ['192.0.2.1', { match: '192.0.2.1', for: '1h' }] }",
            "1:32: 192.0.2.1 is listed twice, with different settings; keep one|1:10: the first is here"
        ),
        (
            "{ deny: ['udp/1-100', 'udp/50-150'] }",
            "1:23: udp/50-150 and udp/1-100 overlap, and neither is a part of the other, so nothing says which decides; write ranges that do not|1:10: the other is here"
        ),
        (
            #"{ deny: ['udp/1-100'],\#nallow: ['port/100-101'] }"#,
            "1:10: udp/1-100 and port/100-101 overlap, and neither is a part of the other, so nothing says which decides; write ranges that do not|2:9: the other is here"
        ),
        (
            "{ deny: ['port/1-100', 'port/50-150'] }",
            "1:24: port/50-150 and port/1-100 overlap, and neither is a part of the other, so nothing says which decides; write ranges that do not|1:10: the other is here"
        ),
        (
            "{ deny: ['from:udp/1-100', 'from:udp/50-150'] }",
            "1:28: from:udp/50-150 and from:udp/1-100 overlap, and neither is a part of the other, so nothing says which decides; write ranges that do not|1:10: the other is here"
        ),
    ])
    func `entries of the filter's lists are checked`(text: String, messages: String) {
        expectFilter(text, messages)
    }

    @Test func `an error in the filter's rules shows its line and a caret`() {
        #expect(
            complaint(aboutFilter: "{\n  deny: [\"198.51.100.7/24\"],\n}") == """
                x.json5:2:10: 198.51.100.7/24 has bits set behind its prefix; write "198.51.100.0/24", or "198.51.100.7" for the one address
                  2 |   deny: ["198.51.100.7/24"],
                    |          ^
                """)
    }
}
