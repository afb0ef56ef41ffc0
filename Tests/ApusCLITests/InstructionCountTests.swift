import Foundation
import NetworkLab
import Testing

/// Benchmarks/instructions.sh, over a program whose instructions are known.
@Suite(.requires(.program("valgrind"), .program("gcc"), .program("objcopy"), .program("python3")))
struct InstructionCountTests {
    private static let script = DocumentTests.root.appending(path: "Benchmarks/instructions.sh").path()

    /// What the benchmarks would have built, in a folder of its own.
    private final class Built {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
            "apus-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        ).path

        init() throws {
            try FileManager.default.createDirectory(
                atPath: folder + "/release", withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: folder) }

        /// Runs the script over it.
        func count(_ words: String...) throws -> Running {
            let counting = try NetworkLab.start([script] + words, environment: ["SCRATCH": folder])
            _ = counting.waitForExit(within: .seconds(30))
            return counting
        }
    }

    /// 100 rounds of 1000 packets each: five instructions a packet for Apus, four for C, and a few a round.
    private static let program = """
        #include <string.h>
        __attribute__((noinline)) void settle(long packets) {
            __asm__ volatile("nop; 1: nop; nop; nop; dec %0; jnz 1b" : "+r"(packets));
        }
        __attribute__((noinline)) void work(long packets) { settle(packets); }
        __attribute__((noinline)) void worker_round(long packets) {
            __asm__ volatile("nop; 1: nop; nop; dec %0; jnz 1b" : "+r"(packets));
        }
        int main(int count, char **words) {
            if (count != 5 || strcmp(words[1], "run") || strcmp(words[2], "tax/known")) return 1;
            if (strcmp(words[3], "--quick") || strcmp(words[4], "--one-core")) return 1;
            settle(1000000);
            for (int i = 0; i < 100; i++) { work(1000); worker_round(1000); }
            return 0;
        }
        """

    @Test func `it counts the instructions of a packet in the rounds of both, and no others`() throws {
        let built = try Built()
        let source = built.folder + "/known.c"
        try Self.program.write(toFile: source, atomically: true, encoding: .utf8)
        let text = try String(contentsOfFile: Self.script, encoding: .utf8)
        let round = try #require(text.firstMatch(of: /(?m)^round='(.*)'$/)).1
        try NetworkLab.run(["gcc", "-O1", "-o", built.folder + "/known", source])
        // By the names that Swift gives them.
        try NetworkLab.run([
            "objcopy", "--redefine-sym", "settle=$s7ApusRTP5RelayV6settleyyF", "--redefine-sym",
            "work=\(round)",
            built.folder + "/known", built.folder + "/release/bench",
        ])
        let counting = try built.count("tax/known")
        #expect(counting.waitForExit() == .exited(0) && counting.errors == "", "\(counting.errors)")
        let words = counting.output.split(whereSeparator: \.isWhitespace)
        #expect(
            words == ["tax/known", "Apus", "5.0", "C", "4.0", "difference", "+1.0"], "\(counting.output)")
        // A comparison that there is not: what the program ends with.
        #expect(try built.count("tax/unknown").waitForExit() == .exited(1))
    }

    @Test func `it says what it is, what it lacks, and where it finds nothing to count`() throws {
        let built = try Built()
        let help = try built.count("--help")
        #expect(help.waitForExit() == .exited(0) && help.output.hasPrefix("instructions.sh NAME...: "))
        let none = try built.count()
        #expect(none.waitForExit() == .exited(66))
        #expect(
            none.errors
                == "instructions: there is no \(built.folder)/release/bench: Benchmarks/run.sh build makes it\n"
        )
        try NetworkLab.run(["cp", "/bin/true", built.folder + "/release/bench"])
        let other = try built.count("tax/known")
        #expect(other.waitForExit() == .exited(1))
        #expect(
            other.errors.hasPrefix("instructions: tax/known has no round of a worker: "), "\(other.errors)")
    }
}
