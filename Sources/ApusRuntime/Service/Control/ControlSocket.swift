import ApusConfig
import CLinux
import Glibc

/// The UNIX socket on which a running service is asked and steered.
///
/// A client writes commands, one a line, and gets one line of JSON for each: `{"ok":true,…}` or
/// `{"ok":false,"error":"…"}`. Who may connect is what the mode and the group of the file say; where they let
/// in the owner alone, the kernel's word for who has connected (SO_PEERCRED) must be the owner's or root's.
///
/// Nothing here waits: see ``descriptor`` and ``attend(_:)``. Clients, lines and times are limited.
final class ControlSocket {
    static let mostClients = 16

    private let ready: DescriptorSet
    private var listener: ControlListener
    private var clients: [Int32: ControlClient] = [:]
    private let limits: ControlLimits
    // Until when no client is taken, because the process has used up its descriptors; 0 if there is no need.
    private var pause: UInt64 = 0

    /// Makes the socket; see ``ControlListener``.
    convenience init(
        _ configuration: ControlConfiguration, limits: ControlLimits = ControlLimits()
    ) throws(ServiceError) {
        try self.init(ControlListener(configuration), limits: limits)
    }

    /// Takes over a socket that listens.
    init(
        _ listener: consuming ControlListener, limits: ControlLimits = ControlLimits()
    ) throws(ServiceError) {
        self.limits = limits
        ready = try DescriptorSet()
        try ready.add(listener.descriptor)
        self.listener = listener
    }

    deinit { for client in clients.keys { close(client) } }

    /// Readable when ``attend(_:)`` has something to do.
    var descriptor: Int32 { ready.descriptor }

    /// Where it is.
    var configuration: ControlConfiguration { listener.configuration }

    /// Whether a path leads to the file that it has already, if by another name.
    func isServing(_ path: String) -> Bool { listener.isFile(at: path) }

    /// Goes on at another place, with the clients it has.
    func move(to other: consuming ControlListener) throws(ServiceError) {
        try ready.add(other.descriptor)
        ready.remove(listener.descriptor)
        listener = other
    }

    /// Changes who may connect, and by what name the file is known.
    func change(to other: ControlConfiguration) throws(ServiceError) { try listener.change(to: other) }

    /// Takes clients and what they say, has `perform` carry it out, and writes answers as far as that goes
    /// without waiting. Call it when ``descriptor`` is readable, and once a second for the time limits.
    func attend(_ perform: (ControlCommand, PeerCredentials?) -> ControlAnswer) {
        for member in ready.ready() {
            if member.descriptor == listener.descriptor {
                accept()
            } else if var client = clients[member.descriptor] {
                // Who has hung up may still have said something.
                if member.isBroken, !member.isReadable {
                    drop(client)
                } else {
                    if member.isReadable, client.state == .reading { client.read() }
                    go(on: &client, perform)
                }
            }
        }
        let now = Clock.monotonic
        if pause > 0, pause <= now {
            pause = 0
            ready.wait(for: listener.descriptor, toWrite: false)
        }
        for client in clients.values where client.deadline <= now { drop(client) }
    }

    /// Gives those clients their answer who were told that it comes later.
    func answerWaiting(_ answer: ControlAnswer) {
        for var client in clients.values where client.state == .waiting {
            client.answer(answer.text()!)
            // Further commands of this client have their turn the next time.
            client.write()
            keep(client)
        }
    }

    private func accept() {
        // One at a time: those who have come before have their turn in between.
        let descriptor = apus_accept(listener.descriptor)
        guard descriptor >= 0 else {
            if errno == EMFILE || errno == ENFILE {
                // It would be ready again at once; there may be descriptors in a second.
                pause = Clock.monotonic &+ 1_000_000_000
                ready.pause(listener.descriptor)
            }
            return
        }
        var client = ControlClient(descriptor, peer: PeerCredentials(of: descriptor), limits: limits)
        if let reason = refusal(of: client.peer) {
            client.answer(ControlAnswer.failed(reason).text()!)
            // A new connection has room for a line.
            client.write()
            return drop(client)
        }
        do throws(ServiceError) { try ready.add(descriptor) } catch {
            close(descriptor)
            return
        }
        clients[descriptor] = client
    }

    /// Why a client is turned away, or nil.
    private func refusal(of peer: PeerCredentials?) -> String? {
        if clients.count >= Self.mostClients {
            return "\(Self.mostClients) clients are connected, and there may be no more"
        }
        // A process with CAP_DAC_OVERRIDE gets past the file's mode.
        let isForOwner = configuration.mode.bits & 0o022 == 0
        guard isForOwner, let peer, peer.user != 0, peer.user != geteuid() else { return nil }
        return "the socket's mode lets in its owner only, and you are user \(peer.user)"
    }

    private func go(
        on client: inout ControlClient, _ perform: (ControlCommand, PeerCredentials?) -> ControlAnswer
    ) {
        client.write()
        // A fair share; the set finds the client again if lines are left.
        for _ in 0..<8 {
            guard let line = client.nextLine() else { break }
            if line.isEmpty { continue }
            if let command = ControlCommand(rawValue: line) {
                if let answer = command == .help ? ControlAnswer.help : perform(command, client.peer).text() {
                    client.answer(answer)
                } else {
                    client.wait()
                }
            } else {
                client.answer(ControlAnswer.failed(Self.unknown(line)).text()!)
            }
            client.write()
        }
        keep(client)
    }

    private static func unknown(_ line: String) -> String {
        let names = ControlCommand.allCases.map(\.rawValue)
        let near = nearestName(to: line, among: names).map { "did you mean \($0)?" }
        return "unknown command \(line.quoted); \(near ?? "there are: " + names.joined(separator: ", "))"
    }

    private func keep(_ client: ControlClient) {
        switch client.state {
        case .finished: return drop(client)
        // Lines that are left are taken as soon as the others had their turn: there is always room to write.
        case .reading: ready.wait(for: client.descriptor, toWrite: client.hasLine)
        case .writing: ready.wait(for: client.descriptor, toWrite: true)
        case .waiting: ready.pause(client.descriptor)
        }
        clients[client.descriptor] = client
    }

    private func drop(_ client: ControlClient) {
        clients[client.descriptor] = nil
        // Closing takes it out of the set only when nobody else has it open, as a child has between fork(2) and
        // exec(2); it would be found ready for ever, or taken for the next client of its number.
        ready.remove(client.descriptor)
        // Closing with something unread would look like a failure to the client.
        client.skipUnread()
        close(client.descriptor)
    }
}
