import Foundation
import NetworkLab
import Testing

extension Lab {
    /// What `apus filter` remarks of rules that are put in force all the same.
    @Suite(.requires(.root, .program("ping")))
    struct FilterRemarkTests {
        @Test func `Of a source that is denied it says that management lets it pass`() throws {
            let scene = try FilterScene("remark")
            defer { scene.net.close() }
            try scene.fine("load vb")
            let (start, end) = (
                "remark: management (tcp/22) passes before this list, also from ",
                "; to narrow it write management: [{ service: 'tcp/22', from: [NETWORKS] }] in a file of rules\n"
            )
            #expect(try scene.run("deny vb 10.0.0.1").errors == "\(start)10.0.0.1\(end)")
            #expect(
                try scene.run("deny vb 10.0.0.0/8 gre 2001:db8::/32").errors
                    == "\(start)10.0.0.0/8, 2001:db8::/32\(end)")
            #expect(try scene.run("deny vb gre udp/9").errors.isEmpty)
            #expect(try scene.run("allow vb 10.0.0.2").errors.isEmpty)
            let narrow = try scene.files.write(
                "narrow.json5", "{ management: [{ service: 'tcp/22', from: ['10.1.0.0/16'] }] }")
            try scene.fine("reload vb --config \(narrow)")
            #expect(try scene.run("deny vb 10.2.0.1 2001:db8::1").errors.isEmpty)
            // It is the packets that count: of this network some are let pass.
            #expect(try scene.run("deny vb 10.0.0.0/8 192.0.2.9").errors == "\(start)10.0.0.0/8\(end)")
            #expect(try scene.run("deny vb 10.1.2.0/24").errors == "\(start)10.1.2.0/24\(end)")
            let none = try scene.files.write("none.json5", "{ management: [] }")
            try scene.fine("reload vb --config \(none)")
            #expect(try scene.run("deny vb 10.0.0.1").errors.isEmpty)
            try scene.fine("unload vb")
        }

        @Test func `Of rules that drop what a host lives on it says what to allow`() throws {
            let scene = try FilterScene("needs")
            defer { scene.net.close() }
            let needs = [
                ("icmp", "ICMP \"fragmentation needed\" (path MTU)"),
                ("icmp6", "ICMPv6 \"packet too big\" (path MTU)"),
                ("udp/68", "answers of DHCP (udp/68)"), ("udp/546", "answers of DHCPv6 (udp/546)"),
            ]
            func expect(
                _ rules: String, drop places: [Int], _ location: SourceLocation = #_sourceLocation
            ) throws {
                let file = try scene.files.write("rules.json5", rules)
                let run = try scene.run("load vb --config \(file) --check")
                let dropped = places.map { needs[$0] }
                let text =
                    "remark: of sources that are on no list these rules drop "
                    + "\(dropped.map(\.1).joined(separator: ", ")); where this host needs them write allow: "
                    + "[\(dropped.map { "'\($0.0)'" }.joined(separator: ", "))] in a file of rules\n"
                #expect(run.errors == (places.isEmpty ? "" : text), sourceLocation: location)
                #expect(run.code == 0, sourceLocation: location)
            }
            try expect("{}", drop: [])
            try expect("{ policy: 'deny' }", drop: [0, 1, 2, 3])
            try expect("{ policy: 'deny', allow: ['icmp', 'icmp6', 'udp/60-600'] }", drop: [])
            try expect("{ policy: 'deny', allow: ['icmp', 'from:udp/67', 'udp/546'] }", drop: [1])
            try expect("{ deny: ['icmp', 'udp/68'] }", drop: [0, 2])
            try expect("{ deny: ['icmp', 'udp/68'], dryRun: true }", drop: [])
            // Sources and limits are another matter.
            try expect(
                "{ deny: ['192.0.2.0/24', 'fe80::/10'], limits: [{ rate: '1/m', burst: 1 }] }", drop: [])
            try expect("{ policy: 'deny', allow: ['192.0.2.0/24', 'fe80::/10', 'udp'] }", drop: [0, 1])
            try expect("{ policy: 'deny', allow: ['0.0.0.0/0', 'icmp6', 'udp/546'] }", drop: [])
            try expect("{ policy: 'deny', management: ['udp', 'icmp', 'icmp6'] }", drop: [])
            // As they are put in force, too.
            let file = try scene.files.write("rules.json5", "{ deny: ['icmp6'] }")
            #expect(try scene.run("load vb --config \(file)").remarks.contains("packet too big"))
            #expect(try scene.run("reload vb --config \(file)").remarks.contains("packet too big"))
            try scene.fine("unload vb")
        }

        @Test func `In generic mode packets that the kernel has merged are remarked on`() throws {
            let scene = try FilterScene("merged")
            defer { scene.net.close() }
            let remark =
                "\n  packets that the kernel has merged (GRO) count as one, with all their octets, so limits in bits hold "
                + "better than limits in packets\n"
            #expect(try !scene.fine("load vb --mode native").contains("GRO"))
            try scene.fine("unload vb")
            #expect(try scene.fine("load vb --mode generic").contains(remark))
            #expect(try scene.fine("status vb").contains(remark))
            try scene.fine("unload vb")
            // Granted by auto, as this driver has no native mode.
            let granted = try scene.fine("load lo")
            #expect(granted.hasPrefix("lo: generic mode, ") && granted.contains(remark), "\(granted)")
            try scene.fine("unload lo")
        }
    }
}
