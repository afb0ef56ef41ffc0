import Apus
import Glibc

/// The SSH connection that a command runs in, as sshd(8) tells of it in SSH_CONNECTION, and whether rules would cut it.
struct SSHSession: Equatable {
    let client: Endpoint
    let server: Endpoint

    /// Reads the client's address and port and the server's; nil where they are none.
    init?(_ text: String) {
        let words = text.split(separator: " ")
        guard words.count == 4, let clientPort = UInt16(words[1]), let serverPort = UInt16(words[3]),
            // A zone says on which link an address is valid, and is not in packets.
            let client = IPAddress(String(words[0].prefix { $0 != "%" })),
            let server = IPAddress(String(words[2].prefix { $0 != "%" })),
            client.bitCount == server.bitCount
        else { return nil }
        self.client = Endpoint(client, port: clientPort)
        self.server = Endpoint(server, port: serverPort)
    }

    /// Whether a process runs in a connection.
    enum Finding: Equatable {
        /// In this one.
        case session(SSHSession)
        /// Under sshd(8), which of its connections no process says that may be read.
        case unknown
        /// As far as anybody says in none.
        case none
    }

    /// The connection of this process: by its environment, or where sudo(8) has cleared that by those of the processes that
    /// it was started from, which root may read.
    static var current: Finding {
        if let session = environment("SSH_CONNECTION").flatMap({ SSHSession($0) }) {
            return .session(session)
        }
        var process = getppid()
        // No chain is as long as this; a process that ends meanwhile may be another's number.
        for _ in 0..<100 where process > 1 {
            let folder = "/proc/\(process)"
            guard let stat = processText("\(folder)/stat"), let open = stat.firstIndex(of: "("),
                let close = stat.lastIndex(of: ")")
            else { return .none }
            // Since OpenSSH 9.8 a connection has a program of its own.
            if ["sshd", "sshd-session"].contains(stat[open..<close].dropFirst()) { return .unknown }
            let variables = processText("\(folder)/environ")?.split(separator: "\0") ?? []
            let found = variables.first { $0.hasPrefix("SSH_CONNECTION=") }
            if let session = found.flatMap({ SSHSession(String($0.dropFirst(15))) }) {
                return .session(session)
            }
            guard let parent = stat[close...].split(separator: " ").dropFirst(2).first.flatMap({ Int32($0) })
            else { return .none }
            process = parent
        }
        return .none
    }

    /// How many packets are judged, and the nanoseconds between them: as slow as somebody types.
    private static let (packets, interval): (Int, UInt64) = (20, 100_000_000)

    /// Warns if rules that are to be put in force on an interface would drop packets of the connection.
    ///
    /// - Parameters:
    ///   - before: the rules in force, of which nothing is to be said that was said before.
    ///   - undo: the command that takes the rules back; nil if they are not put in force now.
    static func warn(
        of rules: FilterRules, after before: FilterRules? = nil, on interface: String, undo: String?,
        _ log: Output
    ) {
        guard !rules.isDryRun else { return }
        let session: SSHSession
        switch current {
        case .none: return
        case .session(let found): session = found
        case .unknown:
            tell(
                "whether these rules drop the SSH connection that this command runs in can't be told, as nothing says which "
                    + "it is; keep SSH_CONNECTION with `sudo --preserve-env=SSH_CONNECTION`", log)
            return
        }
        guard session.mayComeIn(by: interface) else { return }
        let warning: String
        do throws(FilterError) {
            guard let verdict = try session.refusal(by: rules, interface) else { return }
            if let before, try session.refusal(by: before, interface) != nil { return }
            warning =
                "these rules drop packets of the SSH connection that this command runs in, from "
                + "\(session.client.address) to \(session.server): \(rules.text(of: verdict)); write "
                + "management: ['tcp/\(session.server.port)'] in a file of rules to let it pass"
                + (undo.map { ", or undo it from the console with `\($0)`" } ?? "")
        } catch {
            warning =
                "whether these rules drop the SSH connection that this command runs in can't be told: \(error)"
        }
        tell(warning, log)
    }

    /// Warns on standard error.
    static func tell(_ warning: String, _ log: Output) {
        log.line("\(log.style.bold("warning:")) \(warning.printable)")
    }

    /// Why rules would drop a packet of the client's; nil if they let all pass.
    private func refusal(by rules: FilterRules, _ interface: String) throws(FilterError) -> FilterVerdict? {
        var rules = rules
        // One source needs no larger table.
        (rules.sourceCapacity, rules.banCapacity) = (1024, 1024)
        var explanation = try FilterExplanation(of: rules, for: interface)
        for number in 0..<Self.packets {
            let trial = try explanation.judge(packet, at: UInt64(number) * Self.interval)
            if !trial.passed { return trial.verdict }
        }
        return nil
    }

    /// Whether its packets may come in by an interface: it has the address that they go to, or leads to one that has it,
    /// or the way back is by it; and if the kernel does not tell.
    private func mayComeIn(by interface: String) -> Bool {
        guard let host = try? HostView(), let own = try? host.link(named: interface) else { return true }
        guard let holder = host.link(having: server.address) else { return true }
        if holder.index == own.index || own.controller == holder.index { return true }
        var next = holder.parent
        // As many steps as there are interfaces at most.
        for _ in 0..<host.links.count {
            guard let index = next else { break }
            if index == own.index || own.controller == index { return true }
            next = host.links[index]?.parent
        }
        if holder.isLoopback, server.address == client.address { return false }
        guard case .success(let route)? = try? host.route(Route.Query(to: client.address)) else {
            return false
        }
        return route.interface == own.index
    }

    /// A TCP segment of the client's: Ethernet, IPv4 or IPv6, and an acknowledgment without data (RFC 9293 section 3.1).
    var packet: [UInt8] {
        var frame: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]
        func octets(_ number: some FixedWidthInteger) -> [UInt8] {
            (0..<number.bitWidth / 8).reversed().map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
        }
        switch (client.address, server.address) {
        case (.v4(let source), .v4(let destination)):
            var header: [UInt8] =
                [0x45, 0, 0, 40, 0, 0, 0x40, 0, 64, 6, 0, 0] + octets(source.bits) + octets(destination.bits)
            var sum = stride(from: 0, to: 20, by: 2).reduce(0) {
                $0 + (Int(header[$1]) << 8) + Int(header[$1 + 1])
            }
            while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
            (header[10], header[11]) = (~UInt8(sum >> 8), ~UInt8(sum & 0xff))
            frame += [0x08, 0] + header
        case (let source, let destination):
            frame += [0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, 6, 64]
            for address in [source, destination] {
                if case .v6(let address) = address { frame += octets(address.high) + octets(address.low) }
            }
        }
        frame += octets(client.port) + octets(server.port)
        return frame + [0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0]
    }
}

/// The text of a file of proc(5), whose size nobody knows before it is read; nil if it can't be.
private func processText(_ file: String) -> String? {
    // The path outlives the call.
    let descriptor = unsafe open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    while bytes.count < 1 << 20 {
        // The closure writes at most as many bytes as there is room for, and says how many read(2) filled.
        let part = unsafe [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            count = max(0, unsafe read(descriptor, buffer.baseAddress, buffer.count))
        }
        if part.isEmpty { break }
        bytes += part
    }
    return String(decoding: bytes, as: UTF8.self)
}
