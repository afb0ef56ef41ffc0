import ApusBench
import CTwins
import Relays

/// The names of all suites, in the order in which they are measured.
let suiteNames = ["rings", "pool", "wire", "crypto", "dpdk", "ports", "tax", "scale", "forwarder", "filter"]

/// All suites; on one core if they shall be alone, or if there is no other.
func suites(_ cores: Cores, _ arguments: Arguments) throws -> [Suite] {
    let partner = try (arguments.has("one-core") ? nil : cores.other).map { try Partner(core: $0) }
    let all = [
        Suite(
            "rings", versions: dpdkVersion, leftOut: Suite.leftOut("rings", partner), rings(partner: partner)),
        Suite(
            "pool", versions: dpdkVersion, leftOut: Suite.leftOut("pool", partner), pool(partner: partner)),
        Suite("wire", versions: twins, wire()),
        Suite("crypto", versions: twins.merging(cryptoVersions) { $1 }, leftOut: cryptoLeftOut, crypto()),
        dpdk(cores, arguments),
        obstacle("ports", arguments).map { Suite("ports", leftOut: [$0], [Trial]()) }
            ?? ports(cores, asRoot: asRoot("ports", arguments)),
        tax(cores, arguments),
        scale(partner: partner),
        obstacle("forwarder", arguments).map { Suite("forwarder", leftOut: [$0], [Trial]()) }
            ?? forwarder(
                relayCore: cores.own, senderCore: cores.other, isQuick: arguments.has("quick"),
                asRoot: asRoot("forwarder", arguments)),
        besideItself("filter", arguments).map { Suite("filter", leftOut: [$0], [Trial]()) }
            ?? filter(cores, sender: partner == nil ? nil : cores.other, asRoot: asRoot("filter", arguments)),
    ]
    precondition(all.map(\.name) == suiteNames)
    return all
}

/// What of the suites was asked for.
func chosen(_ cores: Cores, _ arguments: Arguments) throws -> [Suite] {
    for name in arguments.names where !suiteNames.contains(suite(of: name)) {
        throw Arguments.Wrong("there is no suite \(name); there are: \(suiteNames.joined(separator: ", "))")
    }
    let all = try suites(cores, arguments)
    return arguments.names.isEmpty ? all : try all.compactMap { try $0.only(arguments.names) }
}

/// The suite `tax`, of which a part needs more than this process.
private func tax(_ cores: Cores, _ arguments: Arguments) -> Suite {
    let overXDP: (trials: [Trial], leftOut: [String]) =
        obstacle("tax/forward-xdp", arguments).map { ([], [$0]) }
        ?? forwardXDP(cores, asRoot: asRoot("tax", arguments))
    return Suite(
        "tax", versions: overXDP.trials.isEmpty ? twins : twins.merging(libxdp) { $1 },
        leftOut: overXDP.leftOut, (echo() + forward()).map { Trial($0) } + overXDP.trials)
}

/// Why what moves packets over interfaces can't be measured with those options; `nil` when it can.
private func obstacle(_ what: String, _ arguments: Arguments) -> String? {
    if arguments.has("one-core") {
        return "\(what) can't be measured with --one-core: who sends needs a core of its own"
    }
    return besideItself(what, arguments)
}

/// Why what has no place for a second Apus can't be measured with those options; `nil` when it can.
private func besideItself(_ what: String, _ arguments: Arguments) -> String? {
    // The interface, or the place between camera and screen, is made once, and who works there is made on it.
    arguments.has("same")
        ? "\(what) can't be measured with --same: there is no place for a second Apus beside the first" : nil
}

/// The line that measures what was asked for of a suite as root.
private func asRoot(_ name: String, _ arguments: Arguments) -> String {
    let own = arguments.names.filter { suite(of: $0) == name }
    let names = own.count > 1 ? "\"\(own.joined(separator: " "))\"" : own.first ?? name
    return "sudo env PATH=\"$PATH\" make bench SUITE=\(names)"
}

/// What the C twins were compiled with.
private var twins: [String: String] { ["twins": unsafe String(cString: twins_compiler())] }
/// That, and DPDK.
private var dpdkVersion: [String: String] {
    twins.merging(["dpdk": unsafe String(cString: twins_dpdk())]) { $1 }
}
