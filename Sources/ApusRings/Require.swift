/// Stops the program unless it was used rightly, and says why: in a release build too, where the text of a
/// `precondition` is left out.
///
/// For what is done once. It is a call, which a loop over packets can do without.
@inline(never)
package func require(_ condition: Bool, _ reason: StaticString) {
    if !condition { fatalError("\(reason)") }
}
