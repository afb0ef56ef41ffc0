/// What `/health` says: whether the forwarder can do its work at all.
///
/// It fails, with 503, when it has streams and none of their destinations can be reached, or when none of the
/// interfaces they listen on can receive, or no port is open: then another instance should take over. Where some
/// destinations can't be reached, or some of those interfaces receive nothing or not all that comes, while others are
/// served it is `degraded`, with 200, since a restart or another instance would not help; which ones and why is in the
/// answer, and `apus_unreachable_destinations`, `apus_interface_open` and `apus_interface_receiving` are there to alert
/// on.
struct HealthReport {
    enum Status: String {
        case ok
        case degraded
        case failing
    }

    /// Reasons that are spelled out at most.
    static let mostReasons = 16

    private(set) var status = Status.ok
    private(set) var reasons: [String] = []
    private(set) var omitted = 0
    private let uptime: Double
    private let streams: Int
    private let ports: Int

    init(_ forwarder: ForwarderStatus) {
        let open = forwarder.ports.count(where: \.isOpen)
        (uptime, streams, ports) = (forwarder.uptime, forwarder.streams.count, open)
        let listening = forwarder.interfaces.filter(\.isListening)
        let deaf = listening.count { !$0.isOpen || !$0.isReceiving }
        let impaired = listening.filter { !$0.isOpen || !$0.isReceiving || $0.reason != nil }
        if open == 0 || deaf > 0 && deaf == listening.count {
            status = .failing
        } else if !impaired.isEmpty {
            status = .degraded
        }
        if open == 0 { reasons.append("no port is open") }
        reasons += impaired.prefix(Self.mostReasons).map { "\($0.name): \($0.reason ?? "gone")" }
        guard !forwarder.unreachable.isEmpty else { return }
        let anyServed = forwarder.streams.contains { stream in
            stream.destinations.contains { forwarder.unreachable[$0] == nil }
        }
        if !anyServed { status = .failing } else if status == .ok { status = .degraded }
        // Any of them: a list of a million is not worth sorting for sixteen.
        for (destination, reason) in forwarder.unreachable.prefix(Self.mostReasons) {
            reasons.append("\(destination): \(reason)")
        }
        reasons.sort()
        omitted = max(0, forwarder.unreachable.count - Self.mostReasons)
    }

    /// The status code of the answer.
    var code: UInt32 { status == .failing ? 503 : 200 }

    /// The answer: one JSON object on a line.
    var json: [UInt8] {
        var writer = JSONWriter()
        writer.openObject()
        writer.add("status", status.rawValue)
        writer.add("uptime", uptime)
        writer.add("streams", streams)
        writer.add("ports", ports)
        if !reasons.isEmpty { writer.add("reasons", reasons) }
        if omitted > 0 { writer.add("omitted", omitted) }
        writer.closeObject()
        writer.bytes.append(UInt8(ascii: "\n"))
        return writer.bytes
    }
}
