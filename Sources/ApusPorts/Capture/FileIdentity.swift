import Glibc

/// What makes two names the same file.
struct FileIdentity: Equatable {
    let device: dev_t
    let number: ino_t

    /// `nil` where there is no such file.
    init?(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        (device, number) = (status.st_dev, status.st_ino)
    }
}
