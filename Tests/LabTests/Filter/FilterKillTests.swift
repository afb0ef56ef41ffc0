import Foundation
import Glibc
import NetworkLab
import Testing

extension Lab {
    /// Commands of `apus filter` that are killed in the middle of their work.
    @Suite(.requires(.root, .program("ping")))
    struct FilterKillTests {
        /// How many moments of a command's time it is killed at.
        private static let moments = 40

        /// Kills a command at moments that are spread over the time it takes.
        ///
        /// - Parameters:
        ///   - prepare: before each.
        ///   - mend: what must be possible after each.
        private func kill(
            _ words: String, in scene: FilterScene, prepare: () throws -> Void, mend: (Int) throws -> Void
        ) throws {
            var times: [Duration] = []
            for _ in 0..<3 {
                try prepare()
                let start = ContinuousClock.now
                #expect(try scene.run(words).code == 0)
                times.append(ContinuousClock.now - start)
            }
            // A machine that is busy for a moment makes one too long.
            let time = times.sorted()[1]
            var killed = 0
            for moment in 0..<Self.moments {
                try prepare()
                let process = try scene.start(words)
                usleep(UInt32(time / .microseconds(1) * Double(moment) / Double(Self.moments)))
                process.send(SIGKILL)
                if process.waitForExit() == .signaled(SIGKILL) { killed += 1 }
                try mend(moment)
            }
            #expect(killed >= Self.moments / 4, "\(killed) were killed before their end, of \(time)")
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
    }
}
