import Foundation
import NetworkLab
import Testing

#if DPDK
    /// What Docs/HugepageHost.md has a reader type for a first try is typed, line by line.
    @Suite struct DocumentedTapTests {
        @Test(.requires(.root, .program("ip"), .program("ping"), .program("unshare")))
        func `the tap of the documents relays, and the status says so`() throws {
            let blocks = DocumentTests.blocks.filter { $0.document == "Docs/HugepageHost.md" }
            let file = try #require(blocks.first { $0.language == "json5" && $0.text.contains("net_tap0") })
            let block = try #require(
                blocks.first { $0.text.hasPrefix("# apus forward --config tap.json5 &") })
            var lines = block.text.split(separator: "\n").map { String($0.dropFirst(2)) }
            // A reader sees that it is ready.
            lines.insert(
                "for _ in {1..300}; do grep -q ^ready log && break; sleep 0.1; done; cat log", at: 1)
            let folder = FileManager.default.temporaryDirectory.appending(path: "apus-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(at: folder) }
            try file.text.write(to: folder.appending(path: "tap.json5"), atomically: false, encoding: .utf8)
            // A host of its own, as far as that goes: namespaces, addresses and sockets are nobody else's.
            let script = """
                set -eu; mount -t tmpfs -o mode=755 tmpfs /run; cd '\(folder.path())'; exec 2>log
                trap 'kill %1 2>/dev/null || true' EXIT
                """
            try (script + "\n" + lines.joined(separator: "\n") + "\nwait\n")
                .write(to: folder.appending(path: "typed"), atomically: false, encoding: .utf8)
            let run = try shell(
                "timeout 90 unshare --net --mount --propagation private bash '\(folder.path())/typed'; code=$?; "
                    + "cat '\(folder.path())/log' >&2; exit $code")
            let said = "\(run.output)\(run.errors)"
            #expect(run.code == 0, "\(said)")
            #expect(run.output.contains("3 packets transmitted, 3 received"), "\(said)")
            #expect(run.output.contains("\nreceived 5,000 packets,"), "\(said)")
            #expect(run.output.contains("\nsent 5,000 packets,"), "\(said)")
            #expect(run.output.contains("echo_reply 3") && run.output.contains("neighbors "), "\(said)")
            #expect(!run.output.contains("own_address"), "\(said)")
        }
    }
#endif
