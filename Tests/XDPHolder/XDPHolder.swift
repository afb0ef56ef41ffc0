import ApusPorts
import ApusRings
import ApusWire
import ApusXDP
import Glibc

/// Holds an interface with AF_XDP and echoes what comes to a port, until SIGINT, SIGTERM, or it is killed: what the
/// tests end, run beside themselves, and start without privileges.
///
///     XDPHolder INTERFACE ADDRESS:PORT native|generic
@main
struct XDPHolder {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let endpoint = Endpoint(arguments[2]) else {
            say("usage: XDPHolder INTERFACE ADDRESS:PORT native|generic")
            exit(64)
        }
        var options = XDPOptions()
        options.mode = arguments[3] == "native" ? .native : .generic
        options.hugePages = .never
        blockSignals()
        do throws(XDPError) {
            try hold(arguments[1], endpoint, options)
        } catch {
            say("error: \(error)")
            exit(77)
        }
    }

    private static func hold(_ name: String, _ endpoint: Endpoint, _ options: XDPOptions) throws(XDPError) {
        let interface = try XDPInterface(name, options)
        try interface.add(endpoint)
        var port = try interface.open(queue: 0)
        for remark in interface.steering?.grant.remarks ?? [] { say("remark: \(remark)") }
        if interface.steering?.isAttached == true { say("attached") }
        if interface.steering?.grant.takesFragments == true { say("takes fragments") }
        say("ready")
        var burst = Burst()
        while !isOver {
            if port.receive(into: &burst) == 0 { port.wait(milliseconds: 100) }
            port.transmit(&burst)
            port.flush()
        }
        if let counters = interface.steering?.counters { say("steered \(counters.steered)") }
    }

    /// From now on SIGINT and SIGTERM end the loop.
    private static func blockSignals() {
        var ends = sigset_t()
        unsafe sigemptyset(&ends)
        for number in [SIGINT, SIGTERM] { unsafe sigaddset(&ends, number) }
        unsafe _ = sigprocmask(SIG_BLOCK, &ends, nil)
    }

    private static var isOver: Bool {
        var pending = sigset_t()
        unsafe sigpending(&pending)
        return unsafe sigismember(&pending, SIGINT) == 1 || sigismember(&pending, SIGTERM) == 1
    }

    /// Without a buffer, so that the line is out before the process is killed.
    private static func say(_ line: String) {
        _ = unsafe Array("\(line)\n".utf8).withUnsafeBytes { unsafe write(1, $0.baseAddress, $0.count) }
    }
}
