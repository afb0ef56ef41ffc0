import Testing

/// How the forwarder under test gets at packets.
enum Backend: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case native = "AF_XDP native"
    case generic = "AF_XDP generic"
    case packetSocket = "AF_PACKET"

    var testDescription: String { rawValue }

    var isXDP: Bool { self != .packetSocket }

    /// As options of `apus forward`.
    var options: [String] {
        switch self {
        case .native: ["--backend", "xdp", "--mode", "native"]
        case .generic: ["--backend", "xdp", "--mode", "generic"]
        case .packetSocket: ["--backend", "packet"]
        }
    }

    /// As settings of a port in a configuration file.
    var settings: String {
        switch self {
        case .native: #"backend: "xdp", mode: "native""#
        case .generic: #"backend: "xdp", mode: "generic""#
        case .packetSocket: #"backend: "packet""#
        }
    }
}
