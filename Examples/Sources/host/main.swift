import Apus
import Glibc

// host DEVICE ADDRESS/BITS    is the host with that address on a device of DPDK's
let words = CommandLine.arguments
guard words.count == 3, let address = AddressPrefix(words[2]) else {
    print("usage: host DEVICE ADDRESS/BITS, such as: host net_tap0,iface=tap0 192.0.2.2/24")
    exit(64)
}
do {
    let interface = try DPDKInterface(words[1])
    var port = try interface.open()
    let clock = WorkerClock()
    let configuration = EndHostConfiguration(
        mac: interface.mac, addresses: [address], seed: .random(in: .min ... .max))
    var host = try EndHost(configuration, at: clock.monotonic)
    print(port.grant)
    fflush(nil)  // into a pipe too
    serve(&host, over: &port, service: Endpoint(address.address, port: 7), clock: clock)
} catch {
    let sentence = "host: \(error)\n"
    unsafe write(STDERR_FILENO, sentence, sentence.utf8.count)
    exit(1)
}
