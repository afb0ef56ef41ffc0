extension PortConfiguration {
    /// Checks each setting and how they go together. What was taken over from `inherited` unchanged is not
    /// reported again.
    func validate(_ report: ConfigurationReport, inheriting inherited: PortConfiguration?) {
        if queues != inherited?.queues { report.check(queues, .queues, at: map["queues"]) }
        if ringSize != inherited?.ringSize { report.check(ringSize, .ringSize, at: map["ringSize"]) }
        if frameSize != inherited?.frameSize, frameSize != 2048, frameSize != 4096 {
            report.add(
                "expected a frame size of 2048 or 4096 bytes, found \(frameSize)", at: map["frameSize"])
        }
        if frames != inherited?.frames { report.check(frames, .frames, at: map["frames"]) }
        if let busyPoll, busyPoll != inherited?.busyPoll {
            report.check(busyPoll.microseconds, .busyPollTime, at: busyPoll.map["microseconds"])
            report.check(busyPoll.budget, .busyPollBudget, at: busyPoll.map["budget"])
        }
        dpdk?.validate(report)
        if backend == .dpdk {
            validateDPDK(report, inheriting: inherited)
        } else if self != inherited {
            validatePool(report)
            validateBackend(report)
        }
    }

    /// What is inherited and none of DPDK's is passed over.
    private func validateDPDK(_ report: ConfigurationReport, inheriting inherited: PortConfiguration?) {
        // The defaults can't be DPDK's, which has been said.
        guard let inherited else { return }
        validatePool(report)
        let note = ConfigurationError.Note("the backend is chosen here", at: map["backend"])
        let notes = map["backend"] == map.whole ? [] : [note]
        func refuse(_ key: String, _ text: String) {
            report.add("\(text); leave it out", at: map[key], notes: notes)
        }
        if mode != .auto, mode != inherited.mode {
            refuse("mode", "\(map.setting("mode", mode.rawValue)) is a matter of AF_XDP, and not of DPDK")
        }
        if zeroCopy != .auto, zeroCopy != inherited.zeroCopy {
            refuse("zeroCopy", "zero-copy is a matter of AF_XDP; whether a driver of DPDK has it is its own")
        }
        if hugepages != .auto, hugepages != inherited.hugepages {
            refuse(
                "hugepages",
                "all interfaces over DPDK have one memory, and \"dpdk.hugepages\" says whether it is in huge pages"
            )
        }
        if let busyPoll, busyPoll != inherited.busyPoll {
            refuse("busyPoll", "busy polling is a matter of AF_XDP, and a driver of DPDK always polls")
        }
        if ringSize != inherited.ringSize, IntegerRule.ringSize.refusal(of: ringSize) == nil,
            let refusal = IntegerRule.dpdkRingSize.refusal(of: ringSize)
        {
            report.add(refusal, at: map["ringSize"], notes: notes)
        }
    }

    private func validatePool(_ report: ConfigurationReport) {
        guard let frames, IntegerRule.frames.refusal(of: frames) == nil,
            IntegerRule.ringSize.refusal(of: ringSize) == nil
        else { return }
        let isDPDK = backend == .dpdk
        let least = 2 * ringSize + (isDPDK ? 512 : 0)
        if frames < least {
            report.add(
                "expected at least \(least) frames for each queue, as \(ringSize) are kept ready to receive and as "
                    + "many may wait to be sent\(isDPDK ? ", and 512 are kept at hand over DPDK" : ""), found \(frames)",
                at: map["frames"])
        }
    }

    /// Whether that many packets may be held back: what the rings keep is not theirs to take.
    func validate(pending limits: LimitConfiguration, _ report: ConfigurationReport) {
        // A pool too small for the rings was refused already, and so was a number out of range.
        guard IntegerRule.ringSize.refusal(of: ringSize) == nil, framesToSpare >= 0,
            IntegerRule.frames.refusal(of: framesPerQueue) == nil,
            limits.pendingPackets > framesToSpare,
            IntegerRule.pendingPackets.refusal(of: limits.pendingPackets) == nil
        else { return }
        let pending = limits.map["pendingPackets"]
        let note = ConfigurationError.Note("the frames are set here", at: map["frames"])
        report.add(
            "expected at most \(framesToSpare) packets to be held back, as the pool of a queue has \(framesPerQueue) "
                + "frames and 2 × \(ringSize) of them are the rings', found \(limits.pendingPackets); "
                + "write fewer for pendingPackets, or \(limits.pendingPackets + 2 * ringSize) for frames",
            at: pending == .unknown ? map["frames"] : pending, notes: pending == .unknown ? [] : [note])
    }

    private func validateBackend(_ report: ConfigurationReport) {
        if zeroCopy == .require, mode == .generic {
            report.add(
                "zero-copy is required, and the generic mode has none; write "
                    + "\(map.setting("mode", "native")) or \(map.setting("zeroCopy", "auto"))",
                at: map["zeroCopy"], notes: [.init("the mode is chosen here", at: map["mode"])])
        }
        validateRingOfPacketSocket(report)
        guard backend == .packet else { return }
        let note = ConfigurationError.Note("the backend is chosen here", at: map["backend"])
        if mode != .auto {
            report.add(
                "\(map.setting("mode", mode.rawValue)) is a matter of AF_XDP, and "
                    + "\(map.setting("backend", "packet")) is AF_PACKET; leave it out",
                at: map["mode"], notes: [note])
        }
        if zeroCopy == .require {
            report.add(
                "zero-copy is required, and AF_PACKET has none; write \(map.setting("backend", "xdp")) or "
                    + map.setting("zeroCopy", "auto"),
                at: map["zeroCopy"], notes: [note])
        }
        if queues != nil {
            report.add(
                "queues are a matter of AF_XDP, and \(map.setting("backend", "packet")) is AF_PACKET, which has a "
                    + "socket for each worker; leave it out",
                at: map["queues"], notes: [note])
        }
        if busyPoll != nil {
            report.add(
                "busy polling is a matter of AF_XDP, and \(map.setting("backend", "packet")) is AF_PACKET; leave it "
                    + "out",
                at: map["busyPoll"], notes: [note])
        }
    }

    /// What only AF_XDP can have is refused where AF_PACKET is asked for, and where the host may come to it.
    private func validateRingOfPacketSocket(_ report: ConfigurationReport) {
        guard backend.mayBePacket, IntegerRule.ringSize.refusal(of: ringSize) == nil,
            let refusal = IntegerRule.packetRingSize.refusal(of: ringSize)
        else { return }
        let reason = backend == .auto ? ", which \(map.setting("backend", "auto")) may come to" : ""
        report.add(
            "\(refusal)\(reason); write a smaller one or \(map.setting("backend", "xdp"))",
            at: map["ringSize"],
            notes: backend == .packet ? [.init("the backend is chosen here", at: map["backend"])] : [])
    }
}
