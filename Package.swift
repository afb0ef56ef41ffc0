// swift-tools-version: 6.2
import Foundation
import PackageDescription

/// One set of rules for every Swift target: the Swift 6 language mode, strict memory safety,
/// and spans returned from noncopyable handles. No unsafe flag, so that the package can be a
/// dependency.
let rules: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("ExistentialAny"),
]

/// A room of Sources/ and what it leans on. Arrows point one way; see Docs/Architecture.md.
func room(
    _ name: String, on dependencies: [Target.Dependency] = [],
    plugins: [Target.PluginUsage] = []
) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: rules, plugins: plugins)
}

/// The shim of one C library: a folder of CModules/.
func shim(_ name: String, linking library: String? = nil) -> Target {
    .target(
        name: name, path: "CModules/\(name)",
        linkerSettings: library.map { [.linkedLibrary($0)] } ?? [])
}

func tests(
    _ name: String, on dependencies: [Target.Dependency], plugins: [Target.PluginUsage] = []
) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: rules, plugins: plugins)
}

/// Whether DPDK is installed, as Debian's libdpdk-dev does it.
let hasDPDK = FileManager.default.fileExists(atPath: "/usr/include/dpdk/rte_ethdev.h")
/// Where DPDK is part of the build: `swift build --disable-default-traits` leaves it out.
let withDPDK = TargetDependencyCondition.when(traits: ["DPDK"])

/// DPDK's headers, by links to folders of /usr/include: SwiftPM can't read Debian's libdpdk.pc, which names them.
func headersOfDPDK(_ folder: String) -> [CSetting] {
    ["x86_64", "aarch64", "common"].map { .headerSearchPath("\(folder)/DPDKHeaders/\($0)") }
}

/// DPDK's shim, the room on it, and its tests: where it is installed.
let dpdk: [Target] = [
    .target(
        name: "CDPDK", path: "CModules/CDPDK", cSettings: headersOfDPDK(".."),
        linkerSettings: ["rte_ethdev", "rte_mbuf", "rte_mempool", "rte_eal"].map { .linkedLibrary($0) }),
    room(
        "ApusDPDK", on: ["ApusDevices", "ApusHost", "ApusPorts", "ApusRings", "ApusWire", "CDPDK", "CLinux"]),
    .target(
        name: "CRingPair", path: "Tests/RingPair", cSettings: headersOfDPDK("../../CModules"),
        linkerSettings: ["rte_ring", "rte_eal"].map { .linkedLibrary($0) }),
    .executableTarget(
        name: "DPDKPort", dependencies: ["ApusDPDK", "ApusPorts", "ApusRings", "ApusWire"],
        path: "Tests/DPDKPort",
        swiftSettings: rules),
    tests(
        "ApusDPDKTests",
        on: [
            "ApusDPDK", "ApusDevices", "ApusPorts", "ApusRings", "ApusWire", "CDPDK", "CLinux", "CRingPair",
            "DPDKPort",
            "NetworkLab", "Seeds",
        ]),
    .executableTarget(
        name: "DPDKEcho", dependencies: ["Apus", "ApusDPDK"], path: "Tests/DPDKEcho", swiftSettings: rules),
]

let onDPDK: [Target.Dependency] = hasDPDK ? [.target(name: "ApusDPDK", condition: withDPDK)] : []
let echoOnDPDK: [Target.Dependency] = hasDPDK ? [.target(name: "DPDKEcho", condition: withDPDK)] : []

/// Whether Intel's multi-buffer library is installed, as Debian's libipsec-mb-dev does it, and made for this processor. Elsewhere
/// ApusCrypto has OpenSSL alone.
#if arch(x86_64)
    let hasIPsecMB = FileManager.default.fileExists(atPath: "/usr/include/intel-ipsec-mb.h")
#else
    let hasIPsecMB = false
#endif
let onIPsecMB: [Target.Dependency] = hasIPsecMB ? ["CIPsecMB"] : []
let withIPsecMB: [SwiftSetting] = hasIPsecMB ? [.define("IPSEC_MB")] : []

