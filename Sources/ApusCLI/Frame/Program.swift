import Glibc

/// From words to an exit code.
enum Program {
    /// Runs the command line `words`, without the program's own name, and returns what to exit with.
    static func run(_ words: [String], root: Command, output: Output, errorOutput: Output) -> ExitCode {
        // A reader that goes away, such as head(1), is seen as an error of write(2) and not as a signal that
        // ends the process before it has cleaned up.
        signal(SIGPIPE, SIG_IGN)
        var names: [String] = []
        do throws(ExitFailure) {
            switch try ArgumentParser.parse(words, root: root, path: &names) {
            case .help(let command):
                output.write(HelpText.text(of: command, path: names.joined(separator: " "), for: output))
            case .run(let command, let values, let arguments):
                let path = names.joined(separator: " ")
                try command.run(
                    Invocation(
                        path: path, command: command, root: root, output: output, errorOutput: errorOutput,
                        values: values, arguments: arguments))
            }
            // The words of strerror(3) are a constant of the C library, or the thread's own.
            let reason = unsafe String(cString: strerror(output.failure))
            if output.failure != 0 {
                throw ExitFailure(.unavailable, "cannot write all of the output: \(reason)")
            }
            return .success
        } catch {
            show(error, of: names.joined(separator: " "), on: errorOutput)
            return error.code
        }
    }

    private static func show(_ failure: ExitFailure, of path: String, on output: Output) {
        output.write("\(output.style.bold(path)): \(failure.message.printableLines)\n")
        if let wayOut = failure.wayOut { output.write("\(wayOut.printableLines)\n") }
    }
}
