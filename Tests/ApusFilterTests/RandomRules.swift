import ApusConfig
import ApusWire
import Seeds

extension FilterRules {
    /// Rules that have to do with the frames of ``Frames``, by seed, and that make sense.
    init(random: inout Seeded) {
        repeat { self.init(any: &random) } while (try? validate()) == nil
    }

    private init(any random: inout Seeded) {
        self.init()
        func oneOf<Value>(_ values: [Value]) -> Value { values.randomElement(using: &random)! }
        func network(_ length4: [Int], _ length6: [Int]) -> AddressPrefix {
            let octets = Bool.random(using: &random) ? oneOf(Frames.ipv4) : oneOf(Frames.ipv6)
            let text =
                octets.count == 4
                ? octets.map(String.init).joined(separator: ".")
                : stride(from: 0, to: 16, by: 2).map {
                    String(Int(octets[$0]) << 8 | Int(octets[$0 + 1]), radix: 16)
                }
                .joined(separator: ":")
            let address = IPAddress(text)!
            return AddressPrefix(address, length: oneOf(octets.count == 4 ? length4 : length6)).network
        }
        func service() -> FilterService {
            var service = FilterService()
            if oneOf([true, false, false]) { service.destination = network([32, 24, 8], [128, 64, 32]) }
            switch oneOf([0, 1, 2, 3]) {
            case 0: service.ipProtocol = oneOf([1, 6, 17, 47, 58])
            case 1: (service.ipProtocol, service.ports) = (oneOf([6, 17]), 5004...5005)
            case 2: service.ports = 53...53
            default: if service.destination == nil { service.ipProtocol = 17 }
            }
            return service
        }
        func duration() -> FilterDuration {
            FilterDuration(nanoseconds: oneOf([50_000_000, 400_000_000, 10_000_000_000]))
        }
        policy = oneOf([.allow, .allow, .deny])
        malformed = oneOf([.allow, .deny])
        fragments = oneOf([.limit, .limit, .allow, .deny])
        notIP = oneOf([.allow, .deny])
        limitsNeighbors = oneOf([false, false, true])
        isDryRun = oneOf([false, false, false, true])
        sourceCapacity = 1024
        management = oneOf([
            [], [FilterRules.ssh],
            [ManagementService(service(), from: [network([24], [64]), network([32], [128])])],
        ])
        for _ in 0..<oneOf([0, 0, 2, 5, 12]) {
            let ports: ClosedRange<UInt16> = oneOf([
                53...53, 5004...5005, 1...1023, 11211...11211, 443...443, 1...6000, 0...65535,
            ])
            let subject: FilterSubject =
                switch oneOf([0, 0, 0, 1, 2, 3]) {
                case 0: .source(network([32, 32, 24, 16, 0], [128, 128, 64, 47, 0]))
                case 1:
                    .port(PortRange(oneOf([nil, .tcp, .udp]), ports.lowerBound, through: ports.upperBound))
                case 2: .sourcePort(PortRange(oneOf([nil, .tcp, .udp]), 11211))
                default: .ipProtocol(oneOf([1, 6, 17, 47, 58]))
                }
            guard !entries.contains(where: { $0.subject == subject }) else { continue }
            let verdict: FilterPolicy = oneOf([.allow, .deny])
            var entry = FilterEntry(subject, verdict, lifetime: oneOf([nil, nil, duration()]))
            // What comes behind a port's entry that is over is exact for one of several.
            if subject.isOfPorts, entries.contains(where: { $0.subject.isOfPorts && $0.lifetime != nil }) {
                entry.lifetime = nil
            }
            if case .source = subject, verdict == .allow { entry.isLimited = oneOf([true, false]) }
            entries.append(entry)
        }
        for place in 0..<oneOf([0, 1, 1, 2, 3, 6]) {
            let scope: FilterLimit.Scope = oneOf([
                .source, .source, .prefix, .prefix(ipv4: 16, ipv6: 47), .sourcePort, .all,
            ])
            var limit = FilterLimit(
                name: "limit \(place)", scope: scope, service: oneOf([nil, service()]))
            let kinds = oneOf([1, 2, 3])
            if kinds & 1 != 0 {
                limit.packets = PacketRate(perSecond: oneOf([20, 100, 997, 0.5]))
                limit.packetBurst = oneOf([nil, 1, 3, 40])
            }
            if kinds & 2 != 0 {
                limit.bits = BitRate(perSecond: oneOf([20_000, 800_000, 64_000]))
                limit.octetBurst = oneOf([nil, 1514, 3000, 20_000])
            }
            if scope == .source, oneOf([true, false, false]) {
                limit.ban = .init(over: oneOf([2, 5]), for: duration())
            }
            limits.append(limit)
        }
    }
}

extension FilterSubject {
    fileprivate var isOfPorts: Bool {
        switch self {
        case .port, .sourcePort: true
        case .source, .ipProtocol: false
        }
    }
}
