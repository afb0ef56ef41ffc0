import Glibc

exit(
    Program.run(
        Array(CommandLine.arguments.dropFirst()), root: .apus, output: Output(descriptor: STDOUT_FILENO),
        errorOutput: Output(descriptor: STDERR_FILENO)
    ).rawValue)
