import Foundation
import NetworkLab
import Testing

extension Lab {
    /// What `apus filter` does where system calls fail, and where others have been at its folders.
    @Suite(.requires(.root, .program("prlimit"), .program("setpriv"), .program("flock")))
    struct FilterFailureTests {
        private static let folder = "/sys/fs/bpf/apus/filter"
        private static let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]

        /// One with another interface beside vb.
        private func scene(_ purpose: String) throws -> FilterScene {
            let scene = try FilterScene(purpose)
            try scene.net.b.run("ip", "link", "add", "vc", "type", "veth", "peer", "name", "vd")
            return scene
        }

        private func isAttached(_ name: String, in scene: FilterScene) throws -> Bool {
            try scene.net.b.run("ip", "-d", "link", "show", name).standardOutput.contains("xdp")
        }

        @discardableResult
        private func shell(_ script: String, in scene: FilterScene) throws -> String {
            try scene.net.b.run("sh", "-c", script).standardOutput
        }

        @Test func `A command that may open few files takes no filter off that is in force`() throws {
            let scene = try scene("few")
            defer { scene.net.close() }
            for name in ["vb", "vc"] { try scene.fine("load \(name)") }
            let rules = try scene.files.write("rules.json5", "{ deny: ['udp/7'] }")
            let pins = try shell("cd \(Self.folder); find . -name entry -o -name slot | sort", in: scene)
            #expect(pins.split(separator: "\n").count == 4)
            var codes: [Int32?: Int] = [:]
            for files in 3...26 {
                for words in [
                    "deny vb 203.0.113.\(files)", "reload vb --config \(rules)", "load vb", "status",
                    "export",
                ] {
                    let run = try scene.run(words, as: ["prlimit", "--nofile=\(files):\(files)"])
                    codes[run.code, default: 0] += 1
                    #expect(run.code != nil, "\(files) \(words): \(run)")
                    if files > 5, run.code == 0, words == "status" {
                        #expect(run.output.contains("vb:") && run.output.contains("vc:"), "\(files): \(run)")
                    }
                }
                for name in ["vb", "vc"] { #expect(try isAttached(name, in: scene), "\(files) \(name)") }
                #expect(
                    try shell("cd \(Self.folder); find . -name entry -o -name slot | sort", in: scene)
                        == pins,
                    "\(files)")
            }
            #expect(codes[0, default: 0] > 10 && codes[69, default: 0] > 10, "\(codes)")
            try scene.fine("unload --all")
            try scene.expectNothing()
        }

        @Test func `A load that may open few files leaves all or nothing`() throws {
            let scene = try FilterScene("fewload")
            defer { scene.net.close() }
            var loaded = 0
            for files in 3...40 {
                let run = try scene.run("load vb", as: ["prlimit", "--nofile=\(files):\(files)"])
                if run.code == 0 {
                    loaded += 1
                    try scene.fine("unload vb")
                } else if try isAttached("vb", in: scene) {
                    // What is loaded could only not be shown.
                    #expect(run.output == "vb: the filter is loaded\n", "\(files): \(run)")
                    try scene.fine("status vb")
                    try scene.fine("unload vb")
                }
                #expect(try !isAttached("vb", in: scene), "\(files): \(run)")
                _ = try scene.run("unload vb")
                try scene.expectNothing("\(files)")
            }
            #expect((1...36).contains(loaded), "\(loaded)")
        }

