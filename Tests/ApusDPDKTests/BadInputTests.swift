import ApusDevices
import ApusPorts
import ApusRings
import Foundation
import NetworkLab
import Testing

@testable import ApusDPDK

extension DeviceTests {
    @Test func `A device that can't be opened is named, with the cause and the way out`() throws {
        try Self.startDPDK()
        func error(_ name: String, _ change: (inout DPDKOptions) -> Void = { _ in }) throws -> String {
            var options = JoinedPorts.small
            change(&options)
            return "\(try #require(throws: DPDKError.self) { _ = try DPDKInterface(name, options) })"
        }
        #expect(
            try error("eth0")
                == "eth0: neither a PCI address such as 0000:03:00.0 nor a virtual device such as net_tap0,iface=tap0"
        )
        #expect(
            try error("net_nul0")
                == "net_nul0: DPDK has no driver net_nul for a virtual device; is net_null meant?")
        #expect(
            try error("net_frobnicator0").hasSuffix(
                "; it has \(VirtualDriver.all.map(\.name).joined(separator: ", "))"))
        #expect(
            try error("net_tap0,ifcae=tap0")
                == "net_tap0,ifcae=tap0: net_tap takes no argument ifcae; is iface meant? it takes iface, remote, mac, persist"
        )
        #expect(
            try error("net_af_packet0") == "net_af_packet0: net_af_packet needs an argument iface, as in "
                + "net_af_packet0,iface=eth0")
        #expect(
            try error("net_af_xdp0,iface=nosuch0").hasPrefix(
                "net_af_xdp0,iface=nosuch0: there is no interface nosuch0 for it; the kernel has: "))
        #expect(
            try error("net_null0,") == "net_null0,: something has to follow a comma, as in net_null0,size=…")
        #expect(try error("3:0.0").hasSuffix("; is 0000:03:00.0 meant?"))
        #expect(
            try error("net_pcap0,rx_pcap=/nowhere/a.pcap").hasPrefix(
                "net_pcap0,rx_pcap=/nowhere/a.pcap: no driver of DPDK took it up"))
        #expect(
            try error("net_ring99") { $0.queues = 17 } == "net_ring99: it has 16 queues at most, not 17")
        #expect(
            try error("net_null0") { $0.mtu = 60 } == "net_null0: the MTU is 68 to 65535, not 60")
        #expect(
            try error("net_null0") { $0.framesPerQueue = 639 }
                == "net_null0: the number of frames of a queue is 640 to 1048576, not 639")
        #expect(
            try error("net_null0") { ($0.framesPerQueue, $0.queues) = (1 << 20, 2) }
                == """
                net_null0: its 1048576 frames take 2434 MiB, for which DPDK has no room in its 384 MiB of normal memory; give \
                it at least 2818 by EALOptions.memory
                """)
        // Nothing of it is left.
        #expect(MbufMemory.retiredCount == 0)
        let name = Self.name("net_null")
        let interface = try DPDKInterface(name, JoinedPorts.small)
        #expect(try error(name) == "\(name): this process has a port over it already")
        let missing = try #require(throws: DPDKError.self) { _ = try interface.open(queue: 1) }
        #expect("\(missing)" == "\(name): there is no queue 1; it has 1, numbered from 0")
        let started = try #require(throws: DPDKError.self) { try EAL.start(EALOptions()) }
        #expect("\(started)" == "DPDK: it runs already, with other options; they are for the whole process")
        let stopped = try #require(throws: DPDKError.self) { try EAL.stop() }
        #expect("\(stopped)".hasPrefix("DPDK: 1 devices are open, and packets of 0 closed queues are held;"))
    }

    @Test func `A device on PCI is looked at before DPDK is asked`() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("apus-pci-\(getpid())")
        defer { try? FileManager.default.removeItem(at: folder) }
        func add(_ address: String, _ type: String, driver: String?) throws {
            let device = folder.appendingPathComponent(address)
            try FileManager.default.createDirectory(at: device, withIntermediateDirectories: true)
            try "\(type)\n".write(
                to: device.appendingPathComponent("class"), atomically: true, encoding: .utf8)
            guard let driver else { return }
            try FileManager.default.createSymbolicLink(
                atPath: device.appendingPathComponent("driver").path,
                withDestinationPath: "../../drivers/\(driver)")
        }
        try add("0000:03:00.0", "0x020000", driver: "ixgbe")
        try add("0000:03:00.1", "0x020000", driver: nil)
        try add("0000:04:00.0", "0x020000", driver: "vfio-pci")
        try add("10000:e1:00.0", "0x020000", driver: "vfio-pci")
        try add("0000:05:00.0", "0x010601", driver: "ahci")
        func error(_ name: String) -> String? {
            do throws(DPDKError) {
                try DPDKDevice.named(name).check(name, devices: folder.path)
                return nil
            } catch {
                return "\(error)"
            }
        }
        #expect(
            error("0000:03:00.0")
                == "0000:03:00.0: the kernel's driver ixgbe has it; `apus doctor 0000:03:00.0` prints the commands that give it to DPDK (the kernel loses the interface then)"
        )
        #expect(
            error("03:00.1")
                == "03:00.1: no driver has it; `apus doctor 03:00.1` prints the commands that give it to DPDK"
        )
        #expect(error("0000:04:00.0") == nil && error("0000:04:00.0,llq=1") == nil)
        #expect(error("0000:03:00.1,llq=1")?.contains("`apus doctor 0000:03:00.1` prints") == true)
        #expect(error("10000:e1:00.0") == nil && error("10000:e1:00.1")?.contains(", 10000:e1:00.0") == true)
        #expect(
            error("0000:09:00.0")
                == "0000:09:00.0: there is no such PCI device; network devices: 0000:03:00.0, 0000:03:00.1, 0000:04:00.0, 10000:e1:00.0"
        )
    }

    @Test(arguments: [
        (["--core", "77"], "core 77 is not one that this process may use: 0"),
        (["--eal", "--frob"], "the argument --frob can't be given: there is no such option"),
        (["--eal", "--no-pcy"], "the argument --no-pcy can't be given: is --no-pci meant?"),
        (["--eal", "-h"], "the argument -h can't be given: it ends the program"),
        (["--eal", "--lcores=1"], "the argument --lcores=1 can't be given: EALOptions.core is for that"),
        (["--eal", "--iova-mode"], "the argument --iova-mode can't be given: a value has to follow"),
        (
            ["--eal", "--iova-mode=zz"],
            "it did not start (Invalid argument); DPDK says: EAL: invalid parameters for --iova-mode"
        ),
        (
            ["--memory", "5"],
            "its 4096 frames take 11 MiB, for which DPDK has no room in its 5 MiB of normal memory;"
        ),
    ])
    func `DPDK that can't be started says why in a sentence, and prints nothing itself`(
        _ options: [String], _ sentence: String
    ) throws {
        let port = try PortProcess(["open", "net_null0", "0"] + options)
        #expect(port.running.waitForExit() == .exited(69))
        #expect(port.running.output.hasPrefix("error: "))
        #expect(port.running.output.contains(sentence), "\(port.running.output)")
        #expect(port.running.output.split(separator: "\n").count == 1)
        #expect(port.running.errors == "")
    }

    @Test func `Too few hugepages are counted`() throws {
        let port = try PortProcess(["open", "net_null0", "0", "--huge", "--memory", "65536"])
        #expect(port.running.waitForExit() == .exited(69))
        let told = try #require(
            port.running.output.firstMatch(
                of:
                    /DPDK: it takes 65536 MiB of hugepages, and [0-9]+ MiB are free; reserve them with: sysctl -w vm.nr_hugepages=([0-9]+); virtual devices do without by HugePages.never as EALOptions.hugePages\n/
            ), "\(port.running.output)")
        // Those that are in use stay so.
        #expect(Int(told.1) ?? 0 >= 32768 - HugePageCount.freeMegabytes / 2)
    }

    @Test func `What vm.nr_hugepages is to be counts those that there are`() {
        let shortage = MemoryShortage(wanted: 19, source: .hugepages(free: 6, reserve: 39))
        #expect(
            "\(DPDKError("net_null0", .noMemory(frames: 8192, shortage)))"
                == "net_null0: its 8192 frames take 19 MiB of hugepages, and 6 MiB are free; reserve them with: sysctl -w vm.nr_hugepages=39; virtual devices do without by HugePages.never as EALOptions.hugePages"
        )
        let size = (HostMemory.kilobytes("Hugepagesize") ?? 2048) >> 10
        #expect(HugePageCount.reserve(adding: 3 * size) - HugePageCount.reserve(adding: 0) == 3)
        #expect(HugePageCount.reserve(adding: 2 * size + 1) == HugePageCount.reserve(adding: 3 * size))
    }
}
