import ApusConfig
import ApusWire
import Testing

/// One rule each: a configuration that breaks it, and what its writer is told. The excerpts, which have tests
/// of their own, are left out.
@Suite struct ConfigurationRuleTests {
    @Test(arguments: [
        (
            "listen: '192.0.2.1'",
            #"2:11: expected "address:port", such as "192.0.2.1:5004", found "192.0.2.1""#
        ),
        ("listen: 5004", #"2:11: expected "address:port", such as "192.0.2.1:5004", found 5004"#),
        (
            "listen: ['192.0.2.1:5004']",
            #"2:11: expected "address:port", such as "192.0.2.1:5004", found an array"#
        ),
        (
            "listen: '192.0.2.1:70000'",
            #"2:11: expected "address:port", such as "192.0.2.1:5004", found "192.0.2.1:70000"; ports end at 65535"#
        ),
        (
            "listen: 'camera.example:5004'",
            #"2:11: expected "address:port", such as "192.0.2.1:5004", found "camera.example:5004"; names are not looked up, so write the address"#
        ),
        (
            "listen: '010.0.2.1:5004'",
            #"2:11: expected "address:port", such as "192.0.2.1:5004", found "010.0.2.1:5004"; no number of an address begins with 0"#
        ),
        (
            "listen: '5004'",
            #"2:11: expected "address:port", such as "192.0.2.1:5004", found "5004""#
        ),
        (
            "listen: '[2001:db8::1]:65536'",
            #"2:11: expected "address:port", such as "192.0.2.1:5004", found "[2001:db8::1]:65536"; ports end at 65535"#
        ),
        (
            "listen: '2001:db8::1:5004'",
            #"2:11: expected "[address]:port", such as "[2001:db8::7]:5004", found "2001:db8::1:5004"; an IPv6 address stands in brackets"#
        ),
        (
            "listen: '192.0.2.1\\u0000x:5004'",
            #"2:11: expected "address:port", such as "192.0.2.1:5004", found "192.0.2.1 x:5004""#
        ),
        (
            "listen: '[2001:db8::1\\u0000]:5004'",
            #"2:11: expected "address:port", such as "192.0.2.1:5004", found "[2001:db8::1 ]:5004""#
        ),
        (
            "listen: '192.0.2.1:5004, 192.0.2.1:5006'",
            #"2:11: expected "address:port", such as "192.0.2.1:5004", found "192.0.2.1:5004, 192.0.2.1:5006"; one address and port, and no list of them"#
        ),
        (
            "listen: '[fe80::1%in0]:5004'",
            #"2:11: no zone stands in an address; write "[fe80::1]:5004", and in0 as the stream's "interface" or --interface"#
        ),
        ("listen: null", #"2:11: expected "address:port", such as "192.0.2.1:5004", found null"#),
        (
            "lisen: '192.0.2.1:5004'",
            #"2:1: "listen" is missing: expected "address:port", such as "192.0.2.1:5004"|2:3: unknown key "lisen"; did you mean "listen"?"#
        ),
        (
            "listen: '192.0.2.1:5004', colour: 1",
            #"2:29: unknown key "colour"; known here: name, listen, to, interface, ttl, rtp"#
        ),
        ("listen: '192.0.2.1:0'", "2:11: port 0 cannot be listened on; take one from 1 to 65535"),
        (
            "listen: '239.1.2.3:5004'",
            #"2:11: say with "interface" on which link the group 239.1.2.3 is to be joined"#
        ),
        (
            "listen: '[ff02::1]:5004'",
            #"2:11: say with "interface" on which link the group ff02::1 is to be joined"#
        ),
        (
            "listen: '[ff01::1]:5004', interface: 'eth0'",
            "2:11: ff01::1 is a group within one host (RFC 4291 section 2.7); nothing arrives there"
        ),
        (
            "listen: '255.255.255.255:5004'",
            "2:11: 255.255.255.255 is no address that a host can have; give one of this host"
        ),
        ("listen: '0.1.2.3:5004'", "2:11: 0.1.2.3 is no address that a host can have; give one of this host"),
        (
            "listen: '[::ffff:192.0.2.1]:5004'",
            #"2:11: ::ffff:192.0.2.1 is an IPv4 address in the guise of IPv6; write "192.0.2.1:5004""#
        ),
        ("listen: '192.0.2.1:5004', ttl: 0", "2:34: expected a TTL or hop limit from 1 to 255, found 0"),
        ("listen: '192.0.2.1:5004', ttl: 256", "2:34: expected a TTL or hop limit from 1 to 255, found 256"),
        ("listen: '192.0.2.1:5004', ttl: 1.5", "2:34: expected a whole number, found 1.5"),
        ("listen: '192.0.2.1:5004', ttl: '64'", "2:34: expected a whole number, found \"64\""),
        ("listen: '192.0.2.1:5004', rtp: 'yes'", "2:34: expected true or false, found \"yes\""),
        (
            "listen: '192.0.2.1:5004', name: ''",
            "2:35: expected a name of 1 to 64 characters, none of them a control character, found \"\""
        ),
        (
            "listen: '192.0.2.1:5004', name: 'a\\nb'",
            "2:35: expected a name of 1 to 64 characters, none of them a control character, found \"a b\""
        ),
        ("listen: '192.0.2.1:5004', name: 7", "2:35: expected a text in quotes, found 7"),
        (
            "listen: '192.0.2.1:5004', interface: 'eth 0'",
            "2:40: expected the name of an interface, 1 to 15 letters without space, \"/\" and \":\", found \"eth 0\""
        ),
        (
            "listen: '192.0.2.1:5004', interface: 'sixteen-letters.'",
            "2:40: expected the name of an interface, 1 to 15 letters without space, \"/\" and \":\", found \"sixteen-letters.\""
        ),
    ])
    func `a stream's own settings are checked`(settings: String, messages: String) {
        Rule.expect(
            Rule.streams("{ \(settings), to: ['198.51.100.7:5004'] }"),
            messages.split(separator: "|").map(String.init))
    }

    @Test(arguments: [
        ("", #"2:1: "to" is missing: expected where the stream goes, such as to: ["198.51.100.7:5004"]"#),
        ("to: []", #"2:35: the stream has no destination; add one, such as to: ["198.51.100.7:5004"]"#),
        (
            "to: '198.51.100.7:5004'",
            #"2:35: expected an array of "address:port", such as "192.0.2.1:5004", found "198.51.100.7:5004""#
        ),
        (
            "to: ['198.51.100.7']",
            #"2:36: expected "address:port", such as "192.0.2.1:5004", found "198.51.100.7""#
        ),
        (
            "to: ['198.51.100.7:1', '198.51.100.7:0']",
            "2:54: nothing can be sent to port 0; take one from 1 to 65535"
        ),
        (
            "to: ['0.0.0.0:5004']",
            "2:36: nothing can be sent to 0.0.0.0, which means any address; give the receiver's"
        ),
        (
            "to: ['[::]:5004']",
            "2:36: nothing can be sent to ::, which means any address; give the receiver's"
        ),
        (
            "to: ['[ff01::1]:5004']",
            "2:36: ff01::1 is a group within one host (RFC 4291 section 2.7), and nothing is sent there; give a wider one"
        ),
        (
            "to: ['[ff10::7]:5004']",
            "2:36: ff10::7 is a group of scope 0, which is reserved (RFC 4291 section 2.7); give a wider one"
        ),
        (
            "to: ['255.255.255.255:5004']",
            "2:36: nothing is relayed to the broadcast address; give the receiver's, or a multicast group"
        ),
        ("to: ['240.0.0.1:5004']", "2:36: 240.0.0.1 is no address that a host can have; give the receiver's"),
        (
            "to: ['[::ffff:198.51.100.7]:5004']",
            #"2:36: ::ffff:198.51.100.7 is an IPv4 address in the guise of IPv6; write "198.51.100.7:5004""#
        ),
        ("to: ['[fe80::7]:5004']", #"2:36: fe80::7 is link-local: say with "interface" on which link it is"#),
        (
            "to: ['198.51.100.7:5004', '198.51.100.7:5004']",
            "2:57: 198.51.100.7:5004 is there twice, and would get each packet twice|2:36: the first is here"
        ),
    ])
    func `destinations are checked`(to: String, messages: String) {
        Rule.expect(
            Rule.streams("{ listen: '192.0.2.1:5004',   \(to) }"),
            messages.split(separator: "|").map(String.init))
    }

    @Test func `a multicast group can be listened to on an interface`() throws {
        for group in ["239.1.2.3:5004", "[ff15::7]:5004"] {
            let text = Rule.streams("{ listen: '\(group)', to: ['198.51.100.7:5004'], interface: 'eth0' }")
            #expect(try forwarder(text).streams.first?.listen == Endpoint(group))
        }
    }

    @Test func `a multicast group and a link-local neighbor can be destinations`() throws {
        _ = try forwarder(
            Rule.streams("{ listen: '192.0.2.1:5004', to: ['239.1.2.3:5004', '[ff0e::7]:5004'] }"))
        _ = try forwarder(
            Rule.streams("{ listen: '192.0.2.1:5004', to: ['[fe80::7]:5004'], interface: 'eth0' }"))
    }

    @Test(arguments: [
        (
            "'192.0.2.1:5004'", "'192.0.2.1:5004'",
            "3:24: two streams listen on 192.0.2.1:5004; give each a port of its own, or one stream all destinations"
        ),
        (
            "'0.0.0.0:5004'", "'192.0.2.1:5004'",
            "3:24: two streams listen on 192.0.2.1:5004, as 0.0.0.0:5004 means each address; give each a port of its own"
        ),
        (
            "'192.0.2.1:5004'", "'0.0.0.0:5004'",
            "3:24: two streams listen on 192.0.2.1:5004, as 0.0.0.0:5004 means each address; give each a port of its own"
        ),
        (
            "'[::]:5004'", "'[2001:db8::1]:5004'",
            "3:24: two streams listen on [2001:db8::1]:5004, as [::]:5004 means each address; give each a port of its own"
        ),
        (
            "'192.0.2.1:5004', interface: 'eth0'", "'0.0.0.0:5004'",
            "3:24: two streams listen on 192.0.2.1:5004, as 0.0.0.0:5004 means each address; give each a port of its own"
        ),
        (
            "'0.0.0.0:5004'", "'192.0.2.1:5004', interface: 'eth0'",
            "3:24: two streams listen on 192.0.2.1:5004, as 0.0.0.0:5004 means each address; give each a port of its own"
        ),
    ])
    func `two streams on one address and port are refused`(first: String, second: String, message: String) {
        Rule.expect(
            Rule.streams(
                "{ name: 'a', listen: \(first), to: ['198.51.100.7:1'] },\n"
                    + "{ name: 'b', listen:   \(second), to: ['198.51.100.7:1'] }"),
            [message, "2:22: stream \"a\" listens here"])
    }

    @Test(arguments: [
        ("'192.0.2.1:5004'", "'192.0.2.1:5005'"), ("'192.0.2.1:5004'", "'192.0.2.2:5004'"),
        ("'0.0.0.0:5004'", "'[::]:5004'"), ("'0.0.0.0:5004'", "'192.0.2.1:5006'"),
        ("'0.0.0.0:5004', interface: 'eth0'", "'0.0.0.0:5004', interface: 'eth1'"),
        ("'0.0.0.0:5004', interface: 'eth0'", "'192.0.2.1:5004', interface: 'eth1'"),
    ])
    func `two streams that cannot be confused are taken`(first: String, second: String) throws {
        _ = try forwarder(
            Rule.streams(
                "{ name: 'a', listen: \(first), to: ['198.51.100.7:1'] }, { name: 'b', listen: \(second), to: ['198.51.100.7:1'] }"
            ))
    }

    @Test func `two streams of one name are refused`() {
        Rule.expect(
            Rule.streams(
                "{ name: 'a', listen: '192.0.2.1:1', to: ['198.51.100.7:1'] },\n"
                    + "{ name: 'a', listen: '192.0.2.1:2', to: ['198.51.100.7:1'] }"),
            [
                "3:9: two streams are called \"a\"; each needs a name of its own",
                "2:9: the first \"a\" is here",
            ])
    }

    @Test func `a stream that sends to itself is refused`() {
        Rule.expect(
            Rule.streams("{ name: 'a', listen: '192.0.2.1:1', to: ['198.51.100.7:1', '192.0.2.1:1'] }"),
            [
                "2:60: stream \"a\" sends to 192.0.2.1:1, where it listens itself: its packets would come back for ever",
                "2:22: it listens here",
            ])
        Rule.expect(
            Rule.streams("{ name: 'a', listen: '0.0.0.0:1', to: ['127.0.0.1:1'] }"),
            [
                "2:40: stream \"a\" sends to 127.0.0.1:1, where it listens itself: its packets would come back for ever",
                "2:22: it listens here",
            ])
    }

    @Test func `streams that send in a circle are refused, and a chain is not`() throws {
        let chain = """
            { name: 'a', listen: '192.0.2.1:1', to: ['192.0.2.1:2', '192.0.2.1:3'] },
            { name: 'b', listen: '192.0.2.1:2', to: ['192.0.2.1:3'] },
            { name: 'c', listen: '192.0.2.1:3', to: ['198.51.100.7:1'] },
            """
        _ = try forwarder(Rule.streams(chain))
        Rule.expect(
            Rule.streams(chain.replacing("198.51.100.7:1", with: "192.0.2.1:1")),
            [
                "4:42: streams send to one another in a circle, \"a\" → \"b\" → \"c\" → \"a\": their packets would come back for ever",
                "2:42: stream \"a\" sends on here", "3:42: stream \"b\" sends on here",
            ])
    }
}
