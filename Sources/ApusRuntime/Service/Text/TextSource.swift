/// A long text that is made piece by piece, so that a figure for each of a million streams neither fills the
/// memory nor holds up the thread that writes it.
package protocol TextSource {
    /// Appends the next piece, of some 64 KiB at most; appends nothing at the end.
    mutating func appendNext(to text: inout [UInt8])
}

/// How long a piece gets before it is handed out.
let textPieceSize = 32 << 10

/// A text that is there already.
struct WholeText: TextSource {
    private var text: [UInt8]

    init(_ text: String) { self.text = Array(text.utf8) }

    mutating func appendNext(to text: inout [UInt8]) {
        text += self.text
        self.text = []
    }
}
