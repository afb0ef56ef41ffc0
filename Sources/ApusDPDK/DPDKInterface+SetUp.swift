import ApusPorts
import ApusWire
import CDPDK
import Glibc

extension DPDKInterface {
    /// What a device was granted.
    struct Granted {
        var takesSegments = false
        var offloads = Offloads()
        var event = APUS_EVENT_NONE
        var features: [PortGrant.Feature] = []
    }

    /// Configures the device's queues and starts it.
    static func setUp(
        _ port: UInt16, _ info: apus_port_info, _ options: DPDKOptions, _ memories: [MbufMemory],
        _ name: String
    ) throws(DPDKError) -> Granted {
        let scatters = info.rx_offloads & APUS_RX_SCATTER != 0
        var offloads = Offloads(info, options)
        if options.timestamps { offloads.clock = clock(info) }
        let segments = info.tx_offloads & APUS_TX_MULTI_SEGS != 0
        let isLong = (options.mtu ?? 1500) + 14 + 8 > options.room
        var setup = unsafe apus_port_setup()
        unsafe (setup.rx_queues, setup.tx_queues) = (UInt16(options.queues), UInt16(options.queues))
        unsafe setup.rx_descriptors = UInt16(options.receiveDescriptors)
        unsafe setup.tx_descriptors = UInt16(options.transmitDescriptors)
        unsafe (setup.mtu, setup.sets_mtu) = (UInt16(options.mtu ?? 0), options.mtu != nil)
        unsafe setup.rx_offloads = offloads.receiveFlags | (isLong && scatters ? APUS_RX_SCATTER : 0)
        unsafe setup.tx_offloads = offloads.transmitFlags | (segments ? APUS_TX_MULTI_SEGS : 0)
        // The same kinds for all devices, so that all hash alike.
        let spreads = options.queues > 1 || offloads.deviceHashes
        unsafe setup.rss_types = spreads ? info.rss_types & (APUS_RSS_PORTS | APUS_RSS_ADDRESSES) : 0
        unsafe (setup.rx_interrupts, setup.promiscuous) = (options.interrupts, options.isPromiscuous)
        var step = APUS_STEP_NONE
        let mac =
            options.mac.map { mac in (0..<6).map { UInt8(truncatingIfNeeded: mac.bits >> (40 - 8 * $0)) } }
            ?? []
        let pools = unsafe memories.map { unsafe Optional($0.pool) }
        let started = EALLog.collecting {
            // Sound: DPDK reads both arrays during the call only.
            unsafe pools.withUnsafeBufferPointer { pools in
                unsafe mac.withUnsafeBufferPointer { mac in
                    unsafe setup.pools = UnsafeMutablePointer(mutating: pools.baseAddress!)
                    unsafe setup.mac = mac.count == 6 ? mac.baseAddress : nil
                    return unsafe apus_port_start(port, &setup, &step)
                }
            }
        }
        guard started.result >= 0 else {
            throw DPDKError(name, .notSetUp(step: text(of: step), code: -started.result, log: started.log))
        }
        var granted = Granted()
        granted.takesSegments = segments
        if offloads.clock.source == .ticks, !offloads.clock.begin(port) {
            offloads.clock = DeviceClock(.software)
        }
        granted.offloads = offloads
        granted.event = unsafe setup.rx_interrupts ? apus_port_event(port) : APUS_EVENT_NONE
        granted.features = unsafe features(info, options, setup, granted, scatters: scatters)
        return granted
    }

    private static func features(
        _ info: apus_port_info, _ options: DPDKOptions, _ setup: apus_port_setup, _ granted: Granted,
        scatters: Bool
    ) -> [PortGrant.Feature] {
        let device = unsafe withUnsafeBytes(of: info.driver) { unsafe text($0) }
        let missing = "the driver \(device) has none"
        func feature(_ name: String, _ wanted: Bool, _ got: Bool) -> PortGrant.Feature {
            PortGrant.Feature(
                name, requested: wanted ? "yes" : "no", granted: got ? "yes" : "no",
                reason: wanted && !got ? missing : nil)
        }
        let (receive, transmit) = unsafe (Int(setup.rx_descriptors), Int(setup.tx_descriptors))
        func ring(_ name: String, _ wanted: Int, _ got: Int) -> PortGrant.Feature {
            PortGrant.Feature(
                name, requested: "\(wanted)", granted: "\(got)",
                reason: wanted == got ? nil : "what the driver \(device) takes")
        }
        var features = [
            PortGrant.Feature("driver", requested: "any", granted: device),
            ring("receive descriptors", options.receiveDescriptors, receive),
            ring("transmit descriptors", options.transmitDescriptors, transmit),
            feature("several frames a packet", true, granted.takesSegments),
            feature("interrupts", options.interrupts, granted.event != APUS_EVENT_NONE),
        ]
        features += granted.offloads.features(options, missing: missing)
        if options.queues > 1 {
            unsafe features.append(
                feature("symmetric RSS", true, setup.rss_types != 0 && info.rss_key_size > 0))
        }
        return features
    }

    /// What is known of the times of packets: net_pcap does not say that it tells, and in which unit.
    private static func clock(_ info: apus_port_info) -> DeviceClock {
        let driver = unsafe withUnsafeBytes(of: info.driver) { unsafe text($0) }
        if driver == "net_pcap" { return DeviceClock(.microseconds) }
        return DeviceClock(info.rx_offloads & APUS_RX_TIMESTAMP != 0 ? .ticks : .software)
    }

    private static func text(of step: apus_port_step) -> String {
        switch step {
        case APUS_STEP_CONFIGURE: "configuring its queues"
        case APUS_STEP_DESCRIPTORS: "choosing the number of descriptors"
        case APUS_STEP_MTU: "setting the MTU"
        case APUS_STEP_RX_QUEUE: "setting up a receive queue"
        case APUS_STEP_TX_QUEUE: "setting up a transmit queue"
        case APUS_STEP_MAC: "setting the link-layer address"
        case APUS_STEP_START: "starting it"
        case APUS_STEP_PROMISCUOUS: "asking for packets to all addresses"
        default: "setting it up"
        }
    }
}
