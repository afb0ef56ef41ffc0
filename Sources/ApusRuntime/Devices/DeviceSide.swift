import ApusPorts
import ApusRTP
import ApusRings

/// What goes between one queue of a device that the kernel does not have and the control thread: frames that a host has to
/// answer in one direction, and answers in the other. Both ends of it, until they are taken.
final class DeviceSide {
    private var worker: WorkerEnd?
    private var control: ControlEnd?

    /// - Parameter bell: rung for the control thread.
    init(bell: Bell) throws(ServiceError) {
        let up = SPSCRing<Packet>(minimumCapacity: Self.room)
        let down = SPSCRing<Packet>(minimumCapacity: 2 * Self.room)
        let (counters, own) = (Counters(), try Bell(isAwaited: true))
        worker = WorkerEnd(
            toControl: up.producer, toSend: down.consumer, counters: counters, control: bell, worker: own)
        control = ControlEnd(
            fromWorker: up.consumer, toWorker: down.producer, counters: counters, worker: own)
    }

    /// The end of the worker; once.
    func takeWorker() -> WorkerEnd { worker.take()! }

    /// The end of the control thread; once.
    func takeControl() -> ControlEnd { control.take()! }

    /// Frames to be answered that are under way, and answers: what is more than that is dropped and counted, so that a flood of
    /// them costs the worker a look at each and no more. What a host says by itself has room for as many more, and frames of its
    /// own, so that no flood keeps it from asking.
    static var room: Int { 256 }

    /// What it did, for all to read; written by the worker where nothing else is said.
    final class Counters: Sendable {
        /// Frames handed to the control thread.
        let handed = Counter()
        /// Frames for it that there was no room for.
        let dropped = Counter()
        /// Frames of the control thread's that were for the worker to send, and there was no room or frame for: written by the
        /// control thread.
        let unqueued = Counter()
        /// Frames of the control thread's that were sent.
        let sent = Counter()
        /// Those that could not be: there was no free frame, or the device took none.
        let unsent = Counter()
        /// Those among ``sent`` that the device has not sent after all.
        let refused = Counter()
    }

    /// The worker's end.
    struct WorkerEnd: ~Copyable, Sendable {
        var toControl: SPSCProducer<Packet>
        var toSend: SPSCConsumer<Packet>
        let counters: Counters
        /// Rung for the control thread.
        let control: Bell
        /// Rung for the worker, which may sleep: awaited from the start.
        let worker: Bell
    }

    /// The control thread's end.
    struct ControlEnd: ~Copyable {
        var fromWorker: SPSCConsumer<Packet>
        var toWorker: SPSCProducer<Packet>
        let counters: Counters
        let worker: Bell
    }
}
