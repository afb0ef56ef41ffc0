import ApusConfig

/// A configuration file: it is read, or refused with places that lie in the text and messages of a bounded
/// length. What was read passes its own validation again.
@c(fuzz_json5)
public func fuzzJSON5(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let octets = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    let source = ConfigurationSource(name: "x", bytes: octets)
    let lines = 1 + octets.count { $0 == 0x0a || $0 == 0x0d }
    do throws(ConfigurationErrors) {
        use(try JSON5Value(parsing: source).position.line)
    } catch {
        check(error, lines)
    }
    do throws(ConfigurationErrors) {
        let configuration = try ForwarderConfiguration(parsing: source)
        precondition(
            !configuration.streams.isEmpty && configuration.streams.count <= configuration.limits.streams)
        precondition((try? configuration.validate()) != nil)
    } catch {
        check(error, lines)
    }
    return 0
}

private func check(_ errors: ConfigurationErrors, _ lines: Int) {
    precondition(!errors.errors.isEmpty && errors.errors.count <= ConfigurationReport.limit)
    for error in errors.errors {
        guard let line = error.line, let column = error.column else {
            preconditionFailure("no place: \(error)")
        }
        precondition(line >= 1 && line <= lines && column >= 1)
    }
    // Twenty errors, each with a few notes, an excerpt of a hundred columns and texts of sixty.
    precondition(errors.description.unicodeScalars.count < 40_000)
}
