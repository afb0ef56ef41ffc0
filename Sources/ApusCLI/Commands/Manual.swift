import Apus

/// `apus man`.
enum Manual {
    /// The day of the version, as the manual states it.
    private static let date = "November 21, 2026"

    static let command = Command(
        name: "man",
        summary: "print the manual page",
        examples: [
            Example(purpose: "Read it", line: "apus man | man -l -"),
            Example(purpose: "Install it", line: "apus man > /usr/local/share/man/man1/apus.1"),
        ],
        run: { invocation in invocation.output.write(manualPage(invocation.root, date: date)) })
}
