import Foundation
import NetworkLab
import Testing

extension Lab {
    /// Devices of DPDK's that `apus forward` can't have: what it ends with, and what it says.
    @Suite(.requires(.root, .program("setpriv")))
    struct DeviceRefusalTests {
        /// Runs it to its end, or until it is ready and then no further.
        private func run(
            in space: Namespace, _ device: String, dpdk: String = "hugepages: false", prefix: [String] = [],
            options: [String] = []
        ) throws -> (code: Int32?, text: String) {
            let scratch = try Scratch()
            let file = try scratch.write(
                "forward.json5",
                """
                { dpdk: { \(dpdk) }, defaults: { ringSize: 512 },
                  interfaces: [
                { name: "\(device)", backend: "dpdk", addresses: ["192.0.2.2/24"] }],
                  streams: [{ listen: "192.0.2.2:5004", to: ["192.0.2.77:6004"] }] }
                """)
            let process = try space.start(prefix + [ApusProgram.path, "forward", "-c", file] + options)
            let deadline = ContinuousClock.now + .seconds(20)
            var ended = process.waitForExit(within: .milliseconds(50))
            while ended == nil, !process.errors.contains("ready\n"), ContinuousClock.now < deadline {
                ended = process.waitForExit(within: .milliseconds(50))
            }
            guard case .exited(let code) = ended ?? process.stop() else { return (nil, process.errors) }
            return (code, process.errors)
        }

        private static func having(_ capabilities: String) -> [String] {
            let list = (["-all"] + capabilities.split(separator: " ").map { "+\($0)" }).joined(separator: ",")
            return ["setpriv", "--bounding-set=\(list)", "--inh-caps=\(list)", "--ambient-caps=-all"]
        }

