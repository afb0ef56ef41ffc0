import AllocationCounter
import Apus

/// A UDP datagram to port 7 in a frame of the smallest size.
func datagram(of port: inout Port<MemoryDriver>) -> Packet {
    let headers = UDPEncapsulation(
        nextHop: MACAddress("02:00:00:00:00:02")!, interface: MACAddress("02:00:00:00:00:01")!,
        source: IPv4Address("192.0.2.1")!, sourcePort: 40_000, destination: IPv4Address("192.0.2.2")!,
        destinationPort: 7)
    var packet = port.makePacket()!
    guard packet.append(60) else { fatalError("a frame holds 60 bytes") }
    var bytes = packet.mutableBytes
    try! headers.encode(into: &bytes, payloadLength: 18, udpChecksum: 0)
    return packet
}

/// A port whose driver is chosen when it is opened.
func chosenPort() throws -> Port<EitherDriver<MemoryDriver, XDPDriver>> {
    let pair = try MemoryPair()
    return Port(EitherDriver(first: pair.first.driver))
}

/// Prints how many allocations a million packets, or a few more, cost.
func measure(_ name: String, _ loop: () -> Int) {
    let before = allocation_count()
    let packets = loop()
    let allocations = allocation_count() - before
    print(name, packets, allocations)
}

if CommandLine.arguments.count == 3, CommandLine.arguments[1] == "--misuse" {
    try misuse(CommandLine.arguments[2])
}

let million = 1_000_000
var pair = try MemoryPair(frames: 256, hugePages: .never)
var burst = Burst()
var echoed = Burst()
let model = datagram(of: &pair.first)

measure("memory") {
    var count = 0
    while count < million {
        _ = hotGenerate(&pair.first, &burst, like: model)
        count += hotEchoOverMemory(&pair.second, &echoed, rounds: 2)
        _ = hotDrain(&pair.first, &burst)
    }
    return count
}

// Each round of 32 numbers adds up to 496, if all of them come out.
var numbers = InlineArray<32, UInt64> { UInt64($0) }
func counted(_ sum: UInt64) -> Int { Int(sum / 496 * 32) }
var spsc = SPSCRing<UInt64>(minimumCapacity: 64)
measure("spsc") {
    counted(hotSPSC(&spsc, &numbers, rounds: million / 32))
}
var mpmc = MPMCRing<UInt64>(minimumCapacity: 64)
measure("mpmc") {
    counted(hotMPMC(&mpmc, &numbers, rounds: million / 32))
}

var packets = SPSCRing<Packet>(minimumCapacity: 64)
measure("handoff") {
    var count = 0
    for _ in 0..<32 { burst.append(pair.first.makePacket()!) }
    while count < million { count += hotHandOff(&packets, &burst) }
    burst.removeAll()
    return count
}

/// Seals and opens with a backend and an algorithm.
func seal(_ name: String, _ backend: CryptoBackend, _ algorithm: AEADAlgorithm) throws {
    var random = SystemRandom()
    let key = try Secret(byteCount: algorithm.keyLength, from: &random)
    let vector = try Secret(byteCount: 12, from: &random)
    var cipher = try AEAD(algorithm, backend: backend)
    var protection = try HeaderProtection(algorithm, backend: backend)
    var memory = try LockedMemory(byteCount: 100)
    var packet = memory.mutableBytes
    // What a library makes of its own at its first packet.
    _ = hotSealAndOpen(&cipher, &protection, &packet, key.bytes, Nonce(vector.bytes), rounds: 1)
    measure(name) {
        hotSealAndOpen(
            &cipher, &protection, &packet, key.bytes, Nonce(vector.bytes), rounds: million / 2 + 100)
    }
}
for algorithm in AEADAlgorithm.allCases {
    for backend in CryptoBackend.available { try seal("\(algorithm)/\(backend)", backend, algorithm) }
}

#if canImport(ApusDPDK)
    // A device that makes packets, and swallows those that it gets.
    if CommandLine.arguments.contains("--dpdk") {
        var options = EALOptions()
        (options.hugePages, options.memory) = (.never, 96)
        try EAL.start(options)
        var port = try DPDKInterface("net_null0").open()
        _ = hotCopyOverDPDK(&port, &burst, rounds: 1)
        measure("dpdk") { hotCopyOverDPDK(&port, &burst, rounds: million / 64 + 1) }
        burst.removeAll()
        // Never so: see below.
        if CommandLine.arguments.contains("--interface") { print(hotEchoOverDPDK(&port, &burst, rounds: 1)) }
    }
#endif

measure("objects") {
    _ = hotGenerate(&pair.first, &burst, like: model)
    pair.second.receive(into: &burst)
    let count = coldEchoWithObjects(&pair.second, &burst)
    _ = hotDrain(&pair.first, &burst)
    return count
}

// Never so: it makes the compiler keep the loops over interfaces, for the look at their code.
if CommandLine.arguments.contains("--interface") {
    let memory = try FrameMemory(frames: 64)
    let interface = try PacketSocketInterface("lo")
    var port = try interface.makePort(pool: memory.makePool(frames: 64))
    print(hotEchoOverPacketSocket(&port, &burst, rounds: 1))
    var xdp = try XDPInterface(sendingOn: "lo").open(queue: 0)
    print(hotEchoOverXDP(&xdp, &burst, rounds: 1))
    var either = try chosenPort()
    print(hotEchoOverEither(&either, &burst, rounds: 1))
    print(try Forwarder(ForwarderConfiguration(streams: [])))
}
