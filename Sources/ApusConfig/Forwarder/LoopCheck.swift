import ApusWire

/// Reports streams that send to one another in a circle, in which a packet would go round until its TTL ends;
/// a stream that sends to itself is the shortest circle.
///
/// A depth-first search with a stack of its own: linear in the number of destinations, whatever their shape.
func reportLoops(
    among streams: [StreamConfiguration], _ listeners: ListenerTable, _ report: ConfigurationReport
) {
    enum Mark { case unseen, onPath, done }
    var marks = [Mark](repeating: .unseen, count: streams.count)
    var path: [(stream: Int, next: Int)] = []
    for start in streams.indices where marks[start] == .unseen {
        path.append((start, 0))
        marks[start] = .onPath
        while let (stream, destination) = path.last {
            guard destination < streams[stream].to.count else {
                marks[stream] = .done
                path.removeLast()
                continue
            }
            path[path.count - 1].next += 1
            guard let target = listeners.listener(at: streams[stream].to[destination]) else { continue }
            switch marks[target] {
            case .done: break
            case .unseen:
                marks[target] = .onPath
                path.append((target, 0))
            case .onPath:
                let circle = path[path.firstIndex { $0.stream == target }!...].map {
                    ($0.stream, $0.next - 1)
                }
                report.addLoop(circle, among: streams)
            }
        }
    }
}

extension ConfigurationReport {
    /// `circle` holds each stream of the circle and which of its destinations leads on.
    fileprivate func addLoop(
        _ circle: [(stream: Int, destination: Int)], among streams: [StreamConfiguration]
    ) {
        let last = circle[circle.count - 1]
        let closing = streams[last.stream]
        let target = closing.to[last.destination]
        if circle.count == 1 {
            add(
                "stream \(closing.name.quoted) sends to \(target), where it listens itself: "
                    + "its packets would come back for ever",
                at: closing.map["to", last.destination],
                notes: [.init("it listens here", at: closing.map["listen"])])
            return
        }
        let most = 4
        var names = circle.prefix(most).map { streams[$0.stream].name.quoted }
        if circle.count > most { names.append("…") }
        names.append(streams[circle[0].stream].name.quoted)
        add(
            "streams send to one another in a circle, \(names.joined(separator: " → ")): "
                + "their packets would come back for ever",
            at: closing.map["to", last.destination],
            notes: circle.dropLast().prefix(most).map {
                let stream = streams[$0.stream]
                return .init(
                    "stream \(stream.name.quoted) sends on here", at: stream.map["to", $0.destination])
            })
    }
}
