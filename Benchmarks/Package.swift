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

// The C twins are not compiled here but by run.sh, with the same clang at -O3 (SwiftPM's is -O2, and only an
// unsafe flag changes that), into a library beside the products. CTwins is its header.
let package = Package(
    name: "Benchmarks",
    dependencies: [.package(name: "Apus", path: "..")],
    targets: [
        .target(name: "CTwins", linkerSettings: [.linkedLibrary("apustwins")]),
        .target(name: "CTraffic", linkerSettings: [.linkedLibrary("apustraffic")]),
        // The suite of relays: namespaces, a sender, a counter, and who stands between them.
        .target(
            name: "Relays",
            dependencies: [
                "CTraffic", .product(name: "Apus", package: "Apus"),
                .product(name: "ApusBench", package: "Apus"),
            ],
            swiftSettings: rules),
        // dpdk-testpmd as a peer, in a process of its own.
        .target(
            name: "TestpmdChild",
            dependencies: ["CTwins", .product(name: "ApusBench", package: "Apus")],
            swiftSettings: rules),
        // The suites.
        .executableTarget(
            name: "bench",
            dependencies: [
                "CTraffic", "CTwins", "Relays", "TestpmdChild", .product(name: "Apus", package: "Apus"),
                .product(name: "ApusBench", package: "Apus"),
            ],
            swiftSettings: rules),
        .testTarget(name: "RelaysTests", dependencies: ["Relays"], swiftSettings: rules),
        .testTarget(name: "TestpmdChildTests", dependencies: ["TestpmdChild"], swiftSettings: rules),
    ]
)
