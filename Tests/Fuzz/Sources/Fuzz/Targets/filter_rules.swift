import ApusConfig

/// The rules of the packet filter: they are read and then written as a text that is read as the same rules, or they
/// are refused with places that lie in the text and messages of a bounded length.
@c(fuzz_filter_rules)
public func fuzzFilterRules(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let octets = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let source = ConfigurationSource(name: "x", bytes: octets)
    do throws(ConfigurationErrors) {
        let rules = try FilterRules(parsing: source)
        precondition((try? rules.validate()) != nil)
        let text = rules.text
        guard let again = try? FilterRules(parsing: text, name: "y") else {
            preconditionFailure("not read: \(text)")
        }
        precondition(again == rules && again.text == text)
        for limit in rules.limits {
            precondition(limit.packets == nil || limit.effectivePacketBurst! > 0)
            precondition(limit.bits == nil || limit.effectiveOctetBurst! > 0)
        }
    } catch {
        check(error, lines: 1 + octets.count { $0 == 0x0a || $0 == 0x0d })
    }
    // What the command line reads: any text that is taken is written so that it is read as the same.
    let text = String(decoding: octets, as: UTF8.self)
    check(FilterSubject.self, text)
    check(FilterService.self, text)
    check(FilterDuration.self, text)
    check(FilterRate.self, text)
    check(PacketRate.self, text)
    check(BitRate.self, text)
    check(FilterBurst.self, text)
    check(PortRange.self, text)
    return 0
}

private func check<Value: ConfigurationText & Equatable>(_ type: Value.Type, _ text: String) {
    do throws(ValueRefusal) {
        let value = try Value(text)
        let again = try? Value("\(value)")
        precondition(again == value, "\(text) is written \(value)")
    } catch {
        // The longest expectation, and the texts of sixty and twenty scalars that it is followed by.
        precondition(error.message.unicodeScalars.count < 400)
    }
}

private func check(_ errors: ConfigurationErrors, lines: Int) {
    precondition(!errors.errors.isEmpty && errors.errors.count <= ConfigurationReport.limit)
    for error in errors.errors {
        guard let line = error.line, let column = error.column else {
            preconditionFailure("no place: \(error)")
        }
        precondition(line >= 1 && line <= lines && column >= 1)
    }
    precondition(errors.description.unicodeScalars.count < 40_000)
}
