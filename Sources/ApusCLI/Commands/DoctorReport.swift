import Apus

/// What `apus doctor` finds, for people and programs. What is not known is absent from the JSON.
struct DoctorReport: Encodable, Equatable {
    var host: HostDiagnosis
    var interfaces: [InterfaceDiagnosis]
    /// What DPDK needs of the host.
    var dpdk: DPDKDiagnosis
    /// The network cards on PCI.
    var devices: [DeviceDiagnosis]
    var leftovers: [LeftoverDiagnosis]
}

/// How good something is.
enum DoctorLevel: String, Encodable {
    case ok
    /// The kernel does not tell.
    case unknown
    /// A running process of Apus has it, which is no fault; another can't until that has ended.
    case inUse = "in-use"
    /// It works, but not as well as it could.
    case degraded
    /// It does not work.
    case impossible
}

/// One thing that was looked at.
struct Finding: Encodable, Equatable {
    /// What was looked at, in a word or two.
    var subject: String
    var level: DoctorLevel
    /// What was found.
    var text: String
    /// The command that mends it.
    var remedy: String?
    /// Other commands that do the same, or do it for each boot; absent where there is none.
    var alternatives: [String]?

    init(
        _ subject: String, _ level: DoctorLevel, _ text: String, remedy: String? = nil,
        alternatives: [String] = []
    ) {
        (self.subject, self.level, self.text, self.remedy) = (subject, level, text, remedy)
        self.alternatives = alternatives.isEmpty ? nil : alternatives
    }
}

/// The host as a whole.
struct HostDiagnosis: Encodable, Equatable {
    var kernel: String
    var architecture: String
    var findings: [Finding]
}

/// Whether a driver can do something, and how that is known.
struct Support: Encodable, Equatable {
    enum Answer: String, Encodable { case yes, no, unknown }
    var answer: Answer
    /// Who says so, or why nobody does.
    var source: String
}

/// An XDP program on an interface.
struct ProgramDiagnosis: Encodable, Equatable {
    var id: UInt32
    /// Absent where the kernel does not tell this process.
    var name: String?
    var mode: String
    /// The Apus process that loaded it.
    var pid: Int32?
    var isLeftover: Bool
}

/// What one way of moving packets would be like on an interface.
struct BackendDiagnosis: Encodable, Equatable {
    struct Reason: Encodable, Equatable {
        var text: String
        /// The command that mends it.
        var remedy: String?
    }

    /// `xdp-native-zero-copy`, `xdp-native`, `xdp-generic` or `packet`.
    var backend: String
    private(set) var verdict: DoctorLevel = .ok
    private(set) var reasons: [Reason] = []

    init(_ backend: String) { self.backend = backend }

    /// Adds a reason for which it is less than fine or not to be had now. What makes it impossible leaves no other
    /// standing; who uses it comes before what degrades it for that one too.
    mutating func add(_ level: DoctorLevel, _ text: String, remedy: String? = nil) {
        let reason = Reason(text: text, remedy: remedy)
        switch (level, verdict) {
        case (.impossible, .impossible), (_, .ok), (.degraded, .degraded), (.degraded, .inUse):
            if verdict == .ok { verdict = level }
            reasons.append(reason)
        case (.impossible, _): (verdict, reasons) = (.impossible, [reason])
        case (.inUse, .degraded): (verdict, reasons) = (.inUse, [reason] + reasons)
        default: break
        }
    }
}

/// One interface.
struct InterfaceDiagnosis: Encodable, Equatable {
    var name: String
    var driver: String?
    /// `up`, `down` or `no carrier`.
    var state: String
    var mtu: Int
    var mac: String?
    /// In Mbit/s.
    var speed: Int?
    var node: Int?
    var receiveQueues: Int
    var transmitQueues: Int
    var nativeXDP: Support
    var zeroCopy: Support
    var programs: [ProgramDiagnosis]
    var backends: [BackendDiagnosis]

    /// Whether each way to move packets is impossible.
    var hasNoWay: Bool { backends.allSatisfy { $0.verdict == .impossible } }
}

/// What a dead process left on an interface.
struct LeftoverDiagnosis: Encodable, Equatable {
    var interface: String
    /// The process that left it; absent for an empty dispatcher.
    var pid: Int32?
    var mode: String
    var text: String
    /// Whether `--clean` took it away.
    var isRemoved: Bool
}
