import ApusConfig
import ApusDevices
import ApusPorts
import ApusRings
import ApusWire
import Glibc

#if DPDK
    import ApusDPDK
#endif

/// An interface of the forwarder that DPDK has.
final class OpenDevice {
    /// As its host.
    let host: DeviceHost
    /// How many queues it has in each direction.
    let queueCount: Int
    /// Frames of each queue's pool.
    let framesPerQueue: Int
    private var ports: FixedArray<Port<DeviceDriver<DPDKDriver>>?>
    #if DPDK
        private let interface: DPDKInterface
        private let bell: Bell
        /// When it is asked for its link again, and what it had told of changes when that was done last.
        private var nextLook: (time: UInt64, events: UInt32) = (0, 0)
    #endif

    /// The port of one of its queues; once.
    func takePort(_ queue: Int) -> Port<DeviceDriver<DPDKDriver>> { ports[queue].take()! }

    #if DPDK
        /// Opens a device, with a queue for each worker if it has so many and no other number is asked for.
        ///
        /// - Parameters:
        ///   - sleeps: whether workers sleep while no packets come.
        ///   - bell: rung for the control thread when there are frames for it.
        init(
            _ name: String, number: Int, _ options: PortConfiguration, workers: Int, nodes: [Int],
            sleeps: Bool, bell: Bell, _ environment: DPDKConfiguration
        ) throws(ForwarderError) {
            guard let settings = options.dpdk else { preconditionFailure("it is not an interface of DPDK's") }
            var wanted = DPDKOptions()
            wanted.queues = options.queues ?? workers
            wanted.framesPerQueue = Self.frames(options)
            wanted.receiveDescriptors = options.ringSize
            wanted.transmitDescriptors = options.ringSize
            // There are drivers that refuse to be told the MTU they have; what a device can't, its host does not use either.
            wanted.mtu = settings.mtu == 1500 ? nil : settings.mtu
            wanted.isPromiscuous = settings.promiscuous
            wanted.mac = settings.mac
            wanted.portNumber = UInt16(number)
            wanted.nodes = nodes
            // Who never sleeps need not be woken.
            wanted.interrupts = sleeps
            let interface: DPDKInterface
            do throws(DPDKError) {
                // First: that there are too few hugepages says nothing of a name that is wrong.
                try settings.device.check(settings.device.argument)
                try EAL.start(environment.options)
                interface = try Self.open(settings.device.argument, wanted, atMost: options.queues == nil)
            } catch {
                throw .dpdk(error)
            }
            (self.interface, self.bell) = (interface, bell)
            (queueCount, framesPerQueue) = (interface.queueCount, wanted.framesPerQueue)
            var sides: [DeviceSide] = []
            do throws(ServiceError) {
                for _ in 0..<queueCount { sides.append(try DeviceSide(bell: bell)) }
            } catch {
                throw .required("\(name): \(error)")
            }
            host = try DeviceHost(
                name, number: number, settings,
                mac: interface.mac, mtu: interface.mtu, node: interface.node,
                ends: FixedArray(count: queueCount) { sides[$0].takeControl() })
            ports = try FixedArray(count: queueCount) { (queue) throws(ForwarderError) in
                try Self.open(interface, name, queue, sides[queue].takeWorker())
            }
            interface.watchLink(bell.descriptor)
        }

        deinit { interface.unwatchLink(bell.descriptor) }

        /// Asks for its link, once a second and when its driver has told of a change.
        ///
        /// - Returns: whether it went up or down.
        func checkLink() -> Bool {
            let (now, events) = (Clock.monotonic, interface.linkEvents)
            guard now >= nextLook.time || events != nextLook.events else { return false }
            nextLook = (now &+ 1_000_000_000, events)
            let said = interface.link.map {
                LinkReport(isUp: $0.isUp, megabits: $0.megabits, isFullDuplex: $0.isFullDuplex)
            }
            // A card's counters are the worker's to read, and are asked for here only while none of them goes up.
            let isDown = said?.isUp == false
            return host.note(said, received: isDown ? interface.receivedPackets : 0)
        }

