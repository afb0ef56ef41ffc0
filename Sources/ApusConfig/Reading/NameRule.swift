extension ConfigurationReport {
    /// Refuses what a stream or a limit can't be called.
    func check(name: String, at location: ConfigurationLocation) {
        let isControl: (Unicode.Scalar) -> Bool = { $0.properties.generalCategory == .control }
        if name.isEmpty || name.unicodeScalars.count > 64 || name.unicodeScalars.contains(where: isControl) {
            add(
                "expected a name of 1 to 64 characters, none of them a control character, found \(name.quoted)",
                at: location)
        }
    }
}