        @Test(arguments: [
            ("net_af_packet0,iface=nosuch0", "there is no interface nosuch0 for it; the kernel has: "),
            ("0000:99:00.0", "there is no such PCI device; "),
        ])
        func `one that is not there is no input: 66, with the place`(device: String, sentence: String) throws
        {
            let lab = NetworkLab("nodevice")
            defer { lab.close() }
            let space = try lab.namespace("relay")
            let file = try run(in: space, device)
            #expect(file.code == 66)
            #expect(
                file.text.contains(":3:3: \(device): \(sentence)")
                    || file.text.contains(": \(device): \(sentence)"),
                "\(file.text)")
            let options = try space.start([
                ApusProgram.path, "forward", "-i", device, "--address", "192.0.2.2/24", "-l",
                "192.0.2.2:5004", "-t", "192.0.2.77:6004",
            ])
            #expect(options.waitForExit() == .exited(66))
            #expect(
                options.errors.hasPrefix("apus forward: --interface: \(device): \(sentence)"),
                "\(options.errors)")
        }

        @Test(arguments: [
            ("net_tap0,iface=tap9", "", "CAP_NET_ADMIN", "CAP_NET_ADMIN"),
            ("net_af_packet0,iface=in0", "", "CAP_NET_RAW, CAP_NET_ADMIN", "CAP_NET_RAW, CAP_NET_ADMIN"),
            ("net_af_packet0,iface=in0", "net_raw", "CAP_NET_RAW, CAP_NET_ADMIN", "CAP_NET_ADMIN"),
            ("net_af_packet0,iface=in0", "net_admin", "CAP_NET_RAW, CAP_NET_ADMIN", "CAP_NET_RAW"),
            (
                "net_af_xdp0,iface=in0", "net_raw net_admin",
                "CAP_NET_RAW, CAP_NET_ADMIN, CAP_SYS_ADMIN, CAP_IPC_LOCK", "CAP_SYS_ADMIN, CAP_IPC_LOCK"
            ),
        ])
        func `one that the process may not open is not permitted: 77, and what it lacks is named`(
            device: String, has: String, needed: String, lacking: String
        ) throws {
            let lab = NetworkLab("notpermitted")
            defer { lab.close() }
            let (space, other) = (try lab.namespace("relay"), try lab.namespace("other"))
            try lab.link(space, "in0", [], other, "e0", [])
            let limit = ["prlimit", "--memlock=8388608:8388608"]
            let refused = try run(in: space, device, prefix: limit + Self.having(has))
            #expect(refused.code == 77)
            #expect(
                refused.text.hasPrefix(
                    "apus forward: \(device): opening it takes \(needed), and this process lacks \(lacking); "
                        + "run as root, or once: setcap cap_net_"), "\(refused.text)")
            #expect(refused.text.split(separator: "\n").count == 1, "\(refused.text)")
            #expect(!refused.text.contains("DPDK says"))
            // What it names is enough.
            let all = needed.replacing("CAP_", with: "").replacing(",", with: "").lowercased()
            let granted = try run(in: space, device, prefix: limit + Self.having(all))
            #expect(granted.code == 0, "\(granted.text)")
        }

        @Test(arguments: ["net_tap0,iface=tap9", "net_af_packet0,iface=in0", "net_af_xdp0,iface=in0"])
        func `over one interface there is one device, and the second is told whose that is`(device: String)
            throws
        {
            let lab = NetworkLab("second")
            defer { lab.close() }
            let (space, other) = (try lab.namespace("relay"), try lab.namespace("other"))
            try lab.link(space, "in0", [], other, "e0", [])
            let first = try ApusForward(
                in: space,
                configuration: """
                    dpdk: { hugepages: false }, defaults: { ringSize: 512 },
                    interfaces: [{ name: "\(device)", backend: "dpdk", addresses: ["192.0.2.2/24"] }],
                    streams: [{ listen: "192.0.2.2:5004", to: ["192.0.2.77:6004"] }],
                    """)
            let second = try run(in: space, device)
            #expect(second.code == 69)
            let name = device.split(separator: "=")[1]
            #expect(
                second.text.hasPrefix(
                    "apus forward: \(device): apus (pid \(first.process.pid)) has a device of DPDK's over \(name) "
                        + "already, and each would get what is for the other; stop it, or take another interface\n"
                ),
                "\(second.text)")
            first.process.kill()
            let third = try run(in: space, device)
            #expect(third.code == 0, "\(third.text)")
        }

        @Test(arguments: [
            (
                "net_null0", "hugepages: false, mainCore: 1023", 69,
                "1:39: this process can't run on core 1023; `nproc --all` counts those there are"
            ),
            (
                "net_tap0,iface=sixteen_octets_x", "hugepages: false", 78,
                "3:9: an interface has a name of at most"
            ),
            (
                "net_null0", #"hugepages: false, allow: ["0000:99:00.0"]"#, 66,
                "1:37: 0000:99:00.0: there is no such PCI"
            ),
            (
                "0000:99:00.0", #"hugepages: false, block: ["0000:99:00.0"]"#, 78,
                "3:9: 0000:99:00.0 is blocked;"
            ),
            ("net_null0", "hugepages: false, memory: 16", 69, "1:37: net_null0: its 8192 frames take 21 MiB"),
        ])
        func `what is refused for sure is refused before the start, and by --check, at its place`(
            device: String, dpdk: String, code: Int32, sentence: String
        ) throws {
            let lab = NetworkLab("sure")
            defer { lab.close() }
            let space = try lab.namespace("relay")
            for options in [[], ["--check"]] {
                let refused = try run(in: space, device, dpdk: dpdk, options: options)
                #expect(
                    refused.code == code && refused.text.contains(".json5:\(sentence)"), "\(refused.text)")
            }
        }

        @Test func `what a driver says of its arguments is told, and no right that is not lacking`() throws {
            let lab = NetworkLab("arguments")
            defer { lab.close() }
            let (space, other) = (try lab.namespace("relay"), try lab.namespace("other"))
            try lab.link(space, "in0", [], other, "e0", [])
            let refused = try run(in: space, "net_af_packet0,iface=in0,blocksz=100")
            #expect(refused.code == 69 && !refused.text.contains("not permitted"), "\(refused.text)")
            #expect(
                refused.text.contains("took it up; DPDK says: rte_eth_from_packet(): "), "\(refused.text)")
        }

        @Test func `too little memory is told with what is enough, which is enough`() throws {
            let lab = NetworkLab("memory")
            defer { lab.close() }
            let space = try lab.namespace("relay")
            let little = try run(in: space, "net_null0", dpdk: "hugepages: false, memory: 16")
            #expect(little.code == 69)
            let told = try #require(
                little.text.firstMatch(
                    of:
                        /^apus forward: [^ ]+:1:[0-9]+: net_null0: its 8192 frames take [0-9]+ MiB, for which DPDK has no room in its 16 MiB of normal memory; give it at least ([0-9]+) by "dpdk.memory"\n/
                ), "\(little.text)")
            let enough = try run(in: space, "net_null0", dpdk: "hugepages: false, memory: \(told.1)")
            #expect(enough.code == 0, "\(enough.text)")
        }

        @Test(arguments: [
            (
                "hugepages: false, memory: 1048576",
                "1048576 MiB of memory are asked for, and this host has [0-9]+ to give; ask for less by "
                    + #""dpdk\.memory""#
            ),
            (
                "memory: 1048576",
                "it takes 1048576 MiB of hugepages, and [0-9]+ MiB are free; "
                    + "reserve them with: sysctl -w vm\\.nr_hugepages=[0-9]+; virtual devices do without by --hugepages never, or in a file "
                    + "dpdk: \\{ hugepages: false \\}"
            ),
            (
                #"hugepageDirectory: "/nowhere""#,
                #"/nowhere is no file system of hugepages; leave "dpdk\.hugepageDirectory" "#
                    + #"out, as none is needed, or name one, such as of: "#
                    + "mkdir -p /dev/hugepages && mount -t hugetlbfs nodev /dev/hugepages"
            ),
        ])
        func `memory that can't be had is a sentence with the way out: 69`(
            settings: String, sentence: String
        ) throws {
            let lab = NetworkLab("nomemory")
            defer { lab.close() }
            let refused = try run(in: try lab.namespace("relay"), "net_null0", dpdk: settings)
            #expect(refused.code == 69)
            let wanted = try Regex("apus forward: ([^ ]+:1:[0-9]+: )?DPDK: \(sentence)\n")
            #expect(refused.text.prefixMatch(of: wanted) != nil, "\(refused.text)")
        }

        @Test func `a file system of hugepages that may not be written to is not permitted: 77`() throws {
            let lab = NetworkLab("hugetlbfs")
            defer { lab.close() }
            let space = try lab.namespace("relay")
            let folder = try Scratch()
            // In the namespace's own table of mounts.
            try space.run("mount", "-t", "hugetlbfs", "-o", "mode=0555", "nodev", folder.path)
            let refused = try run(
                in: space, "net_null0", dpdk: #"hugepageDirectory: "\#(folder.path)""#,
                prefix: Self.having(""))
            #expect(refused.code == 77)
            #expect(
                refused.text.hasPrefix(
                    "apus forward: DPDK: this process may not write to \(folder.path), a file system of hugepages; "
                ),
                "\(refused.text)")
            try space.run("umount", folder.path)
        }
    }
}
