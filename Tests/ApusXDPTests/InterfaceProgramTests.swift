import CCapNG
import Glibc
import NetworkLab
import Testing

@testable import ApusXDP

@Suite("A program on an interface", .requires(.root))
struct InterfaceProgramTests {
    private func attach(
        _ interface: String = "vb", _ mode: XDPMode = .native, verdict: UInt32 = 2
    ) throws -> InterfaceProgram {
        try InterfaceProgram(
            attaching: CountProgram.object, program: "apus_count", to: interface, mode: mode
        ) { object throws(BPFError) in
            try object.set(".rodata", to: verdict)
        }
    }

    private func ping(_ net: Pair) throws -> Bool {
        do {
            try net.a.run("ping", "-c", "1", "-W", "1", "192.0.2.2")
            return true
        } catch is LabError {
            return false
        }
    }

    @Test(arguments: [XDPMode.native, .generic], [true, false])
    func `It stays when its process lets go, and whoever opens its pin takes it off`(
        _ mode: XDPMode, _ hasBPFFileSystem: Bool
    ) throws {
        let net = try Pair("stays")
        defer { net.lab.close() }
        // libxdp looks elsewhere then.
        if !hasBPFFileSystem { try net.b.run("umount", "/sys/fs/bpf") }
        try net.b.enter {
            let index = try interfaceIndex("vb")
            var attached: InterfaceProgram? = try attach("vb", mode)
            let (id, grant) = (attached!.id, attached!.grant)
            #expect(grant.mode == mode && grant.takesFragments)
            #expect(grant.usesDispatcher == (hasBPFFileSystem && Dispatcher.works))
            let counted: BPFMap<UInt32, UInt64> = try attached!.map("counted")
            let program = try attached!.program()
            #expect(program.id == id && program.name == "apus_count")
            attached = nil

            #expect(try InterfaceProgram.isAttached(id, to: index) == true)
            let before = try #require(try counted.value(of: 0))
            #expect(try ping(net))
            #expect(try #require(try counted.value(of: 0)) > before)

            #expect(try InterfaceProgram.takeOff(program, from: "vb", index: index))
            #expect(try InterfaceProgram.isAttached(id, to: index) == false)
            #expect(try AttachedProgram.attached(to: index).isEmpty)
            // It is off, which is no mistake.
            #expect(try !InterfaceProgram.takeOff(program, from: "vb", index: index))
        }
        #expect(!(try net.b.run("ip", "-d", "link", "show", "vb").standardOutput.contains("xdp")))
        #expect(try net.b.run("sh", "-c", "ls /sys/fs/bpf/xdp 2>/dev/null || true").standardOutput.isEmpty)
    }

    @Test func `Somebody else's program is never taken off`() throws {
        let net = try Pair("theirs")
        defer { net.lab.close() }
        try net.b.enter {
            let index = try interfaceIndex("vb")
            let mine = try attach()
            let program = try mine.program()
            try mine.detach()
            #expect(!mine.isAttached)
            #expect(throws: XDPError.self) { try mine.program() }
            try net.b.run(
                "ip", "link", "set", "dev", "vb", "xdpdrv", "object",
                "/usr/lib/x86_64-linux-gnu/bpf/xsk_def_xdp_prog_5.3.o", "section", "xdp")
            #expect(try !InterfaceProgram.takeOff(program, from: "vb", index: index))
            #expect(try AttachedProgram.all(on: index).map(\.name) == ["xsk_def_prog"])
            let error = try #require(throws: XDPError.self) { try attach() }
            #expect(error.cause == .occupied(program: "xsk_def_prog"))
        }
    }

