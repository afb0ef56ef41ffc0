import ApusConfig
import ApusPacketSocket
import ApusRings
import ApusWire
import ApusXDP

/// What a configuration asks for, in the words of the drivers.
extension PortConfiguration {
    /// `nodes`: those of the workers.
    func xdpOptions(nodes: [Int] = []) -> XDPOptions {
        var options = XDPOptions()
        options.mode =
            switch mode {
            case .auto: .best
            case .native: .native
            case .generic: .generic
            }
        options.zeroCopy =
            switch zeroCopy {
            case .auto: .preferred
            case .require: .required
            case .never: .never
            }
        options.receiveRing = ringSize
        options.transmitRing = ringSize
        options.fillRing = 2 * ringSize
        options.completionRing = ringSize
        options.framesPerQueue = framesPerQueue
        options.frameSize = size
        options.hugePages = pages
        options.nodes = nodes
        options.busyPoll = busyPoll.map { .init(microseconds: $0.microseconds, budget: $0.budget) }
        return options
    }

    func packetOptions(workers: Int, endpoints: [Endpoint]) -> PacketSocketOptions {
        var options = PacketSocketOptions()
        options.workers = workers
        options.receiveRing = .slots(count: ringSize)
        options.transmitSlots = ringSize
        options.filter = .udpPorts(Set(endpoints.map(\.port)).sorted())
        return options
    }

    var size: FrameSize { FrameSize(rawValue: frameSize) ?? .bytes2048 }

    var pages: HugePages {
        switch hugepages {
        case .auto: .preferred
        case .require: .required
        case .never: .never
        }
    }
}
