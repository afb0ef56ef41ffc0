import Foundation

/// The functions of a program for x86-64 and what each calls, read from its disassembly.
///
/// The way of control is followed instruction by instruction, since functions without a symbol lie behind
/// others that have one.
struct MachineCode {
    private enum Flow {
        case next
        /// Goes on at an address, and with the next instruction too if `may`.
        case jump(Int, may: Bool)
        case call(Int)
        /// Takes the address of something, such as of a function to hand over.
        case address(Int)
        case callThroughPointer
        case jumpThroughPointer
        case end
    }

    private struct Instruction {
        let address: Int
        let flow: Flow
        /// Which symbol's part of the program it is in.
        let part: Int
    }

    private var instructions: [Instruction] = []
    private var indices: [Int: Int] = [:]
    private var parts: [(symbol: String, name: String, address: Int)] = []
    private var partOfAddress: [Int: Int] = [:]

    /// What stands for a call through a pointer, whose target is not in the code.
    static let indirect = "a call through a pointer"
    /// Functions of the C library that a program may have replaced by its own.
    private static let heap: Set<String> = ["malloc", "calloc", "realloc", "memalign", "aligned_alloc"]

    struct Unreadable: Error { let reason: String }

    init(ofProgram path: String) throws {
        let ran = try Ran(["objdump", "-d", "--no-show-raw-insn", path])
        guard ran.status == 0 else { throw Unreadable(reason: ran.output) }
        for line in ran.output.utf8.split(separator: UInt8(ascii: "\n")) {
            if line.last == UInt8(ascii: ":"), let start = line.firstIndex(of: UInt8(ascii: "<")),
                let address = Self.hexadecimal(line)
            {
                // "address <symbol>:"
                let symbol = String(line[line.index(after: start)...].dropLast(2))!
                partOfAddress[address] = parts.count
                parts.append((symbol, symbol, address))
                continue
            }
            // "  address:\tinstruction operands"
            let fields = line.split(separator: UInt8(ascii: "\t"), maxSplits: 1)
            guard fields.count == 2, let address = Self.hexadecimal(fields[0]), !parts.isEmpty else {
                continue
            }
            indices[address] = instructions.count
            instructions.append(
                Instruction(address: address, flow: Self.flow(fields[1]), part: parts.count - 1))
        }
        try demangle()
    }

    private static func flow(_ text: Substring.UTF8View.SubSequence) -> Flow {
        // Prefixes that say something of branches.
        var words = text.split(separator: UInt8(ascii: " "))[...]
        while let word = words.first, word.elementsEqual("notrack".utf8) || word.elementsEqual("bnd".utf8) {
            words.removeFirst()
        }
        guard let word = words.first, let name = String(word) else { return .next }
        let operand = words.dropFirst().first
        let target = operand.flatMap(hexadecimal)
        switch name {
        case "ret", "ud2", "hlt", "int3": return .end
        case "call": return target.map { .call($0) } ?? .callThroughPointer
        case "jmp": return target.map { .jump($0, may: false) } ?? .jumpThroughPointer
        case "lea":
            // "lea 0x10(%rip),%rax        # address <symbol>"
            guard let mark = words.firstIndex(where: { $0.elementsEqual("#".utf8) }),
                mark + 1 < words.endIndex
            else { return .next }
            return hexadecimal(words[mark + 1]).map { .address($0) } ?? .next
        default:
            guard name.first == "j", let target else { return .next }
            return .jump(target, may: true)
        }
    }

    /// The number that a text begins with, behind spaces.
    private static func hexadecimal(_ text: Substring.UTF8View.SubSequence) -> Int? {
        let digits = text.drop { $0 == UInt8(ascii: " ") }.prefix {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
        return String(digits).flatMap { Int($0, radix: 16) }
    }

    private mutating func demangle() throws {
        let folder = TemporaryFolder()
        try parts.map(\.symbol).joined(separator: "\n").write(
            toFile: folder.file("symbols"), atomically: false, encoding: .utf8)
        let ran = try Ran(["sh", "-c", "swift demangle -compact <\(folder.file("symbols"))"])
        let names = ran.output.split(separator: "\n", omittingEmptySubsequences: false)
        guard ran.status == 0, names.count >= parts.count else { throw Unreadable(reason: ran.output) }
        for index in parts.indices { parts[index].name = String(names[index]) }
    }

    /// The addresses of the functions whose demangled names have all these texts in them.
    func functions(named texts: String...) -> [Int] { functions(named: texts) }

    func functions(named texts: [String]) -> [Int] {
        parts.filter { part in texts.allSatisfy { part.name.contains($0) } }.map(\.address)
    }

    /// The demangled name of what is at an address.
    private func name(_ address: Int) -> String {
        if let part = partOfAddress[address] { return parts[part].name }
        guard let index = indices[address] else { return "0x" + String(address, radix: 16) }
        return "a function behind " + parts[instructions[index].part].name
    }

    /// All that a function calls, jumps to outside itself, or takes the address of.
    private func callees(of function: Int) -> (addresses: Set<Int>, indirect: Bool) {
        guard let start = indices[function] else { return ([], false) }
        let part = instructions[start].part
        var (callees, indirect): (Set<Int>, Bool) = ([], false)
        var seen: Set<Int> = []
        var waiting = [start]
        while let index = waiting.popLast() {
            guard index < instructions.count, instructions[index].part == part, seen.insert(index).inserted
            else { continue }
            switch instructions[index].flow {
            case .next: waiting.append(index + 1)
            case .end: break
            case .jump(let target, let may):
                if may { waiting.append(index + 1) }
                if let there = indices[target], instructions[there].part == part {
                    waiting.append(there)
                } else {
                    callees.insert(target)
                }
            case .call(let target):
                callees.insert(target)
                // If it does not return, what follows may be another function.
                let name = name(target)
                if !name.hasPrefix("__stack_chk_fail"), !name.contains("-> Swift.Never") {
                    waiting.append(index + 1)
                }
            case .address(let target):
                // As the compiler merges functions that differ in what they call, and hands that over.
                if partOfAddress[target] != nil { callees.insert(target) }
                waiting.append(index + 1)
            case .callThroughPointer:
                // In a merged function: its callers take the addresses.
                if !parts[part].symbol.hasSuffix("Tm") { indirect = true }
                waiting.append(index + 1)
            case .jumpThroughPointer:
                // A table of a switch; it may go to anywhere in the function.
                waiting += instructions.indices[start...].prefix { instructions[$0].part == part }
            }
        }
        return (callees, indirect)
    }

    /// All that is called outside the program by a function, or by what it calls inside, each with a way
    /// there. `leavingOut` are parts of the demangled names of functions not to look into.
    func reached(from root: Int, leavingOut: [String] = []) -> [String: String] {
        var ways = [root: name(root)]
        var waiting = [root]
        var outside: [String: String] = [:]
        while let function = waiting.popLast() {
            let (callees, indirect) = callees(of: function)
            if indirect { outside[Self.indirect] = ways[function]! }
            for callee in callees {
                let name = name(callee)
                if leavingOut.contains(where: { name.contains($0) }) { continue }
                if name.hasSuffix("@plt") || Self.heap.contains(name) {
                    outside[name.replacingOccurrences(of: "@plt", with: "")] = ways[function]!
                } else if ways[callee] == nil {
                    ways[callee] = ways[function]! + "\n→ " + name
                    waiting.append(callee)
                }
            }
        }
        return outside
    }
}
