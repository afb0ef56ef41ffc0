import Glibc

// A standard descriptor that was closed would be the number of the next socket, and what is written would go out
// by that. These stay taken, and can do no more than a closed one: writing and reading fail.
for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
    _ = unsafe open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY)
}

exit(
    Program.run(
        Array(CommandLine.arguments.dropFirst()), root: .apus, output: Output(descriptor: STDOUT_FILENO),
        errorOutput: Output(descriptor: STDERR_FILENO)
    ).rawValue)
