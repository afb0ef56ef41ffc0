import Apus
import ApusRuntime

/// Runs the forwarder until it is told to stop, and says on standard error what was granted, what happens
/// and what came of it.
func runForwarder(
    _ configuration: ForwarderConfiguration, options: ForwardOptions, _ invocation: Invocation
) throws(ExitFailure) {
    let log = invocation.errorOutput
    let service: ForwarderService
    do throws(ServiceError) {
        // Before the forwarder, so that its threads have the signals blocked.
        service = try ForwarderService(configuration)
    } catch {
        throw ExitFailure(error)
    }
    let forwarder: Forwarder
    do throws(ForwarderError) {
        forwarder = try Forwarder(configuration)
    } catch {
        throw ExitFailure(error)
    }
    for line in GrantText.lines(forwarder.grants) { log.line(line) }
    if let endpoint = service.metricsEndpoint { log.line("metrics at http://\(endpoint)/metrics") }
    service.statisticsInterval = options.showsStatistics ? .seconds(1) : nil
    let view: ForwardStatsView
    do throws(ThreadError) {
        view = try ForwardStatsView(options: options, output: invocation.output, log: log)
    } catch {
        throw ExitFailure(ForwarderError.thread(error))
    }
    let summary = service.run(
        forwarder,
        reloadFrom: {
            guard let file = options.configurationFile else {
                throw ExitFailure(.usage, "there is no file to read again: the streams were given as options")
            }
            // It has been read to its end.
            if file == "-" {
                throw ExitFailure(
                    .usage, "standard input can't be read again; keep the configuration in a file")
            }
            return try ForwarderConfiguration(file: file)
        },
        onTick: { status in
            view.show(status)
            if view.isClosed { service.stop(because: "nobody reads the figures any more") }
        },
        onEvent: { view.note($0) })
    // A service manager is to see that it did not end because somebody wanted it to.
    guard view.finish(summary) else {
        throw ExitFailure(.unavailable, "cannot write all of the output: \(view.outputFailure)")
    }
}

extension ExitFailure {
    init(_ error: ServiceError) {
        if case .configuration(let errors) = error {
            self.init(errors)
        } else {
            self.init(ExitCode(FailureKind(of: error)), "\(error)")
        }
    }

    init(_ error: ForwarderError) {
        if case .configuration(let errors) = error {
            self.init(errors)
        } else {
            self.init(ExitCode(FailureKind(of: error)), "\(error)")
        }
    }
}