    @Test(arguments: [XDPMode.native, .generic])
    func `What keeps it on is told of the mode that it is in`(_ mode: XDPMode) throws {
        let net = try Pair("refused")
        defer { net.lab.close() }
        try net.b.enter {
            let index = try interfaceIndex("vb")
            let program = try attach("vb", mode).program()
            // Of this thread alone, which ends with the body: what it takes to see programs, and not to take them off.
            capng_clear(CAPNG_SELECT_CAPS)
            let types = capng_type_t(rawValue: CAPNG_EFFECTIVE.rawValue | CAPNG_PERMITTED.rawValue)
            let number = unsafe capng_name_to_capability("sys_admin")
            #expect(capng_update(CAPNG_ADD, types, UInt32(number)) == 0)
            #expect(capng_apply(CAPNG_SELECT_CAPS) == 0)
            let error = try #require(throws: XDPError.self) {
                try InterfaceProgram.takeOff(program, from: "vb", index: index)
            }
            guard case .failed(_, EPERM, _) = error.cause else {
                Issue.record("\(error)")
                return
            }
        }
    }

    @Test func `It is taken out of a dispatcher beside others, which stay`() throws {
        guard Dispatcher.works else { return }
        let net = try Pair("others")
        defer { net.lab.close() }
        try net.b.enter {
            let index = try interfaceIndex("vb")
            try net.b.run("xdp-filter", "load", "-m", "native", "-f", "ipv4", "vb")
            let attached = try attach()
            #expect(attached.grant.others == ["xdpfilt_alw_ip"])
            let pin = try BPFFileSystem.makeFolder("apus/test") + "/program"
            try attached.program().pin(to: pin)
            attached.close()
            let steering = try SteeringProgram(attachingTo: "vb", mode: .native)
            let program = try BPFProgram(opening: pin)
            #expect(try InterfaceProgram.isAttached(program.id, to: index) == true)
            #expect(try InterfaceProgram.takeOff(program, from: "vb", index: index))
            #expect(try InterfaceProgram.isAttached(program.id, to: index) == false)
            #expect(steering.isAttached)
            let left = try AttachedProgram.all(on: index).map(\.name).sorted()
            #expect(left == ["apus_steer", "xdpfilt_alw_ip"])
            #expect(try !InterfaceProgram.takeOff(program, from: "vb", index: index))
            try steering.detach()
            try net.b.run("xdp-filter", "unload", "vb")
            #expect(try AttachedProgram.attached(to: index).isEmpty)
        }
    }

    @Test func `A living steering program that is alone is named as the holder`() throws {
        let net = try Pair("holder")
        defer { net.lab.close() }
        guard !Dispatcher.works else { return }
        try net.b.enter {
            let steering = try SteeringProgram(attachingTo: "vb", mode: .native)
            let error = try #require(throws: XDPError.self) { try attach() }
            #expect(error.cause == .held(pid: getpid()))
            #expect(steering.isAttached)
        }
    }

    @Test func `An interface that is gone has nothing to be taken off`() throws {
        let net = try Pair("away")
        defer { net.lab.close() }
        try net.b.enter {
            let index = try interfaceIndex("vb")
            let attached = try attach()
            let program = try attached.program()
            attached.close()
            try net.b.run("ip", "link", "del", "vb")
            #expect(try InterfaceProgram.isAttached(program.id, to: index) == false)
            #expect(try !InterfaceProgram.takeOff(program, from: "vb", index: index))
        }
        #expect(try net.b.run("ls", "/sys/fs/bpf/xdp").standardOutput.isEmpty)
    }

    @Test func `The best mode is generic where native can't be had, and the remark says why`() throws {
        let net = try Pair("best")
        defer { net.lab.close() }
        func best(_ interface: String) throws -> (InterfaceProgram, remarks: [String]) {
            try InterfaceProgram.attachInBestMode(
                CountProgram.object, program: "apus_count", to: interface)
        }
        try net.b.enter {
            let (native, remarks) = try best("vb")
            #expect(native.grant.mode == .native && !remarks.contains { $0.contains("native mode") })
            try native.detach()
            // The namespace's own loopback interface has no native XDP.
            let (generic, reasons) = try best("lo")
            #expect(generic.grant.mode == .generic)
            #expect(
                reasons.first?.hasPrefix("not in native mode: the driver does not support native XDP") == true
            )
            try generic.detach()
        }
    }

    @Test func `What it calls by a PROG_ARRAY is exchanged with one write`() throws {
        let net = try Pair("slots")
        defer { net.lab.close() }
        try net.b.enter {
            let attached = try attach()
            let next: BPFMap<UInt32, UInt32> = try attached.map("next")
            #expect(try ping(net))
            #expect(try next.value(of: 0) == nil)
            for (verdict, reaches) in [(UInt32(1), false), (2, true)] {
                let object = try BPFObject(CountProgram.object, name: "apus_count")
                try object.set(".rodata", to: verdict)
                try object.set("apus_count", calledBy: attached.caller)
                try object.load()
                let program = try object.program("apus_count")
                try next.update(0, program: program)
                #expect(program.isExtension == false)
                #expect(try next.value(of: 0) == program.id)
                #expect(try ping(net) == reaches)
                let counted: BPFMap<UInt32, UInt64> = try object.map("counted")
                #expect(try #require(try counted.value(of: 0)) > 0)
            }
            #expect(try attached.program().isExtension == attached.grant.usesDispatcher)
            try attached.detach()
        }
    }

    @Test func `No descriptor is left over`() throws {
        let net = try Pair("files")
        defer { net.lab.close() }
        func open() throws -> Int { try BPFFileSystem.entries(of: "/proc/self/fd").count }
        try net.b.enter {
            func round() throws {
                let attached = try attach()
                let program = try attached.program()
                attached.close()
                _ = try InterfaceProgram.takeOff(
                    program, from: "vb", index: interfaceIndex("vb"))
            }
            try round()
            let before = try open()
            for _ in 0..<10 { try round() }
            // libxdp 1.3.1 loses two with each program that enters a dispatcher, and two with each that leaves it.
            // Other threads of the tests may have opened something meanwhile.
            #expect(try open() - before < (Dispatcher.works ? 50 : 10))
        }
    }
}
