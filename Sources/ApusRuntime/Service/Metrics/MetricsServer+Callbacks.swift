import CMicrohttpd
import Glibc

/// What libmicrohttpd is given to find the server again.
final class HTTPContext {
    /// Nil before the server is complete and while it ends.
    weak var server: MetricsServer?
}

/// An answer to an HTTP request.
struct HTTPAnswer {
    var code: UInt32
    var body: any TextSource
    var contentType: String
    /// The methods that are allowed instead.
    var allow: String?

    init(
        _ code: UInt32, _ body: any TextSource, contentType: String = "text/plain; charset=utf-8",
        allow: String? = nil
    ) {
        (self.code, self.body, self.contentType, self.allow) = (code, body, contentType, allow)
    }
}

/// Called when the header of a request is there; answers at once, whatever body may follow.
func answerHTTPRequest(
    context: UnsafeMutableRawPointer?, connection: OpaquePointer?, path: UnsafePointer<CChar>?,
    method: UnsafePointer<CChar>?, version: UnsafePointer<CChar>?, upload: UnsafePointer<CChar>?,
    uploadSize: UnsafeMutablePointer<Int>?, request: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
    guard let context = unsafe context, let connection = unsafe connection, let path = unsafe path,
        let method = unsafe method,
        // Sound: the pointer is the one that the server gave, and the server holds the object.
        let server = unsafe Unmanaged<HTTPContext>.fromOpaque(context).takeUnretainedValue().server
    else { return .NO }
    let answer = unsafe server.answer(method: String(cString: method), path: String(cString: path))
    // The response owns the body until `freeHTTPBody`, which it calls when the last connection is done with it.
    guard
        let response = unsafe MHD_create_response_from_callback(
            UInt64.max, 64 << 10, readHTTPBody, Unmanaged.passRetained(HTTPBody(answer.body)).toOpaque(),
            freeHTTPBody)
    else { return .NO }
    defer { unsafe MHD_destroy_response(response) }
    var headers = [
        ("Content-Type", answer.contentType), ("Connection", "close"), ("Cache-Control", "no-store"),
    ]
    if let allow = answer.allow { headers.append(("Allow", allow)) }
    for (name, value) in headers { unsafe _ = MHD_add_response_header(response, name, value) }
    return unsafe MHD_queue_response(connection, answer.code, response)
}

/// Called when a connection begins and ends.
func noteHTTPConnection(
    context: UnsafeMutableRawPointer?, connection: OpaquePointer?,
    socketContext: UnsafeMutablePointer<UnsafeMutableRawPointer?>?, event: MHD_ConnectionNotificationCode
) {
    guard let context = unsafe context, let connection = unsafe connection else { return }
    // Sound: as in `answerHTTPRequest`.
    let server = unsafe Unmanaged<HTTPContext>.fromOpaque(context).takeUnretainedValue().server
    unsafe server?.note(apus_http_socket(connection), isOpen: apus_http_is_start(event))
}

/// The body of an answer on its way.
private final class HTTPBody {
    private var source: any TextSource
    private var piece: [UInt8] = []
    private var used = 0

    init(_ source: any TextSource) { self.source = source }

    /// Fills in what comes next; how many bytes, or that there are no more.
    func read(into room: UnsafeMutableRawBufferPointer) -> Int {
        if used == piece.count {
            piece.removeAll(keepingCapacity: true)
            used = 0
            source.appendNext(to: &piece)
            // MHD_CONTENT_READER_END_OF_STREAM
            if piece.isEmpty { return -1 }
        }
        let count = min(room.count, piece.count - used)
        // Sound: copies `count` bytes, which both sides have.
        unsafe room.copyBytes(from: piece[used..<used + count])
        used += count
        return count
    }
}

private func readHTTPBody(
    body: UnsafeMutableRawPointer?, position: UInt64, room: UnsafeMutablePointer<CChar>?, count: Int
) -> Int {
    // Sound: the response holds the body, and lends `count` bytes of room.
    let body = unsafe Unmanaged<HTTPBody>.fromOpaque(body!).takeUnretainedValue()
    return unsafe body.read(into: UnsafeMutableRawBufferPointer(start: room, count: count))
}

private func freeHTTPBody(body: UnsafeMutableRawPointer?) {
    // Sound: balances the retain of `answerHTTPRequest`; nothing reads the body after this.
    unsafe Unmanaged<HTTPBody>.fromOpaque(body!).release()
}
