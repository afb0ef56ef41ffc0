import ApusConfig
import ApusFilter
import Glibc

/// One step in a filter's life, in a process of its own: what the tests run without privileges, and in machines that QEMU
/// emulates.
///
///     FilterHolder INTERFACE load|replace RULES
///     FilterHolder INTERFACE status|unload
@main
struct FilterHolder {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count > 2, arguments.count == (hasRules(arguments[2]) ? 4 : 3) else { usage() }
        do throws(FilterError) {
            switch arguments[2] {
            case "load":
                let filter = try RateLimitFilter.load(rules(arguments[3]), on: arguments[1])
                let status = try filter.status()
                say("\(status.mode) \(status.usesDispatcher ? "in a dispatcher" : "alone")")
            case "replace": try RateLimitFilter(on: arguments[1]).replace(rules(arguments[3]))
            case "status":
                let status = try RateLimitFilter(on: arguments[1]).status()
                say("\(status.passed.packets) passed, \(status.dropped.packets) dropped")
            case "unload": try RateLimitFilter.unload(from: arguments[1])
            default: usage()
            }
            say("done")
        } catch {
            say("error: \(error)")
            exit(77)
        }
    }

    private static func hasRules(_ step: String) -> Bool { step == "load" || step == "replace" }

    private static func rules(_ text: String) -> FilterRules {
        do throws(ConfigurationErrors) {
            return try FilterRules(parsing: text, name: "rules")
        } catch {
            say("error: \(error)")
            exit(78)
        }
    }

    private static func usage() -> Never {
        say("usage: FilterHolder INTERFACE load|replace|status|unload [RULES]")
        exit(64)
    }

    /// Without a buffer, so that the line is out before the process is killed.
    private static func say(_ line: String) {
        _ = unsafe Array("\(line)\n".utf8).withUnsafeBytes { unsafe write(1, $0.baseAddress, $0.count) }
    }
}
