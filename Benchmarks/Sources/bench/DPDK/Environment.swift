import Apus
import ApusBench
import CTwins

/// DPDK's environment, of which there is one in a process: Apus starts it, and the twins are guests in it.
///
/// Its own thread, which only waits, is on the first core, and what is measured on the last. In normal pages, so that nothing of the machine has to be set aside, and as the peers have them.
func startDPDK() throws {
    var options = EALOptions()
    (options.hugePages, options.memory) = (.never, 512)
    try EAL.start(options)
    dpdk_join()
}

/// Some of DPDK's memory that is held while a competitor is there: what is made after it lies elsewhere than the last time.
@safe final class Gap {
    private let memory: UnsafeMutableRawPointer

    init() { unsafe memory = dpdk_gap() }
    deinit { unsafe dpdk_gap_free(memory) }
}
