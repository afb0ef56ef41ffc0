import Glibc
import NetworkLab
import Testing

extension Lab {
    /// What Prometheus gets of an interface that the kernel does not have.
    @Suite(.requires(.root, .program("curl"), .program("ping")))
    struct DeviceMetricsTests {
        @Test(arguments: [DeviceScene.Kind.afPacket, .tap])
        func `the metrics of a device are the traffic that there was`(kind: DeviceScene.Kind) throws {
            let scene = try DeviceScene("metrics", kind)
            let forward = try scene.forward(
                streams: #"{ listen: "192.0.2.2:5004", to: ["198.51.100.1:6004"] }"#,
                further: #"metrics: { listen: "127.0.0.1:9469" },"#)
            let sink = try Sink(in: scene.receiver, "198.51.100.1", 6004)
            try scene.sender.run("ping", "-c", "4", "-i", "0.1", "-W", "3", "192.0.2.2")
            // The next hop is known after it.
            try scene.receiver.run("ping", "-c", "2", "-i", "0.5", "-W", "5", "198.51.100.2")
            let source = try UDPSocket(in: scene.sender, "192.0.2.1")
            for number in 0..<300 {
                try source.send(Numbered.packet(number, length: 200), to: SocketAddress("192.0.2.2", 5004))
                if number % 50 == 0 { usleep(5000) }
            }
            #expect(sink.wait(for: 300).count == 300)
            let (near, far) = ("interface=\"\(kind.rawValue)0\"", "interface=\"\(kind.rawValue)1\"")
            var text = ""
            // Ports are read four times a second.
            try eventually("all packets counted") {
                text = try scene.relay.run("curl", "-sS", "-f", "http://127.0.0.1:9469/metrics")
                    .standardOutput
                return text.contains(
                    "apus_port_sent_packets_total{\(far),queue=\"0\",backend=\"dpdk\"} 300\n")
            }
            func value(_ series: String) -> UInt64? {
                text.split(separator: "\n").first { $0.hasPrefix(series + " ") }
                    .flatMap { UInt64($0.dropFirst(series.utf8.count + 1)) }
            }
            for (series, wanted) in [
                ("apus_device_received_messages_total{\(near),protocol=\"icmpv4\"}", 4),
                ("apus_device_sent_messages_total{\(near),kind=\"echo_reply\"}", 4),
                ("apus_device_sent_messages_total{\(far),kind=\"echo_reply\"}", 2),
                ("apus_device_neighbors{\(far),state=\"failed\"}", 0),
                ("apus_device_address_conflicts_total{\(near)}", 0),
                ("apus_port_received_packets_total{\(near),queue=\"0\",backend=\"dpdk\"}", 300),
                // Ethernet, IPv4 and UDP before each.
                ("apus_port_received_bytes_total{\(near),queue=\"0\",backend=\"dpdk\"}", 300 * (200 + 42)),
                ("apus_port_sent_packets_total{\(far),queue=\"0\",backend=\"dpdk\"}", 300),
                ("apus_port_sent_bytes_total{\(far),queue=\"0\",backend=\"dpdk\"}", 300 * (200 + 42)),
                ("apus_port_received_packets_total{\(far),queue=\"0\",backend=\"dpdk\"}", 0),
            ] as [(String, UInt64)] {
                #expect(
                    value(series) == wanted, "\(series) \(value(series).map(String.init) ?? "is not there")")
            }
            #expect(value("apus_device_received_messages_total{\(near),protocol=\"arp\"}") ?? 0 > 0)
            let known = ["reachable", "stale", "delay", "probe"].compactMap {
                value("apus_device_neighbors{\(far),state=\"\($0)\"}")
            }
            #expect(known.count == 4 && known.reduce(0, +) > 0, "\(text)")
            // What the status says is what the metrics say.
            let status = try forward.status()
            for (device, name) in zip(status.devices, [near, far]) {
                for (reason, count) in device.drops {
                    let series = "apus_device_dropped_messages_total{\(name),reason=\"\(reason)\"}"
                    #expect(value(series) ?? 0 <= count && value(series) != nil, "\(series) of \(count)")
                }
                #expect(value("apus_device_link_up{\(name)}") == (device.isLinkUp == true ? 1 : 0))
            }
            _ = try forward.finish()
        }
    }
}
