import Foundation
import Glibc
import NetworkLab
import Testing

extension Lab {
    /// Commands of `apus filter` that are killed in the middle of their work.
    @Suite(.requires(.root, .program("ping")))
    struct FilterKillTests {
        /// Kills a command at moments that are spread over the time it takes.
        ///
        /// - Parameters:
        ///   - moments: how many.
        ///   - prepare: before each.
        ///   - mend: what must be possible after each.
        private func kill(
            _ words: String, at moments: Int = 40, in scene: FilterScene, prepare: () throws -> Void,
            mend: (Int) throws -> Void
        ) throws {
            var times: [Duration] = []
            for _ in 0..<3 {
                try prepare()
                let start = ContinuousClock.now
                #expect(try scene.run(words).code == 0)
                times.append(ContinuousClock.now - start)
            }
            // A machine that is busy for a moment makes one too long.
            var time = times.sorted()[1]
            var killed = 0
            for moment in 0..<moments {
                try prepare()
                let process = try scene.start(words)
                usleep(UInt32(time / .microseconds(1) * Double(moment) / Double(moments)))
                process.send(SIGKILL)
                // How busy the machine is changes meanwhile, and with it the time that the command takes.
                if process.waitForExit() == .signaled(SIGKILL) { killed += 1 } else { time = time * 0.9 }
                try mend(moment)
            }
            #expect(killed >= moments / 4, "\(killed) were killed before their end, of \(time)")
        }

        private let rules =
            "{ deny: ['203.0.113.0/24', 'udp/7'], limits: [{ each: 'source', rate: '1kpps' }] }"

        /// Pings take their time, so only some moments are seen that way.
        private func answers(in scene: FilterScene, _ moment: Int) throws {
            if moment.isMultiple(of: 5) { #expect(try scene.answers() == 10, "\(moment)") }
        }

        @Test func `load`() throws {
            let scene = try FilterScene("kill-load")
            defer { scene.net.close() }
            let file = try scene.files.write("rules.json5", rules)
            try kill("load vb --config \(file)", in: scene) {
                _ = try scene.run("unload vb")
                try scene.expectNothing()
            } mend: { moment in
                try answers(in: scene, moment)
                // Half of them are mended by a load, half by the end.
                if moment.isMultiple(of: 2) {
                    let run = try scene.run("load vb --config \(file)")
                    #expect(run.code == 0 || run.errors.contains("is loaded already"), "\(moment): \(run)")
                    #expect(try scene.fine("dump vb").contains("203.0.113.0/24"))
                    try scene.fine("unload vb")
                } else {
                    let run = try scene.run("unload vb")
                    #expect(run.code == 0 || run.errors.contains("no filter is loaded"), "\(moment): \(run)")
                }
                try scene.expectNothing("\(moment)")
            }
        }

        @Test func `reload`() throws {
            let scene = try FilterScene("kill-reload")
            defer { scene.net.close() }
            let file = try scene.files.write("rules.json5", rules)
            let other = try scene.files.write(
                "other.json5", rules.replacing("203.0.113.0", with: "198.51.100.0"))
            try scene.fine("load vb --config \(file)")
            try kill("reload vb --config \(other)", in: scene) {
                try scene.fine("reload vb --config \(file)")
            } mend: { moment in
                try answers(in: scene, moment)
                let text = try scene.fine("dump vb")
                // The old rules or the new.
                #expect(
                    text.contains("203.0.113.0/24") != text.contains("198.51.100.0/24"), "\(moment): \(text)")
            }
            try scene.fine("unload vb")
            try scene.expectNothing()
        }

        @Test func `unload`() throws {
            let scene = try FilterScene("kill-unload")
            defer { scene.net.close() }
            let file = try scene.files.write("rules.json5", rules)
            try kill("unload vb", in: scene) {
                let run = try scene.run("load vb --config \(file)")
                #expect(run.code == 0 || run.errors.contains("is loaded already"), "\(run)")
            } mend: { moment in
                try answers(in: scene, moment)
                guard moment.isMultiple(of: 2) else { return }
                let run = try scene.run("unload vb")
                #expect(run.code == 0 || run.errors.contains("no filter is loaded"), "\(moment): \(run)")
                try scene.expectNothing("\(moment)")
            }
            _ = try scene.run("unload vb")
            try scene.expectNothing()
        }

        /// What is changed, from rules with all that is taken away.
        private static let changes = [
            "allow vb 198.51.100.0/24 udp/9", "deny vb 198.51.100.0/24 2001:db8:9::/48 udp/9 gre",
            "limit vb --name other --source any --service udp/5004 --rate 50kpps",
            "remove vb 203.0.113.0/24 udp/7 --limit source",
        ]

        @Test(arguments: changes) func `A change is made as a whole or not at all`(words: String) throws {
            let scene = try FilterScene("kill-change")
            defer { scene.net.close() }
            let file = try scene.files.write("rules.json5", rules)
            try scene.fine("load vb --config \(file)")
            let old = try scene.fine("dump vb")
            try scene.fine(words)
            let new = try scene.fine("dump vb")
            #expect(old != new)
            func pins() throws -> Int {
                try scene.net.b.run("find", "/sys/fs/bpf/apus").standardOutput.split(separator: "\n").count
            }
            try scene.fine("reload vb --config \(file)")
            let kept = try pins()
            try kill(words, at: 16, in: scene) {
                // The next command, which also removes what was left.
                try scene.fine("reload vb --config \(file)")
                #expect(try scene.fine("dump vb") == old)
                #expect(try pins() == kept)
            } mend: { moment in
                try answers(in: scene, moment)
                let text = try scene.fine("dump vb")
                #expect(text == old || text == new, "\(moment): \(text)")
                // Where it was not, it is made now.
                if text == old {
                    try scene.fine(words)
                    #expect(try scene.fine("dump vb") == new, "\(moment)")
                }
            }
            try scene.fine("unload vb")
            try scene.expectNothing()
        }
    }
}
