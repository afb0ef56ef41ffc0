import Foundation
import Testing

@testable import ApusRuntime

@Suite("The texts of the service")
struct ServiceTextTests {
    private func whole(_ source: some TextSource) -> (text: String, pieces: [Int]) {
        var source = source
        var text: [UInt8] = []
        var pieces: [Int] = []
        while true {
            let before = text.count
            source.appendNext(to: &text)
            if text.count == before { return (String(decoding: text, as: UTF8.self), pieces) }
            pieces.append(text.count - before)
        }
    }

    @Test("the status on the control socket has the keys and values that its encoded form has")
    func status() throws {
        let text = whole(StatusJSON(answerWith: StatusSnapshot(.sample))).text
        #expect(text.hasSuffix("}}\n"))
        #expect(text.filter { $0 == "\n" }.count == 1)
        let answer = try #require(
            try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
        #expect(answer["ok"] as? Bool == true)
        let encoded = try JSONSerialization.jsonObject(with: JSONEncoder().encode(ForwarderStatus.sample))
        func ordered(_ object: Any) throws -> String {
            String(
                decoding: try JSONSerialization.data(withJSONObject: object, options: .sortedKeys),
                as: UTF8.self)
        }
        #expect(try ordered(try #require(answer["status"])) == ordered(encoded))
    }

    @Test("the status of ten thousand streams comes in pieces of bounded size and is whole")
    func longStatus() throws {
        var status = ForwarderStatus.sample
        status.streams = (0..<10_000).map { ForwarderStatus.stream("stream \($0)", packets: UInt64($0)) }
        for (text, pieces) in [
            whole(StatusJSON(answerWith: StatusSnapshot(status))), whole(MetricsText(StatusSnapshot(status))),
        ] {
            #expect(pieces.count > 10)
            #expect(pieces.allSatisfy { $0 <= 64 << 10 })
            #expect(text.contains("\"stream 9999\""))
        }
        let text = whole(StatusJSON(answerWith: StatusSnapshot(status))).text
        let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
        #expect(((object?["status"] as? [String: Any])?["streams"] as? [Any])?.count == 10_000)
    }

