import Glibc

/// The number that a file of the kernel's holds, such as those of sysfs; 0 where there is none.
package func kernelNumber(_ path: String) -> Int {
    let file = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return 0 }
    defer { close(file) }
    // The kernel writes at most as many bytes as there is room for, and says how many.
    let digits = unsafe [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
        count = unsafe max(0, read(file, buffer.baseAddress, 32))
    }
    return Int(String(decoding: digits.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)) ?? 0
}
