import CLinux
import Glibc
import Testing

@testable import ApusRuntime

@Suite("Bell")
struct BellTests {
    /// How often it was rung for who waits, which is forgotten by that.
    private func count(_ bell: Bell) -> UInt64 {
        var count: UInt64 = 0
        return unsafe eventfd_read(bell.descriptor, &count) == 0 ? count : 0
    }

    @Test func `It is heard once, by who waits, and by nobody else`() throws {
        let bell = try Bell()
        bell.ring()
        #expect(count(bell) == 0)
        for _ in 0..<2 {
            bell.await()
            for _ in 0..<3 { bell.ring() }
            #expect(count(bell) == 1)
        }
        bell.await()
        bell.settle()
        bell.ring()
        #expect(count(bell) == 0)
    }

    @Test func `Who always waits hears it again after each look`() throws {
        let bell = try Bell(isAwaited: true)
        for _ in 0..<3 {
            for _ in 0..<3 { bell.ring() }
            var one = pollfd(fd: bell.descriptor, events: Int16(POLLIN), revents: 0)
            #expect(unsafe poll(&one, 1, 0) == 1)
            bell.rearm()
            #expect(unsafe poll(&one, 1, 0) == 0)
        }
        bell.ring()
        #expect(count(bell) == 1)
    }
}
