import ApusRTP
import ApusRings
import ApusWire

/// What the control thread sends a worker: all that may have changed, as one value that the worker
/// takes up between two bursts and gives back when the next one comes.
struct Orders: ~Copyable, Sendable {
    /// Optional only so that it can be exchanged for the worker's own.
    var table: ForwardingTable?
    /// The link-layer address of each interface, by number.
    var interfaces: FixedArray<MACAddress>

    init(_ plan: ForwardingPlan, slots: Int, interfaces: [MACAddress]) {
        table = ForwardingTable(plan, slots: slots)
        self.interfaces = FixedArray(count: interfaces.count) { interfaces[$0] }
    }
}
