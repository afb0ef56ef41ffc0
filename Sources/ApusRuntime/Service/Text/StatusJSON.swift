import ApusRTP

/// A status as JSON on one line, with the same keys as its `Encodable` form, made piece by piece.
package struct StatusJSON: TextSource {
    private enum Stage {
        case head
        case streams
        case end
    }

    private let snapshot: StatusSnapshot
    private let isAnswer: Bool
    private var stage = Stage.head
    private var next = 0
    private var writer = JSONWriter()

    /// An answer of the control socket: `{"ok":true,"status":{…}}` and the end of the line.
    init(answerWith snapshot: StatusSnapshot) { (self.snapshot, isAnswer) = (snapshot, true) }

    /// The status alone, and the end of the line.
    package init(_ status: ForwarderStatus) { (snapshot, isAnswer) = (StatusSnapshot(status), false) }

    private var status: ForwarderStatus { snapshot.status }

    package mutating func appendNext(to text: inout [UInt8]) {
        switch stage {
        case .head:
            writeHead()
            stage = .streams
        case .streams:
            while next < status.streams.count, writer.bytes.count < textPieceSize {
                writer.add(status.streams[next])
                next += 1
            }
            if next == status.streams.count {
                writer.closeArray()
                writer.closeObject()
                if isAnswer { writer.closeObject() }
                writer.bytes.append(UInt8(ascii: "\n"))
                stage = .end
            }
        case .end: return
        }
        text += writer.bytes
        writer.bytes.removeAll(keepingCapacity: true)
    }

    private mutating func writeHead() {
        if isAnswer {
            writer.openObject()
            writer.add("ok", true)
        }
        writer.openObject(isAnswer ? "status" : nil)
        writer.add("uptime", status.uptime)
        writer.add("received", status.received)
        writer.add("receivedBytes", status.receivedBytes)
        writer.add("accepted", status.accepted)
        writer.add("copies", status.copies)
        writer.add("sent", status.sent)
        writer.add("sentBytes", status.sentBytes)
        writer.add("waiting", status.waiting)
        writer.add("completedChecksums", status.completedChecksums)
        writer.add("unverifiedChecksums", status.unverifiedChecksums)
        writer.add("stalls", status.stalls)
        writer.add("drops", status.drops)
        writer.openArray("interfaces")
        for interface in status.interfaces {
            writer.openObject()
            writer.add("name", interface.name)
            writer.add("isOpen", interface.isOpen)
            writer.add("isReceiving", interface.isReceiving)
            writer.add("isListening", interface.isListening)
            writer.add("reason", interface.reason)
            writer.closeObject()
        }
        writer.closeArray()
        writer.openArray("devices")
        for device in status.devices { writer.add(device) }
        writer.closeArray()
        writer.openArray("ports")
        for port in status.ports { writer.add(port) }
        writer.closeArray()
        writer.openArray("steering")
        for steering in status.steering {
            writer.openObject()
            writer.add("interface", steering.interface)
            writer.add("steered", steering.steered)
            writer.add("passed", steering.passed)
            writer.closeObject()
        }
        writer.closeArray()
        writer.openObject("unreachable")
        for (destination, reason) in status.unreachable.sorted(by: { $0.key < $1.key }) {
            writer.add(destination, reason)
        }
        writer.closeObject()
        writer.openArray("streams")
    }
}

extension ForwarderStatus {
    /// The status as JSON on one line; much faster than by way of its `Encodable` form.
    package var jsonLine: String {
        var source = StatusJSON(self)
        var text: [UInt8] = []
        var length = -1
        while text.count > length {
            length = text.count
            source.appendNext(to: &text)
        }
        return String(decoding: text.dropLast(), as: UTF8.self)
    }
}

extension JSONWriter {
    fileprivate mutating func add(_ device: ForwarderStatus.Device) {
        openObject()
        add("interface", device.interface)
        add("mac", device.mac)
        add("mtu", device.mtu)
        add("node", device.node)
        add("addresses", device.addresses)
        if let isUp = device.isLinkUp { add("isLinkUp", isUp) }
        add("linkMegabits", device.linkMegabits)
        if let isFullDuplex = device.isFullDuplex { add("isFullDuplex", isFullDuplex) }
        add("linkChanges", device.linkChanges)
        add("handed", device.handed)
        add("received", device.received)
        add("noted", device.noted)
        add("reported", device.reported)
        add("believed", device.believed)
        add("sent", device.sent)
        add("transmitted", device.transmitted)
        add("drops", device.drops)
        add("conflicts", device.conflicts)
        add("neighbors", device.neighbors)
        add("neighborEvents", device.neighborEvents)
        add("narrowPaths", device.narrowPaths)
        closeObject()
    }

    fileprivate mutating func add(_ port: ForwarderStatus.Port) {
        openObject()
        add("interface", port.interface)
        add("queue", port.queue)
        add("backend", port.backend)
        add("isOpen", port.isOpen)
        openArray("features")
        for feature in port.features {
            openObject()
            add("name", feature.name)
            add("requested", feature.requested)
            add("granted", feature.granted)
            add("reason", feature.reason)
            closeObject()
        }
        closeArray()
        add("received", port.received)
        add("receivedBytes", port.receivedBytes)
        add("sent", port.sent)
        add("sentBytes", port.sentBytes)
        add("pending", port.pending)
        add("drops", port.drops)
        closeObject()
    }

    fileprivate mutating func add(_ stream: ForwarderStatus.Stream) {
        openObject()
        add("name", stream.name)
        add("listen", stream.listen)
        add("destinations", stream.destinations)
        openObject("figures")
        let figures = stream.figures
        add("packets", figures.packets)
        add("bytes", figures.bytes)
        add("sent", figures.sent)
        add("dropped", figures.dropped)
        add("notRTP", figures.notRTP)
        add("rtcp", figures.rtcp)
        add("unmeasured", figures.unmeasured)
        add("lost", figures.lost)
        add("reordered", figures.reordered)
        add("duplicates", figures.duplicates)
        add("restarts", figures.restarts)
        add("sourceChanges", figures.sourceChanges)
        add("ssrc", figures.ssrc)
        add("payloadType", figures.payloadType)
        add("jitter", figures.jitter)
        add("lastArrival", figures.lastArrival)
        closeObject()
        closeObject()
    }
}
