import Glibc
import NetworkLab
import Testing

extension Lab.RealDeviceTests {
    /// A cable that is pulled out of a card and put back: the status, the metrics and the log of the forwarder tell, and it
    /// answers then as before.
    func checkLink(_ guest: Guest, _ card: Guest.Card) throws {
        let other = guest.cards.first { $0.address != card.address }!.address
        let configuration = """
            { interfaces: [ { name: "\(card.address)", addresses: ["192.0.2.2/24"] } ], \
            dpdk: { memory: 96, allow: ["\(other)"] }, \
            control: { socket: "/run/apus/control" }, metrics: { listen: "127.0.0.1:9469" }, \
            streams: [ { listen: "192.0.2.2:5004", to: ["192.0.2.1:6004"] } ] }
            """
        try guest.run("mkdir -p -m 700 /run/apus; ip link set lo up")
        try guest.run("printf '%s' '\(configuration)' >/tmp/forward.json5")
        try guest.start("apus forward --config /tmp/forward.json5", untilLine: "ready")
        let here = Datagram.End(mac: [2, 0, 0, 0, 0, 1], address: [192, 0, 2, 1], port: 40_000)
        let relay = Datagram.End(mac: card.mac, address: [192, 0, 2, 2], port: 5004)
        try expectLink(guest, card, isUp: true)
        // A card negotiates as it is started, so that its link may be down for a moment at first, which is told too.
        let before = try guest.run("apus control /run/apus/control status").contains(", changed ") ? 1 : 0
        try guest.setLink(card, isUp: false)
        try expectLink(guest, card, isUp: false)
        try guest.setLink(card, isUp: true)
        try expectLink(guest, card, isUp: true)
        let answer = ARP.reply(from: relay, to: here)
        try card.wire.send(ARP.request(from: here, for: relay.address))
        #expect(card.wire.receive(1) { $0 == answer } == [answer])
        let text = try guest.stop()
        for words in ["its link is down", "its link is up again"] {
            let lines = text.split(separator: "\n").filter { $0.contains("\(card.address): \(words)") }
            #expect(lines.count == 1 + before, "\(text)")
        }
        #expect(text.contains("device \(card.address) link up"), "\(text)")
        #expect(text.contains(", changed \(2 + before) times"), "\(text)")
    }

    /// Waits until the status says so, and sees that the metrics do.
    private func expectLink(_ guest: Guest, _ card: Guest.Card, isUp: Bool) throws {
        let wanted = "device \(card.address) link \(isUp ? "up" : "down")"
        let deadline = ContinuousClock.now + .seconds(20)
        var text = ""
        repeat {
            usleep(200_000)
            text = try guest.run("apus control /run/apus/control status")
        } while !text.contains(wanted) && ContinuousClock.now < deadline
        #expect(text.contains(wanted), "\(text)")
        let down = "interface \(card.address): its link is down, so no packets come or go"
        #expect(text.contains(down) == !isUp, "\(text)")
        let metrics = try guest.run("wget -q -O - http://127.0.0.1:9469/metrics | grep ^apus_device_link_up")
        #expect(metrics == "apus_device_link_up{interface=\"\(card.address)\"} \(isUp ? 1 : 0)\n")
    }
}
