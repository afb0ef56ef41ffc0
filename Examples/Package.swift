// swift-tools-version: 6.2
import Foundation
import PackageDescription

// The compiler then refuses raw frames and pointers that are not marked with `unsafe`.
let safety: [SwiftSetting] = [.strictMemorySafety(), .treatWarning("StrictMemorySafety", as: .error)]

// What needs DPDK, where that is installed: Apus has it there.
let hasDPDK = FileManager.default.fileExists(atPath: "/usr/include/dpdk/rte_ethdev.h")
let onDPDK: [Target] = [
    // The host of a link that the kernel does not have.
    .executableTarget(
        name: "host", dependencies: [.product(name: "Apus", package: "Apus")], swiftSettings: safety)
]

let package = Package(
    name: "Examples",
    dependencies: [.package(name: "Apus", path: "..")],
    targets: (hasDPDK ? onDPDK : []) + [
        // A packet program in twenty lines.
        .executableTarget(
            name: "echo", dependencies: [.product(name: "Apus", package: "Apus")], swiftSettings: safety),
        // The loops of a packet program by themselves: the tests read the machine code that the compiler
        // makes of them, and count what they allocate.
        .executableTarget(
            name: "HotPath", dependencies: ["AllocationCounter", .product(name: "Apus", package: "Apus")],
            swiftSettings: safety),
        .target(name: "AllocationCounter"),
    ]
)
