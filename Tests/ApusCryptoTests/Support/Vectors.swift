import Foundation

/// The files of others' test vectors that developers share, which a user's clone has not.
enum Vectors {
    static let folder: String =
        ProcessInfo.processInfo.environment["APUS_SHARED"].map { $0 + "/vectors" }
        ?? URL(fileURLWithPath: #filePath).appending(path: "../../../../../shared/vectors")
        .standardizedFileURL.path

    static func file(_ name: String) -> String { "\(folder)/\(name)" }

    static func read<Contents: Decodable>(_ name: String, as kind: Contents.Type) throws -> Contents {
        try JSONDecoder().decode(kind, from: Data(contentsOf: URL(fileURLWithPath: file(name))))
    }
}

/// A file of Wycheproof's: groups of tests that have their sizes in common.
struct Wycheproof<Case: Decodable & Sendable>: Decodable, Sendable {
    struct Group: Decodable, Sendable {
        /// In bits.
        let ivSize, keySize, tagSize: Int?
        let tests: [Case]
    }
    let numberOfTests: Int
    let testGroups: [Group]
}

struct AEADCase: Decodable, Sendable {
    let tcId: Int
    let comment, key, iv, aad, msg, ct, tag, result: String
}

struct AgreementCase: Decodable, Sendable {
    let tcId: Int
    let comment, shared, result: String
    let `public`, `private`: String
    let flags: [String]
}
