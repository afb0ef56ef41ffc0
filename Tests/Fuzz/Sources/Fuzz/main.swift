import CFuzzer
import Glibc

// Fuzz TARGET [libFuzzer's arguments]      fuzz
// Fuzz --capture FILE FOLDER               write seeds from a pcap file to FOLDER/TARGET/
// Fuzz --hexadecimal FILE FOLDER           write seeds from lines of hexadecimal digits to FOLDER/
//
// The target is the function fuzz_TARGET, found by its name in this program, so that a file in Targets/ is
// all that a new one takes.

let given = Array(CommandLine.arguments.dropFirst())
if given.count == 3, given[0] == "--capture" {
    exit(writeSeeds(capture: given[1], into: given[2]) ? 0 : 66)
}
if given.count == 3, given[0] == "--hexadecimal" {
    exit(writeSeeds(hexadecimal: given[1], into: given[2]) ? 0 : 66)
}
let name = given.first ?? ""
guard let target = unsafe find_fuzz_target(name) else {
    print("there is no fuzz target \"\(name)\"; the targets are the files of Sources/Fuzz/Targets")
    exit(64)
}

// libFuzzer takes the first argument for the program's name.
var count = CommandLine.argc - 1
var arguments = unsafe UnsafeMutablePointer(CommandLine.unsafeArgv + 1)
let code = unsafe withUnsafeMutablePointer(to: &arguments) { pointer in
    unsafe LLVMFuzzerRunDriver(&count, pointer, target)
}
exit(code)
