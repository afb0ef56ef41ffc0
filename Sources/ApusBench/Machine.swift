import FoundationEssentials
import Glibc

/// A line of /proc/cpuinfo, of the first core; empty if there is none.
func cpuInformation(_ key: String) -> String {
    let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    for line in lines.split(separator: "\n") where line.hasPrefix(key) {
        let parts = line.split(separator: ":", maxSplits: 1)
        if parts.count == 2, parts[0].trimmingBlanks == key { return parts[1].trimmingBlanks }
    }
    return ""
}

extension Substring {
    fileprivate var trimmingBlanks: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}

/// What was measured on.
public struct Machine: Codable, Equatable, Sendable {
    /// What /proc/cpuinfo calls the first core; empty where it has no name.
    public var processor: String
    /// `x86_64` or `aarch64`.
    public var architecture: String
    /// How many there are.
    public var cores: Int
    /// The release of Linux.
    public var kernel: String
    /// The distribution and its version.
    public var system: String
    /// `tsc`, or `clock_gettime` where the time-stamp counter may change its speed.
    public var clock: String
    /// Ticks of the time-stamp counter a nanosecond, if it is used.
    public var ticksPerNanosecond: Double?

    /// This machine, and what times are taken with.
    public init(_ stopwatch: Stopwatch) {
        var name = utsname()
        unsafe _ = uname(&name)
        processor = cpuInformation("model name")
        architecture = unsafe withUnsafeBytes(of: name.machine) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        kernel = unsafe withUnsafeBytes(of: name.release) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        cores = ProcessInfo.processInfo.processorCount
        system = ProcessInfo.processInfo.operatingSystemVersionString
        clock = stopwatch.nanosecondsPerTick == nil ? "clock_gettime" : "tsc"
        ticksPerNanosecond = stopwatch.nanosecondsPerTick.map { 1 / $0 }
    }
}

/// How much of the machine others had while something was measured.
public struct Load: Codable, Equatable, Sendable {
    /// The load average of the last minute, at the start.
    public var averageAtStart: Double
    /// The share of all cores' time that went to others, or was taken by the hypervisor: 0 to 1.
    public var othersShare: Double

    /// Above this a result says that the machine was busy.
    static var quietLimit: Double { 0.05 }

    /// A load that is known already.
    public init(averageAtStart: Double, othersShare: Double) {
        (self.averageAtStart, self.othersShare) = (averageAtStart, othersShare)
    }
}

/// Watches what others do from when it is made.
struct LoadWatch {
    private let average: Double
    private let start = Self.times

    /// Begins to watch.
    init() {
        let text = (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8)) ?? ""
        average = text.split(separator: " ").first.flatMap { Double($0) } ?? 0
    }

    /// What they did until now.
    var load: Load {
        let now = Self.times
        let whole = Double(now.whole - start.whole)
        let others = Double(now.busy - start.busy) - (now.own - start.own)
        return Load(averageAtStart: average, othersShare: whole > 0 ? max(0, others / whole) : 0)
    }

    /// All cores' time and what processes and the hypervisor had of it (/proc/stat, proc(5)), and what of that was
    /// this process' and its children's, in clock ticks. Interrupts are nobody's: those of packets that a measurement
    /// sends are its own.
    private static var times: (whole: Int, busy: Int, own: Double) {
        let text = (try? String(contentsOfFile: "/proc/stat", encoding: .utf8)) ?? ""
        let fields = text.prefix { $0 != "\n" }.split(separator: " ").dropFirst().compactMap { Int($0) }
        // user nice system idle iowait irq softirq steal; guest time is in user time already.
        let whole = fields.prefix(8).reduce(0, +)
        let busy = fields.count > 7 ? fields[0] + fields[1] + fields[2] + fields[7] : 0
        return (whole, busy, own)
    }

    /// The time of this process and of its children, those that have ended and those that have not, in clock ticks.
    static var own: Double {
        var children = rusage()
        unsafe _ = getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &children)
        let childTime = [children.ru_utime, children.ru_stime].reduce(0) {
            $0 + Double($1.tv_sec) + Double($1.tv_usec) / 1e6
        }
        let own = Double(clock_gettime_nsec(CLOCK_PROCESS_CPUTIME_ID)) / 1e9 + childTime
        return own * Double(sysconf(Int32(_SC_CLK_TCK))) + Double(living)
    }

    /// The time of the processes that this one has started, and they, and which have not been waited for, in clock ticks
    /// (/proc/PID/stat, proc_pid_stat(5)).
    private static var living: Int {
        var children: [Int: [(id: Int, time: Int)]] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let id = Int(name), let data = try? Data(contentsOf: URL(filePath: "/proc/\(id)/stat"))
            else { continue }
            // Behind the name of the program, which may hold any octet: state, parent, …, utime, stime, cutime, cstime.
            let fields =
                String(decoding: data, as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
            guard fields.count > 14, let parent = Int(fields[1]) else { continue }
            children[parent, default: []].append((id, fields[11...14].compactMap { Int($0) }.reduce(0, +)))
        }
        var (time, left) = (0, [Int(getpid())])
        while let id = left.popLast() {
            for child in children[id] ?? [] {
                time += child.time
                left.append(child.id)
            }
        }
        return time
    }
}
