/// The candidate that `name` was most likely meant to be, or nil if none is near.
///
/// Near means that at most a third of the letters (and at least one) were left out, added, changed or swapped
/// with their neighbor. Case, hyphens and underscores do not count, so `zero-copy` finds `zeroCopy`.
package func nearestName(to name: String, among candidates: [String]) -> String? {
    let longest = 64
    let wanted = letters(of: name)
    guard !wanted.isEmpty, wanted.count <= longest else { return nil }
    var best: (distance: Int, name: String)?
    for candidate in candidates {
        let distance = editDistance(wanted, letters(of: candidate))
        if distance < best?.distance ?? .max { best = (distance, candidate) }
    }
    guard let best, best.distance <= max(1, wanted.count / 3) else { return nil }
    return best.name
}

private func letters(of name: String) -> [UInt8] {
    name.lowercased().utf8.filter { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "_") }
}

/// The optimal string alignment distance: insertions, deletions, substitutions and swaps of neighbors.
private func editDistance(_ a: [UInt8], _ b: [UInt8]) -> Int {
    guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in 1...a.count {
        var row = [i]
        for j in 1...b.count {
            var cost = min(row[j - 1] + 1, last[j] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
            if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                cost = min(cost, beforeLast[j - 2] + 1)
            }
            row.append(cost)
        }
        (beforeLast, last) = (last, row)
    }
    return last[b.count]
}
