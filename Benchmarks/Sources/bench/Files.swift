import ApusBench
import Foundation

/// A file that is written to. It is looked at before anything is measured, since a run may take half an hour.
struct Output {
    let path: String
    /// Only a file can be replaced by a whole one, and only in a folder that may be written; what else there is, a terminal
    /// or a pipe, gets its octets once.
    let isReplaced: Bool

    /// The file that an option names; `nil` without that option.
    ///
    /// - Throws: a sentence when it can't be written.
    init?(_ option: String, _ arguments: Arguments) throws {
        guard let path = arguments.value(option) else { return nil }
        self.path = path
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        guard let kind = fileType(path) else {
            guard fileType(folder) == S_IFDIR else {
                throw BenchError("can't write \(path): can't find the folder \(folder)")
            }
            guard unsafe access(folder, W_OK | X_OK) == 0 else {
                throw BenchError("can't write \(path): \(words(errno)), in the folder \(folder)")
            }
            isReplaced = true
            return
        }
        guard kind != S_IFDIR else {
            throw BenchError("can't write \(path): it is a folder; --\(option) takes a file")
        }
        guard unsafe access(path, W_OK) == 0 else { throw BenchError("can't write \(path): \(words(errno))") }
        isReplaced = unsafe kind == S_IFREG && access(folder, W_OK | X_OK) == 0
    }

    /// Writes all of it, or says why that can't be.
    func write(_ data: Data) throws {
        do {
            try data.write(to: URL(filePath: path), options: isReplaced ? .atomic : [])
        } catch let error as CocoaError {
            throw BenchError("can't write \(path): \(reason(error))")
        }
    }
}

/// The files that a run writes.
struct Outputs {
    private let json: Output?
    private let html: Output?

    init(_ arguments: Arguments) throws {
        (json, html) = (try Output("json", arguments), try Output("html", arguments))
        if let path = json?.path, path == html?.path {
            throw Arguments.Wrong("--json and --html can't both be \(path)")
        }
    }

    /// Writes the figures so far, where they can be replaced.
    func keep(_ report: Report) throws {
        if let json, json.isReplaced { try json.write(report.json()) }
    }

    /// Writes all files, and says so.
    func write(_ report: Report) throws {
        if let json {
            try json.write(report.json())
            print("the figures are in \(json.path)")
        }
        if let html {
            try html.write(Data(report.page().utf8))
            print("the page is in \(html.path)")
        }
    }
}

/// The figures that `--results` names.
func results(_ arguments: Arguments) throws -> Report {
    try reading(arguments.required("results"), "figures of a run (--json)", Report.init(readingFrom:))
}

/// What is in a file, or a sentence about the file.
func reading<T>(_ path: String, _ what: String, _ read: (String) throws -> T) throws -> T {
    guard fileType(path) != S_IFDIR else { throw BenchError("can't read \(path): it is a folder") }
    guard unsafe access(path, R_OK) == 0 else { throw BenchError("can't read \(path): \(words(errno))") }
    do {
        return try read(path)
    } catch is DecodingError {
        throw BenchError("\(path) does not hold \(what)")
    } catch let error as CocoaError {
        throw BenchError("can't read \(path): \(reason(error))")
    }
}

/// What stands at that path, as `S_IFMT` says it; `nil` if nothing does.
private func fileType(_ path: String) -> mode_t? {
    var facts = stat()
    return unsafe stat(path, &facts) == 0 ? facts.st_mode & S_IFMT : nil
}

/// The kernel's reason, else Foundation's.
private func reason(_ error: CocoaError) -> String {
    // Nobody else has this error.
    let cause = unsafe error.userInfo[NSUnderlyingErrorKey] as? POSIXError
    return cause.map { words($0.code.rawValue) } ?? error.localizedDescription
}

/// The C library's words for an error, in lower case as they stand within a sentence.
private func words(_ error: Int32) -> String {
    // A constant of the C library, or the thread's own.
    let words = unsafe String(cString: strerror(error))
    return words.prefix(1).lowercased() + words.dropFirst()
}
