import ApusConfig
import ApusWire
import CLinux
import CMicrohttpd
import Glibc

/// The HTTP server for `/metrics` and `/health`.
///
/// It has no thread: wait until ``descriptor`` is readable, or for ``timeout``, and call ``attend()``. A
/// connection serves one request, has 30 seconds from its start to its end, and 16 KiB for the request;
/// ``mostConnections`` are served at a time, others wait in the kernel's queue of 16. Long answers are made
/// piece by piece as the client takes them.
@safe
final class MetricsServer {
    static let mostConnections = 16
    /// How long a connection may say nothing, in seconds.
    private static let silence: UInt32 = 10
    private static let requestBytes = 16 << 10
    /// Pieces of each answer that are written before others have their turn. A piece has a few KiB.
    private static let pieces = 32

    /// Where it listens.
    let endpoint: Endpoint
    private let limit: UInt64
    private let snapshot: () -> StatusSnapshot
    private let daemon: OpaquePointer
    private let context: HTTPContext
    // When each open connection has to end, by its socket.
    private var deadlines: [Int32: UInt64] = [:]

    /// Listens at `endpoint`, and asks `snapshot` for the figures when somebody wants them.
    ///
    /// - Parameter limit: how long a connection may last, in milliseconds.
    convenience init(
        _ endpoint: Endpoint, limit: UInt64 = 30_000, snapshot: @escaping () -> StatusSnapshot
    ) throws(ServiceError) {
        try self.init(ListeningSocket(endpoint), endpoint, limit: limit, snapshot: snapshot)
    }

    /// The server that a configuration asks for; nil without one. An address that is not this host's is an error of
    /// the configuration, with its place.
    convenience init?(
        for configuration: ForwarderConfiguration, snapshot: @escaping () -> StatusSnapshot
    ) throws(ServiceError) {
        guard let wanted = configuration.metrics else { return nil }
        do throws(ServiceError) {
            try self.init(wanted.listen, snapshot: snapshot)
        } catch {
            guard case .addressNotOnHost = error else { throw error }
            throw .configuration(
                ConfigurationErrors(configuration.error("\(error)", at: wanted.map["listen"])))
        }
    }

    private init(
        _ listener: consuming ListeningSocket, _ endpoint: Endpoint, limit: UInt64,
        snapshot: @escaping () -> StatusSnapshot
    ) throws(ServiceError) {
        (self.endpoint, self.limit, self.snapshot) = (endpoint, limit, snapshot)
        context = HTTPContext()
        // Sound: the daemon's pointer to the context is used by MHD_run and MHD_stop_daemon only, which this
        // object calls while it holds the context.
        guard
            let daemon = unsafe apus_http_start(
                listener.descriptor, UInt32(Self.mostConnections), Self.silence,
                Self.requestBytes, answerHTTPRequest, noteHTTPConnection,
                Unmanaged.passUnretained(context).toOpaque())
        else { throw .systemCall("start the metrics server", ENOMEM) }
        _ = listener.release()
        unsafe self.daemon = daemon
        context.server = self
    }

    deinit { unsafe MHD_stop_daemon(daemon) }

    /// Readable when ``attend()`` has something to do.
    var descriptor: Int32 { unsafe apus_http_descriptor(daemon) }

    /// How long to wait at most before ``attend()``, in milliseconds; nil for any time.
    var timeout: Int32? {
        var milliseconds: UInt64 = 0
        guard unsafe MHD_get_timeout(daemon, &milliseconds) == .YES else { return nil }
        return Int32(clamping: milliseconds)
    }

    /// Takes connections and requests, and writes answers as far as that goes without waiting, up to some pieces each.
    func attend() {
        for _ in 0..<Self.pieces {
            unsafe _ = MHD_run(daemon)
            guard timeout == 0 else { break }
        }
        let now = Clock.monotonic
        for (socket, deadline) in deadlines where deadline <= now {
            // The daemon finds the connection closed and forgets it.
            _ = shutdown(socket, APUS_SHUT_RDWR)
            deadlines[socket] = nil
        }
    }

    func note(_ socket: Int32, isOpen: Bool) {
        deadlines[socket] = isOpen ? Clock.monotonic &+ limit &* 1_000_000 : nil
    }

    func answer(method: String, path: String) -> HTTPAnswer {
        let isKnown = path == "/metrics" || path == "/health"
        guard isKnown else {
            return HTTPAnswer(404, WholeText("not found; there are /metrics and /health\n"))
        }
        guard method == "GET" || method == "HEAD" else {
            return HTTPAnswer(405, WholeText("only GET and HEAD are allowed\n"), allow: "GET, HEAD")
        }
        if path == "/metrics" {
            return HTTPAnswer(200, MetricsText(snapshot()), contentType: MetricsText.contentType)
        }
        let report = HealthReport(snapshot().status)
        return HTTPAnswer(
            report.code, WholeText(String(decoding: report.json, as: UTF8.self)),
            contentType: "application/json")
    }
}