        @Test func `A folder or a link of somebody else's is refused, and what it leads to stays`() throws {
            let scene = try FilterScene("link")
            defer { scene.net.close() }
            let victim = try shell("mktemp -d", in: scene).trimmingCharacters(in: .newlines)
            defer { try? FileManager.default.removeItem(atPath: victim) }
            let own = try shell(
                "echo $(stat -Lc %i /proc/self/ns/net)-$(cat /sys/class/net/vb/ifindex)", in: scene
            )
            .trimmingCharacters(in: .newlines)
            try shell(
                "mkdir \(victim)/1; touch \(victim)/1/state \(victim)/entry; chmod 755 \(victim)", in: scene)
            try scene.net.b.run(
                Self.nobody + [
                    "sh", "-c", "mkdir -p \(Self.folder) && ln -s \(victim) \(Self.folder)/\(own)",
                ])
            for words in ["load vb", "deny vb gre", "status", "status vb", "unload vb", "unload --all"] {
                let run = try scene.run(words)
                #expect(run.code == 77, "\(words): \(run)")
                #expect(
                    run.errors.contains(
                        "/sys/fs/bpf/apus: Operation not permitted: it belongs to the user with the ")
                        && run.errors.contains(
                            "number 65534, who could change what is kept there; run this as that user, or, once that "
                                + "user has unloaded what is kept there, have root remove it: `chmod go-w /sys/fs/bpf "
                                + "&& rm -r /sys/fs/bpf/apus`\n"),
                    "\(words): \(run)")
            }
            // The link itself, in folders that are ours.
            try shell("chown -R root:root /sys/fs/bpf/apus; chmod -R go-w /sys/fs/bpf/apus", in: scene)
            let run = try scene.run("unload --all")
            #expect(run.code == 77 && run.errors.contains("it is no folder; remove it"), "\(run)")
            #expect(try shell("find \(victim) | wc -l", in: scene) == "4\n")
            try shell("rm \(Self.folder)/\(own)", in: scene)
            try scene.fine("load vb")
            try shell("chmod 777 \(Self.folder)/\(own)", in: scene)
            #expect(try scene.run("deny vb gre").errors.contains("others may write to it; `chmod go-w "))
            try shell("chmod 700 \(Self.folder)/\(own)", in: scene)
            try scene.fine("unload vb")
            try scene.expectNothing()
        }

        @Test func `Whoever was first to make the folder is got rid of as the message says`() throws {
            let scene = try FilterScene("first")
            defer { scene.net.close() }
            try scene.net.b.run(Self.nobody + ["mkdir", "/sys/fs/bpf/apus"])
            let refused = try scene.run("load vb")
            #expect(refused.code == 77 && refused.errors.split(separator: "\n").count == 1, "\(refused)")
            try shell(#require(Self.commands(in: refused.errors).first), in: scene)
            try scene.fine("load vb")
            let again = try scene.net.b.start(Self.nobody + ["mkdir", "/sys/fs/bpf/other"])
            #expect(again.waitForExit() == .exited(1), "\(again.output)")
            try scene.fine("unload vb")
            try scene.expectNothing()
        }

        /// What stands between backticks.
        private static func commands(in text: String) -> [String] {
            text.matches(of: /`([^`]+)`/).map { String($0.1) }
        }

        @Test func `Who is not root is told what works, step by step`() throws {
            let scene = try FilterScene("user")
            defer { scene.net.close() }
            let copy = try shell("mktemp -d", in: scene).trimmingCharacters(in: .newlines)
            defer { try? FileManager.default.removeItem(atPath: copy) }
            try shell("chmod 755 \(copy); install -m 755 \(ApusProgram.path) \(copy)/apus", in: scene)
            // As systemd mounts it.
            try shell("umount /sys/fs/bpf; mount -t bpf -o mode=0700 bpf /sys/fs/bpf", in: scene)
            func typed(_ words: String, with capabilities: [String] = []) throws -> FilterScene.Run {
                let set = "-all" + capabilities.map { ",+\($0)" }.joined()
                let process = try scene.net.b.start(
                    Self.nobody + ["--inh-caps=\(set)", "--ambient-caps=\(set)", "\(copy)/apus", "filter"]
                        + words.split(separator: " ").map(String.init), environment: ["NO_COLOR": "1"])
                guard case .exited(let code)? = process.waitForExit(within: .seconds(30)) else {
                    return .init(code: nil, output: process.output, errors: process.errors)
                }
                return .init(code: code, output: process.output, errors: process.errors)
            }
            let path = "/sys/fs/bpf/apus"
            let folder = "mkdir -m 700 \(path) && chown 65534 \(path) && chmod o+x /sys/fs/bpf"
            // It gives away nothing of root's, which the user can't see.
            try scene.fine("load vb")
            let blind = try typed("status", with: ["bpf", "net_admin", "perfmon"])
            #expect(blind.code == 77 && Self.commands(in: blind.errors) == [folder], "\(blind)")
            let refused = try scene.net.b.start(["sh", "-c", folder])
            #expect(refused.waitForExit() != .exited(0) && refused.errors.contains("File exists"))
            try scene.fine("status vb")
            try scene.fine("unload vb")
            // With all the capabilities, as of a unit, only the folder is missing; also where there is a way to it.
            for _ in 1...2 {
                let able = try typed("load vb", with: ["bpf", "net_admin", "perfmon"])
                #expect(able.code == 77 && Self.commands(in: able.errors) == [folder], "\(able)")
                try shell("chmod o+x /sys/fs/bpf", in: scene)
            }
            try shell("chmod o-x /sys/fs/bpf", in: scene)
            for words in ["status", "load vb"] {
                let refused = try typed(words)
                #expect(refused.code == 77 && refused.errors.contains(" needs CAP_"), "\(refused)")
                #expect(
                    Self.commands(in: refused.errors) == [
                        "setcap cap_bpf,cap_net_admin,cap_perfmon+ep \(copy)/apus", folder,
                    ], "\(refused)")
            }
            for command in try Self.commands(in: typed("load vb").errors) { try shell(command, in: scene) }
            for words in [
                "load vb", "deny vb udp/53", "limit vb --rate 10pps", "status vb", "unload vb", "load vb",
            ] {
                let run = try typed(words)
                #expect(run.code == 0 && run.warnings.isEmpty, "\(words): \(run)")
            }
            // Root trusts nothing of it.
            let root = try scene.run("status vb")
            #expect(
                root.code == 77
                    && root.errors.hasSuffix(
                        "run this as that user, or, once that user has unloaded what is kept there, have root remove "
                            + "it: `rm -r /sys/fs/bpf/apus`\n"),
                "\(root)")
            // Who does not wait for that user can take the program off that is left.
            try shell(#require(Self.commands(in: root.errors).first), in: scene)
            #expect(try scene.run("load vb").errors.contains("unload"))
            try scene.fine("unload vb")
            try scene.fine("load vb")
            try scene.fine("unload vb")
            try scene.expectNothing()
        }

        @Test func `Nobody else can hold off changes, or is told that there is no filter`() throws {
            let scene = try FilterScene("lock")
            defer { scene.net.close() }
            let copy = try shell("mktemp -d", in: scene).trimmingCharacters(in: .newlines)
            defer { try? FileManager.default.removeItem(atPath: copy) }
            try shell("chmod 755 \(copy); install -m 755 \(ApusProgram.path) \(copy)/apus", in: scene)
            try scene.fine("load vb")
            for folder in ["/sys/fs/bpf/apus", Self.folder] {
                let lock = try scene.net.b.start(Self.nobody + ["flock", "--nonblock", folder, "true"])
                #expect(lock.waitForExit() != .exited(0), "\(folder)")
            }
            let holder = try scene.net.b.start(
                Self.nobody + ["flock", "/sys/fs/bpf", "sh", "-c", "echo held; exec sleep 100"])
            try eventually("the root is locked") { holder.output.contains("held") }
            try scene.fine("deny vb gre")
            holder.stop(SIGTERM)

            let set = "--inh-caps=-all,+bpf,+net_admin"
            for words in [
                "status", "status vb", "export", "unload vb", "unload --all", "deny vb gre", "load vb",
            ] {
                let process = try scene.net.b.start(
                    Self.nobody + [set, set.replacing("inh", with: "ambient"), "\(copy)/apus", "filter"]
                        + words.split(separator: " ").map(String.init), environment: ["NO_COLOR": "1"])
                let end = process.waitForExit(within: .seconds(30))
                #expect(
                    end == .exited(77) && process.errors.contains("belongs to root; run this as root\n")
                        && process.output.isEmpty, "\(words): \(process.output)\(process.errors)")
            }
            #expect(try isAttached("vb", in: scene))
            try scene.fine("unload vb")
        }

        @Test func `A filter whose pins are elsewhere is named as one of Apus`() throws {
            let scene = try FilterScene("elsewhere")
            defer { scene.net.close() }
            let elsewhere = [
                "unshare", "--mount", "sh", "-c", "mount -t bpf -o mode=0700 bpf /sys/fs/bpf && exec \"$@\"",
                "-",
            ]
            for (mode, other) in [("native", "generic"), ("generic", "native")] {
                try scene.fine("load vb --mode \(mode)")
                for wanted in [mode, other, "auto"] {
                    let run = try scene.run("load vb --mode \(wanted)", as: elsewhere)
                    #expect(
                        run.code == 69
                            && run.errors.contains(
                                "vb: a filter of Apus is on it whose state is not kept here, "),
                        "\(wanted): \(run)")
                }
                let run = try scene.run("unload vb", as: elsewhere)
                #expect(
                    run.code == 0 && run.output.hasPrefix("vb: the program of a filter is taken off "),
                    "\(run)")
                #expect(try scene.fine("unload vb").hasPrefix("vb: no filter was on the interface; "))
            }
            try scene.expectNothing()
        }

        @Test func `One that can't be read or removed does not hide or keep the others`() throws {
            let scene = try scene("partly")
            defer { scene.net.close() }
            for name in ["vb", "vc"] { try scene.fine("load \(name)") }
            let index = try shell("cat /sys/class/net/vb/ifindex", in: scene).trimmingCharacters(
                in: .newlines)
            // No map has the state any more.
            try shell("rm \(Self.folder)/*-\(index)/1/state", in: scene)
            for words in ["status", "status --json", "export"] {
                let run = try scene.run(words)
                #expect(run.code == 69 && run.output.contains("vc"), "\(words): \(run)")
                #expect(run.errors.contains("/1/state: No such file or directory"), "\(words): \(run)")
            }
            // Nor is it taken for a leftover.
            try scene.fine("deny vc gre")
            try shell("chmod 777 \(Self.folder)/*-\(index)", in: scene)
            let run = try scene.run("unload --all")
            #expect(run.code == 77 && run.output == "vc: the filter is unloaded\n", "\(run)")
            #expect(try isAttached("vb", in: scene) && !isAttached("vc", in: scene))
            try shell("chmod 700 \(Self.folder)/*-\(index)", in: scene)
            try scene.fine("unload vb")
            try scene.expectNothing()
        }

        @Test func `What was left is removed by the next change, which says so`() throws {
            let scene = try scene("left")
            defer { scene.net.close() }
            for name in ["vb", "vc"] { try scene.fine("load \(name)") }
            try scene.net.b.run("ip", "link", "del", "vc")
            let run = try scene.run("deny vb gre")
            #expect(
                run.code == 0
                    && run.errors.contains(
                        /^remark: vc \(interface \d+\): removed what was left of a filter that is not in force\n$/
                    ),
                "\(run)")
            // Of other network namespaces nobody can tell whether they have ended.
            try shell("mkdir -m 700 \(Self.folder)/1-7", in: scene)
            #expect(
                try scene.fine("status").hasSuffix(
                    "\n1 filter is kept for other network namespaces, some of which may have ended\n"))
            try shell("rmdir \(Self.folder)/1-7", in: scene)
            try scene.fine("unload --all")
            try scene.expectNothing()
        }
    }
}
