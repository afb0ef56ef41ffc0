import Glibc

/// Standard output or standard error: what it can show, and how to write to it.
final class Output {
    let descriptor: Int32
    /// Whether a person looks at it.
    let isTerminal: Bool
    let style: Style
    /// Whether the reader has gone away; what is written then is lost, and a command that writes on and on should end.
    private(set) var isClosed = false
    /// The error number of a write that failed for another reason, such as a full disk; 0 if there was none.
    private(set) var failure: Int32 = 0

    /// Finds out what stands behind a descriptor.
    ///
    /// Colour is used on a terminal only, not on one that says TERM=dumb, and not where NO_COLOR is set to
    /// anything (https://no-color.org).
    init(descriptor: Int32) {
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
        let refused = environment("NO_COLOR").map { !$0.isEmpty } ?? false
        style = Style(isOn: isTerminal && !refused && environment("TERM") != "dumb")
    }

    /// How many columns a line may have: COLUMNS if it is set, else what the terminal says, else 80.
    var width: Int { size.columns }

    /// How many lines fit on the terminal, or 24.
    var height: Int { size.lines }

    private var size: (columns: Int, lines: Int) {
        var window = winsize()
        // TIOCGWINSZ of ioctl_tty(2) fills in the structure, or fails and leaves it alone.
        if isTerminal { _ = unsafe ioctl(descriptor, UInt(TIOCGWINSZ), &window) }
        let columns = environment("COLUMNS").flatMap { Int($0) } ?? Int(window.ws_col)
        return (columns > 0 ? columns : 80, window.ws_row > 0 ? Int(window.ws_row) : 24)
    }

    /// Writes the whole text, unless the reader has gone away.
    func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty, !isClosed {
            // The buffer outlives the call, which reads no more than its count.
            let written = unsafe bytes.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if written >= 0 {
                bytes = bytes.dropFirst(written)
            } else if errno == EAGAIN {
                var poll = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = unsafe Glibc.poll(&poll, 1, -1)
            } else if errno != EINTR {
                isClosed = true
                failure = errno == EPIPE ? 0 : errno
            }
        }
    }

    /// Writes a text and ends the line.
    func line(_ text: String) { write(text + "\n") }
}

/// A variable of the environment, or nil. Nothing here changes the environment, so the text stays valid while it is copied.
func environment(_ name: String) -> String? {
    guard let value = unsafe getenv(name) else { return nil }
    return unsafe String(cString: value)
}
