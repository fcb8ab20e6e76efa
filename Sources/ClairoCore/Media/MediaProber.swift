/// Looks into a source before anything is done with it.
///
/// Calls block; they come from a dedicated thread and never from the cooperative pool.
public protocol MediaProber: Sendable {
    /// What is in the source.
    /// - Parameter name: of the source, for messages.
    /// - Throws: `badInput` (65) where it could not be transcoded: no media, cut short, beyond a limit.
    func probe(_ source: any ByteSource, name: String) throws(ClairoError) -> MediaInfo
}
