import Apus

extension Command {
    /// The whole tree. A new command is a file beside this one and a line here.
    static let apus = Command(
        name: "apus",
        summary: "packets past the kernel's network stack",
        discussion: [
            "Apus takes packets through AF_XDP sockets, or AF_PACKET where those are not to be had, or through the "
                + "poll-mode drivers of DPDK, and forwards RTP and UDP streams with them."
        ],
        usage: ["COMMAND [options]", "help COMMAND"],
        options: [Version.option, Version.json],
        examples: [
            Example(
                purpose: "Relay a camera's stream to a receiver",
                line: "apus forward --listen 192.0.2.1:5004 --to 198.51.100.7:5004"),
            Example(purpose: "Learn all about a command", line: "apus help forward"),
        ],
        subcommands: [
            Doctor.command,
            Forward.command,
            FilterCommand.command,
            Generate.command,
            Capture.command,
            Bench.command,
            Control.command,
            Help.command,
            CompletionScript.command,
            Manual.command,
            Version.command,
        ],
        run: Version.runRoot)
}