        /// What is wrong with a device, as far as that can be said without DPDK, and whether it is that there is none; nil if nothing.
        static func trouble(with device: DPDKDevice) -> (text: String, isMissing: Bool)? {
            do throws(DPDKError) { try device.check(device.argument) } catch {
                return (error.description(.configuration), FailureKind(error) == .missing)
            }
            return nil
        }

        /// There are drivers that keep more than their descriptors say: net_af_xdp 2048 and more, whatever is asked for.
        private static func frames(_ options: PortConfiguration) -> Int {
            options.frames ?? max(8192, options.framesPerQueue)
        }

        /// Why DPDK's memory can't be had, or has no room for the frames of a device; nil where that is not known before it is
        /// tried: hugepages are taken as they are needed.
        static func memoryRefusal(
            _ dpdk: DPDKConfiguration, _ devices: [InterfaceConfiguration]
        ) -> (text: String, device: InterfaceConfiguration?)? {
            guard !dpdk.hugepages else { return nil }
            let memory = EALOptions.normalMegabytes(dpdk.memory)
            if let refusal = DPDKError.ifTooMuch(megabytes: memory) {
                return (refusal.description(.configuration), nil)
            }
            var taken = 0
            for device in devices {
                // One at least, where it is the device that says how many.
                for _ in 0..<(device.port.queues ?? 1) {
                    let frames = frames(device.port)
                    if let refusal = DPDKError.ifNoRoom(
                        device.port.dpdk!.device.argument, frames: frames, behind: &taken, in: memory)
                    {
                        return (refusal.description(.configuration), device)
                    }
                }
            }
            return nil
        }

        /// Opens a device with as many queues as are wanted, or with all it has where that is enough: its flows are spread over
        /// the workers by software then.
        private static func open(
            _ device: String, _ wanted: DPDKOptions, atMost: Bool
        ) throws(DPDKError) -> DPDKInterface {
            do throws(DPDKError) {
                return try DPDKInterface(device, wanted)
            } catch {
                guard atMost, case .tooManyQueues(_, let most) = error.cause, most > 0 else { throw error }
                var fewer = wanted
                fewer.queues = most
                return try DPDKInterface(device, fewer)
            }
        }

        private static func open(
            _ interface: DPDKInterface, _ name: String, _ queue: Int, _ side: consuming DeviceSide.WorkerEnd
        ) throws(ForwarderError) -> Port<DeviceDriver<DPDKDriver>> {
            let port: Port<DPDKDriver>
            do throws(DPDKError) { port = try interface.open(queue: queue) } catch { throw .dpdk(error) }
            do throws(ServiceError) {
                return Port(try DeviceDriver(port, name: name, side: side))
            } catch {
                throw .required("\(error)")
            }
        }
    #else
        /// There is no such device.
        func checkLink() -> Bool { false }

        private static let withoutDPDK =
            "this apus was built without DPDK; build it where libdpdk-dev is installed, with the trait DPDK"

        /// That there is no DPDK.
        static func trouble(with device: DPDKDevice) -> (text: String, isMissing: Bool)? {
            ("\(device.argument): \(withoutDPDK)", false)
        }

        /// Nothing: there is no DPDK to give it to.
        static func memoryRefusal(
            _ dpdk: DPDKConfiguration, _ devices: [InterfaceConfiguration]
        ) -> (text: String, device: InterfaceConfiguration?)? { nil }

        /// Always refuses.
        init(
            _ name: String, number: Int, _ options: PortConfiguration, workers: Int, nodes: [Int],
            sleeps: Bool, bell: Bell, _ environment: DPDKConfiguration
        ) throws(ForwarderError) {
            throw .required("\(name): \(Self.withoutDPDK)")
        }
    #endif
}

#if DPDK
    extension DPDKConfiguration {
        /// How the environment is started.
        fileprivate var options: EALOptions {
            var options = EALOptions()
            options.hugePages = hugepages ? .required : .never
            (options.memory, options.hugePageDirectory) = (memory, hugepageDirectory)
            (options.core, options.filePrefix) = (mainCore, filePrefix)
            (options.allow, options.virtualDevices, options.extra) = (allow, vdevs, extra)
            return options
        }
    }
#endif
