import Foundation
import Testing

/// Law: losing or doubling a frame does not compile.
@Suite("Misuse does not compile")
struct MisuseTests {
    /// A piece of a program, and what the compiler says of it.
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let body: String
        /// A part of the error; `nil` if the program is right.
        let error: String?
    }

    static let cases: [Case] = [
        // The controls: each misuse below differs from one of these by what makes it misuse.
        Case(
            testDescription: "control: a packet is read, changed and sent",
            body: """
                func use(_ port: inout Port<MemoryDriver>) {
                    guard var packet = port.makePacket(), packet.append(60) else { return }
                    var bytes = packet.mutableBytes
                    bytes.storeBytes(of: 1, toByteOffset: 0, as: UInt8.self)
                    guard packet.bytes.byteCount == 60 else { return }
                    var burst = Burst()
                    burst.append(packet)
                    port.transmit(&burst)
                }
                """, error: nil),
        Case(
            testDescription: "control: a packet of a pool, without a raw frame",
            body: """
                func use(_ pool: inout FramePool) -> Int { pool.makePacket()?.count ?? 0 }
                """, error: nil),
        Case(
            testDescription: "control: each end of a ring goes to its thread",
            body: """
                func use(_ ring: consuming SPSCRing<Int>) {
                    run(ring.producer) { $0.enqueue(1) == nil }
                    run(ring.consumer) { $0.dequeue() == nil }
                }
                func run<State: ~Copyable & Sendable>(
                    _ state: consuming State, _ body: @escaping @Sendable (inout State) -> Bool
                ) {}
                """, error: nil),
        Case(
            testDescription: "control: beside Foundation, whose class Port is not ours",
            body: """
                import Foundation
                typealias Port = ApusPorts.Port
                func use<Driver: PortDriver & ~Copyable>(_ port: inout Port<Driver>) { port.flush() }
                """, error: nil),
        Case(
            testDescription: "beside Foundation, without saying which Port is meant",
            body: """
                import Foundation
                func use<Driver: PortDriver & ~Copyable>(_ port: inout Port<Driver>) { port.flush() }
                """, error: "cannot specialize non-generic type 'Port'"),
        Case(
            testDescription: "a raw frame taken, for which nobody answers",
            body: """
                func use(_ pool: inout FramePool) -> Bool { pool.take() == nil }
                """, error: "expression uses unsafe constructs but is not marked with 'unsafe'"),
        Case(
            testDescription: "a frame with two owners",
            body: """
                func use(_ packet: borrowing Packet) -> Packet { Packet(adopting: packet.rawFrame) }
                """, error: "expression uses unsafe constructs but is not marked with 'unsafe'"),
        Case(
            testDescription: "a frame taken out of its packet, with no owner",
            body: """
                func use(_ packet: consuming Packet) { _ = packet.takeFrame() }
                """, error: "expression uses unsafe constructs but is not marked with 'unsafe'"),
        Case(
            testDescription: "use after send",
            body: """
                func use(_ port: inout Port<MemoryDriver>, _ packet: consuming Packet) -> Int {
                    var burst = Burst()
                    burst.append(packet)
                    port.transmit(&burst)
                    return packet.count
                }
                """, error: "'packet' used after consume"),
        Case(
            testDescription: "a span kept past its packet",
            body: """
                func use(_ packet: consuming Packet) -> Int {
                    let bytes = packet.bytes
                    drop(packet)
                    return bytes.byteCount
                }
                func drop(_ packet: consuming Packet) {}
                """, error: "overlapping accesses to 'packet', but deinitialization requires exclusive access"
        ),
        Case(
            testDescription: "a span returned from the function that has its packet",
            body: """
                func use(_ port: inout Port<MemoryDriver>) -> Int {
                    var kept = RawSpan()
                    if let packet = port.makePacket() { kept = packet.bytes }
                    return kept.byteCount
                }
                """, error: "lifetime-dependent variable 'kept' escapes its scope"),
        Case(
            testDescription: "a span kept while its packet changes",
            body: """
                func use(_ packet: inout Packet) -> Int {
                    let bytes = packet.bytes
                    _ = packet.trimFront(4)
                    return bytes.byteCount
                }
                """, error: "overlapping accesses to 'packet'"),
        Case(
            testDescription: "two spans to write to at a time",
            body: """
                func use(_ packet: inout Packet) {
                    var one = packet.mutableBytes
                    var two = packet.mutableBytes
                    one.storeBytes(of: 1, toByteOffset: 0, as: UInt8.self)
                    two.storeBytes(of: 1, toByteOffset: 0, as: UInt8.self)
                }
                """, error: "overlapping accesses to 'packet'"),
        Case(
            testDescription: "double free",
            body: """
                func use(_ packet: consuming Packet) {
                    drop(packet)
                    drop(packet)
                }
                func drop(_ packet: consuming Packet) {}
                """, error: "'packet' consumed more than once"),
        Case(
            testDescription: "a packet sent twice",
            body: """
                func use(_ packet: consuming Packet, _ burst: inout Burst) {
                    burst.append(packet)
                    burst.append(packet)
                }
                """, error: "'packet' consumed more than once"),
        Case(
            testDescription: "a packet copied",
            body: """
                func use(_ packet: borrowing Packet) -> Packet {
                    let copy = packet
                    return copy
                }
                """, error: "'packet' is borrowed and cannot be consumed"),
        Case(
            testDescription: "packets in an array, which copies",
            body: """
                func use(_ packet: consuming Packet) -> [Packet] { [packet] }
                """, error: "type 'Packet' does not conform to protocol 'Copyable'"),
        Case(
            testDescription: "a burst used after it was given away",
            body: """
                func use(_ burst: consuming Burst) -> Int {
                    give(burst)
                    return burst.count
                }
                func give(_ burst: consuming Burst) {}
                """, error: "'burst' used after consume"),
        Case(
            testDescription: "a burst drained while it is walked",
            body: """
                func use(_ burst: inout Burst) {
                    burst.forEach { packet in
                        packet.timestamp = UInt64(burst.count)
                        burst.removeAll()
                    }
                }
                """, error: "overlapping accesses to 'burst'"),
        Case(
            testDescription: "a producer shared by two threads",
            body: """
                func use(_ ring: consuming SPSCRing<Int>) {
                    let producer = ring.producer
                    run(producer) { $0.enqueue(1) == nil }
                    run(producer) { $0.enqueue(2) == nil }
                }
                func run<State: ~Copyable & Sendable>(
                    _ state: consuming State, _ body: @escaping @Sendable (inout State) -> Bool
                ) {}
                """, error: "'producer' consumed more than once"),
        Case(
            testDescription: "a producer in a closure for another thread, used here too",
            body: """
                func use(_ ring: consuming SPSCRing<Int>) {
                    var producer = ring.producer
                    run { _ = producer.enqueue(1) }
                    _ = producer.enqueue(2)
                }
                func run(_ body: @escaping @Sendable () -> Void) {}
                """, error: "mutation of captured var 'producer' in concurrently-executing code"),
        Case(
            testDescription: "a producer shared through an object",
            body: """
                final class Shared: Sendable {
                    let producer: SPSCProducer<Int>
                    init(_ producer: consuming SPSCProducer<Int>) { self.producer = producer }
                }
                func use(_ shared: Shared) { _ = shared.producer.enqueue(1) }
                """, error: "cannot use mutating member on immutable value: 'producer' is a 'let' constant"),
        Case(
            testDescription: "a refused element dropped by oversight",
            body: """
                func use(_ producer: inout SPSCProducer<Packet>, _ packet: consuming Packet) {
                    producer.enqueue(packet)
                }
                """, error: "result of call to 'enqueue' is unused"),
        Case(
            testDescription: "control: a key is lent to a cipher",
            body: """
                func use(_ secret: borrowing Secret, _ cipher: inout AEAD) { cipher.setKey(secret.bytes) }
                """, error: nil),
        Case(
            testDescription: "a key that is printed",
            body: """
                func use(_ secret: borrowing Secret) { print(secret) }
                """, error: "argument type 'Secret' does not conform to expected type 'Copyable'"),
        Case(
            testDescription: "a key in a text",
            body: """
                func use(_ key: borrowing PrivateKey) -> String { "\\(key)" }
                """, error: "no exact matches in call to instance method 'appendInterpolation'"),
        Case(
            testDescription: "a key that is dumped",
            body: """
                func use(_ key: borrowing PrivateKey) { dump(key) }
                """, error: "requires that 'PrivateKey' conform to 'Copyable'"),
        Case(
            testDescription: "a key with two owners",
            body: """
                func use(_ secret: consuming Secret) -> Bool {
                    let other = secret
                    return other == secret
                }
                """, error: "'secret' used after consume"),
        Case(
            testDescription: "a key's octets kept past it",
            body: """
                func use(_ secret: consuming Secret) -> Int {
                    let bytes = secret.bytes
                    drop(secret)
                    return bytes.byteCount
                }
                func drop(_ secret: consuming Secret) {}
                """, error: "overlapping accesses to 'secret', but deinitialization requires exclusive access"
        ),
    ]

    @Test(arguments: [
        ("position", "a position in a burst is from 0 to one less than its count"),
        ("room", "a burst holds 64 packets; ask for its room before appending"),
        ("double", "a frame was given back twice: more came home to its pool than it has"),
        ("ring", "a ring's capacity is between 1 and 2^30 elements"),
        ("faults", "a fault's probability is between 0 and 1"),
    ])
    func `What compiles, and is stopped at run time, says why in a release build too`(
        name: String, reason: String
    ) throws {
        let ran = try Ran([Examples.program("HotPath"), "--misuse", name])
        #expect(ran.status != 0)
        #expect(ran.output.contains(reason), "\(ran.output)")
    }

    @Test(arguments: cases)
    func `The compiler says so`(_ misuse: Case) throws {
        let folder = TemporaryFolder()
        let file = folder.file("misuse.swift")
        let source = "import ApusCrypto\nimport ApusPorts\nimport ApusRings\n\n\(misuse.body)\n"
        try source.write(toFile: file, atomically: false, encoding: .utf8)
        // As far as object code, since lifetimes are checked after types.
        let ran = try Compiler.compile(file, as: "-c", ["-warnings-as-errors"])
        let errors = ran.output.split(separator: "\n").filter { $0.contains(": error: ") }
        if let error = misuse.error {
            #expect(ran.status != 0, "it compiles")
            #expect(errors.contains { $0.contains(error) }, "\(ran.output)")
            // Not for a reason of its own.
            #expect(!errors.contains { $0.contains("cannot find") || $0.contains("no such module") })
        } else {
            #expect(ran.status == 0, "\(ran.output)")
        }
    }
}
