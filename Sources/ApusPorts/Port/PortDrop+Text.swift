extension PortDrop: CustomStringConvertible {
    /// Its name in statistics, as the label of a metric: `pool_empty`.
    public var label: String { text.label }

    /// The reason in a sentence.
    public var description: String { text.sentence }

    private var text: (label: String, sentence: String) {
        switch self {
        case .poolEmpty: ("pool_empty", "the pool had no free frame to receive into or to copy to")
        case .receiveRingFull:
            ("receive_ring_full", "the receive ring was full: the worker did not come round often enough")
        case .fillRingEmpty: ("fill_ring_empty", "the kernel found no free frame in the fill ring")
        case .kernel: ("kernel", "the kernel dropped it for a reason of its own")
        case .device: ("device", "the device found it damaged, or dropped it for a reason of its own")
        case .invalidDescriptor: ("invalid_descriptor", "the kernel refused the descriptor of a frame")
        case .badDescriptor:
            (
                "bad_descriptor",
                "the kernel's descriptor is not that of a frame it was given, or of no possible "
                    + "packet"
            )
        case .tooLong: ("too_long", "it is longer than a frame holds or than the interface sends")
        case .merged: ("merged", "the kernel had merged datagrams into it, which could not be parted again")
        case .foreignMemory: ("foreign_memory", "its frame is in memory that the port can't send from")
        case .sendRefused:
            (
                "send_refused",
                "the kernel or the device refused to send it, or had not taken it when the port was "
                    + "closed"
            )
        case .linkDown: ("link_down", "the interface that it should leave by is down")
        case .truncated:
            ("truncated", "it was recorded shorter than it was (a capture file's snapshot length)")
        case .injectedLoss: ("injected_loss", "it was lost on purpose, by a fault that a test injects")
        case .workerRingFull:
            (
                "worker_ring_full",
                "the ring to the worker that has its flow was full: that worker did not keep "
                    + "up"
            )
        }
    }
}
