import ApusConfig
import ApusPorts
import ApusRings
import ApusXDP

/// Interfaces with fewer queues than there are workers.
extension OpenInterfaces {
    /// Packets that a ring between two workers holds: as many as some milliseconds bring at a million a second.
    private static var ringLength: Int { 2048 }

    /// Opens the queues of an interface, and gives each worker a share of them, in the order of the workers.
    func openShared(
        _ interface: XDPInterface, _ number: Int
    ) throws(ForwarderError) -> FixedArray<RestingWorker.Seat> {
        let queues = interface.queueCount
        try makeSpareFrames(interface, number, count: workers - queues)
        var longest = 0
        var links: FixedArray<WorkerLinks?>
        do throws(ServiceError) {
            links = try WorkerLinks.mesh(workers: workers, queues: queues, length: Self.ringLength)
        } catch {
            throw refusal(number, error)
        }
        return try FixedArray(count: workers) { (worker) throws(ForwarderError) in
            let own = links[worker].take()!
            guard worker < queues else {
                let driver = SharedDriver<XDPDriver>(
                    own, spare: spareFrames[number]![worker - queues], interface: names[number],
                    longest: longest)
                return RestingWorker.Seat(.shared(Port(driver)), interface: number)
            }
            let port = try ForwarderError.lift { () throws(XDPError) in
                try interface.open(queue: worker, number: UInt16(number))
            }
            longest = port.driver.maximumPacketSize
            do throws(ServiceError) {
                return RestingWorker.Seat(.shared(Port(try SharedDriver(port, own))), interface: number)
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
    private func makeSpareFrames(
        _ interface: XDPInterface, _ number: Int, count: Int
    ) throws(ForwarderError) {
        var all = spareFrames[number] ?? []
        while all.count < count {
            let pool = try ForwarderError.lift { () throws(MemoryError) in
                try interface.memory.frames.makePool(frames: interface.options.framesPerQueue)
            }
            all.append(SpareFrames(pool))
        }
        spareFrames[number] = all
    }
}
