import ApusPorts
import ApusRings
import CLinux
import Glibc

/// A file in memory, so that many a second can be opened by name.
private final class File {
    let descriptor = unsafe memfd_create("fuzz", 1)
    var path: String { "/proc/self/fd/\(descriptor)" }

    /// The file of these octets; for the input, which is written anew each time.
    func fill(_ start: UnsafePointer<UInt8>, _ count: Int) {
        precondition(ftruncate(descriptor, 0) == 0)
        precondition(unsafe pwrite(descriptor, start, count, 0) == count)
    }
}

private nonisolated(unsafe) let files = (input: File(), copy: File())

/// A pcap or pcapng file as a port: each packet is received whole or counted by reason, reading ends, and what
/// was received is the same when it is written as pcapng and read again.
@c(fuzz_capture)
public func fuzzCapture(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let (input, copy) = unsafe (files.input, files.copy)
    unsafe input.fill(start, count)
    guard let sum = play(input.path, copyingTo: copy.path) else { return 0 }
    // Nothing was received: the copy is a header.
    guard let again = play(copy.path, copyingTo: nil) else { preconditionFailure("the copy can't be read") }
    precondition(again == sum)
    return 0
}

/// What was received, summed up; `nil` when the file can't be opened.
private func play(_ path: String, copyingTo copy: String?) -> [UInt64]? {
    do throws(CaptureError) {
        // Without huge pages, which take milliseconds to make.
        guard let memory = try? FrameMemory(frames: 64, hugePages: .never),
            let pool = try? memory.makePool(frames: 64)
        else { preconditionFailure("no memory") }
        var driver = try CaptureDriver(reading: path, pool: pool)
        var burst = Burst()
        var sum: [UInt64] = []
        var received: UInt64 = 0
        do {
            var writer: CaptureWriter? =
                if let copy { try CaptureWriter(path: copy, format: .pcapng) } else { nil }
            while !driver.isFinished {
                received += UInt64(driver.receive(into: &burst))
                while let packet = burst.popFirst() {
                    precondition(packet.count <= 1728 && packet.totalCount == packet.count)
                    use(packet.bytes)
                    sum += [UInt64(packet.count), packet.timestamp]
                    if var open = writer.take() {
                        open.append(packet, timestamp: packet.timestamp)
                        writer = consume open
                    }
                }
            }
        }
        let figures = driver.statistics()
        precondition(figures.received == received && UInt64(sum.count) == 2 * received)
        precondition(driver.framesInside == 0)
        if let failure = driver.failure { use(failure.description.utf8.count) }
        return sum
    } catch {
        use(error.description.utf8.count)
        return nil
    }
}
