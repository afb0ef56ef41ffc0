import Foundation

/// A line of /proc/cpuinfo, of the first core; empty if there is none.
func cpuInformation(_ key: String) -> String {
    let lines = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    for line in lines.split(separator: "\n") where line.hasPrefix(key) {
        let parts = line.split(separator: ":", maxSplits: 1)
        if parts.count == 2, parts[0].trimmingCharacters(in: .whitespaces) == key {
            return parts[1].trimmingCharacters(in: .whitespaces)
        }
    }
    return ""
}

/// What was measured on.
package struct Machine: Codable, Equatable {
    package var processor: String
    package var architecture: String
    package var cores: Int
    package var kernel: String
    package var system: String
    /// `tsc`, or `clock_gettime` where the time-stamp counter may change its speed.
    package var clock: String
    /// Ticks of the time-stamp counter a nanosecond, if it is used.
    package var ticksPerNanosecond: Double?

    package init(_ stopwatch: Stopwatch) {
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
package struct Load: Codable, Equatable {
    /// The load average of the last minute, at the start.
    package var averageAtStart: Double
    /// The share of all cores' time that went to others, or was taken by the hypervisor: 0 to 1.
    package var othersShare: Double

    /// Above this a result says that the machine was busy.
    package static var quietLimit: Double { 0.05 }

    package init(averageAtStart: Double, othersShare: Double) {
        (self.averageAtStart, self.othersShare) = (averageAtStart, othersShare)
    }
}

/// Watches what others do from when it is made.
package struct LoadWatch {
    private let average: Double
    private let start = Self.times

    package init() {
        let text = (try? String(contentsOfFile: "/proc/loadavg", encoding: .utf8)) ?? ""
        average = text.split(separator: " ").first.flatMap { Double($0) } ?? 0
    }

    /// What they did until now.
    package var load: Load {
        let now = Self.times
        let whole = Double(now.whole - start.whole)
        let others = Double(now.busy - start.busy) - (now.own - start.own)
        return Load(averageAtStart: average, othersShare: whole > 0 ? max(0, others / whole) : 0)
    }

    /// All cores' time and what of it was not idle (/proc/stat, proc(5)), and this process', in clock ticks.
    private static var times: (whole: Int, busy: Int, own: Double) {
        let text = (try? String(contentsOfFile: "/proc/stat", encoding: .utf8)) ?? ""
        let fields = text.prefix { $0 != "\n" }.split(separator: " ").dropFirst().compactMap { Int($0) }
        // user nice system idle iowait irq softirq steal; guest time is in user time already.
        let whole = fields.prefix(8).reduce(0, +)
        let idle = fields.count > 4 ? fields[3] + fields[4] : 0
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        return (whole, whole - idle, Double(clock_gettime_nsec(CLOCK_PROCESS_CPUTIME_ID)) / 1e9 * ticks)
    }
}
