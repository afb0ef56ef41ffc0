import Apus
import ApusBench
import Foundation

// What the recipes of Docs/Filter.md cost an honest packet: it is looked up in the recipe's lists, charged to all limits
// that it falls under, and passes. Beside xdp-filter with all its features, as `filter/pass` is.

/// A voice server, a DNS server and a game server.
func recipePackets() -> [Comparison] {
    [("voice", 20_000 as UInt16), ("dns", 53), ("game", 27_015)].map { name, port in
        Comparison("filter/recipes/\(name)", per: "packet") {
            let filter = try LoadedFilter(apus: Recipe.rules(name), judging: Recipe.frame(to: port))
            try filter.check(.reason(.within))
            return filter.competitor("Apus", .pass)
        } peer: {
            try LoadedFilter(xdpFilterWith: "allow").competitor("xdp-filter", .pass)
        }
    }
}

private enum Recipe {
    /// Those of the manual, with rates that the kernel's runs don't reach.
    static func rules(_ name: String) throws -> FilterRules {
        let manual = URL(filePath: #filePath).appending(path: "../../../../../Docs/Filter.md").standardized
        let text = try String(contentsOf: manual, encoding: .utf8)
        let (start, fence) = ("<!-- example: /etc/apus/filter-\(name).json5 -->\n```json5\n", "\n```")
        guard let begin = text.firstRange(of: start),
            let end = text[begin.upperBound...].firstRange(of: fence)
        else { throw BenchError("Docs/Filter.md has no recipe \(name)") }
        var rules = try FilterRules(parsing: String(text[begin.upperBound..<end.lowerBound]), name: name)
        for index in rules.limits.indices {
            if rules.limits[index].packets != nil { rules.limits[index].packets = PacketRate(perSecond: 1e9) }
            if rules.limits[index].bits != nil { rules.limits[index].bits = BitRate(perSecond: 1e12) }
            (rules.limits[index].packetBurst, rules.limits[index].octetBurst) = (nil, nil)
        }
        return rules
    }

    /// The usual packet, to this port of UDP.
    static func frame(to port: UInt16) -> [UInt8] {
        var frame = judgedFrame
        // Behind the headers of Ethernet and IPv4 and the port it comes from.
        (frame[36], frame[37]) = (UInt8(port >> 8), UInt8(port & 255))
        return frame
    }
}
