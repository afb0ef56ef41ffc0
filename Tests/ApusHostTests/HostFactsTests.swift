import Glibc
import NetworkLab
import Testing

@testable import ApusHost

@Suite("Host facts")
struct HostFactsTests {
    @Test("this host's own facts agree with what its tools say")
    func current() throws {
        let facts = HostFacts.current()
        func tool(_ command: String...) throws -> String {
            String(try NetworkLab.run(command).standardOutput.split(separator: "\n").first ?? "")
        }
        #expect(facts.kernel.release == (try tool("uname", "-r")))
        #expect(facts.architecture == (try tool("uname", "-m")))
        #expect(facts.allowedCPUs.count == Int(try tool("nproc")))
        #expect(facts.onlineCPUs.count == Int(try tool("getconf", "_NPROCESSORS_ONLN")))
        #expect(Set(facts.nodes.flatMap(\.cpus)).isSuperset(of: facts.onlineCPUs))
        #expect(facts.descriptorLimit == UInt64(try tool("bash", "-c", "ulimit -Hn")))
        let locked = try tool("bash", "-c", "ulimit -Hl")
        #expect(facts.lockedMemoryLimit == UInt64(locked).map { $0 << 10 })
        let huge = try tool("awk", "/Hugepagesize/ { print $2 }", "/proc/meminfo")
        #expect(facts.hugepages.contains { $0.pageSize == Int(huge).map { $0 << 10 } })
    }

    @Test("hosts with hugepages, several nodes, isolated CPUs and mounts are read as the kernel writes them")
    func others() throws {
        let root = try NetworkLab.run(["mktemp", "-d"]).standardOutput.dropLast()
        defer { _ = try? NetworkLab.run(["rm", "-rf", "\(root)"]) }
        for (path, content) in [
            "proc/sys/kernel/osrelease": "6.1.0-18-amd64\n", "proc/sys/kernel/arch": "aarch64\n",
            "sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages": "4\n",
            "sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages": "3\n",
            "sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "512\n",
            "sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages": "500\n",
            "proc/self/mounts": """
            hugetlbfs /dev/hugepages hugetlbfs rw,relatime,pagesize=2M 0 0
            nodev /mnt/huge hugetlbfs rw,relatime,pagesize=1024M 0 0
            bpf /sys/fs/bpf bpf rw,nosuid,mode=700 0 0
            tmpfs /tmp tmpfs rw 0 0

            """, "proc/sys/net/core/bpf_jit_enable": "0\n", "sys/kernel/btf/vmlinux": "x",
            "sys/devices/system/cpu/online": "0-7\n", "sys/devices/system/cpu/isolated": "2-3,6\n",
            "proc/self/status": "Name:\tx\nCpus_allowed_list:\t0-1,4-5\n",
            "sys/devices/system/node/node1/cpulist": "4-7\n",
            "sys/devices/system/node/node0/cpulist": "0-3\n",
            "sys/devices/system/node/online": "0-1\n",
        ] {
            try NetworkLab.run(
                ["sh", "-c", "mkdir -p $(dirname $0) && cat >$0", "\(root)/\(path)"], input: content)
        }
        let facts = HostFacts(root: String(root))
        #expect(
            facts.kernel.isAtLeast(6, 1) && facts.kernel.isAtLeast(5, 19) && !facts.kernel.isAtLeast(6, 2))
        #expect(facts.architecture == "aarch64")
        #expect(
            facts.hugepages == [
                .init(pageSize: 2 << 20, total: 512, free: 500), .init(pageSize: 1 << 30, total: 4, free: 3),
            ])
        #expect(
            facts.hugepageMounts == [
                .init(path: "/dev/hugepages", pageSize: 2 << 20), .init(path: "/mnt/huge", pageSize: 1 << 30),
            ])
        #expect(facts.bpfFileSystems == ["/sys/fs/bpf"])
        #expect(facts.hasBPFJIT == false && facts.hasBTF)
        #expect(facts.nodes == [.init(id: 0, cpus: [0, 1, 2, 3]), .init(id: 1, cpus: [4, 5, 6, 7])])
        #expect(facts.isolatedCPUs == [2, 3, 6] && facts.allowedCPUs == [0, 1, 4, 5])
    }

    @Test(
        "an interface tells its driver, queues, offloads and what its driver does of XDP", .requires(.root),
        .timeLimit(.minutes(2)))
    func interface() throws {
        let pair = try Pair("facts", queues: 4)
        defer { pair.close() }
        try pair.a.run("ethtool", "-L", "va", "rx", "3", "tx", "2")
        try pair.a.run("ethtool", "-K", "va", "gro", "on", "rxvlan", "off")
        try pair.a.run("ip", "link", "add", "mv0", "link", "va", "type", "macvlan")
        try pair.a.enter {
            let view = try HostView()
            let facts = try InterfaceFacts(view.link(named: "va"))
            #expect(facts.driver == "veth" && facts.bus == nil && facts.node == nil)
            #expect(facts.channels?.receive == .init(current: 3, maximum: 4))
            #expect(facts.channels?.transmit == .init(current: 2, maximum: 4))
            #expect(facts.channels?.receiveQueues == 3 && facts.channels?.transmitQueues == 2)
            #expect(
                facts.offloads.receiveVLANStripping == false && facts.offloads.transmitVLANInsertion == true)
            #expect(facts.offloads.genericReceive == true && facts.offloads.transmitChecksum == false)
            #expect(facts.offloads.largeReceive == false && facts.offloads.segmentation == false)
            #expect(facts.speed == 10_000)
            if HostFacts.current().kernel.isAtLeast(6, 3) {
                // veth runs programs only while its peer has no more transmit queues than it receives by.
                #expect(facts.xdp == [])
                try pair.b.run("ethtool", "-L", "vb", "tx", "3")
                let xdp = try #require(try InterfaceFacts(view.link(named: "va")).xdp)
                #expect(xdp.isSuperset(of: [.native, .redirect]))
                #expect(!xdp.contains(.zeroCopy))
                #expect(try InterfaceFacts(view.link(named: "mv0")).xdp?.contains(.native) == false)
            }
            let gone = try view.link(named: "mv0")
            try pair.a.run("ip", "link", "del", "mv0")
            #expect(throws: HostError.self) { try InterfaceFacts(gone) }
        }
    }

    @Test("lists of CPUs are read as the kernel writes them, and nonsense gives nothing")
    func cpuLists() {
        #expect(HostFacts.cpus("0-3,8,10-11") == [0, 1, 2, 3, 8, 10, 11])
        #expect(HostFacts.cpus("") == [])
        #expect(HostFacts.cpus("3-1,x,0-99999999") == [])
    }
}
