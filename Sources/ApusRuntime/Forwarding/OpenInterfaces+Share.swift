import ApusConfig
import ApusPorts
import ApusRings
import ApusXDP

/// Interfaces with fewer queues than there are workers.
extension OpenInterfaces {
    /// Whether workers share its queues, as it has fewer than there are workers.
    func isShared(_ number: Int) -> Bool { queueCount(of: number) < workers }

    /// Opens the queues of an interface, and gives each worker a share of them, in the order of the workers.
    func openShared(
        _ number: Int, _ configuration: ForwarderConfiguration
    ) throws(ForwarderError) -> FixedArray<RestingWorker.Seat> {
        switch opened[number] {
        case .xdp(let interface):
            try makeSpareFrames(number, in: interface.memory.frames, each: interface.options.framesPerQueue)
            let frames = interface.options.framesPerQueue
            return try share(number, .xdp, framesPerQueue: frames) {
                (queue) throws(ForwarderError) -> Port<XDPDriver> in
                try ForwarderError.lift { () throws(XDPError) in
                    try interface.open(queue: queue, number: UInt16(number))
                }
            }
        case .dpdk(let device):
            let options = configuration.port(on: names[number])
            // A worker without a queue copies to frames of the kernel's memory, and the one that sends for it to those of the
            // device, whose own are all its driver's to receive into.
            let memory = try ForwarderError.lift { () throws(MemoryError) in
                try FrameMemory(
                    parts: (device.queueCount..<workers).map {
                        FrameMemory.Part(frames: options.framesPerQueue, node: node(ofWorker: $0))
                    }, frameSize: options.size, hugePages: options.pages)
            }
            try makeSpareFrames(number, in: memory, each: options.framesPerQueue)
            return try share(number, .dpdk, framesPerQueue: device.framesPerQueue) { device.takePort($0) }
        case .packet, nil: preconditionFailure("over AF_PACKET each worker has a queue")
        }
    }

    private func share<Own: QueueDriver & ~Copyable>(
        _ number: Int, _ backend: Backend, framesPerQueue: Int,
        _ open: (Int) throws(ForwarderError) -> Port<Own>
    ) throws(ForwarderError) -> FixedArray<RestingWorker.Seat> {
        let queues = queueCount(of: number)
        var longest = 0
        var links: FixedArray<WorkerLinks?>
        do throws(ServiceError) {
            links = try WorkerLinks.mesh(
                workers: workers, queues: queues,
                length: WorkerLinks.length(frames: framesPerQueue, workers: workers))
        } catch {
            throw refusal(number, error)
        }
        return try FixedArray(count: workers) { (worker) throws(ForwarderError) in
            let own = links[worker].take()!
            guard worker < queues else {
                let share = SharedDriver<Own>(
                    own, spare: spareFrames[number]![worker - queues], interface: names[number],
                    backend: backend, longest: longest)
                return RestingWorker.Seat(Own.backendPort(ofShare: Port(share)), interface: number)
            }
            let port = try open(worker)
            longest = port.driver.maximumPacketSize
            do throws(ServiceError) {
                let share = try SharedDriver(port, own)
                return RestingWorker.Seat(Own.backendPort(ofShare: Port(share)), interface: number)
            } catch {
                throw refusal(number, error)
            }
        }
    }

    /// What workers wake each other by can't be had.
    private func refusal(_ number: Int, _ error: ServiceError) -> ForwarderError {
        .required("\(names[number]): its flows can't be spread over \(workers) workers: \(error)")
    }

    /// The frames of workers without a queue, which stay when the interface goes.
    private func makeSpareFrames(_ number: Int, in memory: FrameMemory, each count: Int)
        throws(ForwarderError)
    {
        var all = spareFrames[number] ?? []
        let queues = queueCount(of: number)
        while all.count < workers - queues {
            let node = node(ofWorker: queues + all.count)
            let pool = try ForwarderError.lift { () throws(MemoryError) in
                try memory.makePool(frames: count, node: node)
            }
            all.append(SpareFrames(pool))
        }
        spareFrames[number] = all
    }
}
