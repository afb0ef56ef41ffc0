import ApusConfig
import Testing

/// One rule each about services and limits: a file that breaks it, and what its writer is told.
@Suite struct FilterLimitErrorTests {
    @Test(arguments: [
        (
            "{ management: 'tcp/22' }",
            #"1:15: expected an array of services, such as ["tcp/22"], found "tcp/22""#
        ),
        (
            "{ management: [22] }",
            #"1:16: expected a service, such as "udp/5004", "192.0.2.0/24" or "192.0.2.1 tcp/80-90", found 22"#
        ),
        (
            "{ management: ['22'] }",
            #"1:16: expected a service, such as "udp/5004", "192.0.2.0/24" or "192.0.2.1 tcp/80-90", found "22"; ports of what? "tcp/22", "udp/22", "port/22" for both or "protocol/22""#
        ),
        (
            "{ management: ['tcp/22 192.0.2.1'] }",
            #"1:16: expected a service, such as "udp/5004", "192.0.2.0/24" or "192.0.2.1 tcp/80-90", found "tcp/22 192.0.2.1"; the destination comes first: "192.0.2.1 tcp/22""#
        ),
        (
            "{ management: ['192.0.2.1:22'] }",
            #"1:16: expected a service, such as "udp/5004", "192.0.2.0/24" or "192.0.2.1 tcp/80-90", found "192.0.2.1:22"; a space is between address and ports: "192.0.2.1 tcp/22", or udp/22"#
        ),
        (
            "{ management: ['[2001:db8::1]:22'] }",
            #"1:16: expected a service, such as "udp/5004", "192.0.2.0/24" or "192.0.2.1 tcp/80-90", found "[2001:db8::1]:22"; a space is between address and ports: "2001:db8::1 tcp/22", or udp/22"#
        ),
        (
            "{ management: ['[2001:db8::1] tcp/22'] }",
            #"1:16: expected a service, such as "udp/5004", "192.0.2.0/24" or "192.0.2.1 tcp/80-90", found "[2001:db8::1] tcp/22"; without brackets: "2001:db8::1""#
        ),
        (
            "{ management: ['192.0.2.1  tcp/22'] }",
            #"1:16: expected a service, such as "udp/5004", "192.0.2.0/24" or "192.0.2.1 tcp/80-90", found "192.0.2.1  tcp/22""#
        ),
        (
            "{ management: ['router.example.net tcp/22'] }",
            #"1:16: expected a service, such as "udp/5004", "192.0.2.0/24" or "192.0.2.1 tcp/80-90", found "router.example.net tcp/22"; names are not looked up, so write the address"#
        ),
        (
            "{ management: ['192.0.2.1/24 tcp/22'] }",
            #"1:16: 192.0.2.1/24 has bits set behind its prefix; write "192.0.2.0/24", or "192.0.2.1" for the one address"#
        ),
        (
            "{ management: ['ssh'] }",
            #"1:16: expected a service, such as "udp/5004", "192.0.2.0/24" or "192.0.2.1 tcp/80-90", found "ssh""#
        ),
        (
            "{ management: [{ service: 'tcp/22', from: [] }] }",
            #"1:43: "from" is empty; leave it out where anywhere is meant"#
        ),
        (
            "{ management: [{ service: 'tcp/22', from: ['192.0.2.1/24'] }] }",
            #"1:44: 192.0.2.1/24 has bits set behind its prefix; write "192.0.2.0/24", or "192.0.2.1" for the one address"#
        ),
        (
            "{ management: [{ service: 'tcp/22', from: '192.0.2.0/33' }] }",
            #"1:43: expected an address or a prefix, such as "192.0.2.1" or "198.51.100.0/24", found "192.0.2.0/33"; a prefix of it has 0 to 32 bits"#
        ),
        (
            "{ management: [{ service: '192.0.2.1 tcp/22', from: '2001:db8::/32' }] }",
            "1:53: nothing comes from 2001:db8::/32 to 192.0.2.1: one is IPv4, the other IPv6"
        ),
        (
            "{ management: [{ from: '192.0.2.0/24' }] }",
            #"1:16: "service" is missing: expected a service, such as "udp/5004", "192.0.2.0/24" or "192.0.2.1 tcp/80-90""#
        ),
        (
            "{ management: [{ service: 'tcp/22', form: '192.0.2.0/24' }] }",
            #"1:37: unknown key "form"; did you mean "from"?"#
        ),
        (
            "{ management: [{ service: {} }] }",
            #"1:27: a service says at least one of "to", "protocol" and "ports", such as { protocol: "udp" }"#
        ),
    ])
    func `services of management are checked`(text: String, messages: String) { expectFilter(text, messages) }

