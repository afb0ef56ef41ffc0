import Glibc

/// Why a packet socket could not be opened or changed.
public enum PacketSocketError: Error, Equatable {
    /// The process lacks CAP_NET_RAW, which the command gives it.
    case notPermitted(command: String)
    /// No interface of this network namespace has the name; `known` are those that are there.
    case noSuchInterface(String, known: [String])
    /// Not an Ethernet interface; `type` is the kernel's ARPHRD_ number.
    case notEthernet(String, type: Int)
    /// Several workers can join only while it is up.
    case interfaceDown(String)
    /// An option outside its range.
    case badOption(String, value: String, allowed: String)
    /// The kernel made no ring of that many bytes; `cause` is its error.
    case ringRefused(interface: String, ring: String, bytes: Int, cause: String)
    /// A port was asked for by a worker that the interface was not opened for.
    case noSuchWorker(Int, workers: Int)
    /// The worker has its port already.
    case workerTaken(Int)
    /// A system call failed for a reason that has no name above.
    case refused(interface: String, what: String, cause: String)
}

extension PacketSocketError: CustomStringConvertible {
    /// The thing, the cause and the way out, in a sentence.
    public var description: String {
        switch self {
        case .notPermitted(let command):
            """
            packet sockets need the capability CAP_NET_RAW, which this process does not have; \
            run it as root or give it that: \(command)
            """
        case .noSuchInterface(let name, let known):
            "interface \"\(name)\" does not exist; there are: \(known.joined(separator: ", "))"
        case .notEthernet(let name, let type):
            "interface \"\(name)\" carries no Ethernet frames (type \(type)); choose one that does"
        case .interfaceDown(let name):
            """
            interface "\(name)" is down, and several workers can share it only while it is up: \
            ip link set dev \(name) up
            """
        case .badOption(let name, let value, let allowed):
            "option \(name) is \(value), but must be \(allowed)"
        case .ringRefused(let interface, let ring, let bytes, let cause):
            """
            interface "\(interface)": the kernel gave no \(ring) ring of \(bytes) bytes (\(cause)); \
            ask for a smaller one
            """
        case .noSuchWorker(let worker, let workers):
            "there is no worker \(worker): the interface was opened for workers 0 to \(workers - 1)"
        case .workerTaken(let worker):
            "the port of worker \(worker) was handed out already; each worker has one"
        case .refused(let interface, let what, let cause):
            "interface \"\(interface)\": \(what): \(cause)"
        }
    }
}

/// The text of `errno`.
func systemError(_ code: Int32 = errno) -> String { unsafe String(cString: strerror(code)) }
