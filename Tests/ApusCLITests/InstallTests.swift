import Apus
import Foundation
import NetworkLab
import Testing

@testable import ApusCLI

/// What `make install` puts where, from the build that runs these tests.
@Suite struct InstallTests {
    private static let files: Set = [
        "bin/apus", "share/man/man1/apus.1", "share/bash-completion/completions/apus",
        "share/zsh/site-functions/_apus", "share/fish/vendor_completions.d/apus.fish",
        "lib/systemd/system/apus-forward.service", "lib/systemd/system/apus-filter@.service",
    ]

    private func make(_ target: String, _ prefix: String, _ more: String = "") throws {
        let run = try shell(
            "make --no-print-directory -C '\(DocumentTests.root.path)' \(target) PREFIX='\(prefix)' APUS='\(apusPath)' \(more)"
        )
        #expect(run.code == 0, "\(run.output)\(run.errors)")
    }

    private func contents(_ folder: String) throws -> Set<String> {
        let found = try shell("find '\(folder)' -type f -printf '%P\\n'")
        return Set(found.output.split(separator: "\n").map(String.init))
    }

    private func withFolder(_ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "apus-\(UUID().uuidString)"
        ).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try body(folder)
    }

    @Test func `all that is installed is there, each in its place, and gone after uninstall`() throws {
        try withFolder { folder in
            try make("install-files", "/usr", "DESTDIR='\(folder)'")
            #expect(try contents(folder + "/usr") == Self.files)
            for (shell, file) in [
                ("bash", "share/bash-completion/completions/apus"), ("zsh", "share/zsh/site-functions/_apus"),
                ("fish", "share/fish/vendor_completions.d/apus.fish"),
            ] {
                let text = try String(contentsOfFile: "\(folder)/usr/\(file)", encoding: .utf8)
                #expect(try apus("completion", shell).output == text)
            }
            let unit = try String(
                contentsOfFile: folder + "/usr/lib/systemd/system/apus-forward.service", encoding: .utf8)
            #expect(unit.contains("\nExecStart=/usr/bin/apus forward --config /etc/apus/forward.json5\n"))
            #expect(!unit.contains("@PREFIX@"))
            let filter = try String(
                contentsOfFile: folder + "/usr/lib/systemd/system/apus-filter@.service", encoding: .utf8)
            let file = "/etc/apus/filter-%I.json5"
            #expect(filter.contains("\nExecStart=/usr/bin/apus filter load %I --replace --config \(file)\n"))
            #expect(filter.contains("\nExecReload=/usr/bin/apus filter reload %I --config \(file)\n"))
            #expect(filter.contains("\nExecStop=-/usr/bin/apus filter unload %I\n"))
            #expect(!filter.contains("@PREFIX@"))
            try make("uninstall", "/usr", "DESTDIR='\(folder)'")
            #expect(try contents(folder) == [])
        }
    }

    /// Those of the toolchain are inside the release build, which has libstdc++ beside them.
    @Test(.requires(.program("readelf")))
    func `the README names the packages of all libraries that the program needs, and no others`() throws {
        let block = try #require(
            DocumentTests.blocks.first { $0.document == "README.md" && $0.text.hasPrefix("# apt install ") })
        let named = Set(block.text.split { " \n".contains($0) }.dropFirst(3).map(String.init))
        let libraries = try shell("readelf -d '\(apusPath)' | sed -n 's/.*(NEEDED).*\\[\\(.*\\)\\]/\\1/p'")
            .output
            .split(separator: "\n").filter {
                $0.wholeMatch(of: /libswift.*|lib_?Foundation.*|libdispatch.*|libBlocks.*/) == nil
            }
        #expect(libraries.count >= 10, "\(libraries)")
        let owners = try shell("dpkg-query -S \(libraries.map { "'*/\($0)'" }.joined(separator: " "))")
        #expect(owners.code == 0, "\(owners.errors)")
        let packages = Set(owners.output.split(separator: "\n").map { String($0.prefix { $0 != ":" }) })
        // The C library is there anyway; what is DPDK's comes with its drivers.
        let needed = packages.subtracting(["libc6", "libgcc-s1", "libstdc++6"]).filter {
            !$0.hasPrefix("librte-")
        }

        #expect(named.subtracting(["libstdc++6", "librte-meta-net"]) == needed)
        #expect(named.contains("libstdc++6") && named.contains("librte-meta-net"))
    }

    /// With what Docs/HugepageHost.md adds to it, and the unit that it shows beside.
    @Test(.requires(.program("systemd-analyze")))
    func `systemd takes what the documents add for DPDK`() throws {
        try withFolder { folder in
            try make("install-files", folder)
            let units = folder + "/lib/systemd/system"
            let blocks = DocumentTests.blocks.filter {
                $0.language == "ini" && $0.document == "Docs/HugepageHost.md"
            }
            #expect(blocks.count == 2)
            try FileManager.default.createDirectory(
                atPath: units + "/apus-forward.service.d", withIntermediateDirectories: true)
            for block in blocks {
                let file = block.file.map { "apus-forward.service.d/\($0)" } ?? "hugepages-node1.service"
                try block.text.write(toFile: "\(units)/\(file)", atomically: true, encoding: .utf8)
            }
            for unit in ["apus-forward", "hugepages-node1"] {
                let run = try shell(
                    "systemd-analyze verify --man=no '\(units)/\(unit).service'",
                    environment: ["SYSTEMD_UNIT_PATH": units + ":"])
                #expect(run.code == 0 && run.output + run.errors == "", "\(run.output)\(run.errors)")
            }
            let judged = try shell(
                "systemd-analyze security --offline=true --no-pager '\(units)/apus-forward.service'",
                environment: ["SYSTEMD_UNIT_PATH": units + ":"])
            let capabilities = judged.output.split(separator: "\n").filter { $0.contains("CAP_") }
            #expect(capabilities.count > 10 && capabilities.allSatisfy { $0.hasPrefix("✓") }, "\(judged)")
        }
    }

    @Test(.requires(.program("systemd-analyze")))
    func `systemd takes the unit of a filter, which has the capabilities that changing one needs`() throws {
        try withFolder { folder in
            try make("install-files", folder)
            let units = folder + "/lib/systemd/system"
            let run = try shell("systemd-analyze verify --man=no '\(units)/apus-filter@.service'")
            #expect(run.code == 0 && run.output + run.errors == "", "\(run.output)\(run.errors)")
            let unit = try String(contentsOfFile: units + "/apus-filter@.service", encoding: .utf8)
            let line = try #require(
                unit.split(separator: "\n").first { $0.hasPrefix("CapabilityBoundingSet=") })
            // And what kernels before Linux 6.6 may want.
            let wanted = Set((FilterCommand.changing + [.sysAdmin, .perfmon]).map(\.name))
            #expect(Set(line.dropFirst(22).split(separator: " ").map(String.init)) == wanted)
        }
    }

    @Test(.requires(.program("systemctl")))
    func `The filter of an interface that comes back is loaded again`() throws {
        try withFolder { folder in
            try make("install-files", "/usr", "DESTDIR='\(folder)'")
            let run = try shell("systemctl --root='\(folder)' enable apus-filter@eth0")
            #expect(run.code == 0, "\(run)")
            let links = try shell("find '\(folder)/etc/systemd/system' -type l -printf '%P\\n'").output
            #expect(
                Set(links.split(separator: "\n")) == [
                    "multi-user.target.wants/apus-filter@eth0.service",
                    "sys-subsystem-net-devices-eth0.device.wants/apus-filter@eth0.service",
                ])
            // Whoever makes a bond or a VLAN waits for that target, and the unit for the bond.
            let unit = try String(
                contentsOfFile: folder + "/usr/lib/systemd/system/apus-filter@.service", encoding: .utf8)
            #expect(!unit.contains("=network-pre.target"))
        }
    }

    @Test(.requires(.program("systemd-analyze")))
    func `systemd takes the unit, which has the capabilities that the doctor names`() throws {
        try withFolder { folder in
            try make("install-files", folder)
            let file = folder + "/lib/systemd/system/apus-forward.service"
            let run = try shell("systemd-analyze verify --man=no '\(file)'")
            #expect(run.code == 0 && run.output + run.errors == "", "\(run.output)\(run.errors)")
            let wanted = Set((DoctorFacts.xdpCapabilities + [.ipcLock]).map(\.name))
            let unit = try String(contentsOfFile: file, encoding: .utf8)
            for key in ["AmbientCapabilities", "CapabilityBoundingSet"] {
                let line = try #require(unit.split(separator: "\n").first { $0.hasPrefix(key + "=") })
                #expect(Set(line.dropFirst(key.count + 1).split(separator: " ").map(String.init)) == wanted)
            }
        }
    }
}
