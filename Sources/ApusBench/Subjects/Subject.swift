/// Something of Apus that is measured: beside a peer, or with nobody beside it.
public struct Subject {
    /// As ``Comparison/name``.
    public let name: String
    /// What is counted: `element`, `frame`, `packet`.
    public let unit: String
    /// How many cores it needs.
    public let cores: Int
    /// Makes it, with memory of its own; called when its turn comes.
    public let competitor: () throws -> Competitor

    /// A subject of that name.
    public init(
        _ name: String, per unit: String, cores: Int = 1, _ competitor: @escaping () throws -> Competitor
    ) {
        (self.name, self.unit, self.cores, self.competitor) = (name, unit, cores, competitor)
    }

    /// It and somebody else that does the same work.
    public func beside(_ peer: @escaping () throws -> Competitor) -> Comparison {
        Comparison(name, per: unit, cores: cores, apus: competitor, peer: peer)
    }
}

extension Trial {
    /// A subject with nobody beside it.
    public init(_ subject: Subject) {
        self.init(subject.name, with: { [try $0.measure(subject, progress: $1)] })
    }
}

extension Suite {
    /// The suites that need nobody beside Apus: `rings`, `pool` and `wire`. Without a partner they say that they leave out
    /// what takes two cores.
    public static func alone(partner: Partner?) -> [Suite] {
        [
            Suite(
                "rings", leftOut: leftOut("rings", partner),
                RingSubject.all(isPaired: partner != nil).map { Trial($0.subject(partner: partner)) }),
            Suite(
                "pool", leftOut: leftOut("pool", partner),
                PoolSubject.all(isPaired: partner != nil).map { Trial($0.subject(partner: partner)) }),
            Suite("wire", WireSubject.all.map { Trial($0.subject) }),
        ]
    }

    /// What a suite says that has no partner; else nothing.
    public static func leftOut(_ suite: String, _ partner: Partner?) -> [String] {
        partner == nil ? ["\(suite): measured on one core only, and nothing between two"] : []
    }
}
