import COpenSSL

#if IPSEC_MB
    import CIPsecMB
#endif

/// Whose code encrypts packets. All give the same octets.
public enum CryptoBackend: UInt8, Hashable, Sendable, CaseIterable {
    /// OpenSSL's libcrypto, which is everywhere.
    case openSSL
    /// Intel's multi-buffer library for IPsec, on x86-64 processors with AES-NI, of whatever maker. It is part of the build
    /// where libipsec-mb-dev is installed.
    case ipsecMB

    /// Those that can be used here, the best of them last.
    public static let available = allCases.filter { $0.obstacle == nil }

    /// The one to be taken: ``ipsecMB`` where it is available, since it costs a small packet a fraction of what OpenSSL does.
    public static let best: CryptoBackend = available.last ?? .openSSL

    /// Why it can't be used here; `nil` when it can. The library is asked once a process.
    public var obstacle: String? {
        switch self {
        case .openSSL: return nil
        case .ipsecMB:
            #if IPSEC_MB
                // Sound: it is nil, or a text that lasts.
                return unsafe apus_mb_obstacle().map { unsafe String(cString: $0) }
            #else
                return
                    "this build is without it: libipsec-mb-dev was not installed, or the processor is not x86-64"
            #endif
        }
    }

    /// The library's version; `nil` if it is not in this build.
    public var version: String? {
        switch self {
        // Sound: both are texts that last.
        case .openSSL: return unsafe String(cString: apus_openssl_version())
        case .ipsecMB:
            #if IPSEC_MB
                return unsafe String(cString: apus_mb_version())
            #else
                return nil
            #endif
        }
    }
}

extension CryptoBackend: CustomStringConvertible {
    /// The library's name.
    public var description: String {
        switch self {
        case .openSSL: "OpenSSL"
        case .ipsecMB: "ipsec-mb"
        }
    }
}
