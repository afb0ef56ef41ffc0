import Glibc

/// The contents of a small file of /proc or /sys; nil if it can't be read.
package func contents(of path: String) -> String? {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 16)
    // Such files don't know their size beforehand. None that is read here comes near the bound.
    while bytes.count < 1 << 24 {
        let count = unsafe part.withUnsafeMutableBytes { unsafe read(file, $0.baseAddress, $0.count) }
        guard count > 0 else { break }
        bytes += part[..<count]
    }
    return String(decoding: bytes, as: UTF8.self)
}

/// The first line of a small file, without the end of line.
func line(of path: String) -> String? {
    contents(of: path)?.split(separator: "\n", omittingEmptySubsequences: false).first.map(String.init)
}

/// The number that a small file holds.
func number(of path: String) -> Int? { line(of: path).flatMap { Int($0) } }

/// The names in a folder, without `.` and `..`; empty if it can't be read.
func names(in folder: String) -> [String] {
    guard let stream = unsafe opendir(folder) else { return [] }
    // The stream is used by this call only, and an entry is copied before the next one is read.
    defer { unsafe closedir(stream) }
    var names: [String] = []
    while let entry = unsafe readdir(stream) {
        let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
        if name != "." && name != ".." { names.append(name) }
    }
    return names
}

/// What a symbolic link points to; nil if it can't be read.
func linkTarget(_ path: String) -> String? {
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
        let count = unsafe readlink(path, buffer.baseAddress!, buffer.count)
        guard count >= 0 else { return nil }
        return unsafe String(decoding: UnsafeRawBufferPointer(buffer).prefix(count), as: UTF8.self)
    }
}
