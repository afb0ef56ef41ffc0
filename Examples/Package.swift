// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Examples",
    dependencies: [.package(name: "Apus", path: "..")],
    targets: [
        // A packet program in twenty lines.
        .executableTarget(name: "echo", dependencies: [.product(name: "Apus", package: "Apus")]),
        // The loops of a packet program by themselves: the tests read the machine code that the compiler
        // makes of them, and count what they allocate.
        .executableTarget(
            name: "HotPath", dependencies: ["AllocationCounter", .product(name: "Apus", package: "Apus")]),
        .target(name: "AllocationCounter"),
    ]
)
