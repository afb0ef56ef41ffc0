import Glibc
import Synchronization

/// Whether the run was asked to end, by ^C or `kill`. It does so between two rounds, with what it has found; asked a second
/// time, the kernel ends it at once.
enum Interruption {
    /// What such a run exits with, as a shell does after SIGINT.
    static let code: Int32 = 130
    private static let asked = Atomic<Bool>(false)

    static var isAsked: Bool { asked.load(ordering: .relaxed) }

    /// Begins to listen to SIGINT and SIGTERM.
    static func watch() {
        // Made now: a signal handler must not be the first to touch it.
        asked.store(false, ordering: .relaxed)
        var action = sigaction()
        unsafe action.__sigaction_handler.sa_handler = { _ in
            Interruption.asked.store(true, ordering: .relaxed)
        }
        // System calls go on where the kernel can; those that wait, as poll(2), end early, and what seems to have failed
        // by that is not kept.
        action.sa_flags = SA_RESTART | Int32(bitPattern: UInt32(SA_RESETHAND))
        for signal in [SIGINT, SIGTERM] { unsafe _ = sigaction(signal, &action, nil) }
    }
}
