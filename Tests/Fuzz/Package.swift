// swift-tools-version: 6.2
import PackageDescription

/// As in the package at the root.
let rules: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableExperimentalFeature("Lifetimes"),
    .enableUpcomingFeature("ExistentialAny"),
]

// The rooms under test are symbolic links to those at the root, so that what has parsers is built with
// libFuzzer's instrumentation and nothing else is. run.sh makes them, and gives the sanitizers: a manifest
// can't name those without unsafe flags.
let package = Package(
    name: "Fuzz",
    targets: [
        .target(name: "ApusWire", swiftSettings: rules),
        .target(name: "CLinux"),
        .target(name: "CNUMA", linkerSettings: [.linkedLibrary("numa")]),
        .target(name: "ApusRings", dependencies: ["CLinux", "CNUMA"], swiftSettings: rules),
        .target(name: "ApusEndHost", dependencies: ["ApusWire", "ApusRings"], swiftSettings: rules),
        .target(name: "ApusRTP", dependencies: ["ApusWire", "ApusRings"], swiftSettings: rules),
        .target(name: "ApusDevices", swiftSettings: rules),
        .target(name: "ApusConfig", dependencies: ["ApusWire", "ApusDevices"], swiftSettings: rules),
        .target(name: "CPcap", linkerSettings: [.linkedLibrary("pcap")]),
        .target(
            name: "ApusPorts", dependencies: ["ApusRings", "ApusWire", "CPcap", "CLinux"],
            swiftSettings: rules),
        .target(name: "CFuzzer"),
        .executableTarget(
            name: "Fuzz",
            dependencies: [
                "ApusWire", "ApusRTP", "ApusRings", "ApusEndHost", "ApusConfig", "ApusPorts", "CLinux",
                "CFuzzer",
            ], swiftSettings: rules,
            // So that targets are found by name.
            linkerSettings: [.linkedLibrary("dl")]),
    ]
)
