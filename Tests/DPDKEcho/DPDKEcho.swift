import Apus
import ApusDPDK
import Glibc

/// Turns back what comes to a device of DPDK's, until SIGTERM; or with a second device, what comes to one leaves by
/// the other. Then it prints the statistics, and whether all frames are accounted for. What the tests run where there
/// are real devices.
///
///     DPDKEcho [--mtu N] [--promiscuous] [--wait] [--strip] [--partial] [--describe] [--queues 2] DEVICE [DEVICE]
///
/// --strip: with tags taken off; --partial: with what it turns left with the sum of the pseudo header in place of the checksum;
/// --describe: a line for each packet with what is known of it.
@main
struct DPDKEcho {
    static func main() {
        var (options, turn, names) = (DPDKOptions(), Turn(), [String]())
        options.framesPerQueue = 4096
        var words = CommandLine.arguments.dropFirst()
        while let word = words.popFirst() {
            switch word {
            case "--mtu": options.mtu = words.popFirst().flatMap { Int($0) }
            case "--wait": turn.waits = true
            case "--promiscuous": options.isPromiscuous = true
            case "--strip": options.vlan = .strip
            case "--partial": turn.isPartial = true
            case "--describe": (turn.describes, options.flowHash, options.timestamps) = (true, true, true)
            case "--queues": options.queues = words.popFirst().flatMap { Int($0) } ?? 1
            default: names.append(word)
            }
        }
        options.interrupts = turn.waits
        blockSignals()
        do throws(DPDKError) {
            try run(names, options, turn)
            // The ports are closed by now.
            try EAL.stop()
        } catch {
            say("error: \(error)")
            exit(69)
        }
    }

    private static func run(_ names: [String], _ options: DPDKOptions, _ turn: Turn) throws(DPDKError) {
        // A device that was closed can be opened again.
        for name in names { _ = try DPDKInterface(name, options).open() }
        if options.queues == 2 {
            let interface = try DPDKInterface(names[0], options)
            var one = try interface.open(queue: 0)
            var other = try interface.open(queue: 1)
            say("grant: \(one.grant)")
            say("ready")
            turnBoth(&one, &other, turn)
            report("queue 0", &one)
            report("queue 1", &other)
            return
        }
        var first = try open(names[0], options)
        if names.count == 1 {
            say("ready")
            echo(&first, turn)
            report(names[0], &first)
            sayWhether(first.driver.pool.free + first.driver.framesInside == first.driver.pool.capacity)
        } else {
            var second = try open(names[1], options)
            say("ready")
            cross(&first, &second)
            report(names[0], &first)
            report(names[1], &second)
            // A frame counts for the port that had it last, so only the sum is one of frames.
            let free = first.driver.pool.free + second.driver.pool.free
            let inside = first.driver.framesInside + second.driver.framesInside
            sayWhether(free + inside == first.driver.pool.capacity + second.driver.pool.capacity)
        }
    }

    private static func open(_ name: String, _ options: DPDKOptions) throws(DPDKError) -> Port<DPDKDriver> {
        let interface = try DPDKInterface(name, options)
        let port = try interface.open()
        say("grant: \(port.grant)")
        say("\(name) mac \(interface.mac) mtu \(interface.mtu)")
        return port
    }

    private static func echo(_ port: inout Port<DPDKDriver>, _ turn: Turn) {
        var burst = Burst()
        var idle = 0
        while !isOver {
            if burst.isEmpty {
                if port.receive(into: &burst) == 0 {
                    idle += 1
                    if turn.waits { port.wait(milliseconds: 1000) } else { usleep(200) }
                }
                burst.forEach { turn(&$0) }
            }
            port.transmit(&burst)
            port.flush()
        }
        say("idle \(idle) times")
    }

    /// What comes to a queue leaves by it.
    private static func turnBoth(_ one: inout Port<DPDKDriver>, _ other: inout Port<DPDKDriver>, _ turn: Turn)
    {
        var first = Burst()
        var second = Burst()
        while !isOver {
            if one.receive(into: &first) + other.receive(into: &second) == 0 { usleep(200) }
            first.forEach { turn(&$0) }
            second.forEach { turn(&$0) }
            one.transmit(&first)
            other.transmit(&second)
        }
    }

    private static func cross(_ one: inout Port<DPDKDriver>, _ other: inout Port<DPDKDriver>) {
        var there = Burst()
        var back = Burst()
        while !isOver {
            if one.receive(into: &there) + other.receive(into: &back) == 0 { usleep(200) }
            other.transmit(&there)
            one.transmit(&back)
            other.flush()
            one.flush()
        }
    }

    private static func report(_ name: String, _ port: inout Port<DPDKDriver>) {
        let now = port.statistics()
        say(
            """
            \(name) received \(now.received) of \(now.receivedBytes) bytes, sent \(now.sent) of \
            \(now.sentBytes) bytes, pending \(now.pending), dropped \(now.drops.total)
            """)
    }

    private static func sayWhether(_ isConserved: Bool) {
        say(isConserved ? "frames conserved" : "frames lost")
    }

    /// From now on SIGTERM ends the loop.
    private static func blockSignals() {
        var ends = sigset_t()
        unsafe sigemptyset(&ends)
        unsafe sigaddset(&ends, SIGTERM)
        unsafe _ = sigprocmask(SIG_BLOCK, &ends, nil)
    }

    private static var isOver: Bool {
        var pending = sigset_t()
        unsafe sigpending(&pending)
        return unsafe sigismember(&pending, SIGTERM) == 1
    }

    /// Without a buffer, so that the line is out at once.
    static func say(_ line: String) {
        _ = unsafe Array("\(line)\n".utf8).withUnsafeBytes { unsafe write(1, $0.baseAddress, $0.count) }
    }
}
