import ApusDPDK

/// What is asked for on the command line.
struct Arguments {
    let verb: String
    let device: String
    let number: Int
    var environment = EALOptions()
    var options = DPDKOptions()
    /// How long to wait for packets at most, in milliseconds.
    var wait: Int32 = 10
    /// The longest frame to send.
    var longest = 1514

    init?(_ words: [String]) {
        guard words.count >= 3, let number = Int(words[2]) else { return nil }
        (verb, device, self.number) = (words[0], words[1], number)
        (environment.hugePages, environment.memory) = (.never, 96)
        options.framesPerQueue = 4096
        var rest = words.dropFirst(3)
        while let option = rest.popFirst() {
            if option == "--huge" {
                (environment.hugePages, environment.memory) = (.required, nil)
                continue
            }
            guard let value = rest.popFirst() else { return nil }
            if option == "--eal" {
                environment.extra.append(value)
                continue
            }
            guard let number = Int(value) else { return nil }
            switch option {
            case "--memory": environment.memory = number
            case "--core": environment.core = number
            case "--wait": wait = Int32(number)
            case "--longest": longest = number
            case "--queues": options.queues = number
            case "--mtu": options.mtu = number
            case "--frames": options.framesPerQueue = number
            case "--descriptors": (options.receiveDescriptors, options.transmitDescriptors) = (number, number)
            default: return nil
            }
        }
    }
}
