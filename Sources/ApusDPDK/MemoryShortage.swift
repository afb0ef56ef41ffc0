import ApusHost
import ApusRings

/// Too little memory for what DPDK is to keep there, and how more is had.
public struct MemoryShortage: Hashable, Sendable {
    /// What it takes, in MiB.
    public let wanted: Int
    /// Where it was to come from.
    public let source: Source

    /// Memory that DPDK takes.
    public enum Source: Hashable, Sendable {
        /// Hugepages, of which so many MiB are free; the number to set `vm.nr_hugepages` to.
        case hugepages(free: Int, reserve: Int)
        /// Normal pages, of which it has so many MiB and gets no more.
        case normal(has: Int)
    }

    /// The rest of a sentence that ends in how much it takes: what there is, and the way out.
    func explanation(_ names: SettingNames) -> String {
        switch source {
        case .hugepages(let free, let reserve):
            """
             of hugepages, and \(free) MiB are free; reserve them with: sysctl -w vm.nr_hugepages=\(reserve); \
            virtual devices do without by \(names.withoutHugePages)
            """
        case .normal(let has):
            """
            , for which DPDK has no room in its \(has) MiB of normal memory; give it at least \(has + wanted) by \
            \(names.memory)
            """
        }
    }

    /// So much is wanted in hugepages, and not all that are free can be had.
    static func ofHugepages(_ wanted: Int) -> MemoryShortage {
        let free = HugePageCount.freeMegabytes
        // Where enough are free they lie on another node, or not where they would be in one piece.
        let missing = wanted > free ? wanted - free : wanted
        return MemoryShortage(
            wanted: wanted,
            source: .hugepages(free: free, reserve: HugePageCount.reserve(adding: missing)))
    }
}

/// What the settings that errors speak of are called where they are made.
package struct SettingNames: Sendable {
    var memory: String
    var hugePageDirectory: String
    var withoutHugePages: String

    /// For who writes a program.
    static let program = SettingNames(
        memory: "EALOptions.memory", hugePageDirectory: "EALOptions.hugePageDirectory",
        withoutHugePages: "HugePages.never as EALOptions.hugePages")

    /// For who runs the forwarder.
    package static let configuration = SettingNames(
        memory: "\"dpdk.memory\"", hugePageDirectory: "\"dpdk.hugepageDirectory\"",
        withoutHugePages: "--hugepages never, or in a file dpdk: { hugepages: false }")
}

/// The hugepages of the host.
enum HugePageCount {
    /// The memory in hugepages of all sizes that nobody uses or has reserved, in MiB.
    static var freeMegabytes: Int {
        [(2, "2048kB"), (1024, "1048576kB"), (512, "524288kB"), (32, "32768kB")].reduce(0) { sum, size in
            let folder = "/sys/kernel/mm/hugepages/hugepages-\(size.1)"
            return sum + size.0
                * max(0, kernelNumber("\(folder)/free_hugepages") - kernelNumber("\(folder)/resv_hugepages"))
        }
    }

    /// What `vm.nr_hugepages`, which counts pages of the default size, has to be for so many MiB more than there are.
    static func reserve(adding megabytes: Int) -> Int {
        // Of 1 GiB where the kernel's command line says so, else of 2 MiB as a rule.
        let size = max(1, (HostMemory.kilobytes("Hugepagesize") ?? 2048) >> 10)
        return kernelNumber("/proc/sys/vm/nr_hugepages") + (megabytes + size - 1) / size
    }
}

/// The memory of the host.
enum HostMemory {
    /// What programs can have of it in normal pages, without swapping, in MiB; `nil` where the kernel does not say.
    static var availableMegabytes: Int? { kilobytes("MemAvailable").map { $0 >> 10 } }

    /// A line of /proc/meminfo (proc(5)).
    static func kilobytes(_ name: String) -> Int? {
        let lines = (contents(of: "/proc/meminfo") ?? "").split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix("\(name):") }) else { return nil }
        return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    }
}

/// What is known of memory in normal pages before DPDK is started.
extension DPDKError {
    /// That the host has not got so much at all.
    package static func ifTooMuch(megabytes: Int) -> DPDKError? {
        guard let total = HostMemory.kilobytes("MemTotal").map({ $0 >> 10 }), total < megabytes else {
            return nil
        }
        return DPDKError("DPDK", .tooMuchMemory(wanted: megabytes, free: total))
    }

    /// That there is no room for the frames of one more queue, where those before take so much at least.
    package static func ifNoRoom(
        _ device: String, frames: Int, behind taken: inout Int, in megabytes: Int
    ) -> DPDKError? {
        let room = DPDKOptions().room
        taken += MbufMemory.leastMegabytes(frames: frames, room: room)
        guard taken >= megabytes else { return nil }
        let wanted = MbufMemory.megabytes(frames: frames, room: room)
        return DPDKError(
            device, .noMemory(frames: frames, MemoryShortage(wanted: wanted, source: .normal(has: megabytes)))
        )
    }
}
