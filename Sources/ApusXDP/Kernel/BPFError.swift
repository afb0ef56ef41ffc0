/// A call about BPF that the kernel or libbpf refused.
package struct BPFError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What was to be done, and to what: `updating the map apus_bans`.
    package let operation: String
    /// The errno.
    package let code: Int32
    /// What the kernel or libbpf said beside it; may be empty.
    package let detail: String

    /// An error with the words given.
    package init(_ operation: String, code: Int32, detail: String = "") {
        (self.operation, self.code, self.detail) = (operation, code, detail)
    }

    /// The operation, the C library's words for the errno, and the detail.
    package var description: String {
        "\(operation): \(message(code))\(detail.isEmpty ? "" : ": \(detail)")"
    }
}

/// Runs what may throw an error of the kernel's, and names the interface.
func about<Result>(
    _ interface: String, _ body: () throws(BPFError) -> Result
) throws(XDPError) -> Result {
    do throws(BPFError) { return try body() } catch { throw XDPError(interface, error) }
}

extension XDPError {
    /// The error as one about an interface.
    package init(_ interface: String, _ error: BPFError) {
        self.init(interface, .failed(error.operation, code: error.code, detail: error.detail))
    }
}
