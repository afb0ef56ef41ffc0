import ApusPorts
import ApusRings
import Glibc

@testable import ApusDPDK

/// A port over a device of DPDK's in a process of its own, since DPDK starts once a process: what the tests run in namespaces.
///
///     DPDKPort answer DEVICE SECONDS     answers ARP and pings for 192.0.2.2, UDP to port 7, and numbered frames
///     DPDKPort exchange DEVICE COUNT     sends numbered frames, which the other end answers, and looks at each
///     DPDKPort turn DEVICE COUNT         sends what it receives, as it is
///     DPDKPort send DEVICE COUNT         sends numbered frames by its last queue, one every 5 ms
///     DPDKPort open DEVICE 0             opens it, and closes it
///
/// It prints what it got and, at the end, what it counted, as a line of JSON each. Options: --huge, --memory MIB, --core N,
/// --eal ARGUMENT, --wait MILLISECONDS, --longest OCTETS, --queues N, --mtu N, --frames N, --descriptors N.
@main
struct DPDKPort {
    static func main() {
        guard let arguments = Arguments(Array(CommandLine.arguments.dropFirst())) else {
            say("usage: DPDKPort answer|exchange|turn|send|open DEVICE NUMBER [OPTION]...")
            exit(64)
        }
        do throws(DPDKError) {
            try EAL.start(arguments.environment)
            var isWell = true
            do {
                let interface = try DPDKInterface(arguments.device, arguments.options)
                var port = try interface.open()
                say(
                    """
                    {"ready": true, "driver": "\(interface.driver)", "mac": "\(interface.mac)", "mtu": \(interface.mtu), \
                    "descriptor": \(port.driver.readyDescriptor), "grant": "\(port.grant)"}
                    """)
                var work = Work(arguments, mac: interface.mac)
                switch arguments.verb {
                case "answer": work.answer(&port)
                case "exchange": isWell = work.exchange(&port)
                case "turn": isWell = work.turn(&port)
                case "send" where interface.queueCount > 1:
                    var last = try interface.open(queue: interface.queueCount - 1)
                    work.send(&last)
                    report(&port, waits: work.waits)
                    report(&last, waits: work.waits)
                case "send": work.send(&port)
                default: break
                }
                if arguments.verb != "send" || interface.queueCount == 1 {
                    report(&port, waits: work.waits)
                }
            }
            say("{\"closed\": true, \"lost_pools\": \(MbufMemory.retiredCount)}")
            exit(isWell ? 0 : 1)
        } catch {
            say("error: \(error)")
            exit(69)
        }
    }

    private static func report(_ port: inout Port<DPDKDriver>, waits: Int) {
        let statistics = port.statistics()
        let drops = PortDrop.allCases.filter { statistics.drops[$0] > 0 }
            .map { "\"\($0.label)\": \(statistics.drops[$0])" }.joined(separator: ", ")
        let free = port.driver.pool.free
        say(
            """
            {"received": \(statistics.received), "received_bytes": \(statistics.receivedBytes), \
            "sent": \(statistics.sent), "sent_bytes": \(statistics.sentBytes), "drops": {\(drops)}, \
            "waits": \(waits), "conserved": \(port.driver.framesInside + free == port.driver.pool.capacity)}
            """)
    }
}

/// Without a buffer, so that the line is out before the process is killed.
func say(_ line: String) {
    _ = unsafe Array("\(line)\n".utf8).withUnsafeBytes { unsafe write(1, $0.baseAddress, $0.count) }
}
