/// The version of Apus.
public enum ApusVersion {
    /// In the form of semver.org.
    public static let number = "0.1.0"
}
