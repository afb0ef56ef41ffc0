import ApusPorts
import ApusRings
import CLinux
import Glibc

/// How a worker passes the time when there is nothing to receive: first it polls on, then it sleeps
/// on the descriptors of its ports.
struct Idler: ~Copyable {
    private let policy: IdlePolicy
    private var descriptors: FixedArray<pollfd>
    private let canSleep: Bool
    private var idleSince: UInt64 = 0

    init<Driver: PortDriver & ~Copyable>(
        _ policy: IdlePolicy, watching ports: borrowing FixedArray<Port<Driver>>
    ) {
        self.policy = policy
        var all = true
        for port in ports.indices where ports[port].driver.readyDescriptor < 0 { all = false }
        canSleep = all && policy.sleep > 0
        descriptors = FixedArray(repeating: pollfd(), count: ports.count)
        for port in ports.indices {
            descriptors[port] = pollfd(
                fd: ports[port].driver.readyDescriptor, events: Int16(POLLIN), revents: 0)
        }
    }

    /// There was something to do.
    mutating func wake() { idleSince = 0 }

    /// There was nothing to do; `ports` are those it was made for.
    mutating func rest<Driver: PortDriver & ~Copyable>(_ ports: inout FixedArray<Port<Driver>>) {
        guard canSleep else { return apus_relax() }
        let now = Clock.monotonic
        if idleSince == 0 { idleSince = now }
        guard now &- idleSince >= UInt64(policy.spin) &* 1000 else { return apus_relax() }
        // All its interfaces may be gone.
        guard descriptors.count > 0 else {
            usleep(UInt32(policy.sleep) * 1000)
            return
        }
        // All of them, so that those that want another look have it at once.
        var mayWait = true
        for port in ports.indices { mayWait = ports[port].driver.mayWait() && mayWait }
        guard mayWait else { return }
        // Sound: the array owns `count` of them and is not touched meanwhile.
        unsafe _ = poll(&descriptors[0], nfds_t(descriptors.count), policy.sleep)
    }
}
