import CMeter

/// Runs `body` while a random amount of heap, pages and stack is taken: what it makes comes to lie at other addresses and
/// on other physical pages than the last time, and with that in other sets of the caches.
///
/// That is worth up to a fifth of a program's time, and no number of rounds shows it that all work on the same memory
/// (Mytkowicz et al., "Producing wrong data without doing anything obviously wrong!", ASPLOS 2009).
func displaced<Result>(_ body: () throws -> Result) throws -> Result {
    var result: Swift.Result<Result, any Error>?
    withoutActuallyEscaping(body) { body in
        var work: () -> Void = { result = Swift.Result { try body() } }
        // Sound: the pointer is used during the call only, as what it was made of.
        unsafe withUnsafeMutablePointer(to: &work) { work in
            unsafe meter_displaced(
                .random(in: 1...(.max)), .random(in: 1...256), 16 * .random(in: 0..<256),
                { unsafe $0!.assumingMemoryBound(to: (() -> Void).self).pointee() }, work)
        }
    }
    return try result!.get()
}
