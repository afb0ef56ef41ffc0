import Foundation

/// A Python program that runs beside the test, as a client of the service. It is ended with the test.
final class Script {
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private var unread: [UInt8] = []

    init(_ text: String) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-u", "-c", text]
        process.standardOutput = output
        process.standardInput = input
        try process.run()
    }

    /// Lets it go on from an `input()`.
    func goOn() { input.fileHandleForWriting.write(Data("\n".utf8)) }

    /// The next line that it prints, or what there is at its end or after half a minute.
    func line() -> String {
        while !unread.contains(UInt8(ascii: "\n")) {
            var polled = pollfd(
                fd: output.fileHandleForReading.fileDescriptor, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&polled, 1, 30_000) > 0 else { break }
            let data = output.fileHandleForReading.availableData
            if data.isEmpty { break }
            unread += data
        }
        let end = unread.firstIndex(of: UInt8(ascii: "\n")) ?? unread.endIndex
        let line = String(decoding: unread[..<end], as: UTF8.self)
        unread.removeFirst(min(end + 1, unread.count))
        return line
    }

    deinit {
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