    @Test(arguments: [
        (
            "{ limits: {} }",
            "1:11: expected an array of objects, found an object"
        ),
        (
            "{ limits: ['1000pps'] }",
            #"1:12: expected an object, found "1000pps""#
        ),
        (
            "{ limits: [{}] }",
            #"1:12: "rate" is missing: expected a rate, such as "1000pps", "30/m" or "10Mbit""#
        ),
        (
            "{ limits: [{ rate: 1000 }] }",
            #"1:20: expected a rate, such as "1000pps", "30/m" or "10Mbit", found 1000; of what? "1000pps" or "1000bit""#
        ),
        (
            "{ limits: [{ rate: '1000' }] }",
            #"1:20: expected a rate, such as "1000pps", "30/m" or "10Mbit", found "1000"; of what? "1000pps" or "1000bit""#
        ),
        (
            "{ limits: [{ rate: true }] }",
            #"1:20: expected a rate, such as "1000pps", "30/m" or "10Mbit", found true"#
        ),
        (
            "{ limits: [{ rate: [] }] }",
            #"1:20: the limit has no rate; give it one, such as "1000pps""#
        ),
        (
            "{ limits: [{ rate: '1MB/s' }] }",
            #"1:20: expected a rate, such as "1000pps", "30/m" or "10Mbit", found "1MB/s"; rates are of packets or bits, and so many octets are "8Mbit""#
        ),
        (
            "{ limits: [{ rate: '64KiB/s' }] }",
            #"1:20: expected a rate, such as "1000pps", "30/m" or "10Mbit", found "64KiB/s"; rates are of packets or bits"#
        ),
        (
            "{ limits: [{ rate: '10mbit' }] }",
            #"1:20: expected a rate, such as "1000pps", "30/m" or "10Mbit", found "10mbit"; did you mean "10Mbit"?"#
        ),
        (
            "{ limits: [{ rate: '10Kpps' }] }",
            #"1:20: expected a rate, such as "1000pps", "30/m" or "10Mbit", found "10Kpps"; did you mean "10kpps"?"#
        ),
        (
            "{ limits: [{ rate: '10kps' }] }",
            #"1:20: expected a rate, such as "1000pps", "30/m" or "10Mbit", found "10kps"; did you mean "10kpps"?"#
        ),
        (
            "{ limits: [{ rate: '-5pps' }] }",
            #"1:20: expected a rate, such as "1000pps", "30/m" or "10Mbit", found "-5pps""#
        ),
        (
            "{ limits: [{ rate: '1e3pps' }] }",
            #"1:20: expected a rate, such as "1000pps", "30/m" or "10Mbit", found "1e3pps""#
        ),
        (
            "{ limits: [{ rate: '0.0001pps' }] }",
            #"1:20: expected a rate of packets from 0.001 to 1000000000 a second, such as "1000pps", "10kpps" or "30/m", found "0.0001pps"; the smallest is "0.001pps", which is "3.6/h""#
        ),
        (
            "{ limits: [{ rate: '1001Mpps' }] }",
            #"1:20: expected a rate of packets from 0.001 to 1000000000 a second, such as "1000pps", "10kpps" or "30/m", found "1001Mpps""#
        ),
        (
            "{ limits: [{ rate: '7bit' }] }",
            #"1:20: expected a rate of bits from 8 bit to 1000 Gbit a second, such as "64kbit", "50Mbit" or "1Gbit", found "7bit""#
        ),
        (
            "{ limits: [{ rate: '1001Gbit' }] }",
            #"1:20: expected a rate of bits from 8 bit to 1000 Gbit a second, such as "64kbit", "50Mbit" or "1Gbit", found "1001Gbit""#
        ),
        (
            "{ limits: [{ rate: 'fast' }] }",
            #"1:20: expected a rate, such as "1000pps", "30/m" or "10Mbit", found "fast""#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'prefix', prefixes: '/24' }] }",
            #"1:57: expected two lengths, for IPv4 and for IPv6, such as ["/24", "/64"], found one text"#
        ),
        (
            "{ limits: [{ rate: ['1000pps', '2kpps'] }] }",
            "1:32: a limit has one rate of packets; leave this out"
        ),
        (
            "{ limits: [{ rate: ['1Mbit', '2Mbit'] }] }",
            "1:30: a limit has one rate of bits; leave this out"
        ),
        (
            "{ limits: [{ rate: '1000pps', burst: 0 }] }",
            #"1:38: expected a burst of 1 to 1000000000 packets, such as 200, or of 1514 octets to 1024 GiB, such as "64KiB", found 0"#
        ),
        (
            "{ limits: [{ rate: '1000pps', burst: 1.5 }] }",
            #"1:38: expected a burst of 1 to 1000000000 packets, such as 200, or of 1514 octets to 1024 GiB, such as "64KiB", found 1.5"#
        ),
        (
            "{ limits: [{ rate: '1000pps', burst: '200 packets' }] }",
            #"1:38: expected a burst of 1 to 1000000000 packets, such as 200, or of 1514 octets to 1024 GiB, such as "64KiB", found "200 packets"; packets have no unit: 200"#
        ),
        (
            "{ limits: [{ rate: '1000pps', burst: '64KiB' }] }",
            #"1:38: a burst of octets needs a rate of bits, such as rate: "10Mbit""#
        ),
        (
            "{ limits: [{ rate: '1Mbit', burst: 200 }] }",
            #"1:36: a burst of packets needs a rate of packets, such as rate: "1000pps""#
        ),
        (
            "{ limits: [{ rate: '1Mbit', burst: '64kib' }] }",
            #"1:36: expected a burst of 1 to 1000000000 packets, such as 200, or of 1514 octets to 1024 GiB, such as "64KiB", found "64kib"; did you mean "64KiB"?"#
        ),
        (
            "{ limits: [{ rate: '1Mbit', burst: '1000B' }] }",
            #"1:36: expected a burst of 1 to 1000000000 packets, such as 200, or of 1514 octets to 1024 GiB, such as "64KiB", found "1000B""#
        ),
        (
            "{ limits: [{ rate: '1Mbit', burst: '1.5MiB' }] }",
            #"1:36: expected a burst of 1 to 1000000000 packets, such as 200, or of 1514 octets to 1024 GiB, such as "64KiB", found "1.5MiB"; write a whole number"#
        ),
        (
            "{ limits: [{ rate: '1Mbit', burst: '64Kbit' }] }",
            #"1:36: expected a burst of 1 to 1000000000 packets, such as 200, or of 1514 octets to 1024 GiB, such as "64KiB", found "64Kbit"; the units are octets, kB, KiB, MB and MiB"#
        ),
        (
            "{ limits: [{ rate: '1000pps', burst: [200, 300] }] }",
            "1:44: a limit has one burst of packets; leave this out"
        ),
        (
            "{ limits: [{ rate: ['1000pps', '1Mbit'], burst: ['2kB', '3kB'] }] }",
            "1:57: a limit has one burst of octets; leave this out"
        ),
        (
            "{ limits: [{ rate: '1/m', burst: 1441 }] }",
            #"1:34: a burst of "1441" is more than its rate gives in a day; write a smaller burst, or a higher rate"#
        ),
        (
            "{ limits: [{ rate: '8bit', burst: '84.4 KiB' }] }",
            #"1:35: expected a burst of 1 to 1000000000 packets, such as 200, or of 1514 octets to 1024 GiB, such as "64KiB", found "84.4 KiB"; write a whole number"#
        ),
        (
            "{ limits: [{ rate: '8bit', burst: '100KiB' }] }",
            #"1:35: a burst of "100KiB" is more than its rate gives in a day; write a smaller burst, or a higher rate"#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'all' }] }",
            #"1:37: without "each" a limit is for all packets together; leave it out"#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'sourceport' }] }",
            #"1:37: expected "source", "prefix" or "sourcePort", found "sourceport"; did you mean "sourcePort"?"#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'host' }] }",
            #"1:37: expected "source", "prefix" or "sourcePort", found "host""#
        ),
        (
            "{ limits: [{ rate: '1000pps', prefixes: ['/24', '/64'] }] }",
            #"1:41: "prefixes" are for a limit on each of them; write each: "prefix", or leave them out"#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'source', prefixes: ['/24', '/64'] }] }",
            #"1:57: "prefixes" are for a limit on each of them; write each: "prefix", or leave them out"#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'prefix', prefixes: ['/24'] }] }",
            #"1:57: expected two lengths, for IPv4 and for IPv6, such as ["/24", "/64"], found 1"#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'prefix', prefixes: [24, 64] }] }",
            #"1:58: expected the length of a prefix, such as "/24", found 24|1:62: expected the length of a prefix, such as "/24", found 64"#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'prefix', prefixes: ['/33', '/64'] }] }",
            #"1:58: a prefix of IPv4 has 0 to 32 bits, found "/33""#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'prefix', prefixes: ['/24', '/129'] }] }",
            #"1:65: a prefix of IPv6 has 0 to 128 bits, found "/129""#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'prefix', prefixes: ['24', '/256'] }] }",
            #"1:58: expected the length of a prefix, such as "/24", found "24"|1:64: expected the length of a prefix, such as "/24", found "/256""#
        ),
        (
            "{ limits: [{ rate: '1000pps', service: 'udp/70000' }] }",
            #"1:40: expected a port or a range of ports, such as "udp/5004", "tcp/6000-6063" or "port/53", found "udp/70000"; ports end at 65535"#
        ),
        (
            "{ limits: [{ rate: '1000pps', service: 5004 }] }",
            #"1:40: expected a service, such as "udp/5004", "192.0.2.0/24" or "192.0.2.1 tcp/80-90", found 5004"#
        ),
        (
            "{ limits: [{ rate: '1000pps', service: {} }] }",
            #"1:40: a service says at least one of "to", "protocol" and "ports", such as { protocol: "udp" }"#
        ),
        (
            "{ limits: [{ rate: '1000pps', service: { protocol: 'gre', ports: 5 } }] }",
            "1:66: gre has no ports that are looked at; only tcp and udp have"
        ),
        (
            "{ limits: [{ rate: '1000pps', service: { protocol: 'udp/5004' } }] }",
            #"1:52: expected a protocol, such as "udp", "gre" or 47, found "udp/5004"; ports are given by "ports""#
        ),
        (
            "{ limits: [{ rate: '1000pps', service: { protocol: 300 } }] }",
            #"1:52: expected a protocol, such as "udp", "gre" or 47, found 300; the numbers of protocols are 0 to 255"#
        ),
        (
            "{ limits: [{ rate: '1000pps', service: { protocol: 'upd' } }] }",
            #"1:52: expected a protocol, such as "udp", "gre" or 47, found "upd"; did you mean "udp"?"#
        ),
        (
            "{ limits: [{ rate: '1000pps', service: { ports: 'udp/5004' } }] }",
            #"1:49: expected a port or a range of ports, such as 5004 or "5004-5007", found "udp/5004"; the protocol is given by "protocol""#
        ),
        (
            "{ limits: [{ rate: '1000pps', service: { ports: 65536 } }] }",
            #"1:49: expected a port or a range of ports, such as 5004 or "5004-5007", found 65536; ports end at 65535"#
        ),
        (
            "{ limits: [{ rate: '1000pps', service: { ports: '20-10' } }] }",
            #"1:49: expected a port or a range of ports, such as 5004 or "5004-5007", found "20-10"; a range begins with the lower port: 10-20"#
        ),
        (
            "{ limits: [{ rate: '1000pps', service: { to: '192.0.2.1/24' } }] }",
            #"1:46: 192.0.2.1/24 has bits set behind its prefix; write "192.0.2.0/24", or "192.0.2.1" for the one address"#
        ),
        (
            "{ limits: [{ rate: '1000pps', service: { to: 'example.com', port: 5 } }] }",
            #"1:46: expected an address or a prefix, such as "192.0.2.1" or "198.51.100.0/24", found "example.com"; names are not looked up, so write the address|1:61: unknown key "port"; did you mean "ports"?"#
        ),
        (
            "{ limits: [{ rate: '1000pps', ban: { over: 10, for: '10m' } }] }",
            #"1:36: only a limit on each source bans, as the others do not know whose packets were too many; write each: "source", or leave "ban" out"#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'prefix', ban: { over: 10, for: '10m' } }] }",
            #"1:52: only a limit on each source bans, as the others do not know whose packets were too many; write each: "source", or leave "ban" out"#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'source', ban: { over: 1, for: '10m' } }] }",
            "1:60: expected how many times the rate is too much, from 1.01 to 1000, found 1"
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'source', ban: { over: 1001, for: '10m' } }] }",
            "1:60: expected how many times the rate is too much, from 1.01 to 1000, found 1001"
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'source', ban: { over: '10', for: '10m' } }] }",
            #"1:60: expected a number, found "10""#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'source', ban: { over: NaN, for: '10m' } }] }",
            "1:60: expected a number, found NaN"
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'source', ban: {} }] }",
            #"1:52: "over" is missing: expected a number|1:52: "for" is missing: expected a time from 1 ms to 365 days, such as "90s", "10m" or "1h30m""#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'source', ban: { over: 10, four: '10m' } }] }",
            #"1:52: "for" is missing: expected a time from 1 ms to 365 days, such as "90s", "10m" or "1h30m"|1:64: unknown key "four"; did you mean "for"?"#
        ),
        (
            "{ limits: [{ rate: '1000pps', each: 'source', ban: '10m' }] }",
            #"1:52: expected an object, found "10m""#
        ),
        (
            "{ limits: [{ rate: '1000pps', name: '' }] }",
            #"1:37: expected a name of 1 to 64 characters, none of them a control character, found """#
        ),
        (
            #"{ limits: [{ rate: '1000pps', name: 'a\nb' }] }"#,
            #"1:37: expected a name of 1 to 64 characters, none of them a control character, found "a b""#
        ),
        (
            #"{ limits: [{ rate: '1000pps', name: 'a' },\#n{ rate: '1kpps', service: 'udp', name: 'a' }] }"#,
            #"2:40: two limits have the name "a"; give each a name of its own|1:37: the first is here"#
        ),
        (
            #"{ limits: [{ rate: '1000pps', service: 'udp' },\#n{ rate: '1Mbit', service: { protocol: 17 } }] }"#,
            #"2:1: there are two limits "all udp"; give each a name of its own, or put their rates into one, such as rate: ["1000pps", "10Mbit"]|1:12: the first is here"#
        ),
        (
            #"{ limits: [{ rate: '1000pps', each: 'source' },\#n{ rate: '5pps', each: 'source' }] }"#,
            #"2:1: there are two limits "source"; give each a name of its own|1:12: the first is here"#
        ),
        (
            #"{ limits: [{ rate: '1000pps', service: 'udp' },\#n{ rate: '1kpps', name: 'all udp' }] }"#,
            #"2:24: two limits have the name "all udp"; give each a name of its own|1:12: the first is here"#
        ),
        (
            "{ limits: [{ rate: '1000pps' } { rate: 1 }] }",
            #"1:32: expected "," or "]" after the value, found "{"|1:11: the "[" that is open there is here"#
        ),
        (
            "{ limits: [{ ratte: '1000pps' }] }",
            #"1:12: "rate" is missing: expected a rate, such as "1000pps", "30/m" or "10Mbit"|1:14: unknown key "ratte"; did you mean "rate"?"#
        ),
    ])
    func `limits of the filter are checked`(text: String, messages: String) { expectFilter(text, messages) }

    @Test func `more than 32 limits are refused at the first that is too many`() {
        let limits = (1...33).map { "{ rate: '1pps', service: 'udp/\($0)' }" }
        expectFilter(
            "{ limits: [\(limits.joined(separator: ",\n"))] }",
            "33:1: there are 33 limits, and 32 at most are possible")
        #expect(
            complaint(aboutFilter: "{ limits: [\(limits.dropLast().joined(separator: ",\n"))] }")
                .hasPrefix("read: "))
    }

    @Test func `more than 16 services of management are refused, and more than 16 networks of one`() {
        let services = (1...17).map { "'tcp/\($0)'" }
        expectFilter(
            "{ management: [\(services.joined(separator: ",\n"))] }",
            "17:1: there are 17 services of management, and 16 at most are possible")
        let networks = (1...17).map { "'192.0.2.\($0)'" }
        expectFilter(
            "{ management: [{ service: 'tcp/22', from: [\(networks.joined(separator: ", "))] }] }",
            "1:43: tcp/22 is reached from 17 networks, and 16 at most are possible; write shorter prefixes")
    }

    @Test func `more than 1024 entries about ports are refused`() {
        let ports = (0...1024).map { "'udp/\($0)'" }
        expectFilter(
            "{ deny: [\(ports.joined(separator: ",\n"))] }",
            "1025:1: there are 1025 entries about ports, and 1024 at most are possible; write ranges")
        #expect(
            complaint(aboutFilter: "{ deny: [\(ports.dropLast().joined(separator: ","))] }").hasPrefix(
                "read: "))
    }
}
