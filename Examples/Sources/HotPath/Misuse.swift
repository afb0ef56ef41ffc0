import Apus

/// Does what stops a program, by its name: the tests look at what a release build says of it.
func misuse(_ name: String) throws {
    var pool = try FrameMemory(frames: 65, hugePages: .never).makePool(frames: 65)
    var burst = Burst()
    burst.append(pool.makePacket()!)
    switch name {
    case "position": burst[1].timestamp = 1
    case "room": while let packet = pool.makePacket() { burst.append(packet) }
    case "double":
        let frame = unsafe burst.popFirst()!.takeFrame()
        unsafe frame.release()
        unsafe frame.release()
    case "ring": print(SPSCRing<Packet>(minimumCapacity: 0).capacity)
    case "faults": print(Faults(loss: 2))
    default: print("no misuse has the name \(name)")
    }
}
