import Apus

/// What is said on standard error of rules that do what they say, and perhaps not what was meant.
enum FilterRemarks {
    /// Of sources that are denied, if management lets them pass all the same.
    static func warn(
        ofDenied entries: [FilterEntry], passing management: [ManagementService], _ log: Output
    ) {
        guard let text = remark(ofDenied: entries, passing: management) else { return }
        log.line("\(log.style.bold("remark:")) \(text.printable)")
    }

    /// Of what a host lives on, if the lists and the policy drop it; limits are another matter.
    static func warn(ofNeedsDroppedBy rules: FilterRules, on interface: String, _ log: Output) {
        guard !rules.isDryRun, let text = remark(ofNeedsDroppedBy: rules, on: interface) else { return }
        log.line("\(log.style.bold("remark:")) \(text.printable)")
    }

    private static func remark(
        ofDenied entries: [FilterEntry], passing management: [ManagementService]
    ) -> String? {
        let denied = entries.compactMap { entry -> AddressPrefix? in
            if entry.verdict == .deny, case .source(let prefix) = entry.subject { prefix } else { nil }
        }
        let services = management.filter { service in denied.contains { service.isReached(from: $0) } }
        let sources = denied.filter { source in services.contains { $0.isReached(from: source) } }
        guard let first = services.first else { return nil }
        let named = sources.prefix(3).map { "\(FilterSubject.source($0))" }
        let others = sources.count > 3 ? ["\(sources.count - 3) more"] : []
        return
            "management (\(services.map { "\($0.service)" }.joined(separator: ", "))) passes before this list, also from "
            + "\((named + others).joined(separator: ", ")); to narrow it write management: "
            + "[{ service: '\(first.service)', from: [NETWORKS] }] in a file of rules"
    }

    private static func remark(ofNeedsDroppedBy rules: FilterRules, on interface: String) -> String? {
        var trial = rules
        (trial.limits, trial.sourceCapacity, trial.banCapacity) = ([], 1024, 1024)
        // It is about whom no list names: but for the prefix that everybody is in.
        trial.entries.removeAll { entry in
            if case .source(let prefix) = entry.subject { prefix.length > 0 } else { false }
        }
        guard trial.policy == .deny || trial.entries.contains(where: { $0.verdict == .deny }) else {
            return nil
        }
        var dropped: [Need] = []
        do throws(FilterError) {
            var explanation = try FilterExplanation(of: trial, for: interface)
            for need in Need.all {
                if try !explanation.judge(need.frame).verdict.passes { dropped.append(need) }
            }
        } catch {
            // Whoever only checks a file may not be permitted to load a program.
            return nil
        }
        guard !dropped.isEmpty else { return nil }
        return
            "of sources that are on no list these rules drop \(dropped.map(\.name).joined(separator: ", ")); where "
            + "this host needs them write allow: [\(dropped.map { "'\($0.subject)'" }.joined(separator: ", "))] in a file of "
            + "rules"
    }

    /// Something that a host needs and that few think of, with a frame of it.
    private struct Need {
        let name: String
        /// What to allow.
        let subject: String
        let frame: [UInt8]

        private static let ethernet: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]

        /// From 192.0.2.1 to 192.0.2.2. No program looks at checksums.
        private static func ipv4(_ number: UInt8, _ payload: [UInt8]) -> [UInt8] {
            ethernet + [8, 0, 0x45, 0, 0, UInt8(20 + payload.count), 0, 0, 0, 0, 64, number, 0, 0]
                + [192, 0, 2, 1, 192, 0, 2, 2] + payload
        }

        /// From fe80::1 to fe80::2.
        private static func ipv6(_ number: UInt8, _ payload: [UInt8]) -> [UInt8] {
            func address(_ last: UInt8) -> [UInt8] {
                [0xfe, 0x80] + [UInt8](repeating: 0, count: 13) + [last]
            }
            return ethernet + [0x86, 0xdd, 0x60, 0, 0, 0, 0, UInt8(payload.count), number, 64] + address(1)
                + address(2) + payload
        }

        /// A datagram without data.
        private static func udp(from source: UInt16, to destination: UInt16) -> [UInt8] {
            [source, destination, 8, 0].flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] }
        }

        static let all = [
            // RFC 1191 section 4, RFC 8201 section 4, RFC 2131 section 4.1, RFC 8415 section 7.2.
            Need(
                name: "ICMP \"fragmentation needed\" (path MTU)", subject: "icmp",
                frame: ipv4(1, [3, 4, 0, 0, 0, 0, 5, 0])),
            Need(
                name: "ICMPv6 \"packet too big\" (path MTU)", subject: "icmp6",
                frame: ipv6(58, [2, 0, 0, 0, 0, 0, 5, 0])),
            Need(
                name: "answers of DHCP (udp/68)", subject: "udp/68", frame: ipv4(17, udp(from: 67, to: 68))),
            Need(
                name: "answers of DHCPv6 (udp/546)", subject: "udp/546",
                frame: ipv6(17, udp(from: 547, to: 546))),
        ]
    }
}

extension ManagementService {
    /// Whether it lets packets pass that come from somewhere in a network.
    fileprivate func isReached(from network: AddressPrefix) -> Bool {
        if let destination = service.destination, destination.address.bitCount != network.address.bitCount {
            return false
        }
        return sources.isEmpty
            || sources.contains { source in
                source.length <= network.length
                    ? source.contains(network.address) : network.contains(source.address)
            }
    }
}
