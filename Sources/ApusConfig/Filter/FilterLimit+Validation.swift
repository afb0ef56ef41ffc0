extension FilterLimit {
    /// Checks what concerns this limit alone.
    func validate(_ report: ConfigurationReport) {
        report.check(name: name, at: map["name"])
        validateScope(report)
        service?.validate(report)
        validateRates(report)
        validateBursts(report)
        validateBan(report)
    }

    private func validateScope(_ report: ConfigurationReport) {
        guard case .prefix(let ipv4, let ipv6) = scope else { return }
        if ipv4 > 32 {
            report.add("a prefix of IPv4 has 0 to 32 bits, found \"/\(ipv4)\"", at: map["prefixes", 0])
        }
        if ipv6 > 128 {
            report.add("a prefix of IPv6 has 0 to 128 bits, found \"/\(ipv6)\"", at: map["prefixes", 1])
        }
    }

    private func validateRates(_ report: ConfigurationReport) {
        if packets == nil, bits == nil {
            report.add("the limit has no rate; give it one, such as \"1000pps\"", at: map["rate"])
        }
        if let packets, !PacketRate.range.contains(packets.perSecond) {
            report.add("expected \(PacketRate.expectation), found \"\(packets)\"", at: map["rate"])
        }
        if let bits, !BitRate.range.contains(bits.perSecond) {
            report.add("expected \(BitRate.expectation), found \"\(bits)\"", at: map["rate"])
        }
    }

    private func validateBursts(_ report: ConfigurationReport) {
        if let packetBurst {
            validate(
                .packets(packetBurst), in: FilterBurst.packetRange, perSecond: packets?.perSecond,
                missing: "a burst of packets needs a rate of packets, such as rate: \"1000pps\"", report)
        }
        if let octetBurst {
            validate(
                .octets(octetBurst), in: FilterBurst.octetRange, perSecond: bits.map { $0.perSecond / 8 },
                missing: "a burst of octets needs a rate of bits, such as rate: \"10Mbit\"", report)
        }
    }

    private func validate(
        _ burst: FilterBurst, in range: ClosedRange<UInt64>, perSecond: Double?, missing: String,
        _ report: ConfigurationReport
    ) {
        let amount =
            switch burst {
            case .packets(let count), .octets(let count): count
            }
        guard range.contains(amount) else {
            report.add("expected \(FilterBurst.expectation), found \"\(burst)\"", at: map["burst"])
            return
        }
        guard let perSecond else {
            report.add(missing, at: map["burst"])
            return
        }
        // A bucket's time is counted in nanoseconds, and one that takes longer to fill limits nothing.
        if Double(amount) > perSecond * 86_400 {
            report.add(
                "a burst of \"\(burst)\" is more than its rate gives in a day; write a smaller burst, or a higher rate",
                at: map["burst"])
        }
    }

    private func validateBan(_ report: ConfigurationReport) {
        guard let ban else { return }
        if scope != .source {
            report.add(
                "only a limit on each source bans, as the others do not know whose packets were too many; write "
                    + "each: \"source\", or leave \"ban\" out",
                at: map["ban"])
        }
        if !(ban.factor >= 1.01 && ban.factor <= 1000) {
            report.add(
                "expected how many times the rate is too much, from 1.01 to 1000, found "
                    + Measure.text(ban.factor),
                at: map["over"])
        }
        if !FilterDuration.range.contains(ban.time) {
            report.add("expected \(FilterDuration.expectation), found \"\(ban.time)\"", at: map["for"])
        }
    }
}
