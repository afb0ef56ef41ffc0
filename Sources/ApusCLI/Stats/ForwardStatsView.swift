import Apus
import Glibc

/// What a user of `apus forward` sees while it runs and when it ends.
///
/// Nothing here waits for the reader: what can't be written in time is left out.
final class ForwardStatsView {
    /// How often there is a line where no terminal is, in updates.
    static let updatesPerLine = 5

    private let options: ForwardOptions
    private let output: Output
    private let writer: OutputThread
    // The same as `writer` where the view is live, so that messages and view do not get in each other's way;
    // another one elsewhere, so that what is told is told even if nobody reads the figures.
    private let logger: OutputThread
    private var last: ForwarderStatus?
    private var lastLine: ForwarderStatus?
    private var updates = 0

    /// From now on only the view writes to both.
    init(options: ForwardOptions, output: Output, log: Output) throws(ThreadError) {
        (self.options, self.output) = (options, output)
        writer = try OutputThread(output: output, log: log)
        logger = output.isTerminal ? writer : try OutputThread(output: log, log: log)
    }

    /// Whether nobody reads the output any more.
    var isClosed: Bool { writer.isClosed }

    /// Shows the figures of this second: a page on a terminal; elsewhere a line every five seconds; or as JSON.
    func show(_ status: ForwarderStatus) {
        defer { (last, updates) = (status, updates + 1) }
        if options.writesJSON { return writer.write(.line(status.jsonLine)) }
        guard output.isTerminal else {
            guard updates.isMultiple(of: Self.updatesPerLine) else { return }
            writer.write(.line(ForwardStatsLine.text(status, ForwarderRates(from: lastLine, to: status))))
            lastLine = status
            return
        }
        var time = timespec()
        unsafe _ = clock_gettime(CLOCK_REALTIME, &time)
        let page = ForwardStatsPage(
            status, ForwarderRates(from: last, to: status), width: output.width, style: output.style,
            now: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
        writer.write(.view(page.lines(height: output.height - 1)))
    }

    /// Tells what happened.
    func note(_ event: ForwarderService.Event) { logger.write(.message("\(event)".printableLines)) }

    /// Tells what came of it all: as JSON where that was asked for and somebody reads it, else in words for the log.
    ///
    /// - Returns: whether it had its reader to the end. One that only does not keep up with a live view or its lines
    ///   has left out what is out of date, and is none of those that are gone.
    func finish(_ status: ForwarderStatus) -> Bool {
        var isTold = true
        if options.writesJSON {
            writer.write(.line(status.jsonLine))
            isTold = writer.finish() && !writer.isClosed
        }
        if !options.writesJSON || !isTold {
            logger.write(.message(ForwardSummary.lines(status).joined(separator: "\n")))
        }
        logger.finish()
        if logger !== writer, !options.writesJSON { writer.finish() }
        return isTold && !writer.isClosed
    }

    /// Why not all was written.
    var outputFailure: String {
        let code = writer.failure
        // The words of strerror(3) are a constant of the C library, or the thread's own.
        return code == 0 ? "nobody reads it any more" : unsafe String(cString: strerror(code))
    }
}
