public import ApusConfig
public import ApusHost
public import ApusPacketSocket
public import ApusRings
public import ApusXDP

#if DPDK
    public import ApusDPDK
#endif

/// Why a forwarder can't start, or can't take up a new configuration.
public enum ForwarderError: Error, CustomStringConvertible {
    /// What is written makes no sense, or none on this host.
    case configuration(ConfigurationErrors)
    /// What is written would be fine, but the host has not got it to give now, such as a port that is in use; the
    /// place where it is asked for.
    case unavailable(ConfigurationErrors)
    /// What is written would be fine, but there are no such devices; the place where they are asked for.
    case missing(ConfigurationErrors)
    /// What is written needs capabilities that this process lacks; the place where it is asked for.
    case notPermitted(ConfigurationErrors)
    case host(HostError)
    case memory(MemoryError)
    case packetSocket(PacketSocketError)
    case xdp(XDPError)
    #if DPDK
        case dpdk(DPDKError)
    #endif
    /// A worker has no thread to run on.
    case thread(ThreadError)
    /// Ports with a feature that the configuration requires can't be had.
    case required(String)
    /// The change needs a new start.
    case needsRestart(String)

    /// The thing, the cause and the way out.
    public var description: String {
        switch self {
        case .configuration(let errors), .unavailable(let errors), .missing(let errors),
            .notPermitted(let errors):
            errors.description
        case .host(let error): error.description
        case .memory(let error): error.description
        case .packetSocket(let error): error.description
        case .xdp(let error): error.description
        #if DPDK
            case .dpdk(let error): error.description(.configuration)
        #endif
        case .thread(let error): error.description
        case .required(let text), .needsRestart(let text): text
        }
    }
}

/// Runs a step that fails in its own way, and gives the failure its place among these.
extension ForwarderError {
    static func lift<Value: ~Copyable>(
        _ body: () throws(ConfigurationErrors) -> Value
    ) throws(ForwarderError) -> Value {
        do throws(ConfigurationErrors) { return try body() } catch { throw .configuration(error) }
    }

    static func lift<Value: ~Copyable>(_ body: () throws(HostError) -> Value) throws(ForwarderError) -> Value
    {
        do throws(HostError) { return try body() } catch { throw .host(error) }
    }

    static func lift<Value: ~Copyable>(_ body: () throws(MemoryError) -> Value) throws(ForwarderError)
        -> Value
    {
        do throws(MemoryError) { return try body() } catch { throw .memory(error) }
    }

    static func lift<Value: ~Copyable>(
        _ body: () throws(PacketSocketError) -> Value
    ) throws(ForwarderError) -> Value {
        do throws(PacketSocketError) { return try body() } catch { throw .packetSocket(error) }
    }

    static func lift<Value: ~Copyable>(_ body: () throws(XDPError) -> Value) throws(ForwarderError) -> Value {
        do throws(XDPError) { return try body() } catch { throw .xdp(error) }
    }
}
