/// Why a message to the host of a device or from it was dropped on the way between that and the worker.
enum DeviceDrop: String, CaseIterable {
    case hostQueueFull = "host_queue_full"
    case otherHost = "other_host"
    case answerQueueFull = "answer_queue_full"
    case notSent = "not_sent"
    case stopped

    /// The reason in a sentence.
    var sentence: String {
        switch self {
        case .hostQueueFull: "more messages came than the host had taken, and the queue to it was full"
        case .otherHost: "it was a message for another host of the link"
        case .answerQueueFull: "there was no room, or no free frame, for what the host had to send"
        case .notSent: "the device did not send it, or no frame was free"
        case .stopped: "it was under way, in either direction, at the stop"
        }
    }
}