let package = Package(
    name: "Apus",
    products: [
        .library(name: "Apus", targets: ["Apus"]),
        .library(name: "ApusBench", targets: ["ApusBench"]),
        .executable(name: "apus", targets: ["ApusCLI"]),
    ],
    traits: [
        .trait(name: "DPDK", description: "Ports over DPDK's poll-mode drivers; needs libdpdk-dev"),
        .default(enabledTraits: hasDPDK ? ["DPDK"] : []),
    ],
    targets: (hasDPDK ? dpdk : []) + (hasIPsecMB ? [shim("CIPsecMB", linking: "IPSec_MB")] : []) + [
        shim("CLinux"),
        shim("CFilter"),
        shim("CNUMA", linking: "numa"),
        .target(
            name: "CXDP", path: "CModules/CXDP",
            linkerSettings: [.linkedLibrary("xdp"), .linkedLibrary("bpf")]),
        shim("CPcap", linking: "pcap"),
        shim("CMNL", linking: "mnl"),
        shim("CMicrohttpd", linking: "microhttpd"),
        shim("CSystemd", linking: "systemd"),
        shim("CCapNG", linking: "cap-ng"),
        shim("COpenSSL", linking: "crypto"),
        shim("CMeter"),

        room("ApusWire"),
        room("ApusRings", on: ["CLinux", "CNUMA"]),
        room("ApusTime", on: ["ApusRings", "CLinux"]),
        room("ApusPorts", on: ["ApusRings", "ApusWire", "CPcap", "CLinux"]),
        room("ApusHost", on: ["ApusWire", "CLinux", "CMNL", "CCapNG"]),
        room("ApusPacketSocket", on: ["ApusPorts", "ApusHost", "ApusWire", "CLinux"]),
        room("ApusXDP", on: ["ApusPorts", "ApusHost", "ApusWire", "CXDP", "CLinux"], plugins: ["EmbedBPF"]),
        room(
            "ApusFilter",
            on: ["ApusXDP", "ApusConfig", "ApusHost", "ApusWire", "CFilter"], plugins: ["EmbedBPF"]),
        room("ApusEndHost", on: ["ApusWire", "ApusRings"]),
        room("ApusRTP", on: ["ApusWire", "ApusRings"]),
        .target(
            name: "ApusCrypto", dependencies: ["COpenSSL"] + onIPsecMB, swiftSettings: rules + withIPsecMB),
        room("ApusDevices"),
        room("ApusConfig", on: ["ApusWire", "ApusDevices"]),
        room(
            "ApusRuntime",
            on: [
                "ApusPorts", "ApusHost", "ApusDevices", "ApusEndHost", "ApusPacketSocket", "ApusXDP",
                "ApusRTP", "ApusConfig", "CLinux", "CMicrohttpd", "CSystemd",
            ] + onDPDK),
        room(
            "Apus",
            on: [
                "ApusWire", "ApusRings", "ApusTime", "ApusPorts", "ApusPacketSocket", "ApusXDP", "ApusHost",
                "ApusCrypto", "ApusEndHost", "ApusFilter", "ApusRTP", "ApusConfig", "ApusRuntime",
            ] + onDPDK),
        room("ApusBench", on: ["ApusConfig", "ApusPorts", "ApusRings", "ApusWire", "CLinux", "CMeter"]),
        .executableTarget(
            name: "ApusCLI", dependencies: ["Apus", "ApusBench", "CLinux"], swiftSettings: rules),
        .plugin(name: "EmbedBPF", capability: .buildTool(), path: "BPF/EmbedBPF"),

        .target(name: "Octets", path: "Tests/Octets", swiftSettings: rules),
        .target(name: "Seeds", path: "Tests/Seeds", swiftSettings: rules),
        .target(
            name: "NetworkLab", dependencies: ["CLinux"], path: "Tests/NetworkLab", swiftSettings: rules),
        tests("ApusWireTests", on: ["ApusWire", "NetworkLab", "Octets", "Seeds"]),
        tests("ApusRingsTests", on: ["ApusRings", "Seeds"]),
        tests("ApusTimeTests", on: ["ApusTime", "CLinux", "Seeds"]),
        .testTarget(
            name: "ApusCryptoTests", dependencies: ["ApusCrypto", "CLinux", "NetworkLab", "Octets", "Seeds"],
            swiftSettings: rules + withIPsecMB),
        tests("ApusPortsTests", on: ["ApusPorts", "ApusWire", "Seeds"]),
        tests("ApusHostTests", on: ["ApusHost", "ApusWire", "CCapNG", "CLinux", "CMNL", "NetworkLab"]),
        tests(
            "ApusPacketSocketTests",
            on: [
                "ApusPacketSocket", "ApusPorts", "ApusRings", "ApusWire", "CCapNG", "CLinux", "NetworkLab",
                "Seeds",
            ]),
        .executableTarget(
            name: "XDPHolder", dependencies: ["ApusXDP", "ApusPorts", "ApusRings", "ApusWire"],
            path: "Tests/XDPHolder",
            swiftSettings: rules),
        tests(
            "ApusXDPTests",
            on: [
                "ApusXDP", "ApusPacketSocket", "ApusPorts", "ApusRings", "ApusWire", "CCapNG", "CXDP",
                "NetworkLab", "XDPHolder",
            ],
            plugins: ["EmbedBPF"]),
        tests(
            "ApusEndHostTests",
            on: [
                "ApusEndHost", "ApusPacketSocket", "ApusPorts", "ApusRings", "ApusWire", "NetworkLab",
                "Octets",
                "Seeds",
            ]),
        tests(
            "ApusRTPTests",
            on: ["ApusRTP", "ApusRuntime", "ApusPorts", "ApusWire", "ApusRings", "Octets", "Seeds"]),
        .executableTarget(
            name: "FilterHolder", dependencies: ["ApusFilter", "ApusConfig"], path: "Tests/FilterHolder",
            swiftSettings: rules),
        tests(
            "ApusFilterTests",
            on: [
                "ApusFilter", "ApusConfig", "ApusHost", "ApusWire", "ApusXDP", "CFilter", "CLinux",
                "FilterHolder", "NetworkLab", "Octets", "Seeds",
            ]),
        tests("ApusConfigTests", on: ["ApusConfig", "Seeds"]),
        tests(
            "ApusRuntimeTests",
            on: [
                "ApusRuntime", "ApusConfig", "ApusEndHost", "ApusPorts", "ApusRings", "ApusRTP", "ApusWire",
                "NetworkLab",
            ]),
        .testTarget(
            name: "ApusBenchTests", dependencies: ["ApusBench"], exclude: ["Fixtures"], swiftSettings: rules),
        tests("ApusCLITests", on: ["ApusBench", "ApusCLI", "NetworkLab"]),
        tests("LawTests", on: ["Apus", "ApusPorts", "ApusRings", "NetworkLab", "Seeds"]),
        tests("LabTests", on: ["ApusRTP", "ApusWire", "NetworkLab", "Seeds"] + echoOnDPDK),
    ]
)