    @Test("a status with nothing in it is a valid text in both formats")
    func empty() throws {
        let text = whole(StatusJSON(answerWith: StatusSnapshot(ForwarderStatus()))).text
        _ = try JSONSerialization.jsonObject(with: Data(text.utf8))
        #expect(
            whole(MetricsText(StatusSnapshot(ForwarderStatus()))).text.contains(
                "apus_received_packets_total 0\n"))
    }

    @Test("metrics have help, type and samples, with labels for streams, ports and reasons")
    func metrics() {
        let text = whole(MetricsText(StatusSnapshot(.sample))).text
        for lines in [
            """
            # HELP apus_received_packets_total Packets taken from the ports.
            # TYPE apus_received_packets_total counter
            apus_received_packets_total 1000

            """,
            "apus_dropped_packets_total{reason=\"bad_udp_checksum\"} 2\n",
            "apus_dropped_packets_total{reason=\"no-stream\"} 8\n",
            "apus_dropped_packets_total{reason=\"not_udp\"} 0\n",
            "apus_port_dropped_packets_total{interface=\"eth0\",queue=\"0\",backend=\"xdp\",reason=\"kernel\"} 4\n",
            "# TYPE apus_steered_packets_total counter\napus_steered_packets_total{interface=\"eth0\"} 1004\n",
            "apus_passed_packets_total{interface=\"eth0\",reason=\"fragment\"} 6\n",
            "apus_passed_packets_total{interface=\"eth0\",reason=\"no_socket\"} 0\n",
            "apus_port_feature_info{interface=\"eth0\",queue=\"0\",backend=\"xdp\",feature=\"zero-copy\","
                + "requested=\"auto\",granted=\"no\"} 1\n",
            "apus_stream_received_packets_total{stream=\"camera\"} 990\n",
            "# TYPE apus_stream_rtp_lost_packets gauge\napus_stream_rtp_lost_packets{stream=\"camera\"} 5\n",
            "apus_stream_rtp_jitter_seconds{stream=\"camera\"} 0.00125\n",
            "apus_stream_rtp_ssrc{stream=\"camera\"} 3735928559\n",
            "apus_stream_last_arrival_timestamp_seconds{stream=\"camera\"} 1700000000.5\n",
            "apus_uptime_seconds 12.5\n",
            "# TYPE apus_interface_open gauge\napus_interface_open{interface=\"eth0\"} 1\n",
            "apus_completed_checksums_total 7\n",
            "apus_unverified_checksums_total 9\n",
            "apus_worker_stalls_total 3\n",
            "apus_unreachable_destinations 1\n",
            "# TYPE apus_device_link_up gauge\napus_device_link_up{interface=\"net_tap0\"} 1\n",
            "apus_device_link_speed_bits_per_second{interface=\"net_tap0\"} 10000000000\n",
            "apus_device_link_changes_total{interface=\"net_tap0\"} 2\n",
            "apus_device_received_messages_total{interface=\"net_tap0\",protocol=\"arp\"} 5\n",
            "apus_device_received_messages_total{interface=\"net_tap0\",protocol=\"icmpv4\"} 0\n",
            "apus_device_sent_messages_total{interface=\"net_tap0\",kind=\"arp_reply\"} 4\n",
            "apus_device_dropped_messages_total{interface=\"net_tap0\",reason=\"host_queue_full\"} 7\n",
            "apus_device_dropped_messages_total{interface=\"net_tap0\",reason=\"rate_limited\"} 0\n",
            "apus_device_neighbors{interface=\"net_tap0\",state=\"failed\"} 1\n",
            "apus_device_neighbor_events_total{interface=\"net_tap0\",event=\"evicted\"} 0\n",
            "apus_device_narrow_paths{interface=\"net_tap0\"} 1\n",
        ] { #expect(text.contains(lines)) }
    }

    @Test("what a device does not say of its link is not made up")
    func unknownLink() {
        let text = whole(MetricsText(StatusSnapshot(.sample))).text
        #expect(!text.contains("apus_device_link_up{interface=\"0000:03:00.0\"}"))
        #expect(text.contains("apus_device_link_changes_total{interface=\"0000:03:00.0\"} 0\n"))
    }

    @Test("a quote, a backslash and a line feed in a stream's name are escaped in its label")
    func labels() {
        let text = whole(MetricsText(StatusSnapshot(.sample))).text
        #expect(
            text.contains("apus_stream_sent_packets_total{stream=\"quote\\\" back\\\\slash\\nline ü\"} 0\n"))
        // Nothing was measured for it, and nothing is said.
        #expect(!text.contains("apus_stream_rtp_ssrc{stream=\"quote"))
    }

    @Test("every one of ten thousand streams has its samples under the name of their family")
    func metricsOfMany() {
        var status = ForwarderStatus.sample
        status.streams = (0..<10_000).map { ForwarderStatus.stream("stream \($0)", packets: 1) }
        let lines = whole(MetricsText(StatusSnapshot(status))).text.split(separator: "\n")
        #expect(lines.allSatisfy { $0.hasPrefix("apus_") || $0.hasPrefix("# ") })
        #expect(lines.count { $0.hasPrefix("apus_stream_received_packets_total{") } == 10_000)
        #expect(lines.count { $0.hasPrefix("apus_stream_rtp_jitter_seconds{") } == 10_000)
    }

    @Test("no sample occurs twice and every family's samples stand together")
    func uniqueness() {
        // More than one piece, so that a family goes on in the next.
        var status = ForwarderStatus.sample
        status.streams += (0..<2000).map { ForwarderStatus.stream("stream \($0)", packets: UInt64($0)) }
        let lines = whole(MetricsText(StatusSnapshot(status))).text.split(separator: "\n")
        #expect(Set(lines.filter { $0.hasPrefix("# TYPE") }).count == MetricFamily.all.count)
        #expect(Set(lines).count == lines.count)
        var family = Substring("")
        for line in lines {
            if line.hasPrefix("# TYPE ") { family = line.split(separator: " ")[2] }
            if !line.hasPrefix("#") { #expect(line.prefix { $0 != "{" && $0 != " " } == family) }
        }
    }

    @Test("health is ok, degraded while some destinations can't be reached, and failing when none can")
    func health() {
        var status = ForwarderStatus.sample
        status.unreachable = [:]
        #expect(HealthReport(status).code == 200)
        #expect(
            String(decoding: HealthReport(status).json, as: UTF8.self)
                == "{\"status\":\"ok\",\"uptime\":12.5,\"streams\":2,\"ports\":1}\n")
        status.streams[1].destinations = ["198.51.100.9:5004"]
        status.unreachable = ["198.51.100.9:5004": "no route"]
        #expect(HealthReport(status).code == 200)
        #expect(
            String(decoding: HealthReport(status).json, as: UTF8.self).contains(
                "\"status\":\"degraded\"") == true)
        status.unreachable["198.51.100.7:5004"] = "link down"
        let failing = HealthReport(status)
        #expect(failing.code == 503)
        #expect(failing.reasons == ["198.51.100.7:5004: link down", "198.51.100.9:5004: no route"])
        status.unreachable = [:]
        status.ports = []
        #expect(HealthReport(status).code == 503)
    }

    @Test("an interface that is gone is told of in all texts, and its figures stay")
    func closedInterface() throws {
        var status = ForwarderStatus.sample
        status.unreachable = [:]
        (status.interfaces[0].isOpen, status.interfaces[0].reason) = (false, "no interface of that name")
        status.interfaces[0].isReceiving = false
        status.ports[0].isOpen = false
        status.ports.append(status.ports[0])
        (status.ports[1].interface, status.ports[1].isOpen) = ("eth1", true)
        let metrics = whole(MetricsText(StatusSnapshot(status))).text
        #expect(metrics.contains("apus_interface_open{interface=\"eth0\"} 0\n"))
        #expect(metrics.contains("apus_interface_open{interface=\"eth1\"} 1\n"))
        #expect(metrics.contains("apus_port_received_packets_total{interface=\"eth0\",queue=\"0\""))
        #expect(!metrics.contains("apus_port_feature_info{interface=\"eth0\""))
        let answer = whole(StatusJSON(answerWith: StatusSnapshot(status))).text
        #expect(
            answer.contains(
                "{\"name\":\"eth0\",\"isOpen\":false,\"isReceiving\":false,\"isListening\":true,\"reason\":"))

        // The only one that streams listen on; then one of two; then one that is only sent by.
        let deaf = HealthReport(status)
        #expect(deaf.code == 503 && deaf.reasons == ["eth0: no interface of that name"])
        status.interfaces[1].isListening = true
        #expect(HealthReport(status).code == 200 && HealthReport(status).status == .degraded)
        status.interfaces[0].isListening = false
        #expect(HealthReport(status).status == .ok)
    }

    @Test("an interface that is open and receives nothing, or not all, is told of in all texts")
    func deafInterface() throws {
        var status = ForwarderStatus.sample
        status.unreachable = [:]
        (status.interfaces[0].isReceiving, status.interfaces[0].reason) = (false, "down, so no packets come")
        let metrics = whole(MetricsText(StatusSnapshot(status))).text
        #expect(metrics.contains("apus_interface_receiving{interface=\"eth0\"} 0\n"))
        #expect(metrics.contains("apus_interface_receiving{interface=\"eth1\"} 1\n"))
        #expect(metrics.contains("apus_interface_open{interface=\"eth0\"} 1\n"))
        let answer = whole(StatusJSON(answerWith: StatusSnapshot(status))).text
        #expect(answer.contains("\"isReceiving\":false,\"isListening\":true,\"reason\":\"down"))
        let deaf = HealthReport(status)
        #expect(deaf.code == 503 && deaf.reasons == ["eth0: down, so no packets come"])
        status.interfaces[1].isListening = true
        #expect(HealthReport(status).code == 200 && HealthReport(status).status == .degraded)
        // Something comes still.
        status.interfaces[1].isListening = false
        (status.interfaces[0].isReceiving, status.interfaces[0].reason) = (
            true, "it has 4 receive queues now"
        )
        #expect(HealthReport(status).status == .degraded)
    }

    @Test("health names sixteen of many unreachable destinations and counts the others")
    func boundedHealth() {
        var status = ForwarderStatus.sample
        for port in 0..<1000 { status.unreachable["203.0.113.1:\(port)"] = "no route" }
        let report = HealthReport(status)
        #expect(report.reasons.count == 16)
        #expect(report.omitted == status.unreachable.count - 16)
    }
}
