import ApusPorts
import ApusRTP
import ApusRings
import CLinux
import Glibc

/// What goes between one queue of a device that the kernel does not have and the control thread: frames that a host has to
/// answer in one direction, and answers in the other.
enum DeviceSide {
    /// Frames under way in each direction: what is more than that is dropped and counted, so that a flood of them costs the
    /// worker a look at each and no more.
    static var room: Int { 256 }

    /// What it did, for all to read.
    final class Counters: Sendable {
        /// Frames handed to the control thread.
        let handed = Counter()
        /// Frames for it that there was no room for.
        let dropped = Counter()
        /// Frames of the control thread's that were sent.
        let sent = Counter()
        /// Those that could not be: there was no free frame, or the device took none.
        let unsent = Counter()
    }

    /// The worker's end.
    struct WorkerEnd: ~Copyable, Sendable {
        var toControl: SPSCProducer<Packet>
        var toSend: SPSCConsumer<Packet>
        let counters: Counters
        /// Makes the control thread's descriptor readable.
        let event: Int32
    }

    /// The control thread's end.
    struct ControlEnd: ~Copyable {
        var fromWorker: SPSCConsumer<Packet>
        var toWorker: SPSCProducer<Packet>
        let counters: Counters
    }
}
