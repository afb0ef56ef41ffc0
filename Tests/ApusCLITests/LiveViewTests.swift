import Glibc
import Testing

@testable import ApusCLI

/// A pair of a terminal's ends: what is written on one is read on the other.
private struct PseudoTerminal: ~Copyable {
    let master: Int32
    let slave: Int32

    init(columns: UInt16, lines: UInt16) throws {
        // TIOCSPTLCK and TIOCGPTN of ioctl_tty(2): unlock the other end, and learn its number.
        let (unlock, askNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
        var (locked, number): (Int32, UInt32) = (0, 0)
        master = unsafe open("/dev/ptmx", O_RDWR | O_NOCTTY)
        let isOpen = unsafe ioctl(master, unlock, &locked) == 0 && ioctl(master, askNumber, &number) == 0
        slave = unsafe open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
        var size = winsize(ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
        let isSet = unsafe ioctl(slave, UInt(TIOCSWINSZ), &size) == 0
        try #require(isOpen && slave >= 0 && isSet)
    }

    deinit {
        close(slave)
        close(master)
    }

    /// What has come when it is as long as what is expected, or after ten seconds: the kernel passes on what is
    /// written in pieces, from another thread (tty_flip_buffer_push() in drivers/tty/tty_buffer.c).
    func read(_ expected: String) -> String {
        var bytes: [UInt8] = []
        let deadline = ContinuousClock.now + .seconds(10)
        while bytes.count < expected.utf8.count, ContinuousClock.now < deadline {
            var polled = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
            if unsafe poll(&polled, 1, 100) > 0 { bytes += text(from: master).utf8 }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether what comes next is this, and nothing behind it so far.
    func shows(_ expected: String, sourceLocation: Testing.SourceLocation = #_sourceLocation) {
        #expect(read(expected) == expected, sourceLocation: sourceLocation)
    }
}

private func text(from descriptor: Int32) -> String {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = unsafe read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
}

@Suite struct LiveViewTests {
    @Test func `on a terminal the lines are drawn in their place, cut to its size`() throws {
        let terminal = try PseudoTerminal(columns: 12, lines: 4)
        let output = Output(descriptor: terminal.slave)
        #expect(output.isTerminal && output.width == 12 && output.height == 4)
        var view = LiveView(on: output)
        view.show(["one", "a line that is too long"], plain: "plain")
        terminal.shows("one\r\na line that…\r\n")
        view.show(["1", "2", "3", "4", "5"], plain: "plain")
        terminal.shows("\u{1b}[2A\r\u{1b}[J1\r\n2\r\n3\r\n")
        view.show(["end"], plain: "plain")
        terminal.shows("\u{1b}[3A\r\u{1b}[Jend\r\n")
    }

    @Test func `elsewhere it is a plain line each time, until nobody reads`() throws {
        var ends: [Int32] = [0, 0]
        try #require(unsafe pipe(&ends) == 0)
        signal(SIGPIPE, SIG_IGN)
        let output = Output(descriptor: ends[1])
        var view = LiveView(on: output)
        view.show(["one", "two"], plain: "1 and 2")
        view.show(["three"], plain: "3")
        #expect(text(from: ends[0]) == "1 and 2\n3\n")
        #expect(!output.isClosed)
        close(ends[0])
        view.show(["four"], plain: "4")
        #expect(output.isClosed)
        close(ends[1])
    }

    @Test func `JSON has sorted keys, in one line or spread`() throws {
        struct Figures: Encodable {
            var zebra = 1
            var path = "/a/b"
            var ant = [1.5, .infinity]
        }
        let terminal = try PseudoTerminal(columns: 80, lines: 24)
        let output = Output(descriptor: terminal.slave)
        output.json(Figures(), spread: false)
        terminal.shows("{\"ant\":[1.5,\"Infinity\"],\"path\":\"/a/b\",\"zebra\":1}\r\n")
        output.json(["b": 1, "a": 2], spread: true)
        terminal.shows("{\r\n  \"a\" : 2,\r\n  \"b\" : 1\r\n}\r\n")
    }
}
